"""The API over PostgreSQL: every operation once, and what only there could go wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from integration_server.store.resources import Resource
from tests.web.api.conftest import Api
from tests.web.api.test_deliveries_api import add
from tests.web.api.test_sync_api import hold


@pytest.fixture
def api(api_on_postgresql: Api) -> Api:
    return api_on_postgresql


def test_every_operation_works(api: Api) -> None:
    api.put("hq", "ada", "staff", "math", full_name="Ä 'quoted' \N{GRINNING FACE}")
    api.put("branch", "cid", "staff")
    listed = api.get("/resources")["resources"]
    assert [str(Resource.from_json(one["resource"])) for one in listed] == [
        *("all", "branch", "hq", "branch/staff", "hq/math", "hq/staff")
    ]
    events = api.get("/events", query_string={"wait": 1})["events"]
    assert [event["type"] for event in events] == [
        *("user.created", "membership.added", "membership.added", "user.created", "membership.added")
    ]
    assert [one["person_id"] for one in api.get("/snapshot")["people"]] == ["ada", "cid"]
    lines = api.call("GET", "/snapshot", headers={"Accept": "application/x-ndjson"}).text.splitlines()
    assert json.loads(lines[-1])["count"] == 2

    made = api.subscribe(uid="mine", **{"from": 2})
    path = f"/subscriptions/{made['id']}"
    assert api.problem(409, "uid-taken", "POST", "/subscriptions", json={"url": "https://x.example", "uid": "mine"})
    assert api.get("/subscriptions")["subscriptions"] == [api.get(path)]
    assert api.call("PATCH", path, json={"batch_size": 3}).get_json()["batch_size"] == 3
    assert api.call("PUT", path, json={"url": "https://y.example/"}).get_json()["batch_size"] == 1
    assert api.post(f"{path}/rotate-secret").status_code == 200
    for body in ({"from": 1}, {"since": "2020-01-01T00:00:00Z"}, {"snapshot": True}):
        assert api.post(f"{path}/replay", body).status_code == 202

    first, second = add(api, made["id"], 1, "dead"), add(api, made["id"], 2, "dead", "bob")
    query = {"status": "dead", "since": "2020-01-01T00:00:00Z", "limit": 1}
    page = api.get(f"{path}/deliveries", query_string=query)
    assert [one["id"] for one in page["deliveries"]] == [first]
    assert api.post(f"/deliveries/{first}/retry").status_code == 202
    assert api.post(f"/deliveries/{second}/skip", {"reason": "tried"}).status_code == 200
    assert api.post(f"{path}/deliveries/retry", {"status": "parked"}).get_json() == {"count": 1}
    assert len(api.get(f"{path}/attempts")["attempts"]) == 1
    assert api.call("DELETE", path).status_code == 204

    run = hold(api)
    assert len(api.get("/sync/hq/changes")["changes"]) == 3
    assert api.post("/sync/hq/scan").status_code == 202
    assert api.post("/sync/hq/apply", {"run": run}).status_code == 202
    assert api.get("/sync")["backends"][1]["held"]["state"] == "approved"


ODDITIES: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/subscriptions?uid=%00", {}),
    ("GET", "/subscriptions?uid=%F0%9F%98%80", {}),
    ("GET", "/subscriptions/%00", {}),
    ("GET", "/subscriptions/%F0%9F%98%80", {}),
    ("GET", "/subscriptions/ID/deliveries?backend=hq&person_id=%00", {}),
    ("GET", "/subscriptions/ID/deliveries?backend=hq&person_id=%ED%A0%80", {}),
    ("GET", "/subscriptions/ID/deliveries?cursor=WzkyMjMzNzIwMzY4NTQ3NzU4MDdd", {}),
    ("GET", "/subscriptions/ID/deliveries?since=0001-01-01T00:00:00Z&until=9999-12-31T23:59:59Z", {}),
    ("GET", f"/events?after={2**63 - 1}", {}),
    ("GET", "/sync/%00", {}),
    ("POST", f"/deliveries/{10**18 - 1}/retry", {}),
    ("POST", f"/deliveries/{2**70}/retry", {}),
    ("POST", "/sync/hq/apply", {"json": {"run": 2**63 - 1}}),
    ("POST", "/subscriptions", {"json": {"url": "https://x.example", "from": 2**63 - 1}}),
    ("POST", "/subscriptions", {"json": {"url": "https://x.example", "uid": "\ud800"}}),
    ("POST", "/subscriptions/ID/replay", {"json": {"from": 2**63 - 1}}),
    ("POST", "/subscriptions/ID/replay", {"json": {"since": "9999-12-31T23:59:59Z"}}),
    ("POST", "/subscriptions/ID/replay", {"json": {"since": "0001-01-01T00:00:00Z"}}),
]


def test_nothing_is_too_odd_for_the_database(api: Api) -> None:
    made = api.subscribe()
    for method, path, options in ODDITIES:
        response = api.call(method, path.replace("ID", made["id"]), **options)
        assert response.status_code < 500, (method, path, response.text)
