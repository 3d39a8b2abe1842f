"""Logins at an LDAP directory, search and bind over the pool, against a bare loop of ldap3's rebinds."""

from __future__ import annotations

import random
import statistics
import threading
import time
from collections.abc import Callable
from pathlib import Path

import ldap3

from bench.lists import Measured
from integration_server import Deadline, Verdict
from integration_server.builtin.ldap import LdapBackend
from integration_server.sdk.mapping import Mapper
from integration_server.sdk.testing import open_backend, open_mapper, resolve
from tests.servers.slapd import Slapd

_THREADS = 8

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
        ours, floor = [], []
        for turn in range(rounds + 1):
            # The first round opens the connections.
            pair = _rate(lambda: _bare(slapd), count, each), _rate(lambda: _through(backend, mapper), count, each)
            if turn:
                floor.append(pair[0])
                ours.append(pair[1])
        backend.close()
    finally:
        slapd.destroy()
    name = f"logins by search and bind, {count:,} users, {_THREADS} threads"
    figures = statistics.median(ours), statistics.median(floor)
    return [Measured(name, *figures, "/s", 0.7, "ldap3 rebinds by DN, no search", is_least=True)]


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
