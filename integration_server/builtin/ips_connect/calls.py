"""Reading what a peer sends, and writing what it gets. Pure functions; whatever is sent, none of them raises.

A call is checked in this order: is there such a method, is the key right, is all there. ``parse`` does the first, and
``refused`` the other two.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from integration_server.builtin.ips_connect.keys import expected_key, is_same
from integration_server.builtin.ips_connect.methods import ID_TYPES, METHODS, IdType, Method, Parameter, Status

#: Every value of each field. Of a name that is sent several times the last value counts, as in PHP.
Sent = Mapping[str, Sequence[str]]
Answer = dict[str, object]

_KEY = Parameter(("key",))
_ACTION_LIMIT = 64
_NUMBER = re.compile(r"[0-9]{1,19}", re.ASCII)
_LARGEST = 2**63 - 1
_SURROGATE = re.compile("[\ud800-\udfff]")
_NOT_VERSION_3 = (
    "This is IPS Connect version 4 (do=...). Requests of version 3 (act=..., IP.Board 3.4) are not answered here."
)


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a method that exists. Nothing of it is checked yet; see ``refused``.

    ``id`` is None where it was not sent at all. ``values`` has what was sent of the method's parameters, by their right
    names. ``problem`` is what is wrong with them, and must not be told to whoever has no key.
    """

    method: Method
    key: str = field(repr=False)
    # Keys, hashes and salts are among them.
    values: Mapping[str, str] = field(repr=False)
    problem: Status | None = None

    @property
    def id(self) -> str | None:
        return self.values.get("id")

    @property
    def id_type(self) -> IdType | None:
        return ID_TYPES.get(self.values.get("idType", "").lower())

    @property
    def is_slave_call(self) -> bool:
        """Whether a master calls its slave, as PHP reads a flag."""
        return _is_set(self.values.get("slaveCall", ""))

    @property
    def is_ban(self) -> bool:
        """For ``ban``: anything but ``1`` lifts it."""
        return self.values.get("status") == "1"

    def value(self, name: str) -> str:
        """A parameter, or an empty text where it was not sent."""
        return self.values.get(name, "")


@dataclass(frozen=True, slots=True)
class Refusal:
    """What is no call of version 4 at all."""

    status: Status = Status.INVALID_ACTION
    is_version_3: bool = False


# -- reading ---------------------------------------------------------------------------------------------------------


def parse(query: Sent, form: Sent) -> Call | Refusal:
    """The call that a request makes; ``query`` and ``form`` as decoded, the form wins.

    A value that is an array, longer than its parameter may be, or not to be written as UTF-8 counts as not sent, and is
    a ``problem``.
    """
    sent = _merged(query, form)
    arrays = {name.partition("[")[0] for name in (*query, *form) if "[" in name}
    if "do" not in sent and "do" not in arrays:
        return Refusal(is_version_3="act" in sent or "act" in arrays)
    action = sent.get("do", "")
    # No other letter than ASCII's may become one of them by being written small.
    method = METHODS.get(action.lower()) if action.isascii() and len(action) <= _ACTION_LIMIT else None
    if method is None or "do" in arrays:
        return Refusal()
    values, are_fit = _values(method.parameters, sent, arrays)
    key, _ = _values((_KEY,), sent, arrays)
    is_wrong = not are_fit or ("idType" in values and values["idType"].lower() not in ID_TYPES)
    is_missing = any(not values.get(name) for name in method.required)
    problem = method.missing if is_wrong or is_missing else None
    return Call(method, key.get("key", ""), MappingProxyType(values), problem)


def _merged(query: Sent, form: Sent) -> dict[str, str]:
    return {name: found[-1].replace("\0", "") for source in (query, form) for name, found in source.items() if found}


def _values(parameters: Iterable[Parameter], sent: Mapping[str, str], arrays: set[str]) -> tuple[dict[str, str], bool]:
    """The values of some parameters, and whether all that were sent can be taken."""
    values: dict[str, str] = {}
    are_fit = True
    for parameter in parameters:
        spelt = [name for name in parameter.names if name in sent]
        # One that is empty says nothing, where another one does.
        name = next((name for name in spelt if sent[name]), spelt[0] if spelt else None)
        if not arrays.isdisjoint(parameter.names) or (name is not None and not _is_fit(sent[name], parameter.limit)):
            are_fit = False
        elif name is not None:
            values[parameter.name] = sent[name].strip() if parameter.is_trimmed else sent[name]
    return values, are_fit


def _is_fit(value: str, limit: int) -> bool:
    return len(value) <= limit and (value.isascii() or not _SURROGATE.search(value))


def _is_set(value: str) -> bool:
    return value not in ("", "0")


def refused(call: Call, key: str) -> Status | None:
    """What a call is refused with, or None. ``key`` is the key of the party that is called."""
    if not is_same(expected_key(key, call.method.key_rule, call.id), call.key):
        return Status.BAD_KEY
    return call.problem


def connect_id(text: str | None) -> int | None:
    """The account that an ``id`` names; None for what is no number of an account."""
    if text is None or not _NUMBER.fullmatch(text):
        return None
    number = int(text)
    return number if 0 < number <= _LARGEST else None


# -- writing ---------------------------------------------------------------------------------------------------------


def answer(status: Status) -> Answer:
    """The answer that is no more than a status: all errors, and the success of most methods."""
    return {"status": status.value}


def salt_answer(pass_salt: str) -> Answer:
    """The success of ``fetchSalt``."""
    return {**answer(Status.SUCCESS), "pass_salt": pass_salt}


def login_answer(connect_id: int, name: str, email: str, revalidate_url: str) -> Answer:
    """The success of ``login``. Who has yet to confirm the address, at ``revalidate_url``, is not to be logged in."""
    return {
        **answer(Status.SUCCESS),
        "connect_status": (Status.VALIDATING if revalidate_url else Status.SUCCESS).value,
        "email": email,
        "name": name,
        "connect_id": connect_id,
        "connect_revalidate_url": revalidate_url,
    }


def id_answer(connect_id: int) -> Answer:
    """The success of ``fetchId`` and ``register``."""
    return {**answer(Status.SUCCESS), "connect_id": connect_id}


def used_answer(is_used: bool) -> Answer:
    """The answer to ``checkEmail`` and ``checkName``: a number, as callers expect."""
    return {**answer(Status.SUCCESS), "used": int(is_used)}


def refusal_answer(refusal: Refusal) -> Answer:
    """The answer to what is no call. Callers of version 3 look at ``connect_status`` in some answers."""
    if not refusal.is_version_3:
        return answer(refusal.status)
    return {**answer(refusal.status), "connect_status": refusal.status.value, "message": _NOT_VERSION_3}


def body(answer: Answer) -> bytes:
    """An answer as JSON, in ASCII, as PHP writes it."""
    return json.dumps(answer, separators=(",", ":")).encode("ascii")
