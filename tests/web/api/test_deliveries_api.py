"""What was not delivered: listed, tried again, skipped."""

from __future__ import annotations

from typing import Any

import pytest

from integration_server.store.engine import writing
from integration_server.store.schema import attempts as attempts_table
from integration_server.store.schema import deliveries as table
from integration_server.store.tokens import SCOPES
from tests.web.api.conftest import Api

NOW = 1_800_000_000.0


def add(api: Api, subscription: str, serial: int, state: str, person: str = "ada", backend: str = "hq") -> int:
    row = {
        "subscription_id": subscription,
        "serial": serial,
        "lane": f"{backend}/{person}",
        "event_id": f"evt_{serial}",
        "event_type": "user.updated",
        "backend": backend,
        "person_id": person,
        "state": state,
        "attempts": 3,
        "next_at": NOW + 60 if state == "parked" else None,
        "error": "answers with status 500",
        "status": 500,
        "created_at": NOW + serial,
        "changed_at": NOW + serial,
    }
    with writing(api.store._engine) as connection:
        made = connection.execute(table.insert().values(row)).inserted_primary_key
    assert made is not None
    return int(made[0])


@pytest.fixture
def mine(api: Api) -> str:
    """A subscription with five deliveries that are not done, and one that is."""
    made: str = api.subscribe()["id"]
    other = api.subscribe(token=api.token(*SCOPES))["id"]
    add(api, other, 1, "dead")
    for serial, (state, person, backend) in enumerate(
        [
            ("dead", "ada", "hq"),
            ("held", "ada", "hq"),
            ("parked", "bob", "hq"),
            ("dead", "cid", "branch"),
            ("parked", "ada", "branch"),
            ("settled", "eve", "hq"),
        ],
        1,
    ):
        add(api, made, serial, state, person, backend)
    return made


def listed(api: Api, subscription: str, **query: Any) -> list[int]:
    found: list[int] = []
    cursor: str | None = None
    while True:
        page = api.get(
            f"/subscriptions/{subscription}/deliveries",
            query_string=query | ({"cursor": cursor} if cursor else {}),
        )
        found += [one["serial"] for one in page["deliveries"]]
        cursor = page["cursor"]
        if cursor is None:
            return found


@pytest.mark.parametrize(
    ("query", "serials"),
    [
        ({}, [1, 2, 3, 4, 5]),
        ({"limit": 2}, [1, 2, 3, 4, 5]),
        ({"limit": 5}, [1, 2, 3, 4, 5]),
        ({"status": "dead"}, [1, 4]),
        ({"status": "parked", "limit": 1}, [3, 5]),
        ({"status": "held"}, [2]),
        ({"backend": "hq"}, [1, 2, 3]),
        ({"backend": "hq", "person_id": "ada"}, [1, 2]),
        ({"backend": "hq", "person_id": "nobody"}, []),
        ({"since": "2027-01-15T08:00:03Z"}, [3, 4, 5]),
        ({"until": "2027-01-15T08:00:03Z"}, [1, 2]),
        ({"since": "2027-01-15T09:00:02+01:00", "until": "2027-01-15T08:00:04.5Z", "status": "dead"}, [4]),
    ],
)
def test_deliveries_are_found_by_status_person_and_time(
    query: dict[str, Any], serials: list[int], mine: str, api: Api
) -> None:
    assert listed(api, mine, **query) == serials


def test_a_delivery_tells_what_is_known_of_it(mine: str, api: Api) -> None:
    page = api.get(f"/subscriptions/{mine}/deliveries", query_string={"status": "parked", "limit": 1})
    (one,) = page["deliveries"]
    assert (one["subscription_id"], one["event_id"], one["event_type"]) == (mine, "evt_3", "user.updated")
    assert (one["status"], one["attempts"], one["http_status"]) == ("parked", 3, 500)
    assert one["next_at"] == "2027-01-15T08:01:00.000Z"


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({"status": "settled"}, "status"),
        ({"status": "DEAD"}, "status"),
        ({"person_id": "ada"}, "person_id"),
        ({"since": "now"}, "since"),
        ({"until": "2027-01-15T09:00:00+01:00".replace("+", " ")}, "until"),
        ({"backend": ""}, "backend"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused(query: dict[str, str], name: str, mine: str, api: Api) -> None:
    document = api.problem(400, "bad-parameter", "GET", f"/subscriptions/{mine}/deliveries", query_string=query)
    assert [error["parameter"] for error in document["errors"]] == [name]


def _id(api: Api, subscription: str, serial: int) -> int:
    rows = api.store.deliveries.find([subscription]) + api.store.deliveries.find([subscription], "settled")
    return next(row.id for row in rows if row.serial == serial)


@pytest.mark.parametrize("serial", [1, 3])
def test_a_dead_or_parked_delivery_is_tried_again(serial: int, mine: str, api: Api) -> None:
    id = _id(api, mine, serial)
    response = api.post(f"/deliveries/{id}/retry")
    assert response.status_code == 202, response.text
    assert (response.get_json()["status"], response.get_json()["attempts"]) == ("parked", 0)
    row = api.store.deliveries.get(id)
    assert row is not None
    assert row.state == "parked"


@pytest.mark.parametrize("serial", [2, 6])
def test_a_delivery_that_waits_for_another_or_is_done_is_not_tried_again(serial: int, mine: str, api: Api) -> None:
    api.problem(409, "not-due", "POST", f"/deliveries/{_id(api, mine, serial)}/retry")


def test_all_dead_ones_are_tried_again_at_once(mine: str, api: Api) -> None:
    response = api.post(f"/subscriptions/{mine}/deliveries/retry", {})
    assert (response.status_code, response.get_json()) == (202, {"count": 2})
    assert listed(api, mine, status="dead") == []
    assert api.post(f"/subscriptions/{mine}/deliveries/retry", {"status": "parked"}).get_json() == {"count": 4}
    # Another token's are left alone.
    assert len(api.store.deliveries.find(None, "dead")) == 1
    api.problem(422, "bad-body", "POST", f"/subscriptions/{mine}/deliveries/retry", json={"status": "held"})


def test_a_delivery_is_skipped_with_a_reason_that_is_kept(mine: str, api: Api) -> None:
    id = _id(api, mine, 1)
    response = api.post(f"/deliveries/{id}/skip", {"reason": "sent by hand"})
    assert (response.status_code, response.get_json()) == (200, {"id": id})
    assert listed(api, mine) == [2, 3, 4, 5]
    (attempt,) = api.get(f"/subscriptions/{mine}/attempts")["attempts"]
    assert attempt["error"] == "skipped: sent by hand (token 0)"


def test_an_update_that_becomes_one_with_earlier_ones_is_not_skipped_before_them(api: Api) -> None:
    mine: str = api.subscribe(coalesce=True)["id"]
    for serial, state in enumerate(("dead", "held"), 1):
        add(api, mine, serial, state)
    document = api.problem(409, "not-due", "POST", f"/deliveries/{_id(api, mine, 2)}/skip", json={"reason": "x"})
    assert "skip the earlier ones first" in document["detail"]
    assert listed(api, mine) == [1, 2]


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "x" * 501}, {"reason": "a\nb"}, {"reason": None}])
def test_nothing_is_skipped_without_a_reason(body: object, mine: str, api: Api) -> None:
    api.problem(422, "bad-body", "POST", f"/deliveries/{_id(api, mine, 1)}/skip", json=body)
    assert listed(api, mine) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("action", ["retry", "skip"])
def test_somebody_elses_delivery_is_not_there(action: str, mine: str, api: Api) -> None:
    body: dict[str, Any] = {"json": {"reason": "x"}} if action == "skip" else {}
    other = api.token(*SCOPES)
    id = _id(api, mine, 1)
    foreign = api.problem(404, None, "POST", f"/deliveries/{id}/{action}", token=other, **body)
    for unknown in ("999999", "0", "-1", "x", "9" * 30, "1.0", "%00"):
        assert api.problem(404, None, "POST", f"/deliveries/{unknown}/{action}", token=other, **body) == foreign
    assert listed(api, mine) == [1, 2, 3, 4, 5]


def test_attempts_are_told_newest_first_without_what_the_receiver_said(mine: str, api: Api) -> None:
    for number in range(5):
        row = {
            "subscription_id": mine,
            "delivery_id": f"evt_{number}",
            "serial": number,
            "event_count": 1,
            "person_id": "ada",
            "at": NOW + number,
            "seconds": 0.25,
            "is_ok": number % 2 == 0,
            "status": 500,
            "error": None,
            "response": "hush-hush of an internal host",
        }
        with writing(api.store._engine) as connection:
            connection.execute(attempts_table.insert().values(row))
    first = api.call("GET", f"/subscriptions/{mine}/attempts", query_string={"limit": 3})
    assert "hush-hush" not in first.text
    page = first.get_json()
    second = api.get(f"/subscriptions/{mine}/attempts", query_string={"limit": 3, "cursor": page["cursor"]})
    assert [one["serial"] for one in page["attempts"] + second["attempts"]] == [4, 3, 2, 1, 0]
    assert second["cursor"] is None
    assert page["attempts"][0] | {"id": 0} == {
        "id": 0,
        "delivery_id": "evt_4",
        "serial": 4,
        "event_count": 1,
        "person_id": "ada",
        "at": "2027-01-15T08:00:04.000Z",
        "seconds": 0.25,
        "is_ok": True,
        "http_status": 500,
        "error": None,
    }
