"""The hooks of the GroupServer frontend. Two bytes choose the hook and how the rest is sent.

The token stands in inputs as ``TOKEN``, since it is another one each time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from fuzz.house import House, opened_house
from fuzz.multipart import KINDS, WORDS, multipart, urlencoded
from fuzz.target import Harness, Target

_HOOKS = ("gs-group-groups", "gs-group-member-add", "gs-search-people", "gs-site-member-list", "gs-group-member-leave")
_IN_QUERY = len(KINDS)


@contextmanager
def _opened() -> Iterator[Harness]:
    with opened_house() as house:
        token = house.installation.store.frontend_tokens.rotate("hooks").encode("ascii")
        yield lambda data: _try(house, token, data)


def _try(house: House, token: bytes, data: bytes) -> None:
    if len(data) < 2:
        return
    path = f"/site/{_HOOKS[data[0] % len(_HOOKS)]}.json"
    kind, sent = data[1] % (_IN_QUERY + 1), data[2:].replace(b"TOKEN", token)
    if kind == _IN_QUERY:
        response = house.ask("GET", path, query=sent)
    else:
        response = house.ask("POST", path, sent, content_type=KINDS[kind] or None)
    # 413: a form with more fields than anybody sends.
    assert response.status_code in (200, 400, 413), response.status
    if response.status_code == 200:
        assert response.data.isascii()
        found = json.loads(response.data)
        if token not in sent and b"%" not in sent and not isinstance(found, list):
            assert found.get("status", -1) == -1, "without the token nothing is told"


_FIELDS = {
    "token": "TOKEN",
    "get": "",
    "add": "",
    "search": "",
    "users": "",
    "leave": "",
    "groupId": "staff",
    "userId": "ann",
    "user": "ann@example.org",
    "email": "eve@example.org",
    "fn": "Eve",
    "biography": "a\r\nb",
    "tz": "Europe/Berlin",
}

TARGET = Target(
    _opened,
    tuple(
        bytes((hook, kind)) + body
        for hook in range(len(_HOOKS))
        for kind, body in (
            (0, urlencoded(_FIELDS)),
            (1, multipart(_FIELDS)),
            (1, multipart(_FIELDS).replace(b'"user"', b'"user"; filename="f"')),
            (1, multipart(_FIELDS).replace(b'; name="user"', b"")),
            (2, multipart(_FIELDS)),
            (0, urlencoded({**_FIELDS, "user": "ä\0\n"})),
            (_IN_QUERY, urlencoded(_FIELDS)),
            (_IN_QUERY, b"token=TOKEN&token=TOKEN&get&user=%ff"),
        )
    ),
    (*WORDS, b"TOKEN", *(name.encode() for name in _FIELDS)),
)
