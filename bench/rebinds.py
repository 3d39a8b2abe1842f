"""Logins at an LDAP directory, search and bind over the pool, against a bare loop of ldap3's rebinds, and against the
two requests of a login as bytes, with answers of which nothing is read but their end: what a login by search and bind
costs anybody."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import ldap3

from bench.measured import Measured, Median
from integration_server import Deadline, Verdict
from integration_server.builtin.ldap import LdapBackend, ber, messages
from integration_server.sdk.mapping import Mapper
from integration_server.sdk.testing import open_backend, open_mapper, resolve
from tests.servers.slapd import Slapd

_THREADS = 8
_BIND_DONE, _SEARCH_DONE = 0x61, 0x65

Login = Callable[[int], bool]


def logins(folder: Path, count: int, rounds: int, each: int = 150) -> list[Measured]:
    """Right passwords of random people, ``each`` a thread and round; the threads are the same on both sides."""
    (folder / "rebinds").mkdir()
    slapd = Slapd(folder / "rebinds")
    slapd.start()
    try:
        slapd.load(count)
        table = {
            "type": "ldap",
            "servers": [slapd.uri],
            "bind_dn": slapd.reader_dn,
            "bind_password": slapd.reader_password,
            "bases": [slapd.crowd],
        }
        backend, mapper = open_backend(LdapBackend, table, folder), open_mapper(LdapBackend, table, folder)
        assert isinstance(backend, LdapBackend)
        kinds = {
            "ours": lambda: _through(backend, mapper),
            "rebind": lambda: _bare(slapd),
            "bytes": lambda: _raw(slapd),
        }
        rates: dict[str, list[float]] = {kind: [] for kind in kinds}
        for turn in range(rounds + 1):
            # The first round opens the connections.
            for kind, make in kinds.items():
                rate = _rate(make, count, each)
                if turn:
                    rates[kind].append(rate)
        backend.close()
    finally:
        slapd.destroy()
    name = f"logins by search and bind, {count:,} users, {_THREADS} threads"
    ours, rebind, raw = (Median(rates[kind]) for kind in ("ours", "rebind", "bytes"))
    return [
        Measured(name, ours, rebind, "/s", 0.7, "ldap3 rebinds by DN, no search", is_least=True),
        Measured("the same", ours, raw, "/s", 0.7, "both requests as bytes, answers unread", is_least=True),
        Measured("those bytes", raw, rebind, "/s", 0.7, "ldap3 rebinds by DN, no search", is_least=True),
    ]


def _through(backend: LdapBackend, mapper: Mapper) -> Login:
    def login(number: int) -> bool:
        deadline = Deadline(30)
        found = resolve(backend, mapper, f"u{number}", deadline)
        return found is not None and backend.verify(found[0], f"pw{number}", deadline) is Verdict.ACCEPTED

    return login


def _bare(slapd: Slapd) -> Login:
    connection = ldap3.Connection(ldap3.Server(slapd.uri, get_info=ldap3.NONE))
    connection.open(read_server_info=False)

    def login(number: int) -> bool:
        return bool(connection.rebind(slapd.dn_of(f"u{number}"), f"pw{number}", read_server_info=False))

    return login


def _raw(slapd: Slapd) -> Login:
    host, port = slapd.uri.removeprefix("ldap://").rstrip("/").split(":")
    searching, binding = (socket.create_connection((host, int(port))) for _ in range(2))
    for sock in (searching, binding):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    _asked(searching, messages.bind_request(1, slapd.reader_dn, slapd.reader_password.encode()), _BIND_DONE)

    def login(number: int) -> bool:
        name = messages.equality("uid", f"u{number}".encode())
        search = messages.Search(slapd.crowd, messages.Scope.SUBTREE, name, 2)
        _asked(searching, messages.search_request(2, search, ("uid", "cn", "mail")), _SEARCH_DONE)
        request = messages.bind_request(3, slapd.dn_of(f"u{number}"), f"pw{number}".encode())
        # Success is the first of what a result holds (RFC 4511 §4.1.9).
        return b"\x0a\x01\x00" in _asked(binding, request, _BIND_DONE)

    return login


def _asked(sock: socket.socket, request: bytes, last: int) -> bytes:
    """All messages of an answer, up to the one of the kind ``last``."""
    sock.sendall(request)
    found, begin = b"", 0
    while True:
        found += sock.recv(65_536)
        while len(found) > begin + 6:
            length, body = ber.length_at(found, begin + 1)
            end = body + length
            if end > len(found):
                break
            # The id before it is one byte.
            if found[body + 3] == last:
                return found
            begin = end


def _rate(make: Callable[[], Login], count: int, each: int) -> float:
    """Logins a second."""
    refused: list[int] = []
    logins = [make() for _ in range(_THREADS)]

    def client(login: Login, seed: int) -> None:
        chance = random.Random(seed)
        refused.extend(n for n in (chance.randrange(count) for _ in range(each)) if not login(n))

    threads = [threading.Thread(target=client, args=(login, seed)) for seed, login in enumerate(logins)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    if refused:
        raise SystemExit(f"{len(refused)} people were refused")
    return _THREADS * each / seconds
