"""Channels that a frontend binds: who may, and that they are subscriptions like any other."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from werkzeug.test import Client, TestResponse

from integration_server import Binding, Bindings, CallerRefused, ConfigError
from integration_server.cli import main
from integration_server.config import ForwardingSettings
from integration_server.forwarding.audit import Audit
from integration_server.forwarding.delivery.engine import Engine
from integration_server.server.bound import Bound
from integration_server.server.installation import Installation, open_installation
from integration_server.server.pruning import prune
from integration_server.store.journal import Change
from integration_server.store.resources import Resource
from integration_server.store.tokens import SCOPES, Scope
from tests.web.api.conftest import ALL, person

CONFIG = """
[server]
data_dir = "data"
[plugins]
folder = "../plugins"
[backends.hq]
type = "csv"
path = "people.csv"
[backends.hq.sync]
[frontends.archive]
type = "mailstore"
path = "/archive"
backends = ["hq"]
"""
EVERYTHING = {"kind": "all"}
HQ = {"kind": "backend", "backend": "hq"}
STAFF = {"kind": "group", "backend": "hq", "group": "staff"}


class House:
    """An installation with bindings, and a token that may do everything."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.store = installation.store
        self.told: list[tuple[str, str]] = []
        audit = Audit([lambda action, subject, details: self.told.append((action, subject))])
        self.forwarding = replace(installation.forwarding, audit=audit)
        self.bindings: Bindings = Bound("channel", self.forwarding)
        self.plain = self.token("wiki")
        self.app = installation.app()

    def token(
        self, name: str, scopes: tuple[Scope, ...] = SCOPES, sees: Resource = ALL, until: float | None = None
    ) -> str:
        return self.store.tokens.create(name, scopes, [sees], until)[1]

    def bind(self, resource: Mapping[str, object] = HQ, name: str = "phone") -> Binding:
        return self.bindings.bind(name, self.plain, resource)

    def put(self, person_id: str, *groups: str, **fields: object) -> None:
        document = person(person_id, *groups, **fields)
        digest = repr(document).encode()[-16:].ljust(16)
        self.store.journal.apply(
            "hq", [Change("update", person_id, digest, document)], self.store.journal.last_serial()
        )
        self.store.bell.ring()

    def call(self, method: str, path: str, **options: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {self.plain}"}
        return Client(self.app).open(
            f"/api/v1/subscriptions{path}",
            method=method,
            headers=headers,
            environ_base={"REMOTE_ADDR": "127.0.0.1"},
            **options,
        )


@pytest.fixture
def house(tmp_path: Path, empty_store: Path) -> Iterator[House]:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "channels.py").write_text("from tests.web.channel_plugin import register_consumers\n")
    config = tmp_path / "config.d"
    (config / "data").mkdir(parents=True)
    shutil.copy(empty_store, config / "data" / "store.db")
    (config / "all.toml").write_text(CONFIG)
    (config / "people.csv").write_text("id,username,emails\n1,ann,ann@example.org\n")
    installation = open_installation(config)
    yield House(installation)
    installation.close()


def refused(house: House, token: str, resource: Mapping[str, object] = HQ) -> tuple[int, str | None]:
    with pytest.raises(CallerRefused) as caught:
        house.bindings.bind("phone", token, resource)
    assert token not in str(caught.value)
    return caught.value.status, caught.value.challenge


def test_only_a_token_with_the_scope_that_may_see_the_resource_binds(house: House) -> None:
    scope = "subscriptions:write"
    assert refused(house, "ist_" + "x" * 43) == (401, 'Bearer realm="integration-server", error="invalid_token"')
    assert refused(house, "\N{SNOWMAN}\0")[0] == 401
    reader = house.token("reader", ("events:read",))
    challenge = f'Bearer realm="integration-server", error="insufficient_scope", scope="{scope}"'
    assert refused(house, reader) == (403, challenge)
    narrow = house.token("narrow", (scope,), Resource("group", "hq", "staff"))
    assert refused(house, narrow) == (403, None)
    assert house.bindings.bind("phone", narrow, STAFF).is_told
    assert refused(house, house.plain, {"kind": "backend", "backend": "nowhere"}) == (404, None)
    assert refused(house, narrow, {"kind": "backend", "backend": "nowhere"}) == (403, None), "nothing is given away"
    house.store.tokens.revoke("wiki")
    assert refused(house, house.plain)[0] == 401


@pytest.mark.parametrize(
    "resource",
    [
        {},
        {"kind": "all", "backend": "hq"},
        {"kind": "backend"},
        {"kind": "backend", "backend": None},
        {"kind": "backend", "backend": ["hq"]},
        {"kind": "group", "backend": "hq"},
        {"kind": "group", "backend": "hq", "group": ""},
        {"kind": "group", "backend": "hq", "group": "a\nb"},
        {"kind": "group", "backend": "hq", "group": "x" * 1025},
        {"kind": "everything"},
        {"kind": ["all"]},
        {"kind": "all", "note": "mine"},
    ],
)
def test_what_names_no_resource_is_refused(resource: Mapping[str, object], house: House) -> None:
    with pytest.raises(ValueError, match="a resource is"):
        house.bind(resource)


@pytest.mark.parametrize("name", ["", "x" * 201, "a\nb"])
def test_a_channel_has_a_name_to_read(name: str, house: House) -> None:
    with pytest.raises(ValueError, match="name"):
        house.bind(name=name)


def test_a_token_has_so_many_channels_and_no_more(house: House) -> None:
    config = house.installation.config
    core = config.core.model_copy(update={"forwarding": ForwardingSettings(channels_per_token=2)})
    few = Bound("channel", replace(house.forwarding, config=replace(config, core=core)))
    first = few.bind("one", house.plain, HQ)
    few.bind("two", house.plain, HQ)
    with pytest.raises(CallerRefused, match="channels_per_token") as caught:
        few.bind("three", house.plain, HQ)
    assert caught.value.status == 409
    assert few.bind("one", house.plain, HQ).id == first.id, "one that is there may come again"
    made = house.call("POST", "", json={"url": "https://wiki.example.org/hook"})
    assert made.status_code == 201, "channels are not counted among what is delivered"


def test_a_type_that_is_called_has_no_bindings(house: House) -> None:
    for kind in ("webhook", "nothing"):
        with pytest.raises(ConfigError, match="takes versions"):
            house.installation.gateway("archive").bindings(kind)
    assert isinstance(house.installation.gateway("archive").bindings("channel"), Bindings)


def test_an_event_has_every_channel_of_what_it_touches_told(house: House) -> None:
    everything, hq, staff = (house.bind(one, one["kind"]) for one in (EVERYTHING, HQ, STAFF))
    ids = [everything.id, hq.id, staff.id]
    assert not house.bindings.pending(ids)
    house.put("ann")
    assert house.bindings.pending(ids) == {everything.id: 1, hq.id: 1}
    house.put("bob", "staff")
    assert house.bindings.pending(ids) == dict.fromkeys(ids, 3)

    house.bindings.acknowledge({hq.id: 3, staff.id: 2})

    assert house.bindings.pending(ids) == {everything.id: 3, staff.id: 3}
    assert house.bindings.pending_of([staff.resource, hq.resource, 4711]) == {staff.id: 3}
    assert house.bindings.pending([]) == house.bindings.pending_of([]) == house.bindings.find([]) == {}
    found = house.bindings.find([*ids, "sub_of_nobody"])
    assert {id: (one.acknowledged, one.is_pending) for id, one in found.items()} == {
        everything.id: (0, True),
        hq.id: (3, False),
        staff.id: (2, True),
    }


def test_channels_are_listed_paused_replayed_and_removed_over_the_api(house: House) -> None:
    bound = house.bind(STAFF, "phone")
    house.put("ann", "staff")
    listed = house.call("GET", "").get_json()["subscriptions"]
    shown = {"id": bound.id, "uid": "phone", "type": "channel", "resource": STAFF, "serial": 0, "version": 2}
    assert [{key: one[key] for key in shown} for one in listed] == [shown]
    one = f"/{bound.id}"
    assert house.call("GET", one).get_json() == listed[0]
    assert house.call("GET", f"{one}/deliveries").get_json()["deliveries"] == []
    assert house.call("GET", f"{one}/attempts").get_json()["attempts"] == []

    paused = house.call("PATCH", one, json={"active": False})
    assert (paused.status_code, paused.get_json()["active"], paused.get_json()["version"]) == (200, False, 2)
    assert not house.bindings.pending([bound.id])
    house.call("PATCH", one, json={"active": True})
    assert house.bindings.pending([bound.id]) == {bound.id: 2}

    house.bindings.acknowledge({bound.id: 2})
    assert house.call("POST", f"{one}/replay", json={"from": 1}).status_code == 202
    assert house.bindings.pending([bound.id]) == {bound.id: 2}
    assert house.call("POST", f"{one}/replay", json={"from": 3}).status_code == 410
    assert house.call("DELETE", one).status_code == 204
    assert not house.bindings.find([bound.id])
    other = house.bind(HQ, "tablet")
    house.bindings.remove([other.id, bound.id])
    assert house.told == [
        ("subscription.created", bound.id),
        ("subscription.created", other.id),
        ("subscription.removed", other.id),
    ]


def test_what_makes_no_sense_for_a_channel_is_a_clear_no(house: House) -> None:
    one = f"/{house.bind().id}"
    house.put("ann")
    tried = [
        ("POST", f"{one}/test", None),
        ("POST", f"{one}/rotate-secret", None),
        ("POST", f"{one}/replay", {"snapshot": True}),
        ("PATCH", one, {"url": "https://wiki.example.org/hook"}),
        ("PATCH", one, {"active": False, "uid": "mine"}),
        ("PATCH", one, {}),
        ("PUT", one, {"url": "https://wiki.example.org/hook"}),
    ]
    for method, path, body in tried:
        answer = house.call(method, path, **({"json": body} if body is not None else {}))
        assert answer.status_code == 409, (method, path, answer.text)
        assert answer.get_json()["type"] == "urn:problem-type:integration-server:channel"
    assert "whoever registered it connects" in house.call("POST", f"{one}/test").get_json()["detail"]
    assert house.call("GET", one).get_json()["active"]


def test_another_tokens_channels_are_nobodys_here(house: House) -> None:
    other = house.token("other")
    made = house.bindings.bind("phone", other, HQ)
    assert house.call("GET", f"/{made.id}").status_code == 404
    assert house.call("PATCH", f"/{made.id}", json={"active": False}).status_code == 404
    assert house.call("GET", "").get_json()["subscriptions"] == []


def test_commands_show_channels_like_any_other(house: House) -> None:
    first, second = house.bind(HQ, "phone"), house.bind(STAFF, "tablet")
    house.put("ann")
    folder = str(house.installation.config.base_dir)

    def run(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(main, ["subscriptions", *words, "--config", folder])
        return result.exit_code, result.output

    code, listed = run("list", "--json")
    assert code == 0
    found = {one["name"]: (one["type"], one["owner"], one["serial"], one["last_serial"]) for one in json.loads(listed)}
    assert found == {"phone": ("channel", "wiki", 0, 1), "tablet": ("channel", "wiki", 0, 0)}
    assert "0 of 1" in run("show", "phone")[1]
    assert "0 of 0" in run("show", "tablet")[1], "nothing touched the group"

    assert run("pause", "phone")[0] == 0
    assert not house.bindings.pending([first.id])
    assert run("resume", "phone")[0] == 0
    house.bindings.acknowledge({first.id: 1})
    assert run("replay", "phone", "--after", "0")[0] == 0
    assert house.bindings.pending([first.id]) == {first.id: 1}
    code, said = run("replay", "phone", "--everybody")
    assert (code, "a serial alone" in said) == (2, True)
    code, said = run("test", "phone")
    assert (code, "whoever registered it connects" in said) == (2, True)
    code, said = run("add", "car", "--type", "channel")
    assert (code, "when its holder registers it" in said) == (3, True)
    assert run("remove", "tablet", "--yes")[0] == 0
    assert list(house.bindings.find([first.id, second.id])) == [first.id]


def test_engine_makes_nothing_of_channels(house: House) -> None:
    bound = [house.bind(name=f"phone {number}") for number in range(5)]
    house.put("ann")
    forwarding = house.forwarding
    engine = Engine(
        house.store,
        forwarding.plugins.consumers,
        forwarding.context,
        forwarding.config.core.forwarding,
        forwarding.audit,
        forwarding.bell,
        "node",
    )
    engine._roster.refresh(lambda route: None)
    assert not engine._roster.routes
    assert all(not one.acknowledged for one in house.bindings.find([one.id for one in bound]).values())


def test_pruning_is_not_held_back_and_ends_what_nobody_may_see(house: House) -> None:
    kept = house.bind()
    short = house.bindings.bind("phone", house.token("short", until=time.time() + 0.2), HQ)
    house.put("ann")
    while house.bindings.find([short.id])[short.id].is_told:
        time.sleep(0.05)

    assert prune(house.store, 0.0, time.time() + 10).events == 1

    assert house.bindings.pending([kept.id, short.id]) == {kept.id: 1}, "a number outlives its event"
    found = house.store.subscriptions.get(short.id)
    assert found is not None
    assert found.state == "ended"


def test_whoever_waits_hears_of_events_and_of_what_people_do(house: House) -> None:
    bound, other = house.bind(HQ, "phone"), house.bind(STAFF, "tablet")
    mark = house.bindings.mark()
    assert house.bindings.wait(mark, 0.0) == mark
    steps = [
        (lambda: house.put("ann"), {bound.resource}),
        (lambda: house.call("PATCH", f"/{other.id}", json={"active": False}), {other.resource}),
        (lambda: house.call("POST", f"/{bound.id}/replay", json={"from": 0}), {bound.resource}),
        (lambda: house.put("ann", "staff"), {bound.resource, other.resource}),
    ]
    for step, expected in steps:
        timer = threading.Timer(0.1, step)
        timer.start()
        now = house.bindings.wait(mark, 20.0)
        timer.join()
        assert now != mark
        assert house.bindings.changed_since(mark) == expected
        mark = house.bindings.mark()


def test_a_channel_cannot_stand_in_the_configuration(house: House) -> None:
    file = house.installation.config.base_dir / "all.toml"
    file.write_text(file.read_text() + '[subscriptions.phone]\ntype = "channel"\n')
    with pytest.raises(ConfigError, match=r"subscriptions\.phone\.type: a receiver of type channel"):
        open_installation(file.parent)
