"""Bodies and queries of the JSON API. The first byte chooses the operation, the rest is its query or its body.

The id of a subscription that there is stands in inputs as ``SUBSCRIPTION``. Whatever comes is answered in JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import unquote_to_bytes

from fuzz.house import House, opened_house, plain_query
from fuzz.target import Harness, Target
from integration_server.store.resources import Resource
from integration_server.store.tokens import SCOPES

_OPERATIONS = (
    ("GET", "/resources"),
    ("GET", "/events"),
    ("GET", "/snapshot"),
    ("GET", "/subscriptions"),
    ("GET", "/subscriptions/SUBSCRIPTION/deliveries"),
    ("GET", "/subscriptions/SUBSCRIPTION/attempts"),
    ("GET", "/sync/hq/changes"),
    ("POST", "/subscriptions"),
    ("PUT", "/subscriptions/SUBSCRIPTION"),
    ("PATCH", "/subscriptions/SUBSCRIPTION"),
    ("POST", "/subscriptions/SUBSCRIPTION/replay"),
    ("POST", "/subscriptions/SUBSCRIPTION/rotate-secret"),
    ("POST", "/subscriptions/SUBSCRIPTION/deliveries/retry"),
    ("POST", "/sync/hq/apply"),
    ("POST", "/sync/hq/discard"),
    ("POST", "/deliveries/7/skip"),
)
_NEW = {"url": "http://127.0.0.1:9/hook", "uid": "mine", "verify_intent": False}


@contextmanager
def _opened() -> Iterator[Harness]:
    with opened_house() as house:
        token = house.installation.store.tokens.create("fuzz", SCOPES, [Resource()])[1]
        headers = {"Authorization": f"Bearer {token}"}
        made = house.ask("POST", "/api/v1/subscriptions", json.dumps(_NEW).encode(), b"", "application/json", headers)
        id = made.get_json()["id"]
        yield lambda data: _try(house, headers, id, data)


def _try(house: House, headers: dict[str, str], id: str, data: bytes) -> None:
    if not data:
        return
    method, path = _OPERATIONS[data[0] % len(_OPERATIONS)]
    path, sent = f"/api/v1{path}".replace("SUBSCRIPTION", id), data[1:].replace(b"SUBSCRIPTION", id.encode())
    if method == "GET":
        if b"wait" in unquote_to_bytes(plain_query(sent)):
            # Nobody waits for what does not come.
            return
        response = house.ask(method, path, query=sent, headers=headers)
    else:
        response = house.ask(method, path, sent, content_type="application/json", headers=headers)
    if response.status_code < 300:
        assert response.mimetype in ("application/json", "application/x-ndjson") or response.status_code == 204
    else:
        assert response.mimetype == "application/problem+json", response.mimetype
        assert json.loads(response.data)["status"] == response.status_code


_BODIES: tuple[object, ...] = (
    _NEW,
    {**_NEW, "resource": {"kind": "group", "backend": "hq", "group": "staff"}, "events": ["user.*"], "from": 0},
    {**_NEW, "uid": "other", "headers": {"X-A": "b"}, "batch_size": 3, "rate_per_second": 1.5, "from": "snapshot"},
    {**_NEW, "uid": None, "coalesce": True, "active": False, "type": "webhook"},
    {"url": "http://127.0.0.1:9/{{7*7}}?key=x", "headers": {"X-A": {"file": "/etc/hostname"}}},
    {"resource": {"kind": "none", "backend": "\udcff"}},
    {"from": 0, "run": 1, "reason": "seen", "delivery": 7},
    [],
    None,
    1e308,
)
_QUERIES = (
    b"",
    b"cursor=WyIiLCIiLCIiXQ&limit=7&backend=hq",
    b"after=0&limit=1&events=user.created&backend=hq&group=staff&person=ann",
    b"since=2026-01-31T08:00:00%2B01:00&until=2026-01-31T08:00:00Z&state=dead",
    b"limit=0&limit=1",
    b"cursor=%00&after=-1",
)
#: JSON that is none, or too deep, too long or too large.
_ODD = (b"", b"{", b"[" * 2000, b'{"uid":' * 500, b'{"batch_size":' + b"9" * 400 + b"}", b'{"uid":"\xff"}', b"NaN")


def _seeds() -> Iterator[bytes]:
    for number, (method, _) in enumerate(_OPERATIONS):
        sent = _QUERIES if method == "GET" else (*(json.dumps(one).encode() for one in _BODIES), *_ODD)
        for one in sent:
            yield bytes((number,)) + one


TARGET = Target(
    _opened,
    tuple(_seeds()),
    (
        b'"url":',
        b'"resource":',
        b'{"kind":"all"}',
        b'"uid":',
        b'"headers":{',
        b"cursor=",
        b"limit=",
        b"\\u0000",
        b"1e99",
    ),
)
