"""A network of five slaves, each with a trouble of its own, ends in step with its master."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from integration_server import Receivers
from integration_server.builtin.ips_connect.accounts import Accounts
from integration_server.builtin.ips_connect.tables import TABLES
from integration_server.forwarding.delivery.engine import Engine
from integration_server.server.installation import Installation, open_installation
from integration_server.store.journal import Change
from tests.builtin.ips_connect.changing import Changes, check_order, events_of
from tests.builtin.ips_connect.slaves import Forum, Slave, as_ipbwi
from tests.forwarding.receivers import Clock
from tests.waiting import wait_for

CONFIG = """
[server]
data_dir = "data"
{store}
[forwarding]
allow_networks = ["127.0.0.1"]
[backends.forum]
type = "ips_connect"
[frontends.archive]
type = "mailstore"
path = "/archive"
backends = ["forum"]
"""
NAMES = ("slow", "dead", "leaver", "silent", "stranger")
HOUR = 3_600.0


@pytest.fixture(params=["sqlite", "postgresql"])
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    url = request.getfixturevalue("postgresql").create_database() if request.param == "postgresql" else ""
    folder = tmp_path / "config.d"
    folder.mkdir()
    (folder / "all.toml").write_text(CONFIG.format(store=f'[store]\nurl = "{url}"' if url else ""))
    found = open_installation(folder)
    yield found
    found.close()


@pytest.fixture
def slaves() -> Iterator[dict[str, Slave]]:
    with ExitStack() as stack:
        yield {name: stack.enter_context(Slave(f"the key of {name}")) for name in NAMES}


class Network:
    def __init__(self, installation: Installation, slaves: dict[str, Slave], clock: Clock) -> None:
        self.store = installation.store
        self.slaves = slaves
        self.clock = clock
        self.receivers: Receivers = installation.gateway("archive").receivers("ips_connect")
        self.accounts = Accounts("forum", self.store.storage(TABLES))
        self.changes = Changes(self.accounts, seed=5)

    def register(self, name: str, key: str | None = None) -> str:
        slave = self.slaves[name]
        values = {"backend": "forum", "url": slave.url, "key": key or slave.forum.key, "accept_empty": name == "silent"}
        return self.receivers.register(slave.url, values).id

    def state(self, name: str) -> str:
        url = self.slaves[name].url
        return next(one.state for one in self.receivers.all() if one.name == url)

    def is_in_step(self, name: str) -> bool:
        return self.changes.is_in_step(self.slaves[name])

    def let_pass(self, seconds: float, step: float) -> None:
        """Time passes, and whatever is due in it is tried."""
        for _ in range(int(seconds / step)):
            self.changes.make(2)
            self.clock.let_pass(step)
            time.sleep(0.1)

    def describe(self) -> str:
        rows = self.store.deliveries.find(None)
        return f"{[(one.uid, one.state, one.state_reason) for one in self.store.subscriptions.all()]} {rows[:5]}"


@pytest.fixture
def network(installation: Installation, slaves: dict[str, Slave]) -> Iterator[Network]:
    clock = Clock()
    made = Network(installation, slaves, clock)
    forwarding = installation.forwarding
    engine = Engine(
        made.store,
        forwarding.plugins.consumers,
        forwarding.context,
        forwarding.config.core.forwarding,
        forwarding.audit,
        forwarding.bell,
        "node",
        clock.time,
        monotonic=clock.monotonic,
    )
    engine.start()
    yield made
    engine.stop(10)


def test_network_of_five_slaves_ends_in_step_with_its_master(network: Network) -> None:
    slaves, store = network.slaves, network.store
    slaves["slow"].delay = 0.1
    # It could not say which of the two it is.
    slaves["silent"].forum.knows_itself = True
    slaves["silent"].script = lambda sent: as_ipbwi(slaves["silent"].forum.call(sent))
    for name in NAMES:
        network.register(name, "no key of its" if name == "stranger" else None)
    network.changes.make(20)
    # Those that can be reached have something to lose.
    wait_for(lambda: all(slaves[name].forum.done for name in ("dead", "leaver", "silent")), network.describe)

    slaves["dead"].stop()
    slaves["leaver"].forum.is_enabled = False
    network.let_pass(HOUR, step=60)
    assert network.state("dead") == "resting"
    wait_for(lambda: network.state("leaver") == "ended", network.describe)
    assert slaves["stranger"].forum.done == []
    left_with = len(slaves["leaver"].forum.done)

    slaves["dead"].start()
    network.register("stranger")
    network.clock.let_pass(400)
    slaves["slow"].delay = 0.01
    wait_for(lambda: all(map(network.is_in_step, ("slow", "dead", "silent", "stranger"))), network.describe, 60)

    gone = network.accounts.changes(0, 100_000)
    ids = frozenset(str(one.id) for one in gone if one.account is None)
    events = events_of(store, "forum")
    assert len(events) > 150
    for name in ("slow", "dead", "silent", "stranger"):
        assert network.state(name) == "ok"
        # What was under way when the dead one went may have come again.
        assert check_order(slaves[name], events, ids) <= (name == "dead")
    assert len(slaves["leaver"].forum.done) == left_with
    assert store.deliveries.find(None) == []

    # Who comes back was told nothing meanwhile, and is told of everybody when somebody wants that.
    slaves["leaver"].forum = Forum(slaves["leaver"].forum.key)
    id = network.register("leaver")
    people = [Change("create", str(one.id), f"{one.id:016}".encode(), {}) for one in network.changes.everybody()]
    store.journal.apply("forum", people, store.journal.last_serial())
    store.subscriptions.replay_snapshot(id)
    wait_for(lambda: network.is_in_step("leaver"), network.describe)
    network.changes.make(20)
    wait_for(lambda: all(map(network.is_in_step, NAMES)), network.describe)
