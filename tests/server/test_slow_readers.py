"""Callers who do not read their answers cost a connection and an open file, but no worker thread and no memory."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import pytest

from tests.server.conftest import StartServer
from tests.server.wire import GET, ask, connect, hello, read_all, read_answer
from tests.waiting import wait_for

MEGABYTE = 1 << 20
GET_FILE = b"GET /file HTTP/1.1\r\nHost: x\r\n\r\n"
GET_STREAM = b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n"


class CountedFile(io.FileIO):
    """A file that tells when it was closed."""

    closed_files: int = 0
    lock = threading.Lock()

    def close(self) -> None:
        if not self.closed:
            with self.lock:
                CountedFile.closed_files += 1
        super().close()


def sending(path: Path) -> WSGIApplication:
    """/file sends ``path``; /stream sends 32 MiB from a generator; anything else says hello."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/file":
            start_response("200 OK", [("Content-Length", str(path.stat().st_size))])
            wrapped: Iterable[bytes] = environ["wsgi.file_wrapper"](CountedFile(path))
            return wrapped
        if environ["PATH_INFO"] == "/stream":
            start_response("200 OK", [("Content-Length", str(32 * MEGABYTE))])
            return stream()
        return hello(environ, start_response)

    return application


def stream() -> Iterator[bytes]:
    for _ in range(32):
        yield b"x" * MEGABYTE


@pytest.fixture
def large_file(tmp_path: Path) -> Path:
    path = tmp_path / "list"
    with path.open("wb") as file:
        for number in range(20):
            file.write(bytes([number]) * MEGABYTE)
    return path


@pytest.fixture(autouse=True)
def _no_file_closed_yet() -> None:
    CountedFile.closed_files = 0


@pytest.mark.parametrize("request_", [GET_FILE, GET_STREAM], ids=["file", "stream"])
def test_stalled_readers_that_pipeline_hold_no_thread(
    request_: bytes, large_file: Path, start_server: StartServer
) -> None:
    running = start_server(sending(large_file), threads=2)
    stalled = [connect(running.port) for _ in range(6)]
    for sock in stalled:
        sock.sendall(request_ + request_ + GET)
    for _ in range(20):
        assert ask(running.port, timeout=5).status == 200
    for sock in stalled:
        sock.close()


def test_stalled_reader_that_wakes_up_gets_everything_in_order(large_file: Path, start_server: StartServer) -> None:
    running = start_server(sending(large_file), threads=1)
    with connect(running.port) as sock:
        sock.sendall(GET_FILE + GET + GET_FILE + b"\x00")
        assert ask(running.port, timeout=5).status == 200
        content = large_file.read_bytes()
        parts = read_all(sock).split(b"HTTP/1.")
    assert [part[:5] for part in parts] == [b"", b"1 200", b"1 200", b"1 200", b"0 400"]
    assert [part.partition(b"\r\n\r\n")[2] == content for part in parts[1:4]] == [True, False, True]
    assert CountedFile.closed_files == 2


def test_reader_that_takes_nothing_is_dropped_and_its_file_closed(large_file: Path, start_server: StartServer) -> None:
    running = start_server(sending(large_file), send_stall_seconds=1.0)
    with connect(running.port) as sock:
        sock.sendall(GET_FILE + GET)
        wait_for(lambda: CountedFile.closed_files == 1)
        assert not running.server.active_channels
        with pytest.raises(ConnectionResetError):
            read_answer(sock)


def test_slow_reader_that_takes_something_is_not_dropped(large_file: Path, start_server: StartServer) -> None:
    running = start_server(sending(large_file), send_stall_seconds=0.8)
    with connect(running.port) as sock:
        sock.sendall(GET_FILE)
        taken = 0
        while taken < 20 * MEGABYTE:
            time.sleep(0.25)
            taken += len(sock.recv(4 * MEGABYTE, socket.MSG_WAITALL))
    assert taken > 20 * MEGABYTE


def test_file_of_a_caller_who_leaves_is_closed(large_file: Path, start_server: StartServer) -> None:
    running = start_server(sending(large_file))
    with connect(running.port) as sock:
        sock.sendall(GET_FILE)
        sock.recv(1000)
    wait_for(lambda: CountedFile.closed_files == 1)


def test_file_that_becomes_shorter_ends_the_connection(large_file: Path, start_server: StartServer) -> None:
    running = start_server(sending(large_file))
    with connect(running.port) as sock:
        sock.sendall(GET_FILE)
        sock.recv(1000)
        large_file.write_bytes(b"")
        assert len(read_all(sock)) < 20 * MEGABYTE
    wait_for(lambda: CountedFile.closed_files == 1)


def test_answers_of_many_sizes_arrive_whole(tmp_path: Path, start_server: StartServer) -> None:
    path = tmp_path / "list"
    running = start_server(sending(path))
    with connect(running.port) as sock:
        for size in (0, 1, 8191, 8192, 65536, 256 * 1024, 256 * 1024 + 1, MEGABYTE, MEGABYTE + 1, 5 * MEGABYTE):
            path.write_bytes(b"%d" % (size % 10) * size)
            sock.sendall(GET_FILE)
            assert read_answer(sock).body == path.read_bytes()
            sock.sendall(GET)
            assert read_answer(sock).body == b"hello"
