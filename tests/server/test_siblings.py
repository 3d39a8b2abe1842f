"""Several servers on one listening socket, as worker processes have it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest

from integration_server.server import HttpServer, ServerLimits, bind
from tests.waiting import wait_for


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]


@pytest.fixture
def siblings() -> Iterator[tuple[HttpServer, HttpServer]]:
    sock = bind("127.0.0.1", 0)
    servers = [HttpServer(application, one, ServerLimits(), has_siblings=True) for one in (sock, sock.dup())]
    threads = [threading.Thread(target=server.run, daemon=True) for server in servers]
    for thread in threads:
        thread.start()
    yield servers[0], servers[1]
    for server, thread in zip(servers, threads, strict=True):
        server.stop(cut_off=True)
        thread.join(30)


def call(server: HttpServer, stack: ExitStack) -> socket.socket:
    """A caller who was answered, and stays."""
    made = stack.enter_context(socket.create_connection(server.socket.getsockname(), 10))
    made.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert made.recv(1000).startswith(b"HTTP/1.1 200")
    return made


def test_callers_who_stay_are_shared_out(siblings: tuple[HttpServer, HttpServer]) -> None:
    with ExitStack() as stack:
        for _ in range(40):
            call(siblings[0], stack)
        counts = [len(server.active_channels) for server in siblings]
        assert sum(counts) == 40
        assert min(counts) > 12, counts


def test_caller_goes_to_whoever_has_none(siblings: tuple[HttpServer, HttpServer]) -> None:
    """However often whoever has some would have been quicker."""
    with ExitStack() as stack:
        call(siblings[0], stack)
        busy, free = sorted(siblings, key=lambda server: len(server.active_channels), reverse=True)
        taken = 0
        for _ in range(20):
            with ExitStack() as short:
                call(busy, short)
                taken += len(free.active_channels)
            wait_for(lambda: not free.active_channels and len(busy.active_channels) == 1)
        assert taken >= 15


def test_caller_is_answered_where_the_others_are_gone(siblings: tuple[HttpServer, HttpServer]) -> None:
    siblings[1].stop(cut_off=True)
    wait_for(lambda: siblings[1]._is_closed)
    with ExitStack() as stack:
        for _ in range(10):
            call(siblings[0], stack)
        assert len(siblings[0].active_channels) == 10
