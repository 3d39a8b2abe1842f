"""Channels that are bound to the directory, over REST and WebSocket, against a server that really listens."""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from integration_server.builtin.push.letters import Greeting, Hello
from integration_server.builtin.push.office import PostOffice
from integration_server.builtin.push.registrations import Lifetimes
from integration_server.builtin.push.session import Ask, Say
from integration_server.builtin.push.simplepush import SimplePushSession
from integration_server.store.journal import Change
from integration_server.store.resources import Resource
from integration_server.store.tokens import SCOPES
from tests.builtin.push.live_push import SECONDS, LivePush, live_push
from tests.builtin.push.push_site import new_channel
from tests.waiting import wait_for

EVERYTHING = {"kind": "all"}
_NUMBERS = itertools.count()
STAFF = {"kind": "group", "backend": "hq", "group": "staff"}


class Directory:
    """A live push server and the directory behind it. Each test has a token of its own."""

    def __init__(self, live: LivePush, name: str) -> None:
        self.live = live
        self.store = live.installation.store
        self.name = name
        self.token = self.store.tokens.create(name, SCOPES, [Resource()])[1]

    @property
    def office(self) -> PostOffice:
        return self.live.frontend._office

    def call(self, method: str, path: str, body: object = None, token: str | None = "") -> tuple[int, Any, Any]:
        """Status, JSON and headers."""
        caller = http.client.HTTPConnection("127.0.0.1", self.live.http_port, timeout=SECONDS)
        headers = {"Content-Type": "application/json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token or self.token}"
        caller.request(method, path, json.dumps(body) if body is not None else None, headers)
        response = caller.getresponse()
        content = response.read()
        caller.close()
        return response.status, json.loads(content) if content else None, response.headers

    def register(self, resource: object = EVERYTHING, uaid: str = "", channel: str = "", **more: Any) -> dict[str, str]:
        """What a registration answers."""
        message = {"UAID": uaid, "APPID": channel or new_channel(), "RESOURCE": resource}
        status, answer, _ = self.call("POST", "/push/register", message, **more)
        assert status == 200, answer
        found: dict[str, str] = answer
        return found

    def subscriptions(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("GET", "/api/v1/subscriptions")[1]["subscriptions"]
        return found

    def has_acknowledged(self, serial: int) -> bool:
        """Whether the test's one channel has."""
        (one,) = self.subscriptions()
        return bool(one["serial"] == serial)

    def api(self, method: str, path: str, body: object = None) -> int:
        (one,) = self.subscriptions()
        return self.call(method, f"/api/v1/subscriptions/{one['id']}{path}", body)[0]

    def put(self, person_id: str, *groups: str) -> int:
        """Let somebody come or change; the serial of the last event."""
        name = f"{person_id} the {next(_NUMBERS)}th"
        document = {
            "id": person_id,
            "username": person_id,
            "full_name": name,
            "groups": list(groups),
            "state": "active",
        }
        change = Change("update", person_id, repr(document).encode()[-16:].rjust(16), document)
        journal = self.store.journal
        applied = journal.apply("hq", [change], journal.last_serial())
        assert applied.events
        self.store.bell.ring()
        return applied.last_serial

    def connect(self, uaid: str, wait: int | None = None) -> tuple[int, Any]:
        status, answer = self.live.post("connect", {"UAIDS": [uaid]}, wait)
        return status, answer["UPDATE"] if answer else None


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def live(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivePush]:
    folder = tmp_path_factory.mktemp("push")
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql").create_database()
        (folder / "config.d").mkdir()
        (folder / "config.d" / "store.toml").write_text(f'[store]\nurl = "{url}"\n')
    with live_push(folder, resend_seconds=3600) as running:
        yield running


@pytest.fixture
def directory(live: LivePush, request: pytest.FixtureRequest) -> Directory:
    return Directory(live, request.node.name)


def test_bound_channel_is_told_the_serial_until_it_acknowledges_it(directory: Directory) -> None:
    made = directory.register()
    uaid, channel = made["UAID"], made["APPID"]
    assert directory.connect(uaid) == (204, None)
    serial = directory.put("ann")
    assert directory.connect(uaid) == (200, {uaid: {channel: serial}})
    assert directory.connect(uaid) == (200, {uaid: {channel: serial}})
    later = directory.put("bob")

    assert directory.live.post("ack", {"UAIDS": [uaid]})[0] == 204

    assert directory.connect(uaid) == (200, {uaid: {channel: later}}), "only what was sent is acknowledged"
    assert directory.live.post("ack", {"UAIDS": {uaid: {channel: later}}})[0] == 204
    assert directory.connect(uaid) == (204, None)
    (shown,) = directory.subscriptions()
    assert (shown["type"], shown["serial"], shown["version"]) == ("push", later, later)
    assert channel in shown["uid"]
    assert uaid not in json.dumps(shown), "whoever knows it has the channels"


def test_channel_of_a_group_hears_of_that_alone(directory: Directory) -> None:
    made = directory.register(STAFF)
    directory.put("carl")
    assert directory.connect(made["UAID"]) == (204, None)
    serial = directory.put("dora", "staff")
    assert directory.connect(made["UAID"]) == (200, {made["UAID"]: {made["APPID"]: serial}})


def test_app_servers_are_turned_away_from_bound_endpoints(directory: Directory) -> None:
    made = directory.register()
    assert directory.live.put(made["ENDPOINT"], 5) == 403
    assert directory.live.put(made["ENDPOINT"]) == 403
    plain = directory.live.post("register", {"UAID": made["UAID"], "APPID": new_channel()})[1]
    assert directory.live.put(plain["ENDPOINT"], 5) == 202
    directory.put("ann", "x")
    status, update = directory.connect(made["UAID"])
    assert status == 200
    assert set(update[made["UAID"]]) == {made["APPID"], plain["APPID"]}


def test_long_poll_ends_with_a_change(directory: Directory) -> None:
    made = directory.register()
    serials: list[int] = []
    timer = threading.Timer(0.3, lambda: serials.append(directory.put("ann")))
    timer.start()
    began = time.monotonic()

    found = directory.connect(made["UAID"], wait=30)

    timer.join()
    assert found == (200, {made["UAID"]: {made["APPID"]: serials[0]}})
    assert time.monotonic() - began < 20


def test_connected_socket_is_told_of_a_change_and_of_what_it_missed(directory: Directory) -> None:
    made = directory.register()
    uaid, channel = made["UAID"], made["APPID"]
    missed = directory.put("ann")
    with directory.live.client() as client:
        assert client.hello(uaid, (channel,)) == uaid
        assert client.notified() == {channel: missed}
        serial = directory.put("ann")
        assert client.notified() == {channel: serial}
        client.ack({channel: serial})
        wait_for(lambda: directory.subscriptions()[0]["serial"] == serial, "the ACK to be kept")
        assert client.hears_nothing()
    with directory.live.client() as client:
        client.hello(uaid)
        assert client.hears_nothing()


def test_acknowledgement_counts_although_the_client_closes_at_once(directory: Directory) -> None:
    made = directory.register()
    for _ in range(10):
        serial = directory.put("ann")
        with directory.live.client() as client:
            client.hello(made["UAID"])
            assert client.notified() == {made["APPID"]: serial}
            # In one piece, as it may well arrive.
            with client.wire.protocol_mutex:
                client.wire.protocol.send_text(
                    json.dumps(
                        {"messageType": "ack", "updates": [{"channelID": made["APPID"], "version": serial}]}
                    ).encode()
                )
                client.wire.protocol.send_close(1000)
                client.wire.socket.sendall(b"".join(client.wire.protocol.data_to_send()))
        wait_for(partial(directory.has_acknowledged, serial), "the ACK to be kept")


def test_unacknowledged_change_comes_again_with_the_next_connection(directory: Directory) -> None:
    made = directory.register()
    serial = directory.put("ann")
    for _ in range(2):
        with directory.live.client() as client:
            client.hello(made["UAID"])
            assert client.notified() == {made["APPID"]: serial}


def test_one_client_for_many_user_agents_is_told_of_each(directory: Directory) -> None:
    first, second = directory.register(), directory.register(STAFF)
    with directory.live.client("push-update") as client:
        client.say({"CONNECT": [first["UAID"], second["UAID"]]})
        serial = directory.put("ed", "staff")
        heard: dict[str, dict[str, int]] = {}
        while len(heard) < 2:
            heard |= client.hear()["UPDATE"]
        assert heard == {one["UAID"]: {one["APPID"]: serial} for one in (first, second)}
        client.say({"ACK": [first["UAID"], second["UAID"]]})
        wait_for(lambda: [one["serial"] for one in directory.subscriptions()] == [serial, serial], "the ACK")


def test_paused_channel_is_quiet_and_a_resumed_one_catches_up(directory: Directory) -> None:
    made = directory.register()
    with directory.live.client() as client:
        client.hello(made["UAID"])
        assert directory.api("PATCH", "", {"active": False}) == 200
        serial = directory.put("ann")
        assert client.hears_nothing(1.0)
        assert directory.connect(made["UAID"]) == (204, None)
        assert directory.api("PATCH", "", {"active": True}) == 200
        assert client.notified() == {made["APPID"]: serial}


@pytest.mark.parametrize("subprotocol", ["push-notification", "push-update"])
def test_replayed_channel_is_told_the_version_that_it_has_once_more(subprotocol: str, directory: Directory) -> None:
    made = directory.register()
    uaid, channel = made["UAID"], made["APPID"]
    serial = directory.put("ann")
    with directory.live.client(subprotocol) as client:
        if subprotocol == "push-notification":
            client.hello(uaid)
        else:
            client.say({"CONNECT": [uaid]})

        def heard() -> dict[str, int]:
            if subprotocol == "push-notification":
                return client.notified()
            found: dict[str, int] = client.hear()["UPDATE"][uaid]
            return found

        assert heard() == {channel: serial}
        client.say({"ACK": [uaid]}) if subprotocol == "push-update" else client.ack({channel: serial})
        wait_for(lambda: directory.subscriptions()[0]["serial"] == serial, "the ACK")
        assert directory.api("POST", "/replay", {"from": serial - 1}) == 202
        assert heard() == {channel: serial}
    assert directory.connect(uaid) == (200, {uaid: {channel: serial}})


def test_binding_needs_a_token_that_may_see_the_resource(directory: Directory) -> None:
    message = {"UAID": "", "APPID": new_channel(), "RESOURCE": STAFF}
    store = directory.store
    reader = store.tokens.create(f"{directory.name} reader", ["events:read"], [Resource()])[1]
    branch = store.tokens.create(f"{directory.name} branch", SCOPES, [Resource("backend", "branch")])[1]

    def status(token: str | None, **more: object) -> int:
        return directory.call("POST", "/push/register", {**message, **more}, token=token)[0]

    assert status(None) == 400
    assert status("ist_" + "x" * 43) == 401
    assert status(reader) == 403
    assert status(branch) == 403
    assert status(branch, RESOURCE={"kind": "backend", "backend": "branch"}) == 404
    assert status("", RESOURCE={"kind": "nothing"}) == 400
    assert status("", RESOURCE="all") == 400
    _, answer, headers = directory.call("POST", "/push/register", message, token=reader)
    assert "insufficient_scope" in headers["WWW-Authenticate"]
    assert reader not in json.dumps(answer)
    assert not directory.subscriptions(), "nothing came of any of them"
    assert status(None, TOKEN=directory.token) == 200, "where the header has something else"


def test_registering_again_is_as_good_as_once(directory: Directory) -> None:
    made = directory.register()
    serial = directory.put("ann")
    again = directory.register(EVERYTHING, made["UAID"], made["APPID"])
    assert again == made
    plain = directory.live.post("register", {"UAID": made["UAID"], "APPID": made["APPID"]})[1]
    assert plain == made, "it stays bound"
    assert len(directory.subscriptions()) == 1
    assert directory.connect(made["UAID"]) == (200, {made["UAID"]: {made["APPID"]: serial}})

    other = directory.store.tokens.create(f"{directory.name} other", SCOPES, [Resource()])[1]
    directory.register(STAFF, made["UAID"], made["APPID"], token=other)
    assert not directory.subscriptions(), "it belongs to the other token now"
    assert directory.connect(made["UAID"]) == (204, None)


def test_unregistered_channel_is_no_subscription_any_more(directory: Directory) -> None:
    made = directory.register()
    assert directory.live.post("unregister", {"UAID": made["UAID"], "APPID": made["APPID"]})[0] == 204
    assert not directory.subscriptions()
    assert directory.live.put(made["ENDPOINT"], 5) == 410
    plain = directory.live.post("register", {"UAID": made["UAID"], "APPID": made["APPID"]})[1]
    assert directory.live.put(plain["ENDPOINT"], 5) == 202, "registered anew, it is bound to nothing"


def test_removed_subscription_ends_its_channel_at_the_next_pruning(directory: Directory) -> None:
    made = directory.register()
    assert directory.api("DELETE", "") == 204
    directory.put("ann")
    assert directory.connect(made["UAID"]) == (204, None)
    assert directory.live.put(made["ENDPOINT"], 5) == 403
    directory.office.prune()
    assert directory.live.put(made["ENDPOINT"], 5) == 410


def test_revoked_token_is_told_nothing(directory: Directory) -> None:
    made = directory.register()
    directory.put("ann")
    directory.store.tokens.revoke(directory.name)
    assert directory.connect(made["UAID"]) == (204, None)
    with directory.live.client() as client:
        assert client.hello(made["UAID"]) == made["UAID"]
        assert client.hears_nothing()


def test_bound_channels_never_expire(directory: Directory) -> None:
    bound = directory.register()
    plain = directory.live.post("register", {"UAID": "", "APPID": new_channel()})[1]
    office = directory.office
    rules, clock = office._rules, office._clock
    assert rules.lifetimes == Lifetimes()
    try:
        office._clock = lambda: time.time() + 400 * 86400
        office.prune()
    finally:
        office._clock = clock
    serial = directory.put("ann")
    assert directory.live.put(plain["ENDPOINT"], 5) == 404
    assert directory.connect(bound["UAID"]) == (200, {bound["UAID"]: {bound["APPID"]: serial}})


def test_version_is_not_told_twice_while_its_acknowledgement_is_on_its_way() -> None:
    session = SimplePushSession(lambda token: token, 60.0)
    channel, uaid = new_channel(), "a" * 32
    session.received({"messageType": "hello", "uaid": uaid}, 0.0)
    session.answered(Hello(uaid), Greeting(uaid, True, {channel: 7}), 0.0)

    def again() -> int:
        """How many messages the same version makes when it is found waiting."""
        return sum(isinstance(effect, Say) for effect in session.news(uaid, {channel: 7}, 1.0, is_again=True))

    assert again() == 0, "it is not acknowledged yet"
    (asked,) = session.received({"messageType": "ack", "updates": [{"channelID": channel, "version": 7}]}, 2.0)
    assert isinstance(asked, Ask)
    assert again() == 0, "the store does not know yet"
    session.answered(asked.job, None, 3.0)
    assert again() == 1, "it was replayed"
    assert not session.news(uaid, {channel: 7}, 4.0)


def test_sockets_bind_with_a_token_where_nobody_reads_along(directory: Directory) -> None:
    channel = new_channel()
    wanted = {"messageType": "register", "channelID": channel, "resource": STAFF, "token": directory.token}
    with directory.live.client() as client:
        uaid = client.hello()
        assert client.ask(wanted)["status"] == 200
        assert client.ask({**wanted, "token": None})["status"] == 401
        assert client.ask({**wanted, "channelID": new_channel(), "token": "ist_" + "x" * 43})["status"] == 401
        assert client.ask({**wanted, "resource": {"kind": "backend", "backend": "nowhere"}})["status"] == 404
        serial = directory.put("fay", "staff")
        assert client.notified() == {channel: serial}
    assert directory.connect(uaid) == (200, {uaid: {channel: serial}})
    assert len(directory.subscriptions()) == 1


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.1"}, 200),
        ({"X-Forwarded-Proto": "http", "X-Forwarded-For": "192.0.2.1"}, 403),
        ({"X-Forwarded-For": "192.0.2.1"}, 403),
        ({"Forwarded": "for=192.0.2.1"}, 403),
    ],
)
def test_token_that_came_through_a_proxy_must_have_come_encrypted(
    headers: dict[str, str], status: int, directory: Directory
) -> None:
    channel = new_channel()
    wanted = {"messageType": "register", "channelID": channel, "resource": EVERYTHING, "token": directory.token}
    with directory.live.client(additional_headers=headers) as client:
        client.hello()
        assert client.ask(wanted)["status"] == status
    with directory.live.client("push-update", additional_headers=headers) as client:
        message = {"UAID": "", "APPID": new_channel(), "RESOURCE": EVERYTHING, "TOKEN": directory.token}
        assert client.ask({"REGISTER": message})["REGISTER"]["status"] == status
    assert len(directory.subscriptions()) == (2 if status == 200 else 0)
