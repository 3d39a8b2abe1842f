"""What protocols of some depth get from their gateway: receivers, the brake on guessing, keys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from integration_server import ConfigError, Receivers, Throttled
from integration_server.forwarding.subscriptions import sync_configured
from integration_server.server.installation import Installation, open_installation
from integration_server.server.registered import Registered
from tests.builtin.csv_files import write_old
from tests.forwarding.receivers import write_events

CONFIG = """
[server]
data_dir = "data"
[throttle]
free_failures = 2
[backends.hq]
type = "csv"
path = "people.csv"
[backends.hq.sync]
[frontends.archive]
type = "mailstore"
path = "/archive"
backends = ["hq"]
[frontends.other]
type = "mailstore"
path = "/other"
backends = ["hq"]
[subscriptions.wiki]
type = "webhook"
url = "https://wiki.example.org/hook"
"""
TARGET = {"url": "https://shop.example.org/hook"}


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    write_old(tmp_path / "people.csv", "id,username,emails\n1,ann,ann@example.org\n")
    folder = tmp_path / "config.d"
    folder.mkdir()
    (folder / "all.toml").write_text(CONFIG)
    found = open_installation(folder)
    found.forwarding.bring_configured()
    yield found
    found.close()


@pytest.fixture
def receivers(installation: Installation) -> Receivers:
    return installation.gateway("archive").receivers("webhook")


def test_receivers_of_the_configuration_and_those_registered_are_listed_in_order(
    installation: Installation, receivers: Receivers
) -> None:
    made = receivers.register("shop", TARGET)
    assert [(one.name, one.is_configured, one.is_up) for one in receivers.all()] == [
        ("wiki", True, True),
        ("shop", False, True),
    ]
    assert [one.name for one in installation.gateway("other").receivers("webhook").all()] == ["wiki"]
    assert not installation.gateway("other").receivers("webhook").remove(made.id), "another mount's receiver"


def test_one_of_a_table_that_is_gone_is_none(installation: Installation, receivers: Receivers) -> None:
    sync_configured({}, {}, installation.plugins.consumers, installation.store)
    gone = replace(installation.forwarding, settings={})
    assert [one.name for one in Registered("archive", "webhook", gone).all()] == []


def test_mount_with_a_long_name_registers_receivers_of_its_own(installation: Installation) -> None:
    for letter in "ab":
        registered = Registered("mount-" * 16 + letter, "webhook", installation.forwarding)
        registered.register("shop", TARGET)
        assert [one.name for one in registered.all()] == ["wiki", "shop"]
    assert all(len(one.owner) <= 40 for one in installation.store.subscriptions.all())


def test_a_receiver_is_given_with_the_backend_that_it_was_registered_for(receivers: Receivers) -> None:
    made = receivers.register("shop", {**TARGET, "backend": "hq"})
    assert made.settings.backend == "hq"
    assert [one.settings.backend for one in receivers.all()] == [None, "hq"]


def test_registering_again_keeps_what_waits(installation: Installation, receivers: Receivers) -> None:
    first = receivers.register("shop", TARGET)
    write_events(installation.store, [("ann", "user.updated")])
    second = receivers.register("shop", {**TARGET, "batch_size": 5})
    stored = installation.store.subscriptions.get(first.id)
    assert second.id == first.id
    assert stored is not None
    assert (stored.cursor, stored.batch_size) == (0, 5)


def test_one_that_ended_begins_anew_with_what_happens_from_now_on(
    installation: Installation, receivers: Receivers
) -> None:
    first = receivers.register("shop", TARGET)
    write_events(installation.store, [("ann", "user.updated")])
    receivers.end(first.id, "it wants no more")
    ended = next(one for one in receivers.all() if one.name == "shop")
    assert (ended.state, ended.reason, ended.is_told, ended.is_up) == ("ended", "it wants no more", False, False)
    second = receivers.register("shop", TARGET)
    stored = installation.store.subscriptions.get(second.id)
    assert stored is not None
    assert stored.cursor == 1
    assert installation.store.subscriptions.get(first.id) is None or second.id == first.id


def test_one_that_ended_can_be_resumed(receivers: Receivers) -> None:
    made = receivers.register("shop", TARGET)
    receivers.end(made.id, "no")
    receivers.resume(made.id)
    assert next(one for one in receivers.all() if one.id == made.id).is_up
    assert receivers.remove(made.id)
    assert not receivers.remove(made.id)


def test_settings_that_cannot_work_are_refused(receivers: Receivers) -> None:
    with pytest.raises(ConfigError, match="url"):
        receivers.register("shop", {"url": "ftp://shop.example.org"})
    assert [one.name for one in receivers.all()] == ["wiki"]


def test_wrong_secrets_meet_the_brake_by_name_and_caller(installation: Installation) -> None:
    gateway = installation.gateway("archive")
    for number in range(2):
        assert not gateway.attempt("Ann", f"wrong {number}", lambda: False, caller="shop")
    asked = []
    with pytest.raises(Throttled):
        gateway.attempt("ann", "right", lambda: bool(asked.append(1)) or True, caller="shop")
    assert not asked
    assert gateway.attempt("ann", "right", lambda: True, caller="wiki")


def test_keys_are_of_one_mount_and_purpose_and_stay(installation: Installation) -> None:
    archive, other = installation.gateway("archive"), installation.gateway("other")
    key = archive.signing_key("chains")
    assert len(key) == 32
    assert key == installation.gateway("archive").signing_key("chains")
    assert len({key, archive.signing_key("sessions"), other.signing_key("chains")}) == 3
    assert archive.backend_types == {"hq": "csv"}
