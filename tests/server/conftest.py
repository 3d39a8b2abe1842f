"""Servers on free ports of the loopback interface, each with its own loop and worker threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from wsgiref.types import WSGIApplication

import pytest

from integration_server.server import HttpServer, ServerLimits, bind


@dataclass
class Running:
    """A server that runs in a thread of this process."""

    port: int
    server: HttpServer
    thread: threading.Thread

    def stop(self) -> None:
        self.server.stop()
        self.thread.join(30)
        assert not self.thread.is_alive()


StartServer = Callable[..., Running]


@pytest.fixture
def start_server() -> Iterator[StartServer]:
    """``start_server(app, **limits)`` answers with a Running server, which is stopped after the test."""
    started: list[Running] = []

    def start(app: WSGIApplication, **limits: float) -> Running:
        sock = bind("127.0.0.1", 0)
        port = sock.getsockname()[1]
        server = HttpServer(app, sock, ServerLimits(**limits))  # type: ignore[arg-type]
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        started.append(Running(port, server, thread))
        return started[-1]

    yield start
    for running in started:
        if running.thread.is_alive():
            running.server.stop(cut_off=True)
            running.stop()
