"""Resources, event types, events and snapshots: what a token may see of the journal."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
from werkzeug.test import TestResponse

from integration_server import UserPage
from integration_server.forwarding.detection.documents import documents
from integration_server.sdk.envelopes import envelope
from integration_server.sdk.events import EVENT_TYPES
from integration_server.store.resources import Resource
from integration_server.web.api import ApiLimits
from integration_server.web.api.wire import PersonDocument
from tests.web.api.conftest import ALL, BRANCH, HQ, STAFF, Api

Later = Callable[[float, Callable[[], object]], None]


@pytest.fixture
def peopled(api: Api) -> Api:
    """Two backends with people in groups, and some history."""
    api.put("hq", "ada", "staff", "math")
    api.put("hq", "bob", "mail")
    api.put("branch", "cid", "staff")
    api.put("hq", "ada", "math")
    api.put("hq", "bob", "mail", full_name="Robert")
    api.remove("hq", "bob")
    return api


def told(events: list[dict[str, Any]]) -> list[str]:
    return [
        " ".join(filter(None, (event["type"], event["data"]["person_id"], event["data"].get("group"))))
        for event in events
    ]


def seen(api: Api, *resources: Resource, **query: Any) -> list[str]:
    token = api.token("events:read", sees=resources)
    return told(api.get("/events", token=token, query_string=query)["events"])


# -- resources -------------------------------------------------------------------------------------------------------


def resources(api: Api, **options: Any) -> list[str]:
    found, cursor = [], None
    while True:
        query = options.pop("query", {}) | ({"cursor": cursor} if cursor else {})
        page = api.get("/resources", query_string={"limit": 2, **query}, **options)
        assert len(page["resources"]) <= 2
        found += [str(Resource.from_json(entry["resource"])) for entry in page["resources"]]
        cursor = page["cursor"]
        if cursor is None:
            return found


@pytest.mark.parametrize(
    ("sees", "listed"),
    [
        ([ALL], ["all", "branch", "hq", "branch/staff", "hq/math", "hq/staff"]),
        ([HQ], ["hq", "hq/math", "hq/staff"]),
        ([BRANCH, STAFF], ["branch", "branch/staff", "hq/staff"]),
        ([Resource("group", "hq", "nobody is in it")], []),
        ([Resource("backend", "gone")], []),
    ],
)
def test_resources_are_those_that_the_token_may_see(sees: list[Resource], listed: list[str], api: Api) -> None:
    api.put("hq", "ada", "staff", "math")
    api.put("branch", "cid", "staff")
    api.put("gone", "dan", "staff")
    assert resources(api, token=api.token("events:read", sees=sees)) == listed


def test_resources_can_be_those_of_one_backend(peopled: Api) -> None:
    assert resources(peopled, query={"backend": "branch"}) == ["branch", "branch/staff"]


def test_resources_say_where_nobody_looks_for_changes(api: Api) -> None:
    page = api.get("/resources")
    assert {str(Resource.from_json(one["resource"])): one["is_watched"] for one in page["resources"]} == {
        "all": True,
        "hq": True,
        "branch": False,
    }


def test_groups_come_and_go_with_their_members(api: Api) -> None:
    def lists_staff(is_wanted: bool) -> bool:
        # After a slow read, the next one comes only after a pause.
        ends = time.monotonic() + 30
        while ("hq/staff" in resources(api)) is not is_wanted and time.monotonic() < ends:
            time.sleep(0.05)
        return "hq/staff" in resources(api)

    assert not lists_staff(False)
    api.put("hq", "ada", "staff")
    assert lists_staff(True)
    api.put("hq", "ada", "math")
    assert not lists_staff(False)


# -- event types -----------------------------------------------------------------------------------------------------


def test_every_event_type_has_a_schema_that_its_example_meets(api: Api) -> None:
    found = api.get("/event-types")["event_types"]
    assert [one["type"] for one in found] == list(EVENT_TYPES)
    for one in found:
        jsonschema.validate(one["example"], one["schema"], jsonschema.Draft202012Validator)
        assert one["example"]["type"] == one["type"]
        assert one["description"]


def test_events_of_the_journal_meet_the_schemas(peopled: Api) -> None:
    schemas = {one["type"]: one["schema"] for one in peopled.get("/event-types")["event_types"]}
    events = peopled.store.journal.events(0, 100)
    assert {event.type for event in events} == set(EVENT_TYPES) - {"user.snapshot"}
    for event in events:
        jsonschema.validate(envelope(event), schemas[event.type], jsonschema.Draft202012Validator)


def test_people_as_detection_writes_them_meet_the_schema() -> None:
    """Mapped in full, and with no more than a name."""
    full = UserPage(
        "hq", ["1"], ["ada"], ["Ada"], ["cn=ada"], [["a@x.example", "b@x.example"]], [["staff"]], ["A"], ["b"], ["UTC"]
    )
    for page in (full, UserPage("hq", ["1"], ["ada"])):
        (found,) = documents(page)
        assert PersonDocument.model_validate(found).model_dump() == found


# -- events ----------------------------------------------------------------------------------------------------------

EVERYTHING = [
    "user.created ada",
    "membership.added ada staff",
    "membership.added ada math",
    "user.created bob",
    "membership.added bob mail",
    "user.created cid",
    "membership.added cid staff",
    "membership.removed ada staff",
    "user.updated bob",
    "membership.removed bob mail",
    "user.deleted bob",
]


def test_events_come_in_order_as_webhooks_have_them(peopled: Api) -> None:
    page = peopled.get("/events")
    assert told(page["events"]) == EVERYTHING
    assert page["events"] == [envelope(event) for event in peopled.store.journal.events(0, 100)]
    assert (page["next"], page["last_serial"]) == (11, 11)


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 11, 12])
def test_pages_of_events_leave_nothing_out_and_repeat_nothing(limit: int, peopled: Api) -> None:
    found, after = [], 0
    while page := peopled.get("/events", query_string={"after": after, "limit": limit}):
        found += told(page["events"])
        if page["next"] == after:
            break
        assert len(page["events"]) <= limit
        after = page["next"]
    assert found == EVERYTHING
    assert after == 11


def test_a_token_sees_the_events_of_its_resources(peopled: Api) -> None:
    assert seen(peopled, ALL) == EVERYTHING
    assert seen(peopled, HQ) == [one for one in EVERYTHING if "cid" not in one]
    assert seen(peopled, BRANCH) == ["user.created cid", "membership.added cid staff"]
    assert seen(peopled, Resource("backend", "other")) == []


def test_a_group_has_its_memberships_and_its_people_before_or_after(peopled: Api) -> None:
    assert seen(peopled, STAFF) == ["user.created ada", "membership.added ada staff", "membership.removed ada staff"]
    mail = Resource("group", "hq", "mail")
    assert seen(peopled, mail) == [one for one in EVERYTHING if "bob" in one]
    assert seen(peopled, STAFF, mail) == [one for one in EVERYTHING if "cid" not in one and "math" not in one]


def test_a_token_that_sees_little_comes_on_through_what_it_may_not_see(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integration_server.web.api.events._SCANNED_AT_ONCE", 2)
    monkeypatch.setattr("integration_server.web.api.events._MOST_SCANS", 3)
    for number in range(20):
        api.put("hq", f"p{number}")
    api.put("branch", "cid")
    token = api.token("events:read", sees=[BRANCH])
    after, pages = 0, []
    while not pages or pages[-1]["next"] != after:
        after = pages[-1]["next"] if pages else 0
        pages.append(api.get("/events", token=token, query_string={"after": after}))
    assert [page["next"] for page in pages] == [6, 12, 18, 21, 21]
    assert [told(page["events"]) for page in pages] == [[], [], [], ["user.created cid"], []]


@pytest.mark.parametrize(
    "accept", ["application/x-ndjson", "application/json;q=0.5, application/x-ndjson", "application/x-ndjson, */*"]
)
def test_events_come_a_line_each_where_that_is_asked_for(accept: str, peopled: Api) -> None:
    response = peopled.call("GET", "/events", query_string={"limit": 3}, headers={"Accept": accept})
    assert response.content_type == "application/x-ndjson"
    lines = response.text.splitlines()
    assert told([json.loads(line) for line in lines]) == EVERYTHING[:3]
    assert response.headers["Link"] == '</api/v1/events?after=3&limit=3>; rel="next"'


@pytest.mark.parametrize("accept", ["*/*", "text/html", "application/json, application/x-ndjson;q=0.1", "nonsense"])
def test_events_come_as_json_where_nothing_else_is_asked_for(accept: str, peopled: Api) -> None:
    assert peopled.call("GET", "/events", headers={"Accept": accept}).content_type == "application/json"


def test_serials_that_are_gone_or_never_were_lead_to_the_snapshot(peopled: Api) -> None:
    peopled.store.journal.prune(time.time() + 60, 4)
    document = peopled.problem(410, "serial-pruned", "GET", "/events", query_string={"after": 3})
    assert (document["pruned_serial"], document["last_serial"]) == (4, 11)
    assert peopled.get(document["snapshot"])["serial"] == 11
    assert told(peopled.get("/events", query_string={"after": 4})["events"]) == EVERYTHING[4:]
    # Of another store, or of this one before it was lost.
    peopled.problem(410, "serial-unknown", "GET", "/events", query_string={"after": 12})


def test_a_long_poll_ends_with_the_first_event(api: Api, later: Later) -> None:
    later(0.3, lambda: api.put("hq", "ada"))
    began = time.monotonic()
    page = api.get("/events", query_string={"wait": 60})
    assert told(page["events"]) == ["user.created ada"]
    assert time.monotonic() - began < 30


def test_a_long_poll_sees_what_another_process_wrote(api: Api, later: Later) -> None:
    """No bell rings then."""
    silent = api.changed()
    later(0.3, lambda: Api.put(api.changed(bell=type(api.facts.bell)()), "hq", "ada"))
    assert told(silent.get("/events", query_string={"wait": 60})["events"]) == ["user.created ada"]


def test_a_long_poll_goes_on_past_events_that_it_may_not_see(api: Api, later: Later) -> None:
    token = api.token("events:read", sees=[BRANCH])
    later(0.2, lambda: api.put("hq", "ada"))
    later(0.6, lambda: api.put("branch", "cid"))
    page = api.get("/events", token=token, query_string={"wait": 60})
    assert (told(page["events"]), page["next"]) == (["user.created cid"], 2)


def test_a_long_poll_gives_up_after_its_time(api: Api) -> None:
    page = api.get("/events", query_string={"wait": 1})
    assert (page["events"], page["next"]) == ([], 0)


def test_long_polls_beyond_the_cap_are_answered_at_once(api: Api, later: Later) -> None:
    few = api.changed(limits=ApiLimits(waiters=2))
    answers: list[TestResponse] = []
    waiting = [
        threading.Thread(target=lambda: answers.append(few.call("GET", "/events", query_string={"wait": 60})))
        for _ in range(2)
    ]
    for thread in waiting:
        thread.start()
    time.sleep(0.5)
    for _ in range(3):
        assert few.get("/events", query_string={"wait": 60})["events"] == []
    assert answers == []
    few.put("hq", "ada")
    for thread in waiting:
        thread.join(30)
    assert [told(answer.get_json()["events"]) for answer in answers] == [["user.created ada"]] * 2
    # Their places are free again.
    later(0.3, lambda: few.put("hq", "bob"))
    assert told(few.get("/events", query_string={"after": 1, "wait": 60})["events"]) == ["user.created bob"]


def test_a_long_poll_ends_when_the_server_does(api: Api, later: Later) -> None:
    stopping = threading.Event()
    later(0.3, stopping.set)
    page = api.changed(is_stopping=stopping.is_set).get("/events", query_string={"wait": 60})
    assert page["events"] == []


# -- snapshot --------------------------------------------------------------------------------------------------------


def pages(api: Api, limit: int, **options: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while not found or found[-1]["cursor"] is not None:
        query = {"limit": limit} | ({"cursor": found[-1]["cursor"]} if found else {})
        found.append(api.get("/snapshot", query_string=query, **options))
    return found


def names(people: list[dict[str, Any]]) -> list[str]:
    return [f"{one['backend']}/{one['person_id']}" for one in people]


@pytest.fixture
def crowd(api: Api) -> Api:
    for number in range(7):
        api.put("hq", f"p{number}", *(["staff"] if number % 3 == 0 else []))
        api.put("branch", f"q{number}", "staff")
    return api


EVERYBODY = [name for number in range(7) for name in (f"hq/p{number}", f"branch/q{number}")]


@pytest.mark.parametrize("limit", [1, 3, 7, 13, 14, 15])
@pytest.mark.parametrize(
    ("sees", "expected"),
    [
        ([ALL], EVERYBODY),
        ([HQ], [name for name in EVERYBODY if "hq" in name]),
        ([STAFF], ["hq/p0", "hq/p3", "hq/p6"]),
        ([STAFF, BRANCH], [name for name in EVERYBODY if name in ("hq/p0", "hq/p3", "hq/p6") or "branch" in name]),
        ([Resource("group", "hq", "nobody")], []),
    ],
)
def test_a_snapshot_has_everybody_whom_the_token_may_see(
    sees: list[Resource], expected: list[str], limit: int, crowd: Api
) -> None:
    token = crowd.token("events:read", sees=sees)
    found = pages(crowd, limit, token=token)
    assert [name for page in found for name in names(page["people"])] == expected
    assert all(len(page["people"]) <= limit for page in found)
    assert {page["serial"] for page in found} == {crowd.store.journal.last_serial()}


def test_a_token_that_sees_little_is_led_through_everybody_in_steps(
    crowd: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integration_server.web.api.snapshot._READ_AT_ONCE", 2)
    monkeypatch.setattr("integration_server.web.api.snapshot._MOST_READS", 1)
    found = pages(crowd, 5, token=crowd.token("events:read", sees=[STAFF, Resource("group", "branch", "none")]))
    assert [name for page in found for name in names(page["people"])] == ["hq/p0", "hq/p3", "hq/p6"]
    assert len(found) > 5


def test_pages_and_later_events_lead_to_what_is_true(crowd: Api) -> None:
    """Whoever changes between two pages is in the events after the snapshot's serial."""
    first = crowd.get("/snapshot", query_string={"limit": 5})
    crowd.remove("hq", "p0")
    crowd.remove("hq", "p6")
    crowd.put("hq", "new")
    crowd.put("branch", "q5", "staff", full_name="Changed")
    known = {(one["backend"], one["person_id"]): one["object"] for one in first["people"]}
    cursor = first["cursor"]
    while cursor is not None:
        page = crowd.get("/snapshot", query_string={"limit": 5, "cursor": cursor})
        assert page["serial"] == first["serial"]
        known |= {(one["backend"], one["person_id"]): one["object"] for one in page["people"]}
        cursor = page["cursor"]
    for event in crowd.get("/events", query_string={"after": first["serial"]})["events"]:
        key = (event["data"]["backend"], event["data"]["person_id"])
        if event["data"]["object"] is None:
            known.pop(key, None)
        else:
            known[key] = event["data"]["object"]
    people = crowd.store.journal.people(None, 0, 100)
    assert known == {(one.backend, one.person_id): one.document for one in people}


def test_a_whole_snapshot_says_that_it_is_whole(crowd: Api) -> None:
    response = crowd.call("GET", "/snapshot", headers={"Accept": "application/x-ndjson"})
    assert response.content_type == "application/x-ndjson"
    assert int(response.headers["Content-Length"]) == len(response.data)
    lines = [json.loads(line) for line in response.data.splitlines()]
    serial = crowd.store.journal.last_serial()
    assert lines[0] == {"type": "snapshot.begin", "serial": serial}
    assert names(lines[1:-1]) == EVERYBODY
    assert lines[-1] == {"type": "snapshot.end", "serial": serial, "count": 14}
    response.close()
    assert list(crowd.facts.spool.iterdir()) == []


def test_a_whole_snapshot_holds_what_the_token_may_see(crowd: Api) -> None:
    token = crowd.token("events:read", sees=[STAFF])
    response = crowd.call("GET", "/snapshot", token=token, headers={"Accept": "application/x-ndjson"})
    assert names([json.loads(line) for line in response.data.splitlines()][1:-1]) == ["hq/p0", "hq/p3", "hq/p6"]


def test_a_snapshot_of_nobody_is_one(api: Api) -> None:
    assert api.get("/snapshot") == {"serial": 0, "people": [], "cursor": None}
    response = api.call("GET", "/snapshot", headers={"Accept": "application/x-ndjson"})
    assert json.loads(response.data.splitlines()[-1])["count"] == 0


def test_only_so_many_snapshots_are_written_at_one_time(crowd: Api) -> None:
    none = crowd.changed(limits=ApiLimits(snapshots=0))
    response = none.call("GET", "/snapshot", headers={"Accept": "application/x-ndjson"})
    assert response.status_code == 503
    assert response.headers["Retry-After"]


def test_a_snapshot_that_cannot_be_written_is_an_outage(crowd: Api) -> None:
    crowd.facts.spool.write_text("a file where the folder should be")
    crowd.problem(503, None, "GET", "/snapshot", headers={"Accept": "application/x-ndjson"})
