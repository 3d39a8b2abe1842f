"""TLS before a plain server hands on everything, and shows another certificate when told to."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scripted_server import ScriptedServer
from tests.servers.certificates import Authority
from tests.tls_front import TlsFront


def _echo(connection: socket.socket) -> None:
    while data := connection.recv(65_536):
        connection.sendall(data)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    authority = Authority(tmp_path)
    authority.create()
    return authority


@pytest.fixture
def front(authority: Authority) -> Iterator[TlsFront]:
    with ScriptedServer(_echo) as server, TlsFront(server.port, authority.issue("good")) as front:
        yield front


def _connect(front: TlsFront, authority: Authority) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=authority.ca_file)
    plain = socket.create_connection(("127.0.0.1", front.port), 10)
    return context.wrap_socket(plain, server_hostname="localhost")


def test_what_is_sent_comes_back_whole(front: TlsFront, authority: Authority) -> None:
    data = bytes(range(256)) * 128
    with _connect(front, authority) as client:
        # One after the other: a connection with TLS is no thing for two threads.
        for _ in range(32):
            client.sendall(data)
            found = b""
            while len(found) < len(data) and (piece := client.recv(65_536)):
                found += piece
            assert found == data


def test_another_certificate_is_shown_to_whoever_comes_next(front: TlsFront, authority: Authority) -> None:
    with _connect(front, authority) as client:
        front.show(authority.issue("expired", is_expired=True))
        with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
            _connect(front, authority)
        client.sendall(b"x")
        assert client.recv(1) == b"x"
    front.show(authority.issue("good"))
    with _connect(front, authority) as client:
        client.sendall(b"y")
        assert client.recv(1) == b"y"


def test_the_end_of_the_server_is_the_end_of_the_connection(authority: Authority) -> None:
    with (
        ScriptedServer(lambda connection: connection.sendall(b"bye")) as server,
        TlsFront(server.port, authority.issue("good")) as front,
        _connect(front, authority) as client,
    ):
        assert client.recv(10) == b"bye"
        assert client.recv(1) == b""
