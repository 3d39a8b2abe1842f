"""People of another backend have accounts: noticed by real watchers, delivered by the real engine."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from integration_server import (
    Consumer,
    ConsumerContext,
    ConsumerUnavailable,
    Deadline,
    Delivery,
    Event,
    Tables,
    Watchdog,
    ping_event,
)
from integration_server.builtin.ips_connect.account import NewPerson
from integration_server.builtin.ips_connect.people_consumer import PeopleConsumer
from integration_server.builtin.ips_connect.tables import TABLES
from integration_server.sdk.storage import no_storage
from integration_server.sdk.testing import ConsumerConformance, Outage
from integration_server.server.installation import open_installation
from integration_server.store import Store
from tests.builtin.ips_connect.networks import FRONTEND, Network
from tests.waiting import wait_for

MakeNetwork = Callable[..., Network]


@pytest.fixture
def make_network(tmp_path: Path) -> Iterator[MakeNetwork]:
    made: list[Network] = []

    def make(frontend: str = FRONTEND, url: str = "") -> Network:
        made.append(Network(tmp_path, frontend, url))
        return made[-1]

    yield make
    for network in made:
        network.installation.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def network(request: pytest.FixtureRequest, make_network: MakeNetwork) -> Network:
    url = request.getfixturevalue("postgresql").create_database() if request.param == "postgresql" else ""
    return make_network(url=url)


def test_accounts_follow_people_who_come_change_and_go(network: Network) -> None:
    network.notice()
    with network.delivering():
        network.put("ann", "bob")
        network.notice()
        network.settle()
        ann, bob = network.account("ann"), network.account("bob")
        assert ann is not None
        assert bob is not None
        network.put("ann", username="anna", email="anna@example.org")
        network.put("bob", off="1")
        network.notice()
        network.put("bob", off="")
        network.drop("ann")
        network.notice()
        network.settle()
    told = network.told()
    assert [one for one in told if one[1] == str(ann.id)] == [
        ("register", str(ann.id), {"name": "ann", "email": "ann@example.org", "revalidateUrl": ""}),
        ("changeName", str(ann.id), {"name": "anna"}),
        ("changeEmail", str(ann.id), {"email": "anna@example.org"}),
        ("ban", str(ann.id), {"status": "1"}),
    ]
    assert [(method, details.get("status")) for method, id, details in told if id == str(bob.id)] == [
        ("register", None),
        ("ban", "1"),
        ("ban", "0"),
    ]
    assert network.account("first") is None, "who is there from the beginning is told of by a replay"


def test_replays_bring_everybody_once(network: Network) -> None:
    network.put("ann", "bob")
    network.put("cid", off="1")
    network.notice()
    subscriptions = network.installation.store.subscriptions
    with network.delivering():
        for _ in range(2):
            assert subscriptions.replay_snapshot(network.subscription.id)
            network.settle()
        network.put("ann", full_name="Another")
        network.notice()
        network.settle()
        assert subscriptions.replay_from(network.subscription.id, 0)
        network.settle()
    assert sorted((method, details["name"]) for method, _, details in network.told()) == [
        ("register", "ann"),
        ("register", "bob"),
        ("register", "first"),
    ]


def test_deletions_delete_where_that_is_wanted(make_network: MakeNetwork) -> None:
    network = make_network(FRONTEND + 'propagate_deletions = "delete"\n')
    network.put("ann", "bob", "cid")
    network.notice()
    network.installation.store.subscriptions.replay_snapshot(network.subscription.id)
    with network.delivering():
        network.settle()
        ann = network.account("ann")
        assert ann is not None
        network.drop("ann")
        network.notice()
        network.settle()
    assert network.told()[-1] == ("delete", str(ann.id), {})
    assert network.accounts.find(ann.id) is None


def test_people_whose_address_is_taken_hold_up_nobody_else(network: Network) -> None:
    network.notice()
    taken = [f"person{number}" for number in range(8)]
    with network.delivering():
        network.put(*taken)
        network.notice()
        network.settle()
        network.put(*(f"twin{number}" for number in range(8)))
        for number in range(8):
            network.put(f"twin{number}", email=f"person{number}@example.org")
        network.notice()
        network.settle()
        network.put("zoe")
        network.notice()
        network.settle()
    assert network.account("zoe") is not None
    assert network.subscription.state == "ok"
    parked = network.installation.store.deliveries.find([network.subscription.id])
    assert sorted(row.person_id for row in parked) == [f"twin{number}" for number in range(8)]
    assert {row.state for row in parked} == {"parked"}
    assert all("has the address, and stands for person" in (row.error or "") for row in parked)


def test_who_gets_an_address_that_is_given_up_later_gets_an_account_then(make_network: MakeNetwork) -> None:
    network = make_network()
    network.notice()
    with network.delivering():
        network.put("ann")
        network.notice()
        network.settle()
        network.put("bob", email="ann@example.org")
        network.notice()
        wait_for(lambda: network.installation.store.deliveries.find([network.subscription.id]))
        network.put("ann", email="anna@example.org")
        network.notice()
        bob = wait_for(lambda: network.account("bob"))
    assert bob.email == "ann@example.org"


def test_store_that_cannot_be_asked_is_an_outage_of_the_receiver(make_network: MakeNetwork) -> None:
    network = make_network()
    consumer = PeopleConsumer(
        network.installation.forwarding.settings["community/hq"],
        replace(network.installation.forwarding.context("sub"), storage=no_storage),
    )
    for event in (ping_event(0.0), Event(1, "evt_1", "user.created", "hq", "ann", 0.0, after={"username": "ann"})):
        with pytest.raises(ConsumerUnavailable, match="the store is not open here"):
            consumer.deliver(Delivery(event.id, "sub", (event,), 1, False), Deadline(5))


def test_test_event_says_whether_the_store_can_be_asked(make_network: MakeNetwork) -> None:
    network = make_network()
    assert network.installation.forwarding.engine().test(network.subscription.id).response == "the store can be asked"


class TestPeopleConsumer(ConsumerConformance):
    consumer_class = PeopleConsumer

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        found = Store("", tmp_path)
        yield found
        found.close()

    @pytest.fixture
    def table(self) -> Mapping[str, Any]:
        return {"type": "ips_connect_people", "accounts": "forum", "sources": ["hq"]}

    @pytest.fixture
    def make_consumer(self, table: Mapping[str, Any], store: Store, tmp_path: Path) -> Callable[[], Consumer]:
        settings = PeopleConsumer.Settings.model_validate(table)
        context = ConsumerContext("sub", None, Watchdog(), tmp_path, time.time, store.storage)  # type: ignore[arg-type]
        return lambda: PeopleConsumer(settings, context)

    @pytest.fixture
    def outages(self, store: Store) -> Sequence[Outage]:
        with store.storage(TABLES).reading():
            pass

        def rename(old: str, new: str) -> None:
            with store.storage(Tables("other", ())).writing() as connection:
                for name in ("accounts", "counters", "links"):
                    connection.exec_driver_sql(f"ALTER TABLE {old}_{name} RENAME TO {new}_{name}")

        @contextmanager
        def renamed() -> Iterator[None]:
            rename("ips_connect", "aside")
            try:
                yield
            finally:
                rename("aside", "ips_connect")

        return [Outage("tables gone", renamed)]


# -- crashes ---------------------------------------------------------------------------------------------------------

CHILD = """
import sys, time
from pathlib import Path
from integration_server.server.installation import open_installation
installation = open_installation(Path(sys.argv[1]))
installation.forwarding.engine().start()
time.sleep(600)
"""


def kill_at(network: Network, count: int) -> None:
    """Deliver in a process of its own, and kill it once there are so many accounts."""
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(network.folder / "config.d")])
    try:
        wait_for(lambda: network.accounts.count() >= count or child.poll() is not None)
        assert child.poll() is None
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()


def test_kill_in_the_middle_loses_and_repeats_nothing(make_network: MakeNetwork) -> None:
    network = make_network()
    network.notice()
    people = [f"person{number}" for number in range(300)]
    network.put(*people)
    network.notice()
    for least in (30, 120):
        kill_at(network, least)
        assert network.accounts.count() < len(people), "too late to be in the middle"
    with network.delivering():
        network.settle()
    told = network.told()
    assert sorted(details["name"] for _, _, details in told) == sorted(people)
    assert {method for method, _, _ in told} == {"register"}
    assert network.accounts.count() == len(people)


# -- how it is set up ------------------------------------------------------------------------------------------------


def test_backend_that_is_no_longer_named_is_no_longer_followed_and_goes_on_where_it_was(
    make_network: MakeNetwork,
) -> None:
    network = make_network()
    network.notice()
    network.reopen(FRONTEND.replace('["hq"]', "[]"))
    assert (network.subscription.state, network.subscription.is_active) == ("ended", False)
    network.put("ann")
    network.notice()
    network.reopen(FRONTEND)
    with network.delivering():
        network.settle()
    assert network.account("ann") is not None


def test_settings_that_change_hold_from_the_next_start(make_network: MakeNetwork) -> None:
    network = make_network()
    network.notice()
    network.reopen(FRONTEND + 'propagate_names = "full_name"\n')
    network.put("ann")
    network.notice()
    with network.delivering():
        network.settle()
    ann = network.account("ann")
    assert ann is not None
    assert ann.name == "Ann Example"


def test_start_that_changes_nothing_leaves_the_subscription_as_it_is(make_network: MakeNetwork) -> None:
    network = make_network()
    before = network.subscription
    network.reopen()
    assert network.subscription == before
    assert before.id == "sub_config_community.hq"


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        (
            'propagate = ["nobody"]',
            "frontends.community.propagate: backend: there is no [backends.nobody]; there are: ",
        ),
        ('propagate = ["forum"]', "[frontends.community]: propagate: forum is where the accounts are; name others"),
        ('propagate = ["hq", "hq"]', "[frontends.community]: propagate: names a backend twice: hq, hq"),
        ("learn_passwords = true", "[frontends.community]: learn_passwords: propagate names no backend"),
        ('propagate = ["hq"]\npropagate_names = "x"', "frontends.community.propagate_names: must be 'username'"),
    ],
)
def test_fault_is_told_with_the_frontend_and_its_file(
    keys: str, told: str, make_network: MakeNetwork, tmp_path: Path
) -> None:
    make_network()
    file = tmp_path / "config.d" / "community.toml"
    file.write_text(FRONTEND.replace('propagate = ["hq"]', keys), encoding="utf-8")
    with pytest.raises(Exception, match="community") as raised:
        open_installation(tmp_path / "config.d")
    (line,) = str(raised.value).splitlines()
    assert line.startswith(f"{file}: {told}")


def test_members_who_registered_before_are_linked_by_their_address(make_network: MakeNetwork) -> None:
    network = make_network()
    network.notice()
    old = network.accounts.register(NewPerson("Annie", "ANN@example.org", "a hash", "salt")).account
    network.put("ann")
    network.notice()
    with network.delivering():
        network.settle()
    assert network.account("ann") == old
