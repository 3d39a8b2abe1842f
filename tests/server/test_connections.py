"""What callers do with a connection while their request is being worked on."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest

from tests.server.conftest import Running, StartServer
from tests.server.wire import GET, connect, hello, read_all, read_answer
from tests.waiting import wait_for


class Waiting:
    """An application that answers when it may."""

    def __init__(self) -> None:
        self.has_begun = threading.Event()
        self.may_end = threading.Event()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        self.has_begun.set()
        self.may_end.wait(30)
        return hello(environ, start_response)


@pytest.fixture
def waiting() -> Waiting:
    return Waiting()


@pytest.fixture
def running(waiting: Waiting, start_server: StartServer) -> Running:
    return start_server(waiting, idle_seconds=30.0, threads=1)


def test_caller_who_sends_no_more_has_its_answer(waiting: Waiting, running: Running) -> None:
    with connect(running.port) as sock:
        sock.sendall(GET)
        assert waiting.has_begun.wait(10)
        sock.shutdown(socket.SHUT_WR)
        wait_for(lambda: any(channel._is_at_end for channel in running.server.active_channels.values()))
        waiting.may_end.set()
        assert read_answer(sock).body == b"hello"
        assert read_all(sock) == b""
    wait_for(lambda: not running.server.active_channels)


def test_what_was_asked_before_the_end_is_answered(waiting: Waiting, running: Running) -> None:
    with connect(running.port) as sock:
        sock.sendall(GET)
        assert waiting.has_begun.wait(10)
        sock.sendall(GET + GET[:10])
        sock.shutdown(socket.SHUT_WR)
        waiting.may_end.set()
        assert read_all(sock).count(b"HTTP/1.1 200") == 2


def test_next_request_may_come_while_the_one_before_is_worked_on(waiting: Waiting, running: Running) -> None:
    with connect(running.port) as sock:
        sock.sendall(GET)
        assert waiting.has_begun.wait(10)
        sock.sendall(GET[:10])
        wait_for(lambda: any(channel._unread for channel in running.server.active_channels.values()))
        sock.sendall(GET[10:] + b"\x00")
        waiting.may_end.set()
        answers = read_all(sock)
    assert (answers.count(b"HTTP/1.1 200"), answers.count(b" 400 ")) == (2, 1)


def test_caller_who_leaves_costs_no_more_than_its_request(waiting: Waiting, running: Running) -> None:
    with connect(running.port) as sock:
        sock.sendall(GET)
        assert waiting.has_begun.wait(10)
    waiting.may_end.set()
    wait_for(lambda: not running.server.active_channels)
    with connect(running.port) as sock:
        sock.sendall(GET)
        assert read_answer(sock).status == 200


def test_server_stops_as_soon_as_the_running_request_is_answered(waiting: Waiting, running: Running) -> None:
    with connect(running.port) as sock:
        sock.sendall(GET)
        assert waiting.has_begun.wait(10)
        running.server.stop()
        waiting.may_end.set()
        assert read_answer(sock).status == 200
        assert read_all(sock) == b""
    running.stop()


@pytest.mark.parametrize("raised", [SystemExit(1), asyncio.CancelledError(), KeyboardInterrupt()], ids=repr)
def test_request_whose_thread_is_told_to_end_is_answered(start_server: StartServer, raised: BaseException) -> None:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        raise raised

    running = start_server(application, threads=1)
    for _ in range(3):
        with connect(running.port) as sock:
            sock.sendall(GET)
            assert read_answer(sock).status == 500
    wait_for(lambda: not running.server.active_channels)
