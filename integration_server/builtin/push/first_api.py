"""Messages of the first API, as they come by REST and over a WebSocket. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from integration_server import UnwritableValue
from integration_server.builtin.push.letters import (
    LARGEST_VERSION,
    Bond,
    Collected,
    Registration,
    is_channel,
    is_version,
    kick_text,
)
from integration_server.builtin.push.versions import Update
from integration_server.builtin.push.waking import KickData

#: User agents that one client may connect for.
MOST_UAIDS = 1000
_NUMBER = re.compile(r"[0-9]{1,16}", re.ASCII)
#: Objects and lists within each other: what is kept is written and read again where the stack is another one.
_DEEPEST = 32
_FORM = ("", "application/x-www-form-urlencoded", "text/plain")


class Malformed(Exception):
    """What came is no message of the protocol. The text says what to mend; it repeats no value."""


class WrongType(Malformed):
    """A body of another content type."""


@dataclass(frozen=True, slots=True)
class Ack:
    """User agents that have the UPDATE; or, in ``received``, the versions that they have."""

    uaids: tuple[str, ...] = ()
    received: Update = field(default_factory=dict)


def decoded(body: bytes | str) -> dict[str, Any]:
    """A JSON object. Raises Malformed."""
    try:
        value = json.loads(body, parse_constant=_no_constant, parse_float=_finite)
    except (ValueError, RecursionError):
        raise Malformed("this is no JSON in UTF-8") from None
    if not isinstance(value, dict):
        raise Malformed("this is no JSON object")
    if not _is_flat(value):
        raise Malformed(f"at most {_DEEPEST} objects and lists may stand within each other")
    return value


def _finite(text: str) -> float:
    """A number, but none that would be written as Infinity, which is no JSON."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _is_flat(value: dict[str, Any]) -> bool:
    level: list[Any] = [value]
    for _ in range(_DEEPEST):
        inner = (one.values() if isinstance(one, dict) else one for one in level)
        level = [one for found in inner for one in found if isinstance(one, dict | list)]
        if not level:
            return True
    return False


def registration(message: Mapping[str, Any], token: str | None = None) -> Registration:
    """``{"UAID": …, "APPID": …, "KICK": {…}}``, with ``"RESOURCE": {…}, "TOKEN": …`` for a channel that is bound; see
    ``bond``. A UAID that is missing or malformed is none. Raises Malformed."""
    uaid = message.get("UAID")
    kick, bound = kick_data(message.get("KICK")), bond(message.get("RESOURCE"), message.get("TOKEN", token))
    return Registration(uaid if isinstance(uaid, str) else None, _channel(message), kick, bond=bound)


def bond(resource: object, token: object) -> Bond | None:
    """What a channel is to be bound to, if to something. Raises Malformed."""
    if resource is None:
        return None
    if not isinstance(resource, dict):
        raise Malformed('RESOURCE: must be an object such as {"kind": "all"}')
    if not isinstance(token, str):
        raise Malformed("TOKEN: a bearer token of the API must be there, in the message or as Authorization: Bearer")
    return Bond(token, resource)


def removal(message: Mapping[str, Any]) -> tuple[str, str]:
    """``{"UAID": …, "APPID": …}``. Raises Malformed."""
    uaid = message.get("UAID")
    if not isinstance(uaid, str):
        raise Malformed("UAID: a text must be there")
    return uaid, _channel(message)


def uaids(value: object) -> tuple[str, ...]:
    """A list of one or more UAIDs; unknown and malformed ones are told apart later. Raises Malformed."""
    if not isinstance(value, list) or not value or not all(isinstance(one, str) for one in value):
        raise Malformed("UAIDS: a list of one or more texts must be there")
    _limit(value)
    return tuple(dict.fromkeys(value))


def ack(value: object) -> Ack:
    """A list of UAIDs, or ``{UAID: {APPID: VERSION}}``. Raises Malformed."""
    if isinstance(value, dict):
        _limit(value)
        return Ack(received={uaid: _versions(uaid, found) for uaid, found in value.items()})
    return Ack(uaids(value))


def _limit(named: Sized) -> None:
    if len(named) > MOST_UAIDS:
        raise Malformed(f"UAIDS: at most {MOST_UAIDS} at once")


def _versions(uaid: str, value: object) -> dict[str, int]:
    if not isinstance(value, dict) or not all(is_version(version) for version in value.values()):
        raise Malformed("UAIDS: an object must have objects with whole numbers in it, as in an UPDATE")
    return value


def kick_data(value: object) -> KickData | None:
    """Raises Malformed."""
    if value is None:
        return None
    if not isinstance(value, dict):
        raise Malformed("KICK: must be an object")
    try:
        kick_text(value)
    except UnwritableValue as exc:
        raise Malformed(f"KICK: {exc}") from None
    return value


def collected(found: Collected) -> dict[str, object]:
    """``{"UPDATE": {UAID: {APPID: VERSION}}}``, with ``"UNKNOWN": [UAID, …]`` where there are some."""
    answer: dict[str, object] = {"UPDATE": found.update}
    if found.unknown:
        answer["UNKNOWN"] = list(found.unknown)
    return answer


def put_version(body: bytes, content_type: str, query: str) -> int | None:
    """The version in the form that an app server sent, or in the query where the form has none; None where there is
    none at all. Raises Malformed, WrongType."""
    sent = _fields(body.decode("utf-8", "replace"))
    if body and content_type.partition(";")[0].strip().lower() not in _FORM:
        raise WrongType("send version=NUMBER as application/x-www-form-urlencoded, or nothing")
    texts = sent or _fields(query)
    if not texts:
        return None
    if len(texts) > 1:
        raise Malformed("version: more than one was sent")
    if not _NUMBER.fullmatch(texts[0]) or int(texts[0]) > LARGEST_VERSION:
        raise Malformed(f"version: must be a whole number from 0 to {LARGEST_VERSION}")
    return int(texts[0])


def _fields(form: str) -> Sequence[str]:
    if "version" not in form and "%" not in form:
        return ()
    try:
        found = parse_qsl(form, keep_blank_values=False, max_num_fields=100)
    except ValueError:
        raise Malformed("too many fields; send version=NUMBER") from None
    return [value for name, value in found if name == "version"]


def _channel(message: Mapping[str, Any]) -> str:
    channel = message.get("APPID")
    if not is_channel(channel):
        raise Malformed("APPID: must be a UUID in lower case, such as 5f6f5ec0-…")
    return channel


def _no_constant(name: str) -> None:
    raise ValueError(name)
