"""What the administrator reads when the server cannot listen, and what callers get when it does."""

from __future__ import annotations

import errno
import logging
import os
import resource
import signal
import socket
import threading
from collections.abc import Iterable
from contextlib import closing
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest

from integration_server.server import BindError, ServerLimits, bind, serve
from integration_server.server.limits import usable_connection_limit
from tests.server.conftest import StartServer
from tests.server.wire import GET, ask, connect, hello, read_answer
from tests.waiting import wait_for

HAS_IPV6 = socket.has_ipv6 and socket.has_dualstack_ipv6()


def test_taken_port_is_named() -> None:
    with closing(bind("127.0.0.1", 0)) as first:
        port = first.getsockname()[1]
        with pytest.raises(BindError) as caught:
            bind("127.0.0.1", port)
    assert str(caught.value) == (
        f"cannot listen on 127.0.0.1:{port}: another program uses this port; stop it or choose another port"
    )


@pytest.mark.parametrize(
    ("host", "port", "message"),
    [
        ("192.0.2.1", 8080, "cannot listen on 192.0.2.1:8080: this machine has no such address"),
        ("nowhere.invalid", 8080, "cannot listen on 'nowhere.invalid': this is neither an IP address nor a name"),
        ("127.0.0.1.", 8080, "cannot listen on '127.0.0.1.': this is neither an IP address nor a name"),
        ("a" * 300, 8080, "this is neither an IP address nor a name"),
        ("http://127.0.0.1", 8080, "this is neither an IP address nor a name"),
        ("", 8080, "the host to listen on is empty"),
        ("127.0.0.1", 70000, "port 70000 does not exist"),
        ("127.0.0.1", -1, "port -1 does not exist"),
    ],
)
def test_impossible_address_is_explained(host: str, port: int, message: str) -> None:
    with pytest.raises(BindError) as caught:
        bind(host, port)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("number", "port", "message"),
    [
        (errno.EACCES, 80, "CAP_NET_BIND_SERVICE"),
        (errno.EACCES, 8080, "choose another one"),
        (errno.ENOMEM, 80, "memory"),
    ],
)
def test_refusal_of_the_system_is_explained(
    number: int, port: int, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refusing(socket.socket):  # the tests run as root, whom the system refuses nothing
        def bind(self, address: object) -> None:
            raise OSError(number, "out of memory")

    monkeypatch.setattr(socket, "socket", Refusing)
    with pytest.raises(BindError, match=message):
        bind("127.0.0.1", port)


def test_restart_finds_its_port_free(start_server: StartServer) -> None:
    running = start_server(hello)
    with connect(running.port) as sock:
        sock.sendall(GET)
        read_answer(sock)
        running.stop()  # the server closes first, so its side of the connection stays in TIME_WAIT
    bind("127.0.0.1", running.port).close()


def test_name_of_this_machine_is_listened_on_by_ipv4() -> None:
    with closing(bind("localhost", 0)) as sock:
        connect(sock.getsockname()[1]).close()


def caller(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    answer = str(environ["REMOTE_ADDR"]).encode()
    start_response("200 OK", [("Content-Length", str(len(answer)))])
    return [answer]


@pytest.mark.skipif(not HAS_IPV6, reason="this machine has no IPv6")
def test_both_families_are_answered_and_ipv4_callers_keep_their_address() -> None:
    sock = bind("::", 0)
    port = sock.getsockname()[1]
    answers: list[bytes] = []

    def call_and_stop() -> None:
        for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            with socket.socket(family) as client:
                client.connect((host, port))
                client.sendall(GET)
                answers.append(read_answer(client).body)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=call_and_stop)
    serve(caller, sock, ServerLimits(threads=1), on_started=thread.start)
    thread.join()
    assert answers == [b"127.0.0.1", b"::1"]


def test_more_connections_than_files_are_not_promised(caplog: pytest.LogCaptureFixture) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        assert usable_connection_limit(100) == 100
        usable = usable_connection_limit(10_000_000)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert 0 < usable < 10_000_000
    assert f"this process can hold {usable} connections, not the configured 10000000" in caplog.text


def test_warning_of_busy_workers_comes_once(start_server: StartServer, caplog: pytest.LogCaptureFixture) -> None:
    may_end = threading.Event()

    def waiting(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        may_end.wait(30)
        return hello(environ, start_response)

    caplog.set_level(logging.WARNING)
    running = start_server(waiting, threads=2)
    socks = [connect(running.port) for _ in range(10)]
    for sock in socks:
        sock.sendall(GET)
    wait_for(lambda: sum(bool(channel.requests) for channel in running.server.active_channels.values()) == 10)
    may_end.set()
    for sock in socks:
        assert read_answer(sock).status == 200
        sock.close()
    assert len(caplog.records) == 1
    assert "requests wait for one of the 2 worker threads" in caplog.text


def test_application_that_fails_is_logged_and_answered(
    start_server: StartServer, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        raise RuntimeError("the application is broken")

    running = start_server(failing)
    answer = ask(running.port, b"GET /path?query=secret HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.status == 500
    assert b"broken" not in answer.body
    assert "the application is broken" in caplog.text
    assert "secret" not in caplog.text
