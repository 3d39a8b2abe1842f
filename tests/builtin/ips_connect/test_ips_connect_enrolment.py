"""This server becomes a slave of its master once, and again only where something about it changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from integration_server import Deadline, HttpClient, StoreUnavailable, Watchdog
from integration_server.builtin.ips_connect.enrolment import Enrolment, KnownMaster, MasterRecord
from integration_server.builtin.ips_connect.master_key import MasterKey
from integration_server.builtin.ips_connect.remote_client import MasterClient
from integration_server.builtin.ips_connect.tables import TABLES
from integration_server.sdk.storage import no_storage
from integration_server.sdk.testing.harness import in_threads
from integration_server.store import Store
from tests.builtin.ips_connect.masters import FakeMaster, Reply

OUR_URL = "https://our.example/slave"
Make = Callable[..., Enrolment]


@pytest.fixture
def master() -> Iterator[FakeMaster]:
    with FakeMaster() as master:
        yield master


@pytest.fixture
def own_store(tmp_path: Path) -> Iterator[Store]:
    store = Store("", tmp_path)
    yield store
    store.close()


@pytest.fixture
def record(own_store: Store) -> MasterRecord:
    return MasterRecord("test", own_store.storage(TABLES))


@pytest.fixture
def mount_key(own_store: Store) -> MasterKey:
    """The key as the gateway's mount reads it."""
    return MasterKey("test", own_store.storage(TABLES), None)


@pytest.fixture
def now() -> list[float]:
    return [0.0]


@pytest.fixture
def make(master: FakeMaster, own_store: Store, now: list[float]) -> Iterator[Make]:
    """``make(our_url=..., our_key=...)``: as after a start of the server."""
    http = HttpClient(("127.0.0.0/8",), Watchdog())

    def make(our_url: str | None = OUR_URL, our_key: str | None = None, key: str = master.key) -> Enrolment:
        client = MasterClient(master.url, key, http)
        storage = own_store.storage(TABLES)
        return Enrolment("test", storage, client, master.url, our_url, our_key, lambda: now[0])

    yield make
    http.close()


def soon() -> Deadline:
    return Deadline(10)


def test_master_is_told_once_and_the_mount_knows_the_key(
    master: FakeMaster, make: Make, record: MasterRecord, mount_key: MasterKey
) -> None:
    enrolment = make()
    assert not enrolment.is_registered()
    for one in (enrolment, enrolment, make()):
        one.ensure(soon())
        assert one.is_registered()
    assert master.slaves == {OUR_URL: mount_key.value()}
    assert len(mount_key.value()) == 32
    assert len(master.calls("verifySettings")) == 1
    known = record.read()
    assert known is not None
    assert known.host == "127.0.0.1"
    assert mount_key.value() not in known.registration


def test_what_changed_is_told_again(master: FakeMaster, make: Make, mount_key: MasterKey) -> None:
    make().ensure(soon())
    make(our_key="k" * 32).ensure(soon())
    assert master.slaves == {OUR_URL: "k" * 32}
    assert mount_key.rotate("k" * 32) == mount_key.value()
    make(our_url="https://our.example/moved", our_key="k" * 32).ensure(soon())
    assert len(master.calls("verifySettings")) == 3
    make(our_url="https://our.example/moved", our_key="k" * 32).ensure(soon())
    assert len(master.calls("verifySettings")) == 3


def test_configured_key_reaches_the_mount_also_where_people_register_by_hand(
    master: FakeMaster, make: Make, record: MasterRecord, mount_key: MasterKey
) -> None:
    first = mount_key.value()
    enrolment = make(our_url=None, our_key="k" * 32)
    enrolment.ensure(soon())
    assert enrolment.key() == "k" * 32 != first
    assert make(our_url=None).key() == "k" * 32
    assert master.asked == []
    assert record.read() == KnownMaster("127.0.0.1", "")
    assert not enrolment.is_registered()


def test_master_that_was_told_to_forget_us_is_told_again(master: FakeMaster, make: Make, record: MasterRecord) -> None:
    make().ensure(soon())
    record.forget_registration()
    record.forget_registration()
    make().ensure(soon())
    assert len(master.calls("verifySettings")) == 2
    # Without the URL the registration is forgotten, too.
    make(our_url=None).ensure(soon())
    make().ensure(soon())
    assert len(master.calls("verifySettings")) == 3


def test_failure_is_told_in_the_log_and_tried_again_later(
    master: FakeMaster, make: Make, now: list[float], caplog: pytest.LogCaptureFixture, record: MasterRecord
) -> None:
    enrolment = make()
    lies = [
        Reply(json.dumps({"status": "FAILURE"}).encode()),
        Reply(json.dumps({"status": "BAD_KEY"}).encode()),
        Reply(status=500),
        Reply(raw=b""),
    ]
    for lie in lies:
        master.lie = lambda values, lie=lie: lie  # type: ignore[misc]
        before = len(master.asked)
        caplog.clear()
        for _ in range(3):
            enrolment.ensure(soon())
        assert len(caplog.records) == 1
        assert len(master.asked) > before
        assert master.key not in caplog.text
        assert enrolment.key() not in caplog.text
        assert not enrolment.is_registered()
        now[0] += 301
    # Where browsers come from is known all the same.
    assert record.read() == KnownMaster("127.0.0.1", "")
    master.lie = lambda values: None
    enrolment.ensure(soon())
    assert enrolment.is_registered()


def test_many_who_ask_at_once_tell_once(master: FakeMaster, make: Make) -> None:
    enrolment = make()
    in_threads(lambda number: enrolment.ensure(soon()))
    assert len(master.calls("verifySettings")) == 1


def test_store_that_is_down_is_an_outage(master: FakeMaster) -> None:
    http = HttpClient((), Watchdog())
    client = MasterClient(master.url, master.key, http)
    enrolment = Enrolment("test", no_storage(TABLES), client, master.url, OUR_URL, None)
    with pytest.raises(StoreUnavailable):
        enrolment.ensure(soon())
    with pytest.raises(StoreUnavailable):
        enrolment.key()
    http.close()
