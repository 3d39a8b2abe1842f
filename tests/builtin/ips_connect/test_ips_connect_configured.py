"""Slaves of the configuration, and those that a protocol registers, as an administrator meets them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from integration_server import ConfigError, Receiver, Receivers
from integration_server.builtin.ips_connect.account import NewPerson
from integration_server.builtin.ips_connect.accounts import Accounts
from integration_server.builtin.ips_connect.settings import SlaveSettings
from integration_server.builtin.ips_connect.tables import TABLES
from integration_server.server.installation import Installation, open_installation
from integration_server.store import Store
from integration_server.store.deliveries import DeliveryRow
from integration_server.store.journal import Change
from tests.builtin.csv_files import write_old
from tests.builtin.ips_connect.slaves import Member, Slave, as_member
from tests.cli.conftest import Place, Run, run
from tests.waiting import wait_for

__all__ = ["run"]

KEY = "k" * 32
CORE = """
[server]
data_dir = "../data"
port = 0
[forwarding]
allow_networks = ["127.0.0.1"]
[backends.forum]
type = "ips_connect"
[backends.staff]
type = "csv"
path = "../people.csv"
[frontends.archive]
type = "mailstore"
path = "/archive"
backends = ["forum", "staff"]
"""
HASH, SALT = "h" * 60, "s" * 22
IN_USE = "answers USERNAME_IN_USE: somebody else has the name there"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path)
    made.write("core.toml", CORE)
    write_old(tmp_path / "people.csv", "username\nann\n")
    return made


def slave_table(name: str = "shop", **values: object) -> str:
    table = {"type": "ips_connect", "backend": "forum", "url": "https://shop.example/gw", "key": KEY, **values}
    lines = [f"{key} = {json.dumps(value)}" for key, value in table.items() if value is not None]
    return "\n".join([f"[subscriptions.{name}]", *lines, ""])


def checked(place: Place, run: Run, where: str = "[subscriptions.shop]") -> list[str]:
    found = json.loads(run("check", place.config, "--json").stdout)
    return [f"{line['level']}: {line['message']}" for line in found if where in (line["where"], "all")]


def test_check_says_what_a_slave_is_told(place: Place, run: Run) -> None:
    place.write("slaves.toml", slave_table())
    lines = checked(place, run)
    assert lines[0] == "ok: ips_connect, forum, events: ips_connect.*"
    assert "ok: a replay of everybody has nobody to tell of, since there is no [backends.forum.sync]" in lines
    assert not [line for line in lines if line.startswith("warning") and "every account" not in line]
    assert KEY not in run("check", place.config).output
    place.write("core.toml", CORE.replace('[backends.forum]\ntype = "ips_connect"\n', ""))
    place.write("forum.toml", '[backends.forum]\ntype = "ips_connect"\nsync = {}\n')
    assert not [line for line in checked(place, run) if "replay" in line]


@pytest.mark.parametrize(
    ("url", "warning"),
    [
        ("http://shop.example/gw", "what is sent to it can be read on the way"),
        ("https://shop.example/gw", None),
        ("http://localhost/gw", None),
        ("http://[::1]/gw", None),
        ("https://192.168.7.7/gw", "nothing is sent to it: 192.168.7.7 is a private address"),
    ],
)
def test_check_warns_of_slaves_that_cannot_be_called_safely(
    place: Place, run: Run, url: str, warning: str | None
) -> None:
    place.write("slaves.toml", slave_table(url=url, allow_networks=["::1"]))
    found = [line for line in checked(place, run) if line.startswith("warning: ") and "every account" not in line]
    assert len(found) == (warning is not None), found
    assert warning is None or found[0].startswith(f"warning: {warning}")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"backend": None}, "backend: is required"),
        ({"backend": "staff"}, 'backend: must name a backend with type = "ips_connect"'),
        ({"backend": "nobody"}, "backend: there is no [backends.nobody]; there are: forum, staff"),
        ({"events": ["user.*"]}, "events: slaves are told of"),
        ({"events": ["ips_connect.login"]}, "events: no type of event is 'ips_connect.login'"),
        ({"batch_size": 10}, "batch_size: a slave takes one change at a time"),
        ({"url": "shop.example"}, "url: a URL must begin with"),
        ({"ca_file": "no.pem"}, "ca_file: no.pem cannot be read"),
    ],
)
def test_settings_that_cannot_work_are_named(place: Place, run: Run, values: dict[str, Any], words: str) -> None:
    place.write("slaves.toml", slave_table(**values))
    result = run("check", place.config)
    assert result.exit_code == 3, result.output
    assert words in result.output
    assert KEY not in result.output
    assert words.startswith("ca_file") or words in run("serve", place.config).output


def test_others_are_told_nothing_of_it(place: Place, run: Run) -> None:
    place.write(
        "hook.toml", '[subscriptions.hook]\ntype = "webhook"\nurl = "https://x.example"\nevents = "ips_connect.*"\n'
    )
    assert "events: no type of event is 'ips_connect.*'" in run("check", place.config).output


def test_commands_show_a_slave_without_its_key(place: Place, run: Run) -> None:
    place.write("slaves.toml", slave_table())
    with_store(place)
    shown = run("subscriptions", "show", "shop", "-c", place.config).stdout
    assert "tells of      forum" in shown
    assert "https://shop.example/gw" in shown
    assert KEY not in shown
    assert (
        json.loads(run("subscriptions", "show", "shop", "--json", "-c", place.config).stdout)["settings"]["key"]
        == "**********"
    )
    added = run(
        "subscriptions", "add", "wiki", "--type", "ips_connect", "--backend", "forum",
        "--url", "https://wiki.example/gw", "--set", f"key={KEY}", "-c", place.config,
    )  # fmt: skip
    assert added.exit_code == 0, added.output
    assert "sync" not in added.output


def with_store(place: Place) -> None:
    opened = open_installation(place.config)
    opened.forwarding.bring_configured()
    opened.close()


@pytest.fixture
def slave() -> Iterator[Slave]:
    with Slave(KEY) as running:
        yield running


@pytest.fixture
def installation(place: Place) -> Iterator[Installation]:
    found = open_installation(place.config)
    yield found
    found.close()


def test_test_button_asks_the_gateway_of_a_slave(place: Place, run: Run, slave: Slave) -> None:
    place.write("slaves.toml", slave_table(url=slave.url))
    result = run("subscriptions", "test", "shop", "-c", place.config)
    assert (result.exit_code, result.stdout) == (0, "delivered: shop answered with status 200\n")
    slave.forum.key = "another"
    result = run("subscriptions", "test", "shop", "-c", place.config)
    assert result.exit_code == 1
    assert f"http://127.0.0.1:{slave.port} refuses our key; it must register again" in result.stderr
    assert KEY not in result.output
    slave.forum.is_enabled = False
    assert "answers DISABLED" in run("subscriptions", "test", "shop", "-c", place.config).stderr


# -- delivered ---------------------------------------------------------------------------------------------------------


@dataclass
class Network:
    """A master with one slave that registered, and its engine at work."""

    store: Store
    accounts: Accounts
    receivers: Receivers
    slave: Slave

    def register(self, key: str = KEY) -> Receiver:
        return self.receivers.register(self.slave.url, {"backend": "forum", "url": self.slave.url, "key": key})

    def newcomer(self, name: str, **details: Any) -> int:
        person = NewPerson(name, f"{name.lower()}@example.org", HASH, SALT)
        return self.accounts.register(person, **details).account.id

    def receiver(self) -> Receiver:
        (found,) = self.receivers.all()
        return found

    def stuck(self, reason: str) -> DeliveryRow:
        """What holds the slave, once it does for this reason."""

        def found() -> list[DeliveryRow]:
            return [row for row in self.store.deliveries.find(None, state="parked") if reason in (row.error or "")]

        return wait_for(found, reason)[0]

    def wait_in_step(self) -> None:
        """Until the slave has what the master has."""

        def is_so() -> bool:
            everybody = {one.id: as_member(one) for some in self.accounts.everybody(100) for one in some}
            return {id: one for id, one in self.slave.members().items() if id} == everybody

        wait_for(is_so, lambda: f"{self.slave.members()} {self.store.deliveries.find(None)}")


@pytest.fixture
def network(installation: Installation, slave: Slave) -> Iterator[Network]:
    store = installation.store
    receivers = installation.gateway("archive").receivers("ips_connect")
    engine = installation.forwarding.engine()
    engine.start()
    yield Network(store, Accounts("forum", store.storage(TABLES)), receivers, slave)
    engine.stop(5)


def test_registered_slave_is_told_of_what_happens_from_now_on_but_not_of_its_own(network: Network) -> None:
    network.newcomer("Early")
    own = network.register().id
    network.newcomer("Own", origin=own)
    ann = network.newcomer("Ann")
    wait_for(lambda: network.slave.members())
    assert list(network.slave.members()) == [ann]


def test_slave_that_registers_again_with_the_right_key_gets_what_waited_at_once(network: Network) -> None:
    network.register("wrong")
    for name in ("Ann", "Bob", "Cyd"):
        network.newcomer(name)
    assert (network.stuck("it must register again").event_type) == "ips_connect.register"
    network.register()
    network.wait_in_step()
    assert [one["name"] for one in network.slave.forum.done] == ["Ann", "Bob", "Cyd"]


def test_stuck_change_is_shown_and_tried_again_or_skipped(network: Network, place: Place, run: Run) -> None:
    network.register()
    ann = network.newcomer("Ann")
    network.wait_in_step()
    network.slave.forum.members.append(Member(0, "Zoe", "local@example.org"))
    network.accounts.change_name(ann, "Zoe")
    network.accounts.change_name(ann, "Anna")
    row = network.stuck("USERNAME_IN_USE")
    wait_for(lambda: len(network.store.deliveries.find(None)) == 2)
    (shown, held) = json.loads(run("deliveries", "list", "--json", "-c", place.config).stdout)
    assert (shown["type"], shown["person_id"], shown["state"]) == ("ips_connect.changeName", str(ann), "parked")
    assert shown["error"] == f"http://127.0.0.1:{network.slave.port} {IN_USE}"
    assert held["state"] == "held"
    network.slave.forum.members.pop()
    assert run("deliveries", "retry", row.id, "-c", place.config).exit_code == 0
    network.wait_in_step()

    network.slave.forum.members.append(Member(0, "Zoe", "local@example.org"))
    network.accounts.change_name(ann, "Zoe")
    network.accounts.change_name(ann, "Annie")
    row = network.stuck("USERNAME_IN_USE")
    assert run("deliveries", "skip", row.id, "--reason", "a local Zoe", "-c", place.config).exit_code == 0
    network.wait_in_step()
    assert network.slave.members()[ann].name == "Annie"


def test_slave_that_left_is_told_nothing_and_begins_anew(network: Network) -> None:
    first = network.register()
    ann = network.newcomer("Ann")
    network.wait_in_step()
    network.slave.forum.is_enabled = False
    network.accounts.change_name(ann, "Anna")
    network.accounts.change_name(ann, "Annie")
    wait_for(lambda: network.receiver().state == "ended")
    assert "answers DISABLED" in str(network.receiver().reason)
    assert network.store.deliveries.find(None) == []
    network.accounts.change_name(ann, "Annabel")
    network.slave.forum.is_enabled = True
    assert network.register().id != first.id
    network.accounts.change_name(ann, "Ann-Sophie")
    network.wait_in_step()
    assert [one["name"] for one in network.slave.forum.done] == ["Ann", "Ann-Sophie"]


def test_table_of_a_slave_takes_the_place_of_its_registration(
    network: Network, place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    network.register("wrong")
    for name in ("Ann", "Bob"):
        network.newcomer(name)
    network.stuck("it must register again")
    place.write("slaves.toml", slave_table(url=network.slave.url))
    with_store(place)
    network.newcomer("Cyd")
    network.wait_in_step()
    assert [one["name"] for one in network.slave.forum.done] == ["Ann", "Bob", "Cyd"]
    assert [one.id for one in network.store.subscriptions.all()] == ["sub_config_shop"]
    assert f"subscription shop is told in the place of {network.slave.url}" in caplog.text


def test_replay_of_everybody_brings_a_slave_into_step(
    network: Network, installation: Installation, place: Place, run: Run
) -> None:
    for number in range(30):
        network.newcomer(f"N{number}")
    network.accounts.set_ban(3, True)
    network.register()
    # As a scan of the backend notes everybody.
    changes = [
        Change("create", str(id), f"{id:016}".encode(), {"id": str(id), "state": "active"}) for id in range(1, 31)
    ]
    network.store.journal.apply("forum", changes, network.store.journal.last_serial())
    assert run("subscriptions", "replay", network.slave.url, "--everybody", "-c", place.config).exit_code == 0
    network.wait_in_step()
    ann = network.newcomer("Ann")
    network.wait_in_step()
    assert network.slave.forum.done[-1]["id"] == str(ann)


def test_settings_of_a_slave_that_is_told_are_read_back(network: Network) -> None:
    network.register()
    settings = network.receiver().settings
    assert isinstance(settings, SlaveSettings)
    assert (settings.backend, settings.events) == ("forum", ("ips_connect.*",))
    with pytest.raises(ConfigError, match="backend"):
        network.receivers.register("x", {"backend": "staff", "url": "https://x.example/gw", "key": KEY})
