"""The dashboard's forms, and the queries of its pages, as an administrator sends them. The first byte chooses which.

Whatever comes is answered with a page, a redirect within the dashboard or a refusal; no page runs a text as template or
as markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote_plus, urlencode

from fuzz.house import FORM, House, opened_house
from fuzz.target import Harness, Target
from integration_server.sdk.passwords import hash_password

_PREFIX = "/dashboard"
#: What a template would make of ``_TEMPLATE``, and what no page may hold of ``_MARKUP`` as it stands.
_TEMPLATE, _MADE = "{{7919*7907}}{% raw %}${7919*7907}<%= 7919*7907 %>", b"62615533"
_MARKUP = "<script>alert(1)</script>"
_OPEN = frozenset({"/sign-in", "/sign-out"})


@contextmanager
def _opened() -> Iterator[Harness]:
    with opened_house() as house:
        house.installation.store.admins.create("root", hash_password("Secret of the root", "argon2"))
        sent = urlencode({"name": "root", "password": "Secret of the root"}).encode()
        assert house.ask("POST", f"{_PREFIX}/sign-in", sent, content_type=FORM).status_code == 303
        token = re.search(rb'name="form_token" value="([^"]+)"', house.ask("GET", f"{_PREFIX}/").data)
        assert token is not None
        begin = b"form_token=" + quote_plus(token[1]).encode() + b"&"
        places = _places(house)
        yield lambda data: _try(house, places, begin, data)


def _places(house: House) -> list[tuple[str, str]]:
    """Methods and paths of every form and page, in an order that stays the same."""
    found = {
        (method, rule.rule)
        for rule in house.app.url_map.iter_rules()
        for method in ("GET", "POST")
        if method in (rule.methods or ()) and rule.rule.startswith(_PREFIX) and "<" not in rule.rule
    }
    return sorted(one for one in found if one[1].removeprefix(_PREFIX) not in _OPEN)


def _try(house: House, places: list[tuple[str, str]], begin: bytes, data: bytes) -> None:
    if not data:
        return
    method, path = places[data[0] % len(places)]
    if method == "GET":
        response = house.ask(method, path, query=data[1:])
    else:
        response = house.ask(method, path, begin + data[1:], content_type=FORM)
    # A body that is not UTF-8 is no form, and so without the token; no browser sends one.
    fine = {200, 204, 303, 400, 404, 405, 409, 413, 422} | (set() if _is_utf_8(data[1:]) else {403})
    assert response.status_code in fine, response.status
    if response.status_code == 303:
        assert response.location.startswith(f"{_PREFIX}/"), response.location
    assert _MADE not in response.data, "a text was run as a template"
    assert _MARKUP.encode() not in response.data, "a text became markup"


def _is_utf_8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


_FIELDS = {
    "id": "1",
    "name": "hq",
    "words": "ann",
    "backend": "hq",
    "frontend": "archive",
    "mount": "archive",
    "type": "webhook",
    "url": "http://127.0.0.1:9/",
    "events": "user.created",
    "scopes": "events:read",
    "expires": "2030-01-31",
    "headers": "X-A: b\r\nX-C: d",
    "batch_size": "7",
    "groups": "staff",
    "reason": "seen",
    "since": "2026-01-31T08:00",
    "after": "0",
    "person": "ann",
}
#: At least as many as there are places; which number leads where does not matter.
_MANY = 48

TARGET = Target(
    _opened,
    tuple(
        bytes((number,)) + urlencode(fields).encode()
        for number in range(_MANY)
        for fields in (_FIELDS, dict.fromkeys(_FIELDS, _TEMPLATE + _MARKUP))
    ),
    (*(f"{name}=".encode() for name in _FIELDS), b"&", b"%00", b"%0d%0a", b"{{", b"%3Cscript%3Ealert(1)%3C/script%3E"),
)
