"""LDAP backends for tests, opened as the server opens them."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.builtin.ldap.fake_server import FakeServer
from tests.builtin.ldap.opened import Opened


@pytest.fixture
def open_ldap(tmp_path: Path) -> Iterator[Callable[..., Opened]]:
    """``open_ldap(uri, page_size=7)``: a backend for the sample people of a slapd; closed after the test."""
    opened: list[Opened] = []

    def open_one(*servers: str, **settings: object) -> Opened:
        opened.append(Opened(tmp_path, servers, settings))
        return opened[-1]

    yield open_one
    for one in opened:
        one.backend.close()


@pytest.fixture
def fake_server() -> Iterator[Callable[..., FakeServer]]:
    """``fake_server(answer)``: a server that says what the function returns."""
    servers: list[FakeServer] = []

    def start(answer: Callable[[int, int, bytes], bytes], door: socket.socket | None = None) -> FakeServer:
        servers.append(FakeServer(answer, door))
        return servers[-1]

    yield start
    for server in servers:
        server.close()
