"""The accounts of another master keep the promises of every backend, whether the master is there or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from integration_server import Storage, Tables
from integration_server.builtin.ips_connect import RemoteBackend, passwords
from integration_server.builtin.ips_connect.account import NewPerson
from integration_server.builtin.ips_connect.remote_copy import Copy
from integration_server.builtin.ips_connect.tables import TABLES
from integration_server.sdk.testing import (
    AccountWriterConformance,
    AuthenticatorConformance,
    BackendConformance,
    ChangeFeedConformance,
    Outage,
)
from integration_server.sdk.testing.feeds import Edits
from integration_server.store import Store
from tests.builtin.ips_connect.masters import FakeMaster
from tests.builtin.ips_connect.tables_gone import tables_gone
from tests.tcp_proxy import BlackHole, CutAfter, Fault, FreezeAfter, Pass, Refuse, TcpProxy

KNOWN = {"Ann": "Ann's secret", "jörg.müller": "p<ä>ss&wörd!"}
POPULATION: Mapping[str, str | None] = {**KNOWN, "Bob O'Hara": None, '100%_\\"x"@example.org': None}


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """bcrypt that takes a millisecond instead of half a second."""
    monkeypatch.setattr(passwords, "COST", 4)


@pytest.fixture
def own_store(tmp_path: Path) -> Iterator[Store]:
    store = Store("", tmp_path)
    yield store
    store.close()


@pytest.fixture
def copy(own_store: Store) -> Copy:
    return Copy("test", own_store.storage(TABLES))


@pytest.fixture
def master(copy: Copy) -> Iterator[FakeMaster]:
    """The population, at the master and in the copy. One has a hash of version 3, two have no password."""
    with FakeMaster() as master:
        for number, (name, password) in enumerate(POPULATION.items()):
            salt = "ab&de" if name == "jörg.müller" else None
            id = master.add(name, f"p{number}@example.org", password, salt=salt)
            person = master.people[id]
            stored = (person.pass_hash, person.pass_salt) if person.pass_hash and person.pass_salt else None
            copy.adopt(id, NewPerson(name, person.email, *(stored or passwords.unusable())))
        yield master


@pytest.fixture
def proxy(master: FakeMaster, tcp_proxy: Callable[[int], TcpProxy]) -> TcpProxy:
    return tcp_proxy(master.port)


class Fixtures:
    """What the suites need."""

    backend_class = RemoteBackend
    outage_seconds = 0.3

    @pytest.fixture
    def table(self, master: FakeMaster, proxy: TcpProxy) -> dict[str, Any]:
        url = master.url_at(proxy.port)
        return {"type": "ips_connect_remote", "url": url, "master_key": master.key, "is_complete": True}

    @pytest.fixture
    def storage(self, own_store: Store) -> Callable[[Tables], Storage]:
        return own_store.storage

    @pytest.fixture
    def population(self) -> Mapping[str, str | None]:
        return POPULATION

    @pytest.fixture
    def secrets(self, copy: Copy, master: FakeMaster) -> Sequence[str]:
        kept = [account for batch in copy.everybody(9) for account in batch]
        stored = [text for account in kept for text in (account.pass_hash, account.pass_salt)]
        return [*KNOWN.values(), master.key, *stored]

    @pytest.fixture
    def outages(self, master_outages: Sequence[Outage]) -> Sequence[Outage]:
        return master_outages

    @pytest.fixture
    def master_outages(self, proxy: TcpProxy) -> Sequence[Outage]:
        def broken(fault: Fault) -> Callable[[], AbstractContextManager[None]]:
            @contextmanager
            def start() -> Iterator[None]:
                proxy.fault = fault
                if isinstance(fault, Refuse):
                    proxy.drop()
                try:
                    yield
                finally:
                    proxy.fault = Pass()

            return start

        return [
            Outage("refused", broken(Refuse())),
            Outage("black hole", broken(BlackHole())),
            Outage("cut", broken(CutAfter(30))),
            Outage("frozen", broken(FreezeAfter(60))),
        ]


class TestRemoteBackend(Fixtures, AuthenticatorConformance, BackendConformance):
    pass


class TestRemoteWriting(Fixtures, AccountWriterConformance):
    knows_unverified = False

    @pytest.fixture
    def outages(self, master_outages: Sequence[Outage], own_store: Store) -> Sequence[Outage]:
        return [*master_outages, Outage("tables gone", lambda: tables_gone(own_store))]


class MasterEdits:
    """Changes made at the master, as they arrive here."""

    def __init__(self, copy: Copy) -> None:
        self._copy = copy
        self._turn = 0

    def add(self, username: str) -> None:
        self._turn += 1
        person = NewPerson(username, f"{username}@new.example.org", *passwords.unusable())
        self._copy.learn(1000 + self._turn, person, None)

    def change(self, username: str) -> None:
        self._turn += 1
        self._copy.change_email(self._id(username), f"turn{self._turn}@example.org")

    def remove(self, username: str) -> None:
        self._copy.delete(self._id(username))

    def _id(self, username: str) -> int:
        account = self._copy.find_by_name(username)
        assert account is not None
        return account.id


class TestRemoteFeed(Fixtures, ChangeFeedConformance):
    @pytest.fixture
    def edits(self, copy: Copy) -> Edits:
        return MasterEdits(copy)

    @pytest.fixture
    def outages(self, own_store: Store) -> Sequence[Outage]:
        """What changed in the copy is told whether the master is there or not."""
        return [Outage("tables gone", lambda: tables_gone(own_store))]
