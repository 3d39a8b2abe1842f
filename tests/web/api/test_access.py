"""Who may call: tokens, scopes, encryption."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from integration_server.store.tokens import SCOPES, Scope
from tests.web.api.conftest import OPERATIONS, Api


def _needed(path: str) -> set[Scope]:
    noun = path.split("/")[1]
    if noun == "event-types":
        return set(SCOPES)
    if noun == "resources":
        return {"events:read", "subscriptions:write"}
    if noun in ("events", "snapshot"):
        return {"events:read"}
    return {"sync:admin"} if noun == "sync" else {"subscriptions:write"}


def test_every_operation_is_tried_here(api: Api) -> None:
    document = api.get("/openapi.json", token=None)
    names = {"{id}": "ID", "{backend}": "hq"}
    known = set()
    for path, methods in document["paths"].items():
        for name, value in names.items():
            path = path.replace(name, "7" if path.startswith("/deliveries") else value)
        known |= {(method.upper(), path) for method in methods}
    assert known == set(OPERATIONS)


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_no_operation_is_open_to_a_caller_without_a_token(method: str, path: str, api: Api) -> None:
    response = api.call(method, path, token=None, data="{", content_type="application/json")

    assert response.status_code == 401
    # RFC 6750 §3.1: no error code where no token was offered.
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="integration-server"'
    assert response.content_type == "application/problem+json"


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_no_operation_is_open_to_a_token_without_its_scope(method: str, path: str, api: Api) -> None:
    others = [scope for scope in SCOPES if scope not in _needed(path)]
    if not others:
        assert path == "/event-types"
        return
    response = api.call(method, path, token=api.token(*others), json={})

    assert response.status_code == 403
    challenge = response.headers["WWW-Authenticate"]
    assert 'error="insufficient_scope"' in challenge
    assert any(f'scope="{scope}"' in challenge for scope in _needed(path))


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_one_scope_is_enough(method: str, path: str, api: Api) -> None:
    for scope in _needed(path):
        response = api.call(method, path, token=api.token(scope), json={} if method != "GET" else None)
        assert response.status_code in (200, 202, 404, 409, 422), response.text


@pytest.mark.parametrize("header", ["Basic dTpw", "Bearer", "Bearer ", "Bearer x y", "ist_x", "Bearer ist_" + "x" * 43])
def test_a_header_that_holds_no_known_token_is_challenged(header: str, api: Api) -> None:
    response = api.call("GET", "/events", token=None, headers={"Authorization": header})

    assert response.status_code == 401
    is_bearer = header.lower().startswith("bearer")
    assert ("invalid_token" in response.headers["WWW-Authenticate"]) is is_bearer


def test_a_token_ends_with_its_revocation_and_with_its_time(api: Api) -> None:
    tokens = api.store.tokens
    _, revoked = tokens.create("revoked", SCOPES, [_all()])
    _, expired = tokens.create("expired", SCOPES, [_all()], expires_at=1.0)
    api.get("/events", token=revoked)
    tokens.revoke("revoked")

    for plain in (revoked, expired):
        assert api.problem(401, None, "GET", "/events", token=plain)["detail"].startswith("this token is unknown")


def _all() -> Any:
    from integration_server.store.resources import Resource

    return Resource()


@pytest.mark.parametrize("scheme", ["bearer", "BEARER"])
def test_the_scheme_may_be_written_in_any_case(scheme: str, api: Api) -> None:
    assert api.call("GET", "/events", token=None, headers={"Authorization": f"{scheme} {api.plain}"}).status_code == 200


def test_tokens_travel_encrypted_or_not_at_all(api: Api) -> None:
    stranger, proxy = {"caller": "192.0.2.1"}, {"caller": "10.9.9.9"}
    forwarded = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https"}

    assert "HTTPS" in api.problem(403, None, "GET", "/events", **stranger)["detail"]
    assert api.call("GET", "/events", base_url="https://x.example", **stranger).status_code == 200
    assert api.call("GET", "/events", headers=forwarded, **proxy).status_code == 200
    plain = forwarded | {"X-Forwarded-Proto": "http"}
    api.problem(403, None, "GET", "/events", headers=plain, **proxy)
    # A proxy on this machine that nobody named.
    api.problem(403, None, "GET", "/events", headers=forwarded)
    relaxed = api.changed(allow_plain_http=True)
    assert relaxed.call("GET", "/events", **stranger).status_code == 200


def test_a_token_over_plain_http_is_not_even_looked_up(api: Api) -> None:
    """The answer must not tell somebody who listens whether it is a good one."""
    good = api.problem(403, None, "GET", "/events", caller="192.0.2.1")
    bad = api.problem(403, None, "GET", "/events", caller="192.0.2.1", token="ist_" + "x" * 43)
    assert good == bad


def test_the_document_is_open(api: Api) -> None:
    assert api.get("/openapi.json", token=None, caller="192.0.2.1")["openapi"] == "3.1.0"


def test_no_token_and_no_secret_reaches_a_log(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        made = api.subscribe(url="https://receiver.example/?key=hush-hush", headers={"X-Key": "hush-hush"})
        api.get(f"/subscriptions/{made['id']}")
        api.call("GET", "/events", token="ist_" + "x" * 43)
        api.post("/subscriptions", {"url": "ftp://hush-hush"})
        api.post("/subscriptions", {"url": "https://u:hush-hush@x.example"})
    assert caplog.records
    for secret in (api.plain, "hush-hush", "x" * 43, made["secret"]):
        assert secret not in caplog.text
