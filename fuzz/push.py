"""JSON that push clients send, over a WebSocket and by REST, and the forms of app servers.

The first byte chooses: a session of either protocol, to which each line is a message, a call by REST, or a PUT. A
user agent that there is stands in inputs as ``AGENT``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn
from urllib.parse import urlsplit

from fuzz.house import FORM, House, opened_house
from fuzz.target import Harness, Target
from integration_server.builtin.push import first_api
from integration_server.builtin.push.first_api import Malformed, decoded
from integration_server.builtin.push.letters import Collected, Greeting, Hello, Registered, Registration, kick_text
from integration_server.builtin.push.relayed import FirstApiSession
from integration_server.builtin.push.session import Ask, Collect, Effect, Job, Result, Say, Session
from integration_server.builtin.push.simplepush import SimplePushSession

_CALLS = ("register", "connect", "ack", "unregister")
_SESSIONS: tuple[type[SimplePushSession] | type[FirstApiSession], ...] = (SimplePushSession, FirstApiSession)
_UAID, _CHANNEL = "0" * 32, "5f6f5ec0-0000-4000-8000-000000000000"
#: A client that is answered, and answers at once, comes to an end at this.
_MOST_ANSWERS = 50


@contextmanager
def _opened() -> Iterator[Harness]:
    with opened_house() as house:
        # One whose channel may be gone at any time, and one who stays.
        agent = _registered(house)["UAID"].encode("ascii")
        endpoint = urlsplit(_registered(house)["ENDPOINT"]).path
        yield lambda data: _try(house, agent, endpoint, data)


def _registered(house: House) -> dict[str, str]:
    made = house.ask("POST", "/push/register", json.dumps({"APPID": _CHANNEL}).encode())
    found: dict[str, str] = made.get_json()
    return found


def _try(house: House, agent: bytes, endpoint: str, data: bytes) -> None:
    if not data:
        return
    number, sent = data[0] % (len(_SESSIONS) + len(_CALLS) + 1), data[1:].replace(b"AGENT", agent)
    if number < len(_SESSIONS):
        _converse(_SESSIONS[number](str, 60.0, is_private=True), sent.split(b"\n"))
    elif number < len(_SESSIONS) + len(_CALLS):
        _call(house, _CALLS[number - len(_SESSIONS)], sent)
    else:
        query, _, body = sent.partition(b"\n")
        response = house.ask("PUT", endpoint, body, query, FORM if body else None)
        assert response.status_code in (200, 202, 400, 413, 429), response.status


def _call(house: House, name: str, sent: bytes) -> None:
    response = house.ask("POST", f"/push/{name}", sent, content_type="application/json")
    assert response.status_code in (200, 204, 400, 401, 403, 404, 410, 413, 422), response.status
    if response.data:
        _strict(response.data)
    if response.status_code == 200 and name == "register" and (kick := first_api.registration(decoded(sent)).kick):
        _strict(kick_text(kick).encode("ascii"))


def _converse(session: Session, lines: Sequence[bytes]) -> None:
    """Messages to a session; what it asks of the store is answered at once."""
    for now, line in enumerate(lines):
        try:
            message = decoded(line.decode("utf-8"))
        except (UnicodeDecodeError, Malformed):
            continue
        _perform(session, session.received(message, now), now)
        session.tick(now)


def _perform(session: Session, effects: Sequence[Effect], now: float) -> None:
    waiting = list(effects)
    for _ in range(_MOST_ANSWERS):
        if not waiting:
            break
        effect = waiting.pop(0)
        if isinstance(effect, Say):
            _strict(json.dumps(effect.message).encode("ascii"))
        elif isinstance(effect, Ask):
            if isinstance(effect.job, Hello | Registration) and effect.job.kick is not None:
                _strict(kick_text(effect.job.kick).encode("ascii"))
            waiting += session.answered(effect.job, _result(effect.job), now)


def _result(job: Job) -> Result:
    if isinstance(job, Hello):
        return Greeting(job.uaid or _UAID, job.uaid is not None, {_CHANNEL: 7}, is_wakeable=job.kick is not None)
    if isinstance(job, Registration):
        return Registered(job.uaid or _UAID, job.channel, "token")
    if isinstance(job, Collect):
        return Collected({uaid: {_CHANNEL: 7} for uaid in job.uaids[:3]}, job.uaids[3:])
    return None


def _strict(text: bytes) -> None:
    """RFC 8259 has no Infinity and no NaN, and other parsers than Python's refuse them."""
    json.loads(text, parse_constant=_no_constant)


def _no_constant(name: str) -> NoReturn:
    raise AssertionError(f"{name} is no JSON")


def _lines(*messages: object) -> bytes:
    return b"\n".join(json.dumps(one).encode() for one in messages)


def _message(type: str, **more: object) -> dict[str, object]:
    return {"messageType": type, **more}


_SIMPLE = (
    _lines(
        _message("hello", uaid="", channelIDs=[], wakeup_hostport={"ip": "192.0.2.1", "port": 7}),
        _message("register", channelID=_CHANNEL),
        _message("ack", updates=[{"channelID": _CHANNEL, "version": 7}]),
        _message("unregister", channelID=_CHANNEL),
        _message("purge"),
        {},
    ),
    _lines(_message("hello", uaid=_UAID, channelIDs=[_CHANNEL, None, 1], KICK={"a": 1e308, "b": [[[]]]})),
    b'{"messageType":"hello","uaid":1,"channelIDs":{}}\n{"messageType":"ack","updates":[1,{"version":1e999}]}',
)
_FIRST = (
    _lines(
        {"REGISTER": {"UAID": _UAID, "APPID": _CHANNEL, "KICK": {"x": "y"}}},
        {"CONNECT": {"UAIDS": [_UAID, "x"]}, "ACK": {"UAIDS": {_UAID: {_CHANNEL: 7}}}},
        {"UNREGISTER": {"UAID": _UAID, "APPID": _CHANNEL}},
        {},
    ),
    _lines({"CONNECT": [], "ACK": None, "REGISTER": 7}),
)
_REST = (
    _lines({"UAID": "AGENT", "APPID": _CHANNEL, "KICK": {"ip": "192.0.2.1", "port": 7}}),
    _lines({"APPID": _CHANNEL, "RESOURCE": {"kind": "all"}, "TOKEN": "x\ud800"}),
    b'{"APPID":"' + _CHANNEL.encode() + b'","KICK":{"a":1e999}}',
    _lines({"UAIDS": ["AGENT", "\ud800"]}),
    _lines({"UAIDS": {"AGENT": {_CHANNEL: 3, "\0": 1}}}),
    *(
        b'{"APPID":"' + _CHANNEL.encode() + b'","KICK":{"a":' + b"[" * n + b"]" * n + b"}}"
        for n in (20, 100, *range(970, 982))
    ),
    b"[" * 5000,
    b'{"UAIDS":[' + b"9" * 5000 + b"]}",
    b"\xff",
)
_PUTS = (b"version=5", b"\nversion=7", b"version=1&version=2\n", b"\nversion=" + b"9" * 17, b"\nversion=%31", b"%\n%")
_PUT = len(_SESSIONS) + len(_CALLS)

TARGET = Target(
    _opened,
    (
        *(b"\0" + one for one in _SIMPLE),
        *(b"\1" + one for one in _FIRST),
        *(bytes((len(_SESSIONS) + number,)) + one for number in range(len(_CALLS)) for one in _REST),
        *(bytes((_PUT,)) + one for one in _PUTS),
    ),
    (
        b'"messageType":',
        b'"hello"',
        b'"uaid":',
        b'"UAID":"AGENT"',
        b'"APPID":',
        _CHANNEL.encode(),
        b"1e999",
        b"\\ud800",
    ),
)
