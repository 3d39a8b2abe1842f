"""How detection stands, and held runs."""

from __future__ import annotations

from typing import Any

import pytest

from integration_server.store.journal import Change
from integration_server.store.resources import Resource
from integration_server.store.runs import NewRun
from tests.web.api.conftest import BRANCH, HQ, STAFF, Api, person


def hold(api: Api, digest: str = "first", backend: str = "hq") -> int:
    new = NewRun(backend, "17 of 20 people would go", digest, 0, {"deleted": 2, "updated": 1}, "fingerprint", None)
    changes = [Change("delete", "ada"), Change("vanish", "bob"), Change("update", "cid", b"x" * 16, person("cid"))]
    return api.store.runs.hold(new, changes)[0].id


def test_sync_tells_of_every_backend(api: Api) -> None:
    api.store.watches.change("hq", baseline_at=1.0, scanned_at=2.5, people_count=20, failed_at=3.0, failure="is down")
    run = hold(api)
    hq, branch = api.get("/sync/hq"), api.get("/sync/branch")

    assert api.get("/sync") == {"backends": [branch, hq]}
    assert hq["baseline_at"] == "1970-01-01T00:00:01.000Z"
    assert (hq["people_count"], hq["failure"], hq["is_watched"]) == (20, "is down", True)
    assert hq["held"]["id"] == run
    assert hq["held"]["reason"] == "17 of 20 people would go"
    assert hq["held"]["counts"] == {"deleted": 2, "updated": 1}
    assert (branch["held"], branch["is_watched"], branch["baseline_at"]) == (None, False, None)


@pytest.mark.parametrize("path", ["", "/changes", "/apply", "/discard", "/scan"])
def test_a_backend_that_the_token_may_not_see_is_closed_to_it(path: str, api: Api) -> None:
    hold(api)
    method = "GET" if path in ("", "/changes") else "POST"
    body: dict[str, Any] = {"json": {"run": 1}} if path in ("/apply", "/discard") else {}
    for sees in (BRANCH, STAFF):
        api.problem(403, "not-permitted", method, f"/sync/hq{path}", token=api.token("sync:admin", sees=[sees]), **body)
    # Whether it exists is not told.
    api.problem(403, "not-permitted", method, f"/sync/no{path}", token=api.token("sync:admin", sees=[BRANCH]), **body)
    api.problem(404, None, method, f"/sync/no{path}", **body)
    assert api.store.runs.all()[0].state == "held"


def test_sync_lists_the_backends_that_the_token_may_see(api: Api) -> None:
    def listed(*sees: Resource) -> list[str]:
        found = api.get("/sync", token=api.token("sync:admin", sees=sees))
        return [one["backend"] for one in found["backends"]]

    assert listed(HQ) == ["hq"]
    assert listed(BRANCH, STAFF) == ["branch"]
    assert listed(STAFF) == []


def test_a_held_run_is_told_person_by_person(api: Api) -> None:
    for person_id in ("ada", "bob"):
        api.put("hq", person_id)
    api.put("branch", "cid")
    run = hold(api)
    first = api.get("/sync/hq/changes", query_string={"limit": 2})
    second = api.get("/sync/hq/changes", query_string={"limit": 2, "cursor": first["cursor"]})

    assert (first["run"], second["run"], second["cursor"]) == (run, run, None)
    changes = first["changes"] + second["changes"]
    assert [(one["number"], one["kind"], one["person_id"]) for one in changes] == [
        (1, "delete", "ada"),
        (2, "vanish", "bob"),
        (3, "update", "cid"),
    ]
    assert changes[0]["object"] is None
    assert changes[2]["object"] == person("cid")
    # Who goes is named; who comes, or is another backend's, was not there before.
    assert [one["before"] for one in changes] == [person("ada"), person("bob"), None]


def test_pages_of_a_held_run_do_not_mix_with_those_of_the_next(api: Api) -> None:
    hold(api)
    first = api.get("/sync/hq/changes", query_string={"limit": 2})
    hold(api, "second")
    api.problem(409, "run-changed", "GET", "/sync/hq/changes", query_string={"cursor": first["cursor"]})


def test_yes_is_said_to_just_the_run_that_was_seen(api: Api) -> None:
    seen = hold(api)
    held = hold(api, "another")
    api.problem(409, "run-changed", "POST", "/sync/hq/apply", json={"run": seen})
    assert api.store.runs.all()[0].state == "held"

    response = api.post("/sync/hq/apply", {"run": held})
    assert (response.status_code, response.get_json()["held"]["state"]) == (202, "approved")
    assert api.told == [("sync.approved", "hq", {"run": held, "token": "token 0"})]
    api.problem(409, "run-changed", "POST", "/sync/hq/apply", json={"run": held})
    api.problem(409, "run-changed", "POST", "/sync/hq/discard", json={"run": held})


def test_a_discarded_run_is_gone_and_audited(api: Api) -> None:
    run = hold(api)
    api.problem(409, "run-changed", "POST", "/sync/hq/discard", json={"run": run + 1})
    assert api.told == []

    response = api.post("/sync/hq/discard", {"run": run})
    assert (response.status_code, response.get_json()["held"]) == (200, None)
    assert api.told == [("sync.discarded", "hq", {"run": run, "token": "token 0"})]
    api.problem(409, "run-changed", "GET", "/sync/hq/changes")


@pytest.mark.parametrize("body", [{}, {"run": "1"}, {"run": -1}, {"run": 2**63}, {"run": True}, {"id": 1}])
def test_a_decision_names_its_run(body: dict[str, object], api: Api) -> None:
    run = hold(api)
    api.problem(422, "bad-body", "POST", "/sync/hq/apply", json=body)
    api.problem(422, "bad-body", "POST", "/sync/hq/discard", json=body)
    assert api.store.runs.all()[0].id == run


def test_a_scan_is_asked_for_where_somebody_scans(api: Api) -> None:
    response = api.post("/sync/hq/scan")
    assert (response.status_code, response.get_json()["is_scan_wanted"]) == (202, True)
    assert api.store.watches.get("hq").is_scan_wanted
    api.problem(409, "not-watched", "POST", "/sync/branch/scan")
