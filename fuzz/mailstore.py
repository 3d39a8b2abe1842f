"""The form of the MailStore frontend. The first byte chooses how it is sent, the rest is the body."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlencode

from fuzz.house import FORM, PASSWORD, SERVICE, House, opened_house
from fuzz.target import Harness, Target
from integration_server.builtin.mailstore import AuthCommand, ListCommand, parse_command

_TYPES = (FORM, "", f"{FORM}; charset=utf-16", "multipart/form-data; boundary=x", "application/json")


@contextmanager
def _opened() -> Iterator[Harness]:
    with opened_house() as house:
        yield lambda data: _try(house, data)


def _try(house: House, data: bytes) -> None:
    if not data:
        return
    body = data[1:]
    try:
        command = parse_command(body)
    except ValueError:
        command = None
    headers = {"Authorization": SERVICE}
    sent_as = _TYPES[data[0] % len(_TYPES)]
    response = house.ask("POST", "/mailstore", body, content_type=sent_as, headers=headers)
    if sent_as not in _TYPES[:3]:
        assert response.status_code == 415
    elif command is None:
        assert response.status_code == 400
    elif isinstance(command, ListCommand):
        assert [one["userName"] for one in json.loads(response.data)] == ["ann", "bob"]
    else:
        _check_login(command, json.loads(response.data) if response.status_code == 200 else None)


def _check_login(command: AuthCommand, answer: object) -> None:
    is_right = command.user.strip().casefold() in ("ann", "bob") and command.password == PASSWORD
    if answer == {"succeeded": True}:
        assert is_right, "nobody has this name and this password"
    again = urlencode({"cmd": "auth", "user": command.user, "pass": command.password})
    assert parse_command(again.encode()) == command


def _seed(kind: int, body: bytes) -> bytes:
    return bytes((kind,)) + body


TARGET = Target(
    _opened,
    (
        *(_seed(kind, b"cmd=list") for kind in range(len(_TYPES))),
        _seed(0, urlencode({"cmd": "auth", "user": "ann", "pass": PASSWORD}).encode()),
        _seed(0, urlencode({"cmd": "auth", "user": "bob", "pass": "wrong"}).encode()),
        _seed(0, "cmd=auth&user=Ä&pass=%E2%82%AC+%2B%00".encode()),
        _seed(0, b"cmd=auth&user=ann&user=bob&pass=x"),
        _seed(0, b"cmd=auth&user=%ff&pass=%"),
        _seed(0, b"&" * 40),
        _seed(0, b"cmd=auth&user=" + b"x" * 4097 + b"&pass="),
        _seed(3, b'--x\r\nContent-Disposition: form-data; name="cmd"\r\n\r\nlist\r\n--x--\r\n'),
    ),
    (b"cmd=", b"list", b"auth", b"&user=", b"&pass=", b"%00", b"%E2%82", b"ann"),
    6000,
)
