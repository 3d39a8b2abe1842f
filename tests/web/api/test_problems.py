"""Errors are problem documents (RFC 9457), and a caller's mistake is never the server's failure."""

from __future__ import annotations

import flask
import pytest

from integration_server import ConfigError
from integration_server.store.runs import NewRun
from integration_server.web.api import create_api
from integration_server.web.app import Mounted, create_app
from tests.web.api.conftest import OPERATIONS, Api

POST = "/subscriptions"


@pytest.mark.parametrize("path", ["", "/", "/nothing", "/events/7", "/subscriptions/ID/nothing", "/Events", "//events"])
def test_a_path_that_leads_nowhere_is_a_problem(path: str, api: Api) -> None:
    api.problem(404, None, "GET", f"/api/v1{path}")


@pytest.mark.parametrize("method", ["POST", "DELETE", "OPTIONS", "TRACE", "PATCH", "NONSENSE"])
def test_a_method_that_does_nothing_is_told_those_that_do(method: str, api: Api) -> None:
    response = api.call(method, "/events")
    assert response.status_code == 405
    assert response.content_type == "application/problem+json"
    assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD"}


def test_head_is_get_without_a_body(api: Api) -> None:
    response = api.call("HEAD", "/events")
    assert (response.status_code, response.data) == (200, b"")


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_unknown_parameters_are_refused_by_name(method: str, path: str, api: Api) -> None:
    made = api.subscribe()
    document = api.problem(
        400, "bad-parameter", method, path.replace("ID", made["id"]), query_string={"serial": "1", "nonsense": ""}
    )
    assert [error["parameter"] for error in document["errors"]] == ["serial", "nonsense"]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("after=1&after=2", "after"),
        ("after=", "after"),
        ("after=-1", "after"),
        ("after=1.0", "after"),
        ("after=1_0", "after"),
        ("after=%201", "after"),
        ("after=٣", "after"),
        (f"after={2**63}", "after"),
        (f"after={10**40}", "after"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("wait=61", "wait"),
        ("after=%00", "after"),
        ("after=%ff", "after"),
        ("%00=1", "\0"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_named(query: str, name: str, api: Api) -> None:
    document = api.problem(400, "bad-parameter", "GET", "/events", query_string=query)
    assert {error["parameter"] for error in document["errors"]} == {name}


@pytest.mark.parametrize("noun", ["resources", "snapshot", "subscriptions", "sync/hq/changes"])
@pytest.mark.parametrize("cursor", ["x", "e30", "WzFd", "bnVsbA", "Wy0xLC0xXQ", "WzEuNV0", "ä", "=", "A" * 5000, ""])
def test_a_cursor_of_somebody_elses_making_is_refused(noun: str, cursor: str, api: Api) -> None:
    hold(api)
    api.problem(400, "bad-parameter", "GET", f"/{noun}", query_string={"cursor": cursor})


def hold(api: Api) -> int:
    new = NewRun("hq", "too many would go", "digest", 0, {"deleted": 1}, "fingerprint", None)
    return api.store.runs.hold(new, [])[0].id


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/merge", None])
def test_a_body_that_is_not_called_json_is_refused(content_type: str | None, api: Api) -> None:
    api.problem(415, None, "POST", POST, data=b'{"url": "https://x.example"}', content_type=content_type)


def test_json_may_be_called_so_with_its_encoding(api: Api) -> None:
    body = b'{"url": "https://x.example"}'
    assert api.post(POST, data=body, content_type="application/json; charset=utf-8").status_code == 201


@pytest.mark.parametrize("body", [b"", b"{", b"{'a': 1}", b"\xff", b'"\xed\xa0\x80"', b"[" * 5000, b'{"url": NaN}x'])
def test_a_body_that_is_no_json_is_refused(body: bytes, api: Api) -> None:
    api.problem(400, "bad-body", "POST", POST, data=body, content_type="application/json")


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ("null", {""}),
        ("[]", {""}),
        ("{}", {"/url"}),
        ('{"url": "https://x.example", "a/b~c": 1}', {"/a~1b~0c"}),
        ('{"url": 7}', {"/url"}),
        ('{"url": "https://x.example", "batch_size": "7"}', {"/batch_size"}),
        ('{"url": "https://x.example", "batch_size": true}', {"/batch_size"}),
        ('{"url": "https://x.example", "active": 1}', {"/active"}),
        ('{"url": "https://x.example", "rate_per_second": 0}', {"/rate_per_second"}),
        ('{"url": "https://x.example", "rate_per_second": NaN}', {"/rate_per_second"}),
        ('{"url": "https://x.example", "rate_per_second": 1e999}', {"/rate_per_second"}),
        ('{"url": "https://x.example", "events": []}', {"/events"}),
        ('{"url": "https://x.example", "events": ["user.*", "user.born"]}', {"/events/1"}),
        ('{"url": "https://x.example", "resource": {}}', {"/resource"}),
        ('{"url": "https://x.example", "resource": {"kind": "all", "group": "x"}}', {"/resource/group"}),
        ('{"url": "https://x.example", "resource": {"kind": "group", "group": "x"}}', {"/resource/backend"}),
        (
            '{"url": "https://x.example", "resource": {"kind": "group", "backend": "hq", "group": 1}}',
            {"/resource/group"},
        ),
        ('{"url": "https://x.example", "uid": "a\\u0000b"}', {"/uid"}),
        ('{"url": "https://x.example", "uid": ""}', {"/uid"}),
        ('{"url": "https://x.example", "from": -1}', {"/from"}),
        ('{"url": "https://x.example", "from": 9223372036854775808}', {"/from"}),
        ('{"url": "https://x.example", "headers": {"X-A": 1}}', {"/headers/X-A"}),
        ('{"url": "https://x.example", "headers": {"X A": "1"}}', {"/headers/X A"}),
        ('{"url": "https://x.example", "headers": {"X-A": "1\\r\\nX-B: 2"}}', {"/headers/X-A"}),
    ],
)
def test_a_body_that_does_not_fit_is_refused_where_it_does_not(body: str, pointers: set[str], api: Api) -> None:
    document = api.problem(422, "bad-body", "POST", POST, data=body, content_type="application/json")
    assert {error["pointer"] for error in document["errors"]} == pointers
    assert api.store.subscriptions.all() == []


def test_a_large_body_is_refused(api: Api) -> None:
    body = b'{"url": "https://x.example/' + b"x" * 300_000 + b'"}'
    assert "262144" in api.problem(413, None, "POST", POST, data=body, content_type="application/json")["detail"]


def test_an_operation_that_takes_no_body_refuses_one(api: Api) -> None:
    made = api.subscribe()
    api.problem(422, "bad-body", "POST", f"/subscriptions/{made['id']}/rotate-secret", json={"secret": "mine"})
    api.problem(422, "bad-body", "DELETE", f"/subscriptions/{made['id']}", data="x")
    assert api.get(f"/subscriptions/{made['id']}") == {key: made[key] for key in made if key != "secret"}


def test_a_failure_of_ours_tells_no_details(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    def broken(**_: object) -> flask.Response:
        raise RuntimeError("hush-hush")

    api.app.view_functions["(api).listEvents"] = broken
    assert "hush-hush" not in str(api.problem(500, None, "GET", "/events"))
    assert "RuntimeError" in caplog.text


def test_a_store_that_fails_is_an_outage(own_api: Api) -> None:
    api = own_api
    file = api.facts.spool.parent / "store.db"
    api.store.close()
    file.unlink()
    file.mkdir()
    response = api.call("GET", "/events")

    assert response.status_code == 503
    assert response.content_type == "application/problem+json"
    assert int(response.headers["Retry-After"]) > 0


def test_paths_beside_the_api_keep_their_own_errors(api: Api) -> None:
    for path in ("/api", "/api/v10", "/api/v1x", "/"):
        assert api.app.test_client().get(path).get_json() == {"error": "Not Found"}


class _Frontend:
    def blueprint(self) -> flask.Blueprint:
        return flask.Blueprint("front", __name__)


@pytest.mark.parametrize("path", ["/api/v1", "/api/v1/", "/api/v1/mailstore"])
def test_a_frontend_cannot_stand_in_the_apis_place(path: str, api: Api) -> None:
    with pytest.raises(ConfigError, match="where the API answers"):
        create_app({"archive": Mounted(path, _Frontend())}, create_api(api.facts))  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["/", "/api", "/api/v2"])
def test_a_frontend_may_stand_beside_the_api(path: str, api: Api) -> None:
    app = create_app({"archive": Mounted(path, _Frontend())}, create_api(api.facts))  # type: ignore[arg-type]
    assert app.test_client().get("/api/v1/openapi.json").status_code == 200
