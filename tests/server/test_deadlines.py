"""Callers who send slowly, or nothing, lose their connection and keep nobody out."""

from __future__ import annotations

import contextlib
import resource
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest

from tests.server.conftest import StartServer
from tests.server.wire import GET, ask, connect, hello, is_closed, read_all, read_answer
from tests.waiting import wait_for

HALF_A_HEAD = b"GET / HTTP/1.1\r\nHost: x\r\nX: "
HALF_A_BODY = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"


@contextmanager
def dripping(socks: list[socket.socket], byte: bytes) -> Iterator[None]:
    """Send ``byte`` over each of ``socks`` ten times a second."""
    is_over = threading.Event()

    def drip() -> None:
        while not is_over.wait(0.1):
            for sock in socks:
                with contextlib.suppress(OSError):
                    sock.send(byte)

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


@pytest.fixture
def crowd() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def connections(crowd: ExitStack, port: int, count: int, first_words: bytes) -> list[socket.socket]:
    socks = [crowd.enter_context(connect(port)) for _ in range(count)]
    for sock in socks:
        sock.sendall(first_words)
    return socks


def test_dripping_heads_keep_nobody_out_and_end_at_the_deadline(start_server: StartServer, crowd: ExitStack) -> None:
    running = start_server(hello, connection_limit=150, header_seconds=1.5, threads=2)
    socks = connections(crowd, running.port, 100, HALF_A_HEAD)
    with dripping(socks, b"a"):
        assert ask(running.port).status == 200
        assert len(running.server.active_channels) >= 100
        wait_for(lambda: not running.server.active_channels)
    assert all(read_all(sock).startswith(b"HTTP/1.1 408 ") for sock in socks[:5])


@pytest.mark.parametrize("first_words", [HALF_A_HEAD, b""], ids=["dripping", "silent"])
def test_more_slow_callers_than_connections_keep_nobody_out(
    first_words: bytes, start_server: StartServer, crowd: ExitStack
) -> None:
    running = start_server(hello, connection_limit=50, header_seconds=600, idle_seconds=600)
    socks = connections(crowd, running.port, 100, first_words)
    wait_for(lambda: len(running.server.active_channels) >= 50)
    with dripping(socks if first_words else [], b"a"):
        assert ask(running.port, timeout=20).status == 200
    assert len(running.server.active_channels) <= 50


def test_connections_at_work_do_not_make_room(start_server: StartServer, crowd: ExitStack) -> None:
    may_end = threading.Event()

    def waiting(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        may_end.wait(30)
        return hello(environ, start_response)

    running = start_server(waiting, connection_limit=4, threads=4)
    at_work = connections(crowd, running.port, 4, GET)
    wait_for(lambda: sum(bool(channel.requests) for channel in running.server.active_channels.values()) == 4)
    outside = connections(crowd, running.port, 1, GET)
    time.sleep(1.5)  # longer than slow callers are spared
    may_end.set()
    assert [read_answer(sock).status for sock in at_work + outside] == [200] * 5


def test_dripping_body_ends_at_the_deadline(start_server: StartServer) -> None:
    running = start_server(hello, body_seconds=0.6)
    with connect(running.port) as sock:
        sock.sendall(HALF_A_BODY)
        with dripping([sock], b"a"):
            assert read_all(sock).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("before", [b"", b"\r\n", b"\r\n\r\n", GET], ids=["nothing", "CRLF", "two CRLF", "a request"])
def test_idle_connection_is_closed_without_a_word(before: bytes, start_server: StartServer) -> None:
    running = start_server(hello, idle_seconds=0.4, header_seconds=60)
    with connect(running.port) as sock:
        if before:
            sock.sendall(before)
        if before == GET:
            assert read_answer(sock).status == 200
        assert read_all(sock) == b""


def test_empty_lines_do_not_keep_a_connection(start_server: StartServer) -> None:
    running = start_server(hello, idle_seconds=0.5, header_seconds=0.5)
    with connect(running.port) as sock, dripping([sock], b"\r\n\r\n"):
        assert read_all(sock) == b""


def test_each_request_of_a_connection_has_its_own_time(start_server: StartServer) -> None:
    running = start_server(hello, header_seconds=0.8, body_seconds=0.8, idle_seconds=5.0)
    with connect(running.port) as sock:
        for _ in range(4):
            sock.sendall(GET[:10])
            time.sleep(0.3)
            sock.sendall(GET[10:])
            assert read_answer(sock).status == 200


def test_no_deadline_cuts_off_a_running_request(start_server: StartServer) -> None:
    def slow(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        time.sleep(1.0)
        return hello(environ, start_response)

    seconds = {"header_seconds": 0.3, "body_seconds": 0.3, "idle_seconds": 0.3, "send_stall_seconds": 0.3}
    running = start_server(slow, **seconds)
    with connect(running.port) as sock:
        sock.sendall(GET)
        assert read_answer(sock).status == 200


def test_fifteen_hundred_idle_connections_are_held(start_server: StartServer, crowd: ExitStack) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, hard), hard))
    crowd.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
    running = start_server(hello, connection_limit=2000)
    socks = connections(crowd, running.port, 1500, HALF_A_HEAD)
    wait_for(lambda: len(running.server.active_channels) == 1500)
    assert ask(running.port).status == 200
    for sock in socks[::150]:
        sock.sendall(b"\r\n\r\n")
        assert read_answer(sock).status == 200
    assert not any(is_closed(sock) for sock in socks)
