"""The fault proxy misbehaves as asked, and only then."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.tcp_proxy import BlackHole, CutAfter, Delay, Drip, FreezeAfter, Pass, Refuse, Spoil, TcpProxy


class _Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(65536):
            self.request.sendall(data)


@pytest.fixture
def echo() -> Iterator[int]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Echo) as server:
        server.daemon_threads = True
        threading.Thread(target=lambda: server.serve_forever(0.02), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture
def proxy(echo: int, tcp_proxy: Callable[[int], TcpProxy]) -> TcpProxy:
    return tcp_proxy(echo)


def _connect(proxy: TcpProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), 10)


def _read(client: socket.socket, count: int) -> bytes:
    """So many bytes, or fewer if the connection ends."""
    found = b""
    while len(found) < count and (data := client.recv(count - len(found))):
        found += data
    return found


def _is_silent(client: socket.socket) -> bool:
    client.settimeout(0.2)
    try:
        client.recv(1)
    except TimeoutError:
        return True
    finally:
        client.settimeout(10)
    return False


def test_everything_passes_at_first(proxy: TcpProxy) -> None:
    data = bytes(range(256)) * 4096
    with _connect(proxy) as client:
        threading.Thread(target=client.sendall, args=[data]).start()
        assert _read(client, len(data)) == data
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""


def test_connections_are_counted(proxy: TcpProxy) -> None:
    for _ in range(3):
        with _connect(proxy) as client:
            client.sendall(b"x")
            assert _read(client, 1) == b"x"
            assert proxy.connections >= 1
    assert proxy.accepted == 3


def test_a_refused_connection_is_refused_at_once_and_the_port_comes_back(proxy: TcpProxy) -> None:
    port = proxy.port
    for _ in range(3):
        proxy.fault = Refuse()
        with pytest.raises(ConnectionRefusedError):
            _connect(proxy)
        proxy.fault = Pass()
        with _connect(proxy) as client:
            client.sendall(b"x")
            assert _read(client, 1) == b"x"
    assert proxy.port == port
    assert proxy.accepted == 3


def test_refusing_leaves_open_connections_until_they_are_dropped(proxy: TcpProxy) -> None:
    with _connect(proxy) as client:
        client.sendall(b"x")
        assert _read(client, 1) == b"x"
        proxy.fault = Refuse()
        client.sendall(b"y")
        assert _read(client, 1) == b"y"
        proxy.drop()
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_a_black_hole_takes_everything_and_says_nothing(proxy: TcpProxy) -> None:
    with _connect(proxy) as old:
        old.sendall(b"x")
        assert _read(old, 1) == b"x"
        proxy.fault = BlackHole()
        with _connect(proxy) as new:
            for client in (old, new):
                client.sendall(b"a" * 1_000_000)
                assert _is_silent(client)
            proxy.fault = Pass()
            new.sendall(b"b")
            assert _read(new, 1) == b"b"


def test_a_frozen_stream_stops_after_so_many_bytes_and_goes_on_when_thawed(proxy: TcpProxy) -> None:
    proxy.fault = FreezeAfter(3)
    with _connect(proxy) as client:
        client.sendall(b"abcdef")
        assert _read(client, 3) == b"abc"
        assert _is_silent(client)
        proxy.fault = Pass()
        assert _read(client, 3) == b"def"


def test_the_count_begins_when_the_fault_is_set(proxy: TcpProxy) -> None:
    with _connect(proxy) as client:
        client.sendall(b"before")
        assert _read(client, 6) == b"before"
        proxy.fault = FreezeAfter(2)
        client.sendall(b"xyz")
        assert _read(client, 2) == b"xy"
        assert _is_silent(client)


def test_a_cut_ends_the_connection_after_so_many_bytes(proxy: TcpProxy) -> None:
    proxy.fault = CutAfter(4)
    with _connect(proxy) as client:
        client.sendall(b"abcdef")
        assert _read(client, 6) == b"abcd"


def test_a_reset_ends_the_connection_with_an_error(proxy: TcpProxy) -> None:
    proxy.fault = CutAfter(0, is_reset=True)
    with _connect(proxy) as client:
        client.sendall(b"abcdef")
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_a_drip_gives_one_byte_at_a_time_until_it_ends(proxy: TcpProxy) -> None:
    proxy.fault = Drip(0.05)
    with _connect(proxy) as client:
        started = time.monotonic()
        client.sendall(b"a" * 100_000)
        assert _read(client, 4) == b"aaaa"
        assert time.monotonic() - started >= 4 * 0.05
        proxy.fault = Pass()
        assert len(_read(client, 99_996)) == 99_996


def test_a_delay_holds_back_each_piece(proxy: TcpProxy) -> None:
    proxy.fault = Delay(0.3)
    with _connect(proxy) as client:
        started = time.monotonic()
        client.sendall(b"abc")
        assert _read(client, 3) == b"abc"
        assert time.monotonic() - started >= 0.3


def test_what_follows_a_marker_is_spoilt_and_nothing_else(proxy: TcpProxy) -> None:
    proxy.fault = Spoil(b"cookie", skip=1, count=2)
    with _connect(proxy) as client:
        client.sendall(b"a cookie:xyz, a cookie:")
        assert _read(client, 23) == b"a cookie:\x87\x86z, a cookie:"
        proxy.fault = Pass()
        client.sendall(b"cookie:xyz")
        assert _read(client, 10) == b"cookie:xyz"


def test_a_server_that_is_gone_ends_the_client_connection(echo: int, proxy: TcpProxy) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        gone: int = nobody.getsockname()[1]
    with TcpProxy(("127.0.0.1", gone)) as orphan, _connect(orphan) as client:
        assert client.recv(1) == b""


@pytest.mark.parametrize("fault", [Pass(), Refuse(), BlackHole(), FreezeAfter(1), Drip(60), Delay(60)], ids=str)
def test_closing_ends_every_connection_and_thread(echo: int, fault: object) -> None:
    proxy = TcpProxy(("127.0.0.1", echo))
    proxy.start()
    with _connect(proxy) as client:
        client.sendall(b"abc")
        assert _read(client, 3) == b"abc"
        proxy.fault = fault  # type: ignore[assignment]
        client.sendall(b"abc")
        proxy.close()
        with pytest.raises(ConnectionResetError):
            _read(client, 10)
    assert not any(thread.name == "tcp_proxy" for thread in threading.enumerate())
    assert proxy.connections == 0
