"""What user agents ask of the post office, and what it answers. No I/O."""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeGuard

from integration_server import UnwritableValue
from integration_server.builtin.push.versions import Update
from integration_server.builtin.push.waking import KickData

#: Larger numbers lose digits in many a JSON parser.
LARGEST_VERSION = 2**53 - 1
#: Bytes of kick data as JSON.
LARGEST_KICK = 4096

#: Versions that are no more than so many seconds ahead of the clock are taken for times.
_AHEAD_SECONDS = 3600

_UAID = re.compile(r"[0-9a-f]{32}", re.ASCII)
_CHANNEL = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)


def is_uaid(value: object) -> TypeGuard[str]:
    """Whether it could be one of ours: 32 hexadecimal digits, in lower case."""
    return isinstance(value, str) and _UAID.fullmatch(value) is not None


def is_channel(value: object) -> TypeGuard[str]:
    """Whether it is a UUID in lower case, with dashes."""
    return isinstance(value, str) and _CHANNEL.fullmatch(value) is not None


def is_version(value: object) -> TypeGuard[int]:
    """Whether it is a whole number from 0 to 2^53 - 1."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_VERSION


def time_version(before: int | None, now: float) -> int:
    """UTC seconds; or one more than the version before, where that was made of the same second."""
    second = int(now)
    if before is not None and second <= before < second + _AHEAD_SECONDS:
        return min(before + 1, LARGEST_VERSION)
    return second


def kick_text(data: KickData) -> str:
    """As it is kept. Raises UnwritableValue for what is too long."""
    text = json.dumps(data, separators=(",", ":"), sort_keys=True)
    if len(text) > LARGEST_KICK:
        raise UnwritableValue(f"kick data may have {LARGEST_KICK} bytes")
    return text


@dataclass(frozen=True, slots=True)
class Hello:
    """A user agent comes with the UAID that it has, if any, and the channels that it believes to have."""

    uaid: str | None
    channels: tuple[str, ...] = ()
    kick: KickData | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Greeting:
    """``uaid`` is another one than it came with where that is not known (any more). ``pending`` waits for it.
    ``is_wakeable``: it came with kick data that can be used."""

    uaid: str
    is_known: bool
    pending: Mapping[str, int] = field(default_factory=dict)
    is_wakeable: bool = False


@dataclass(frozen=True, slots=True)
class Bond:
    """What a channel is to be bound to: a resource as the API has it, and the bearer token of whoever may see it."""

    token: str = field(repr=False)
    resource: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class BondRefused:
    """Why a channel was not bound, and so not registered; as HTTP has it."""

    status: int
    reason: str
    challenge: str | None = None


@dataclass(frozen=True, slots=True)
class Registration:
    """A channel for a user agent; with a ``bond``, its versions come from the directory. ``is_greeted``: it has the
    UAID from a greeting of ours just before; otherwise one that is not known is replaced."""

    uaid: str | None
    channel: str
    kick: KickData | None = field(default=None, repr=False)
    is_greeted: bool = False
    bond: Bond | None = None


@dataclass(frozen=True, slots=True)
class Registered:
    """``token`` is the last part of the endpoint's URL."""

    uaid: str
    channel: str
    token: str = field(repr=False)


class Refusal(enum.Enum):
    """Why a channel was not registered."""

    TOO_MANY_CHANNELS = "this user agent has as many channels as it may; unregister one that it does not use"
    UNUSABLE_KICK = "KICK: nobody can be woken with these data here"
    NO_UPSTREAM = "the server before this one cannot be asked now; try again later"
    REFUSED_UPSTREAM = "the server before this one refuses this; perhaps the user agent has as many channels as it may"
    RESET = "this user agent is not known any more; connect again and register"
    TOO_MANY_AGENTS = "this server keeps as many user agents as it may; try again later"


@dataclass(frozen=True, slots=True)
class Collected:
    """What is pending for the user agents that asked, and which of them are not known."""

    update: Update
    unknown: tuple[str, ...] = ()


class Posted(enum.Enum):
    """What became of a version that an app server put."""

    STORED = "it waits for the user agent"
    #: Or it has a newer one.
    HAS_IT = "the user agent has it"
    UNKNOWN = "there is no such endpoint"
    REMOVED = "the user agent has unregistered the channel"
    BOUND = "the versions of this channel come from this server's directory"
    TOO_OFTEN = "versions come too often to this endpoint; only the newest one counts"
    IN_FLIGHT = "an UPDATE is on its way to this user agent; try again in a moment"


@dataclass(frozen=True, slots=True)
class Receipt:
    """``version`` is the newest one of the channel, where it is known whose it is."""

    posted: Posted
    uaid: str = ""
    channel: str = ""
    version: int = 0
