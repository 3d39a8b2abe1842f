"""``integration-server serve``."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from integration_server import FrontendSettings, __version__
from integration_server.cli.exits import CannotListen
from integration_server.cli.options import config_argument
from integration_server.cli.output import shell_line

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

    from integration_server.config import Config, ServerSettings
    from integration_server.server import ServerLimits
    from integration_server.server.installation import Installation
    from integration_server.web.app import Mounted

#: The person whom every sample of ours holds; shown only for mounts that say they bear the sample password.
_DEMO_USER, _DEMO_PASSWORD = "ada", "demo"
_EVERYWHERE = frozenset({"0.0.0.0", "::"})


@click.command()
@config_argument
@click.option("--host", help="Listen here instead of at [server] host.")
@click.option("--port", type=click.IntRange(0, 65535), help="Instead of [server] port; 0 takes any free one.")
@click.option("--processes", type=click.IntRange(1, 64), help="Instead of [server] processes.")
@click.option("--no-workers", is_flag=True, help="Only answer requests; 'work' notices changes and delivers them.")
@click.pass_obj
def command(
    is_debug: bool, folder: Path, host: str | None, port: int | None, processes: int | None, no_workers: bool
) -> None:
    """Serve every frontend of a configuration folder until stopped by SIGTERM or Ctrl-C.

    Changes are noticed and delivered in the same process, unless --no-workers says otherwise.
    """
    from integration_server.server import inherited_socket

    with ended_by_sigterm():
        inherited = inherited_socket()
        if inherited is not None:
            _serve_worker(folder, inherited, no_workers, is_debug)
        else:
            _serve_first(folder, host, port, processes, no_workers, is_debug)


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Being stopped before the server is up is no failure either."""

    def end(*_: object) -> None:
        raise SystemExit(0)

    previous = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _serve_worker(folder: Path, sock: socket.socket, no_workers: bool, is_debug: bool) -> None:
    from integration_server.server import serve
    from integration_server.server.installation import opened

    with opened(folder) as installation:
        begin_log(installation.config, is_debug)
        mounted = installation.mounted()
        app = app_of(installation, mounted)
        with _beside(installation, mounted, no_workers):
            limits = limits_of(installation.config.core.server)
            serve(app, sock, limits, on_stop=installation.stopping.set, has_siblings=True)


def _serve_first(
    folder: Path, host: str | None, port: int | None, processes: int | None, no_workers: bool, is_debug: bool
) -> None:
    """Check everything and take the address; then serve it here, or have workers serve it, until told to stop, or to
    begin anew with other files."""
    from integration_server.meters import share
    from integration_server.server.installation import opened
    from integration_server.server.notify import STOPPING, tell
    from integration_server.server.reloading import Reloading, inherited_listener

    with opened(folder) as installation:
        config = installation.config
        begin_log(config, is_debug)
        mounted = installation.mounted()
        app = app_of(installation, mounted)
        settings = config.core.server
        where = (host or settings.host, settings.port if port is None else port)
        sock = inherited_listener(*where) or bound(*where)
        greet = _greeting(installation, sock, no_workers)
        reloading = Reloading(_check_command(folder), sock, *where)
        wanted = processes or settings.processes
        if wanted == 1:
            with reloading.heard(), _beside(installation, mounted, no_workers):
                serve_alone(installation, app, sock, greet)
    if wanted > 1:
        # Closed by now: the workers open the backends and the store for themselves.
        share(config.data_dir / "metrics")
        with reloading.heard():
            _serve_with_workers(_worker_command(folder, no_workers, is_debug), sock, wanted, greet)
    if not reloading.is_due:
        tell(STOPPING)
    reloading.go_on()


def serve_alone(
    installation: Installation, app: WSGIApplication, sock: socket.socket, greet: Callable[[], None]
) -> None:
    """In this process, which tells systemd how it is. ``greet`` is called as soon as callers are answered."""
    from integration_server.server import serve
    from integration_server.server.notify import READY, Heartbeat, tell

    def begin() -> None:
        greet()
        tell(READY)

    limits = limits_of(installation.config.core.server)
    on_turn = Heartbeat().beat
    serve(app, sock, limits, on_started=begin, on_stop=installation.stopping.set, on_turn=on_turn)


def _serve_with_workers(command: list[str], sock: socket.socket, count: int, greet: Callable[[], None]) -> None:
    from integration_server.server import serve_processes
    from integration_server.server.notify import READY, Heartbeat, tell

    def begin() -> None:
        greet()
        tell(READY)

    serve_processes(command, sock, count, on_started=begin, on_turn=Heartbeat().beat)


@contextmanager
def _beside(installation: Installation, mounted: Mapping[str, Mounted], no_workers: bool) -> Iterator[None]:
    """Do meanwhile what is done beside answering requests."""
    with counting(installation), _working(installation, no_workers), running(installation, mounted):
        yield


@contextmanager
def counting(installation: Installation) -> Iterator[None]:
    """Take what this process counts meanwhile to the store, the last of it at the end."""
    from integration_server.server.counting import Counting

    counted = Counting(installation.store, installation.meters.tally, installation.sightings)
    counted.start()
    try:
        yield
    finally:
        counted.stop()


@contextmanager
def _working(installation: Installation, no_workers: bool) -> Iterator[None]:
    """Notice and deliver meanwhile, where this process is the one elected for it."""
    from integration_server.server.workers import Workers

    if no_workers:
        yield
        return
    workers = Workers(installation)
    workers.start()
    try:
        yield
    finally:
        workers.stop()


@contextmanager
def running(installation: Installation, mounted: Mapping[str, Mounted]) -> Iterator[None]:
    """Run the services of frontends meanwhile, where this process is the one elected for it. They are part of answering
    requests, so --no-workers changes nothing about them."""
    from integration_server.server.services import Services

    services = Services(installation, mounted)
    services.start()
    try:
        yield
    finally:
        services.stop()


def begin_log(config: Config, is_debug: bool) -> None:
    """The log as configured."""
    from integration_server.server import logs

    settings = config.core.log
    level = "debug" if is_debug else settings.level
    logs.configure(level, settings.format, has_event_log=settings.event_log)


def app_of(installation: Installation, mounted: Mapping[str, Mounted]) -> WSGIApplication:
    """The application, behind the proxies that are trusted."""
    from integration_server.web.proxy import TrustedProxies

    # Also without any trusted proxy: it takes forged forwarding headers away.
    return TrustedProxies(installation.app(mounted), installation.config.core.server.trusted_proxies)


def limits_of(settings: ServerSettings) -> ServerLimits:
    """The server's limits as configured. A connection limit that nobody set is the platform's."""
    from integration_server.server import ServerLimits

    limits = {
        "threads": settings.threads,
        "header_seconds": settings.header_seconds,
        "body_seconds": settings.body_seconds,
        "idle_seconds": settings.idle_seconds,
        "send_stall_seconds": settings.send_stall_seconds,
    }
    if "connection_limit" in settings.model_fields_set:
        limits["connection_limit"] = settings.connection_limit
    return ServerLimits(**limits)  # type: ignore[arg-type]


def bound(host: str, port: int, options: str = "[server] host and port, or --host and --port") -> socket.socket:
    """A socket that listens. Raises CannotListen, which names ``options``."""
    from integration_server.server import BindError, bind

    try:
        return bind(host, port)
    except BindError as exc:
        raise CannotListen(f"{exc} ({options})") from exc


def _worker_command(folder: Path, no_workers: bool, is_debug: bool) -> list[str]:
    return [
        *_program(),
        *(["--debug"] if is_debug else []),
        "serve",
        *(["--no-workers"] if no_workers else []),
        "--",
        str(folder),
    ]


def _check_command(folder: Path) -> list[str]:
    return [*_program(), "check", "--offline", "--", str(folder)]


def _program() -> list[str]:
    """The beginning of a command line that runs this program."""
    argv = [sys.executable]
    if not {"", os.getcwd()} & set(sys.path[:1]):
        # As this process was started: a file in the current folder must shadow no module.
        argv.append("-P")
    return [*argv, "-m", "integration_server"]


# -- what is said at the start -----------------------------------------------------------------------------------


def _greeting(installation: Installation, sock: socket.socket, no_workers: bool) -> Callable[[], None]:
    config = installation.config
    mounts = {name: mount.settings for name, mount in installation.mounts.items()}
    base = base_url(*sock.getsockname()[:2])
    lines = [f"integration-server {__version__} serves {len(mounts)} frontend(s) of {config.base_dir}"]
    for name, settings in mounts.items():
        url = base + settings.path
        lines.append(f"{name}: {url} (backends: {', '.join(settings.backends) or 'none'})")
        if settings.demo_password:
            lines += [f"  {line}" for line in sample_calls(url, settings)]
        if token := installation.first_token(name):
            lines.append(f"  its token, shown this once: {token}")
    if not mounts:
        lines.append("no frontend is configured, so nobody's list or login is answered")
    if not no_workers:
        lines += installation.forwarding.greeting()
    if config.core.dashboard.enabled:
        lines.append(f"dashboard: {base}/dashboard")
        if not installation.store.admins.all():
            words = [*_own_command(), "admin", "create", "admin", "--config", str(config.base_dir)]
            lines.append(f"  nobody may sign in yet; this lets 'admin' in: {shell_line(words)}")

    def greet() -> None:
        try:
            click.echo("\n".join(lines))
        except OSError:
            # Nobody reads what we print; that is no reason not to serve.
            return

    return greet


def _own_command() -> list[str]:
    """This program as a shell in any folder starts it."""
    given = Path(sys.argv[0])
    if given.stem == "integration-server":
        found = shutil.which("integration-server")
        is_found = found is not None and Path(found).resolve() == given.resolve()
        return ["integration-server"] if is_found else [str(given.absolute())]
    return [sys.executable, "-m", "integration_server"]


def base_url(host: str, port: int) -> str:
    """Where callers on this machine find a server that listens on ``host``."""
    if host in _EVERYWHERE:
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def sample_calls(url: str, settings: FrontendSettings) -> list[str]:
    """Lines for a shell that ask a demonstration mount for its list, and log the sample person in."""
    caller = []
    if settings.username is not None:
        # With password_hash there is nothing to show; curl then asks.
        password = f":{settings.password.get_secret_value()}" if settings.password is not None else ""
        caller = ["-u", settings.username + password]
    calls = [{"cmd": "list"}, {"cmd": "auth", "user": _DEMO_USER, "pass": _DEMO_PASSWORD}]
    return [shell_line(["curl", *caller, *_form(fields), url]) for fields in calls]


def _form(fields: Mapping[str, str]) -> list[str]:
    return [word for key, value in fields.items() for word in ("--data-urlencode", f"{key}={value}")]
