"""What a slave's answer to a push means. Pure functions.

What counts is the status within the JSON: as for masters in the field, no matter with which HTTP status it comes. An
answer without one is not the gateway's own, and whether the change was made before it nobody knows, unless a web server
says that it is the request which it does not take (3xx, 4xx).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import orjson

from integration_server import HttpAnswer
from integration_server.builtin.ips_connect.methods import Status


class Meaning(enum.Enum):
    """``IN_USE``: the name or the address is somebody's, perhaps since the very change was made by an earlier try.
    ``UNKNOWN_ID``: there is no such account. ``UNAVAILABLE``: the slave as a whole takes nothing now."""

    TAKEN = enum.auto()
    IN_USE = enum.auto()
    UNKNOWN_ID = enum.auto()
    GONE = enum.auto()
    REFUSED = enum.auto()
    UNAVAILABLE = enum.auto()


@dataclass(frozen=True, slots=True)
class Verdict:
    """``reason`` follows the name of the slave, and quotes nothing of what it sent. ``is_clear``: the change was made
    if ``meaning`` is ``TAKEN``, and was not if it is anything else."""

    meaning: Meaning
    reason: str
    is_clear: bool = True


_WRONG_KEY = "refuses our key; it must register again"
_EMPTY = "gives an empty answer; if it does so where it has made the change, set accept_empty = true"
_REDIRECTS = "answers with a redirect, which is not followed; it must register with the URL where that leads"
#: What one client in wide use says in plain text.
_WRONG_KEY_TEXT = "Security key mismatch."
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_UNAVAILABLE = frozenset({429, 502, 503, 504})

#: What nearly every slave answers nearly every time, in these letters.
PLAIN_SUCCESS = b'{"status":"SUCCESS"}'

_BY_STATUS = {
    Status.SUCCESS: Verdict(Meaning.TAKEN, "has made the change"),
    Status.DISABLED: Verdict(Meaning.GONE, "answers DISABLED: it has left the network"),
    Status.BAD_KEY: Verdict(Meaning.REFUSED, _WRONG_KEY),
    Status.EMAIL_IN_USE: Verdict(Meaning.IN_USE, "answers EMAIL_IN_USE: somebody else has the address there"),
    Status.USERNAME_IN_USE: Verdict(Meaning.IN_USE, "answers USERNAME_IN_USE: somebody else has the name there"),
    Status.ACCOUNT_NOT_FOUND: Verdict(Meaning.UNKNOWN_ID, "answers ACCOUNT_NOT_FOUND"),
    Status.INVALID_ACTION: Verdict(Meaning.REFUSED, "answers INVALID_ACTION: it does not know how to do this"),
}


def verdict(answer: HttpAnswer, accept_empty: bool) -> Verdict:
    """``accept_empty``: the slave says nothing, or ``null``, with status 200 where it has made the change."""
    if answer.body == PLAIN_SUCCESS:
        return _BY_STATUS[Status.SUCCESS]
    status, content = answer.status, answer.body.removeprefix(_BYTE_ORDER_MARK).strip()
    found = _parsed(content)
    if isinstance(found, dict) and "status" in found:
        return _of_gateway(found["status"])
    if _WRONG_KEY_TEXT in answer.text:
        return Verdict(Meaning.REFUSED, _WRONG_KEY)
    if status in _UNAVAILABLE:
        return Verdict(Meaning.UNAVAILABLE, f"answers with status {status}", is_clear=status == 429)
    if answer.is_success and (found is None or not content):
        is_taken = accept_empty and status == 200
        return Verdict(Meaning.TAKEN if is_taken else Meaning.REFUSED, _EMPTY, is_clear=is_taken)
    if 300 <= status < 400:
        return Verdict(Meaning.REFUSED, _REDIRECTS)
    return Verdict(
        Meaning.REFUSED, f"answers with status {status}, and not as a gateway does", is_clear=400 <= status < 500
    )


def _of_gateway(value: object) -> Verdict:
    try:
        status = Status(value)
    except ValueError:
        return Verdict(Meaning.REFUSED, "answers with a status that is none of IPS Connect 4")
    return _BY_STATUS.get(status) or Verdict(Meaning.REFUSED, f"answers {status.value}")


def _parsed(content: bytes) -> object:
    """What is JSON; otherwise something that is neither an object nor ``None``."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return ""
