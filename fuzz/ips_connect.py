"""The gateway of a master: queries and forms. Two bytes choose the way, and whether the key is put right.

With the right key every call must get a status that the protocol knows, or lead a browser to somebody who is known.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qsl, urlencode, urlsplit

from fuzz.house import MASTER_KEY, House, opened_house
from fuzz.multipart import KINDS, WORDS, multipart, urlencoded
from fuzz.target import Harness, Target
from integration_server.builtin.ips_connect.keys import KeyRule, expected_key
from integration_server.builtin.ips_connect.methods import METHODS, Status

_IN_QUERY = len(KINDS)
_STATUSES = {status.value for status in Status}
_HASH = "$2a$13$leEvXu77OIwPwNvtZIJvaeAx8EItGHuR3nIlq8416g0gXeJaQdrr2"


@contextmanager
def _opened() -> Iterator[Harness]:
    with opened_house() as house:
        yield lambda data: _try(house, data)


def _try(house: House, data: bytes) -> None:
    if len(data) < 2:
        return
    kind, sent = data[0] % (_IN_QUERY + 1), data[2:]
    if data[1] % 2:
        sent = _signed(sent)
    if kind == _IN_QUERY:
        response = house.ask("GET", "/gw", query=sent)
    else:
        response = house.ask("POST", "/gw", sent, content_type=KINDS[kind] or None)
    if response.status_code == 200 and response.mimetype == "application/json":
        assert json.loads(response.data)["status"] in _STATUSES
    elif response.status_code == 303:
        assert urlsplit(response.location).hostname in ("localhost", "a.example"), response.location
    else:
        # 200: a page that says that somebody is logged out here, where nobody says whither they go.
        assert response.status_code in (200, 400, 403, 413), response.status
        assert MASTER_KEY.encode() not in response.data


def _signed(sent: bytes) -> bytes:
    """With the key that belongs to the call, so that what is behind it is reached as well."""
    try:
        fields = dict(parse_qsl(sent.decode(), keep_blank_values=True, max_num_fields=64))
    except ValueError:
        return sent
    method = METHODS.get(fields.get("do", "").lower())
    rule = KeyRule.RAW if method is None else method.key_rule
    fields["key"] = expected_key(MASTER_KEY, rule, fields["id"].replace("\0", "") if "id" in fields else None)
    return urlencode(fields, errors="replace").encode("ascii")


_FIELDS = {
    "id": "1",
    "idType": "1",
    "name": "Ann",
    "email": "ann@example.org",
    "pass_hash": _HASH,
    "pass_salt": "leEvXu77OIwPwNvtZIJval",
    "password": _HASH,
    "url": "https://a.example/gw",
    "ourKey": "a" * 32,
    "status": "1",
    "remove": "2",
    "revalidateUrl": "https://a.example/validate",
    "returnTo": "https://a.example/",
    "slaveCall": "1",
}


def _seeds() -> Iterator[bytes]:
    for method in METHODS.values():
        fields = {"do": method.name, **_FIELDS}
        yield bytes((0, 1)) + urlencoded(fields)
        yield bytes((_IN_QUERY, 1)) + urlencoded(fields)
        yield bytes((1, 0)) + multipart(fields)
    yield bytes((1, 0)) + multipart({"do": "login"}).replace(b'; name="do"', b"")
    for text in ("act=login", "do[]=login", "do=login&id[]=1", "do=%00login", "do=LOGIN&id=%ff&id=1"):
        yield bytes((_IN_QUERY, 0)) + text.encode()


TARGET = Target(_opened, tuple(_seeds()), (*WORDS, *(name.encode() for name in (*METHODS, *_FIELDS))))
