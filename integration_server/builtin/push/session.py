"""What the two protocols over a WebSocket have in common: a state machine without I/O for each connection.

It is told what came and answers with effects, which the connection carries out in their order.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from integration_server import StoreUnavailable
from integration_server.builtin.push.first_api import Ack
from integration_server.builtin.push.letters import (
    BondRefused,
    Collected,
    Greeting,
    Hello,
    Refusal,
    Registered,
    Registration,
)

#: Close codes (RFC 6455 §7.4.1; those from 4000 on are free to use).
GOING_AWAY, UNSUPPORTED, INVALID_TEXT, POLICY, TOO_BIG, TRY_LATER = 1001, 1003, 1007, 1008, 1009, 1013
REPLACED, UNKNOWN = 4001, 4002
#: The connection was idle and its client can be woken (as autopush and Firefox have it).
IDLE = 4774

#: Why a token is not even looked at.
NOT_PRIVATE = (
    "tokens travel here: use TLS, with a proxy on this machine that adds it, or bind the channel over HTTPS (REST); or "
    "set allow_plain_http on this frontend"
)

Message = Mapping[str, Any]
#: Over a WebSocket as over REST.
STATUS = {
    Refusal.TOO_MANY_CHANNELS: 403,
    Refusal.TOO_MANY_AGENTS: 503,
    Refusal.UNUSABLE_KICK: 400,
    Refusal.NO_UPSTREAM: 503,
    Refusal.REFUSED_UPSTREAM: 403,
    Refusal.RESET: 503,
}


@dataclass(frozen=True, slots=True)
class Removal:
    """Channels to unregister: one, or all where ``channel`` is None. ``uaid`` is whose they are."""

    uaid: str
    channel: str | None


@dataclass(frozen=True, slots=True)
class Received:
    """Versions that a user agent has."""

    uaid: str
    versions: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Collect:
    """User agents of the first API connect."""

    uaids: tuple[str, ...]


#: What a session asks of the store, and what it is answered.
Job = Hello | Registration | Removal | Received | Collect | Ack
Result = Greeting | Registered | Refusal | BondRefused | Collected | None | StoreUnavailable


@dataclass(frozen=True, slots=True)
class Say:
    """Send a message."""

    message: Message


@dataclass(frozen=True, slots=True)
class Ask:
    """Have the store's work done; the answer comes to ``answered``."""

    job: Job = field(repr=False)


@dataclass(frozen=True, slots=True)
class Attach:
    """From now on versions for these user agents go here, and nowhere else."""

    uaids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class End:
    """Close the connection."""

    code: int
    reason: str


Effect = Say | Ask | Attach | End
#: Is told whether a version was handed to the client.
Told = Callable[[bool], None]


class Session(ABC):
    """One connection. ``uaids`` are the user agents behind it; ``due`` is when ``tick`` has something to do;
    ``is_private`` says that nobody can read along, so that bearer tokens may come; ``can_sleep``, that everybody behind
    it can be woken. Times are seconds of a clock that only runs forward."""

    __slots__ = ("can_sleep", "due", "is_private", "uaids")

    def __init__(self, is_private: bool = False) -> None:
        self.uaids: set[str] = set()
        self.due = math.inf
        self.is_private = is_private
        self.can_sleep = False

    @property
    @abstractmethod
    def is_begun(self) -> bool:
        """Whether it has said who it is."""

    @abstractmethod
    def received(self, message: Message, now: float) -> Sequence[Effect]:
        """A message came."""

    @abstractmethod
    def answered(self, job: Job, result: Result, now: float) -> Sequence[Effect]:
        """What was asked of the store."""

    @abstractmethod
    def news(
        self,
        uaid: str,
        versions: Mapping[str, int],
        now: float,
        told: Told | None = None,
        is_again: bool = False,
    ) -> Sequence[Effect]:
        """Versions by channel for one of its user agents. Those that were sent before are passed over; ``is_again``:
        unless they were acknowledged since, and wait all the same."""

    @abstractmethod
    def tick(self, now: float) -> Sequence[Effect]:
        """``due`` is over: send again what was not acknowledged."""

    @abstractmethod
    def lost(self, uaid: str) -> Sequence[Effect]:
        """Another connection has this user agent now."""

    @abstractmethod
    def forgotten(self, uaid: str) -> Sequence[Effect]:
        """A user agent is not known any more."""


def failure(job: str, result: Result) -> tuple[int, str] | None:
    """Status and reason where the store's work was not done."""
    if isinstance(result, StoreUnavailable):
        return 503, f"{job}: the server cannot do this now; try again later"
    if isinstance(result, BondRefused):
        return result.status, result.reason
    if isinstance(result, Refusal):
        return STATUS[result], result.value
    return None
