"""``integration-server work``: what the server does beside answering requests, in a process of its own."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from integration_server import __version__
from integration_server.cli.options import config_argument


@click.command()
@config_argument
@click.pass_obj
def command(is_debug: bool, folder: Path) -> None:
    """Notice changes and deliver them until stopped by SIGTERM or Ctrl-C; answer no requests.

    For several nodes on one PostgreSQL, beside 'serve --no-workers'. On SQLite it waits while another process works.
    """
    from integration_server.cli.serve import begin_log, counting
    from integration_server.server.installation import opened
    from integration_server.server.workers import Workers

    stop = threading.Event()
    with _set_by_signals(stop), opened(folder) as installation, counting(installation):
        begin_log(installation.config, is_debug)
        workers = Workers(installation)
        workers.start()
        try:
            click.echo(f"integration-server {__version__} works for {installation.config.base_dir}")
            click.echo("\n".join(installation.forwarding.greeting()))
            # Not without a time: on Windows such a wait hears no Ctrl-C.
            while not stop.wait(0.5):
                pass
        finally:
            workers.stop()


@contextmanager
def _set_by_signals(stop: threading.Event) -> Iterator[None]:
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGBREAK") if hasattr(signal, name)]
    previous = {number: signal.signal(number, lambda *_: stop.set()) for number in numbers}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
