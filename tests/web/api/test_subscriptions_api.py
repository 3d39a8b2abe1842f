"""Subscriptions: made, shown without their secrets, changed, tried, replayed, ended; each by its owner alone."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from integration_server.sdk.http import HttpClient
from integration_server.store.journal import Journal
from integration_server.store.resources import Resource
from integration_server.store.tokens import SCOPES
from integration_server.web.api import ApiLimits
from integration_server.web.api.blueprint import PREFIX
from tests.directory.house import Clock
from tests.receiver import Behaviour, LocalReceiver, Received
from tests.web.api.conftest import ALL, BRANCH, HQ, STAFF, Api

FULL = {
    "url": "https://receiver.example/hook?key=hush-hush&x",
    "headers": {"Authorization": "Bearer hush-hush"},
    "resource": {"kind": "group", "backend": "hq", "group": "staff"},
    "events": ["user.*", "membership.added", "user.*"],
    "uid": "mine",
    "batch_size": 100,
    "rate_per_second": 2.5,
    "coalesce": True,
    "active": False,
}
SHOWN = {
    "url": "https://receiver.example/hook?key=***&***",
    "headers": {"Authorization": "***"},
    "resource": {"kind": "group", "backend": "hq", "group": "staff"},
    "events": ["user.*", "membership.added"],
    "uid": "mine",
    "batch_size": 100,
    "rate_per_second": 2.5,
    "coalesce": True,
    "active": False,
}
DEFAULTS = {
    "headers": {},
    "resource": {"kind": "all"},
    "events": ["*"],
    "uid": None,
    "batch_size": 1,
    "rate_per_second": None,
    "coalesce": False,
    "active": True,
}


def part(found: dict[str, Any], like: dict[str, Any]) -> dict[str, Any]:
    return {key: found[key] for key in like}


# -- made and shown --------------------------------------------------------------------------------------------------


def test_a_subscription_needs_no_more_than_a_url(api: Api) -> None:
    response = api.post("/subscriptions", {"url": "https://receiver.example/hook"})
    made = response.get_json()

    assert response.status_code == 201
    assert response.headers["Location"] == f"{PREFIX}/subscriptions/{made['id']}"
    assert part(made, DEFAULTS) == DEFAULTS
    assert (made["type"], made["state"], made["state_reason"], made["is_replaying"]) == ("webhook", "ok", None, False)
    assert api.get(response.headers["Location"]) == {key: made[key] for key in made if key != "secret"}


def test_what_was_given_is_kept_and_shown_without_keys(api: Api) -> None:
    made = api.subscribe(**FULL)
    assert part(made, SHOWN) == SHOWN
    assert "hush-hush" not in str(api.get("/subscriptions"))

    stored = api.store.subscriptions.get(made["id"])
    assert stored is not None
    assert stored.settings == {"type": "webhook", "url": FULL["url"], "headers": FULL["headers"]}
    assert [one.secret for one in stored.secrets] == [made["secret"]]


def test_the_secret_is_shown_once(api: Api) -> None:
    made = api.subscribe()
    other = api.subscribe()

    assert made["secret"].startswith("whsec_")
    assert made["secret"] != other["secret"]
    everything = str([api.get("/subscriptions"), api.get(f"/subscriptions/{made['id']}")])
    assert made["secret"].removeprefix("whsec_") not in everything


def test_a_second_one_with_the_same_uid_names_the_first(api: Api) -> None:
    made = api.subscribe(uid="mine")
    document = api.problem(409, "uid-taken", "POST", "/subscriptions", json={"url": "https://x.example", "uid": "mine"})
    assert document["id"] == made["id"]
    other = api.subscribe(uid="mine", token=api.token(*SCOPES))
    assert other["id"] != made["id"]
    api.subscribe()
    api.subscribe()


def test_a_subscription_is_found_by_its_uid(api: Api) -> None:
    made = api.subscribe(uid="mine")
    api.subscribe(uid="other")
    found = api.get("/subscriptions", query_string={"uid": "mine"})["subscriptions"]
    assert [one["id"] for one in found] == [made["id"]]


@pytest.mark.parametrize("limit", [1, 2, 4, 5, 6])
def test_subscriptions_are_listed_page_by_page(limit: int, api: Api) -> None:
    made = [api.subscribe()["id"] for _ in range(5)]
    found: list[str] = []
    cursor: str | None = None
    while True:
        query = {"limit": limit} | ({"cursor": cursor} if cursor else {})
        page = api.get("/subscriptions", query_string=query)
        found += [one["id"] for one in page["subscriptions"]]
        cursor = page["cursor"]
        if cursor is None:
            break
    assert found == made


def test_a_token_has_so_many_subscriptions_at_most(api: Api) -> None:
    few = api.changed(limits=ApiLimits(subscriptions=2))
    few.subscribe()
    made = few.subscribe()
    few.problem(409, "too-many-subscriptions", "POST", "/subscriptions", json={"url": "https://x.example"})
    few.call("DELETE", f"/subscriptions/{made['id']}")
    few.subscribe()


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"url": "ftp://x.example/"}, "/url"),
        ({"url": "https://"}, "/url"),
        ({"url": "https:// x.example"}, "/url"),
        ({"url": "https://10.0.0.5/hook"}, "/url"),
        ({"url": "https://[fd00::1]/hook"}, "/url"),
        ({"url": "http://169.254.169.254/latest"}, "/url"),
        ({"url": "https://user:pass@x.example"}, "/url"),
        ({"url": "https://x.example:99999"}, "/url"),
        ({"url": {"file": "/etc/hostname"}}, "/url"),
        ({"url": {"env": "HOME"}}, "/url"),
        ({"headers": {"Host": "internal"}}, "/headers"),
        ({"headers": {"webhook-id": "1"}}, "/headers"),
        ({"headers": {"Content-Type": "text/plain"}}, "/headers"),
        ({"headers": {"X-A": {"file": "/etc/hostname"}}}, "/headers/X-A"),
        ({"headers": {"X-A": "***"}}, "/headers"),
        ({"headers": {f"X-{n}": "1" for n in range(33)}}, "/headers"),
        ({"type": "mailstore_sync"}, "/type"),
        ({"resource": {"kind": "backend", "backend": "nowhere"}}, "/resource/backend"),
        ({"resource": {"kind": "group", "backend": "nowhere", "group": "x"}}, "/resource/backend"),
        # What only the configuration may open.
        ({"allow_networks": ["10.0.0.0/8"]}, "/allow_networks"),
        ({"ca_file": "/etc/hostname"}, "/ca_file"),
        ({"secret": "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="}, "/secret"),
        ({"owner": "config"}, "/owner"),
    ],
)
def test_a_receiver_that_makes_no_sense_is_refused(members: dict[str, Any], pointer: str, api: Api) -> None:
    body = {"url": "https://receiver.example", **members}
    document = api.problem(422, "bad-body", "POST", "/subscriptions", json=body)
    assert {error["pointer"] for error in document["errors"]} == {pointer}
    assert api.store.subscriptions.all() == []
    # The same when one is changed.
    made = api.subscribe()
    if pointer not in ("/type",):
        api.problem(422, "bad-body", "PUT", f"/subscriptions/{made['id']}", json=body)
        api.problem(422, "bad-body", "PATCH", f"/subscriptions/{made['id']}", json=members)
    assert api.get(f"/subscriptions/{made['id']}") == {key: made[key] for key in made if key != "secret"}


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://x.example/hook", "must begin with https:// or http://"),
        ("https://x.example/a b", "must not hold white space or control characters"),
        ("https://10.0.0.5/hook", "10.0.0.5 is a private address; "),
        ("http://169.254.169.254/latest", "169.254.169.254 is where a cloud hands out credentials"),
    ],
)
def test_what_is_wrong_with_a_url_is_told(url: str, reason: str, api: Api) -> None:
    (error,) = api.problem(422, "bad-body", "POST", "/subscriptions", json={"url": url})["errors"]
    assert error["detail"].startswith(reason)


# -- what a token may see --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sees", "resource", "is_allowed"),
    [
        (ALL, ALL, True),
        (ALL, STAFF, True),
        (HQ, HQ, True),
        (HQ, STAFF, True),
        (HQ, ALL, False),
        (HQ, BRANCH, False),
        (STAFF, STAFF, True),
        (STAFF, HQ, False),
        (STAFF, Resource("group", "hq", "math"), False),
        (STAFF, Resource("group", "branch", "staff"), False),
        (BRANCH, Resource("backend", "nowhere"), False),
    ],
)
def test_nobody_subscribes_to_what_their_token_may_not_see(
    sees: Resource, resource: Resource, is_allowed: bool, api: Api
) -> None:
    token = api.token("subscriptions:write", sees=[sees])
    body = {"url": "https://x.example", "resource": resource.as_json()}
    if is_allowed:
        assert api.subscribe(token=token, **body)["resource"] == body["resource"]
        return
    api.problem(403, "not-permitted", "POST", "/subscriptions", token=token, json=body)
    made = api.subscribe(token=token)
    path = f"/subscriptions/{made['id']}"
    api.problem(403, "not-permitted", "PATCH", path, token=token, json={"resource": resource.as_json()})
    api.problem(403, "not-permitted", "PUT", path, token=token, json=body)
    assert api.get(path, token=token)["resource"] == sees.as_json()


def test_what_is_left_out_is_the_only_thing_that_the_token_may_see(api: Api) -> None:
    assert api.subscribe(token=api.token("subscriptions:write", sees=[STAFF]))["resource"] == STAFF.as_json()
    two = api.token("subscriptions:write", sees=[STAFF, BRANCH])
    api.problem(403, "not-permitted", "POST", "/subscriptions", token=two, json={"url": "https://x.example"})


FOREIGN = [
    ("GET", "", None),
    ("PUT", "", {"url": "https://x.example"}),
    ("PATCH", "", {"active": False}),
    ("DELETE", "", None),
    ("POST", "/test", None),
    ("POST", "/rotate-secret", None),
    ("POST", "/replay", {"from": 0}),
    ("POST", "/replay", {"snapshot": True}),
    ("GET", "/deliveries", None),
    ("POST", "/deliveries/retry", {}),
    ("GET", "/attempts", None),
]


@pytest.mark.parametrize(("method", "path", "body"), FOREIGN)
def test_somebody_elses_subscription_is_not_there(method: str, path: str, body: object, api: Api) -> None:
    made = api.subscribe()
    other = api.token(*SCOPES)
    before = api.store.subscriptions.get(made["id"])
    options: dict[str, Any] = {"json": body} if body is not None else {}
    foreign = api.problem(404, None, method, f"/subscriptions/{made['id']}{path}", token=other, **options)
    unknown = api.problem(404, None, method, f"/subscriptions/sub_nobody{path}", token=other, **options)

    assert foreign == unknown
    assert api.store.subscriptions.get(made["id"]) == before
    assert api.get("/subscriptions", token=other)["subscriptions"] == []


@pytest.mark.parametrize("id", ["%00", "a%20b", "%F0%9F%98%80", "x" * 300, "..", "%2e%2e", "sub_'--"])
@pytest.mark.parametrize(("method", "path", "body"), FOREIGN)
def test_an_id_that_cannot_be_one_is_not_there(method: str, path: str, body: object, id: str, api: Api) -> None:
    options: dict[str, Any] = {"json": body} if body is not None else {}
    response = api.call(method, f"/subscriptions/{id}{path}", **options)
    assert response.status_code == 404


# -- where it begins -------------------------------------------------------------------------------------------------


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def history(api: Api, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Api:
    """Six events, noticed ten seconds apart, of which the first two are gone."""
    timed = Journal(api.store._engine, clock)
    monkeypatch.setattr(api.store, "journal", timed)
    api = api.changed()
    for number in range(6):
        api.put("hq", f"p{number}")
        clock.now += 10
    timed.prune(clock.now - 45, 2)
    return api


def test_a_subscription_begins_with_what_happens_from_now_on(history: Api) -> None:
    assert history.subscribe()["serial"] == 6


@pytest.mark.parametrize("serial", [2, 3, 6])
def test_a_subscription_may_begin_at_any_serial_that_is_kept(serial: int, history: Api) -> None:
    made = history.subscribe(**{"from": serial})
    assert (made["serial"], made["is_replaying"]) == (serial, False)


@pytest.mark.parametrize(("serial", "kind"), [(0, "serial-pruned"), (1, "serial-pruned"), (7, "serial-unknown")])
def test_serials_that_are_not_kept_lead_to_the_snapshot(serial: int, kind: str, history: Api) -> None:
    body = {"url": "https://x.example", "from": serial}
    document = history.problem(410, kind, "POST", "/subscriptions", json=body)
    assert (document["pruned_serial"], document["last_serial"]) == (2, 6)
    assert document["snapshot"] == "/api/v1/snapshot"
    made = history.subscribe()
    path = f"/subscriptions/{made['id']}/replay"
    assert history.problem(410, kind, "POST", path, json={"from": serial}) == document
    assert history.store.subscriptions.all()[0].cursor == 6


def test_a_subscription_may_begin_with_everybody(history: Api) -> None:
    made = history.subscribe(**{"from": "snapshot"})
    assert (made["serial"], made["is_replaying"]) == (6, True)
    stored = history.store.subscriptions.get(made["id"])
    assert stored is not None
    assert (stored.replay_serial, stored.replay_key) == (6, 0)


# -- changed ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in FULL if name != "url"])
def test_a_patch_changes_what_it_names_and_nothing_else(name: str, api: Api) -> None:
    made = api.subscribe(url=FULL["url"])
    response = api.call("PATCH", f"/subscriptions/{made['id']}", json={name: FULL[name]})
    assert response.status_code == 200, response.text
    expected = {key: made[key] for key in made if key not in ("secret", "changed_at")} | {name: SHOWN[name]}
    assert part(response.get_json(), expected) == expected
    assert part(api.get(f"/subscriptions/{made['id']}"), expected) == expected


def test_an_empty_patch_changes_nothing(api: Api) -> None:
    made = api.subscribe(**FULL)
    response = api.call("PATCH", f"/subscriptions/{made['id']}", json={})
    assert part(response.get_json(), SHOWN) == SHOWN


@pytest.mark.parametrize("name", ["uid", "rate_per_second"])
def test_a_patch_takes_away_what_may_be_without(name: str, api: Api) -> None:
    made = api.subscribe(**FULL)
    assert api.call("PATCH", f"/subscriptions/{made['id']}", json={name: None}).get_json()[name] is None


@pytest.mark.parametrize("name", ["url", "headers", "resource", "events", "batch_size", "coalesce", "active"])
def test_a_patch_cannot_take_away_what_must_be_there(name: str, api: Api) -> None:
    made = api.subscribe(**FULL)
    document = api.problem(422, "bad-body", "PATCH", f"/subscriptions/{made['id']}", json={name: None})
    assert [error["pointer"] for error in document["errors"]] == [f"/{name}"]
    assert part(api.get(f"/subscriptions/{made['id']}"), SHOWN) == SHOWN


def test_whole_numbers_may_be_written_with_a_point(api: Api) -> None:
    made = api.subscribe(batch_size=7.0, **{"from": 0.0})
    assert made["batch_size"] == 7
    body = {"url": "https://x.example", "batch_size": 7.5}
    api.problem(422, "bad-body", "POST", "/subscriptions", json=body)


@pytest.mark.parametrize("name", ["type", "from", "verify_intent", "id", "state", "serial"])
def test_some_things_are_settled_at_the_beginning(name: str, api: Api) -> None:
    made = api.subscribe()
    path = f"/subscriptions/{made['id']}"
    api.problem(422, "bad-body", "PATCH", path, json={name: made.get(name, 0)})
    api.problem(422, "bad-body", "PUT", path, json={"url": "https://x.example", name: made.get(name, 0)})


def test_put_gives_defaults_to_what_it_leaves_out(api: Api) -> None:
    made = api.subscribe(**FULL)
    response = api.call("PUT", f"/subscriptions/{made['id']}", json={"url": "https://other.example/"})
    assert part(response.get_json(), DEFAULTS) == DEFAULTS
    assert response.get_json()["url"] == "https://other.example/"


def test_what_was_shown_can_be_sent_back(api: Api) -> None:
    """A program that reads, changes one thing and writes must not send asterisks to the receiver from then on."""
    made = api.subscribe(**FULL)
    path = f"/subscriptions/{made['id']}"
    settings = part(api.get(path), SHOWN) | {"batch_size": 7}
    assert api.call("PUT", path, json=settings).status_code == 200
    assert api.call("PATCH", path, json={"headers": {"authorization": "***", "X-New": "n"}}).status_code == 200
    stored = api.store.subscriptions.get(made["id"])
    assert stored is not None
    assert stored.settings["url"] == FULL["url"]
    assert stored.settings["headers"] == {"authorization": "Bearer hush-hush", "X-New": "n"}
    assert stored.batch_size == 7
    document = api.problem(422, "bad-body", "PATCH", path, json={"headers": {"X-Other": "***"}})
    assert "X-Other" in document["detail"]
    for url in (
        "https://elsewhere.example/?key=***",
        "https://elsewhere.example/?a=b&***",
        "https://x.example/?a=***&b=c",
    ):
        document = api.problem(422, "bad-body", "PATCH", path, json={"url": url})
        assert "asterisks" in document["detail"]
    made = {"url": "https://elsewhere.example/?key=***"}
    assert "asterisks" in api.problem(422, "bad-body", "POST", "/subscriptions", json=made)["detail"]


def test_a_changed_uid_must_be_free(api: Api) -> None:
    first, second = api.subscribe(uid="first"), api.subscribe(uid="second")
    path = f"/subscriptions/{second['id']}"
    assert api.problem(409, "uid-taken", "PATCH", path, json={"uid": "first"})["id"] == first["id"]
    assert api.call("PATCH", path, json={"uid": "second"}).status_code == 200


def test_an_ended_subscription_is_revived_unless_events_are_gone(history: Api) -> None:
    subscriptions = history.store.subscriptions
    made = history.subscribe()
    path = f"/subscriptions/{made['id']}"
    subscriptions.change(made["id"], state="ended", state_reason="410")
    assert history.get(path)["state"] == "ended"
    assert history.call("PATCH", path, json={"active": True}).get_json()["state"] == "ok"

    subscriptions.change(made["id"], state="ended", cursor=1)
    history.problem(410, "serial-pruned", "PATCH", path, json={"active": True})
    history.problem(410, "serial-pruned", "PUT", path, json={"url": "https://x.example"})
    assert history.get(path)["state"] == "ended"
    history.post(f"{path}/replay", {"snapshot": True})
    assert history.call("PATCH", path, json={"active": True}).get_json()["state"] == "ok"


def test_an_ended_subscription_can_be_changed_without_reviving_it(api: Api) -> None:
    made = api.subscribe()
    api.store.subscriptions.change(made["id"], state="ended")
    response = api.call("PATCH", f"/subscriptions/{made['id']}", json={"url": "https://x.example/new"})
    assert response.get_json()["state"] == "ended"


def test_delete_ends_it_with_all_that_is_undelivered(api: Api) -> None:
    made = api.subscribe()
    response = api.call("DELETE", f"/subscriptions/{made['id']}")
    assert (response.status_code, response.data) == (204, b"")
    assert "Content-Type" not in response.headers
    api.problem(404, None, "DELETE", f"/subscriptions/{made['id']}")
    api.problem(404, None, "GET", f"/subscriptions/{made['id']}")


# -- secrets and replays ---------------------------------------------------------------------------------------------


def test_a_new_secret_signs_beside_the_old_one_for_a_day(api: Api) -> None:
    made = api.subscribe()
    response = api.post(f"/subscriptions/{made['id']}/rotate-secret")
    assert response.status_code == 200
    fresh = response.get_json()["secret"]
    stored = api.store.subscriptions.get(made["id"])
    assert stored is not None
    assert stored.active_secrets(time.time() + 86_000) == (fresh, made["secret"])
    assert stored.active_secrets(time.time() + 86_500) == (fresh,)
    for _ in range(20):
        fresh = api.post(f"/subscriptions/{made['id']}/rotate-secret").get_json()["secret"]
    stored = api.store.subscriptions.get(made["id"])
    assert stored is not None
    # Each of them makes what is sent longer.
    assert (len(stored.secrets), stored.secrets[0].secret) == (8, fresh)
    assert response.get_json()["previous_until"] > api.get(f"/subscriptions/{made['id']}")["created_at"]


def _replay(api: Api, body: object) -> int:
    made = api.subscribe()
    response = api.post(f"/subscriptions/{made['id']}/replay", body)
    assert response.status_code == 202, response.text
    stored = api.store.subscriptions.get(made["id"])
    assert stored is not None
    assert stored.cursor == response.get_json()["serial"]
    return stored.cursor


def test_a_replay_begins_after_a_serial(history: Api) -> None:
    assert [_replay(history, {"from": serial}) for serial in (2, 4, 6)] == [2, 4, 6]


def _at(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(1_800_000_000 + seconds))


@pytest.mark.parametrize(("seconds", "serial"), [(31, 4), (35, 4), (40, 4), (41, 5), (51, 6), (10_000, 6)])
def test_a_replay_begins_at_a_time(seconds: float, serial: int, history: Api) -> None:
    assert _replay(history, {"since": _at(seconds)}) == serial


def test_a_replay_from_a_time_whose_events_may_be_gone_is_refused(history: Api) -> None:
    made = history.subscribe()
    path = f"/subscriptions/{made['id']}/replay"
    document = history.problem(410, "serial-pruned", "POST", path, json={"since": _at(0)})
    assert document["pruned_serial"] == 2


def test_a_replay_may_be_of_everybody(history: Api) -> None:
    assert _replay(history, {"snapshot": True}) == 6
    assert history.store.subscriptions.all()[0].replay_serial == 6


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"from": -1},
        {"from": "0"},
        {"from": "snapshot"},
        {"since": 0},
        {"since": "yesterday"},
        {"since": "2026-01-01"},
        {"since": "2026-01-01T00:00:00"},
        {"since": "2026-13-01T00:00:00Z"},
        {"since": "0000-01-01T00:00:00Z"},
        {"snapshot": False},
        {"snapshot": 1},
        {"from": 0, "snapshot": True},
        {"from": 0, "x": 1},
    ],
)
def test_a_replay_of_nothing_in_particular_is_refused(body: object, api: Api) -> None:
    made = api.subscribe()
    api.problem(422, "bad-body", "POST", f"/subscriptions/{made['id']}/replay", json=body)


@pytest.mark.parametrize("since", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999+00:00"])
def test_times_may_be_as_far_away_as_they_can_be_written(since: str, api: Api) -> None:
    made = api.subscribe()
    assert api.post(f"/subscriptions/{made['id']}/replay", {"since": since}).status_code == 202


# -- trying a receiver -----------------------------------------------------------------------------------------------


def _requests(receiver: LocalReceiver) -> list[Received]:
    """They are written down a moment after they were answered."""
    for _ in range(100):
        if found := receiver.requests("/hook"):
            return found
        time.sleep(0.05)
    return []


def test_a_test_event_arrives_signed(api: Api, receiver: LocalReceiver) -> None:
    made = api.subscribe(url=receiver.url("/hook"))
    result = api.post(f"/subscriptions/{made['id']}/test")
    assert (result.status_code, result.get_json()) == (200, {"delivered": True, "status": 200, "error": None})
    (request,) = _requests(receiver)
    assert request.document["type"] == "test.ping"
    request.verify(made["secret"])


def test_a_test_tells_the_status_and_never_what_the_receiver_said(api: Api, receiver: LocalReceiver) -> None:
    receiver.behave("/hook", Behaviour(status=500, body="hush-hush of an internal host"))
    made = api.subscribe(url=receiver.url("/hook"))
    response = api.post(f"/subscriptions/{made['id']}/test")
    assert response.status_code == 200
    assert response.get_json()["delivered"] is False
    assert response.get_json()["status"] == 500
    assert "hush-hush" not in response.text


def test_a_test_of_a_refused_address_says_why(api: Api, http: HttpClient) -> None:
    made = api.subscribe()
    # As one that was made while its address was allowed.
    api.store.subscriptions.change(made["id"], settings={"type": "webhook", "url": "http://169.254.169.254/latest"})
    result = api.post(f"/subscriptions/{made['id']}/test").get_json()
    assert (result["delivered"], result["status"]) == (False, None)
    assert "169.254.169.254" in result["error"]


def test_a_process_that_delivers_nothing_says_so(api: Api) -> None:
    made = api.subscribe()
    api.changed(engine=None).problem(503, "elsewhere", "POST", f"/subscriptions/{made['id']}/test")


def test_only_so_many_tests_are_under_way(api: Api) -> None:
    made = api.subscribe()
    none = api.changed(limits=ApiLimits(tests=0))
    none.problem(503, None, "POST", f"/subscriptions/{made['id']}/test")


def test_a_receiver_that_does_not_confirm_is_not_subscribed(api: Api, receiver: LocalReceiver) -> None:
    body = {"url": receiver.url("/hook"), "verify_intent": True}
    document = api.problem(422, "intent-not-confirmed", "POST", "/subscriptions", json=body)
    assert "X-Hook-Secret" in document["detail"]
    assert api.get("/subscriptions")["subscriptions"] == []
    assert "x-hook-secret" in {name.lower() for name in _requests(receiver)[0].headers}


class _Echo(BaseHTTPRequestHandler):
    """Confirms, as a receiver of resthooks.org does."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("X-Hook-Secret", self.headers["X-Hook-Secret"])
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_a_receiver_that_confirms_is_subscribed(api: Api) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        made = api.subscribe(url=f"http://127.0.0.1:{server.server_port}/", verify_intent=True)
        server.shutdown()
    assert api.get(f"/subscriptions/{made['id']}")["state"] == "ok"


def test_nobody_is_asked_to_confirm_unless_that_is_wanted(api: Api, receiver: LocalReceiver) -> None:
    api.subscribe(url=receiver.url("/hook"))
    assert receiver.requests("/hook") == []
