"""The id of the request that is being answered: in its answer, and in every line that is logged meanwhile."""

from __future__ import annotations

import random
import re
from contextvars import ContextVar

HEADER = "X-Request-Id"
_FIT = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)

_current: ContextVar[str | None] = ContextVar("request_id", default=None)


def begin(given: str | None) -> str:
    """The id of a request that begins in this thread: the one that a proxy gave it, if it looks like one."""
    # Nobody need be kept from guessing it, and the system's randomness has threads wait for each other.
    id = given if given is not None and _FIT.fullmatch(given) else f"{random.getrandbits(64):016x}"
    _current.set(id)
    return id


def end() -> None:
    """The thread goes on to something else."""
    _current.set(None)


def current() -> str | None:
    """The id, or None where no request is being answered in this thread."""
    return _current.get()
