"""An account of IPS Connect, and what may be in one."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field


class State(enum.Enum):
    """``BANNED`` counts before ``VALIDATING``; only the active may log in."""

    ACTIVE = "active"
    VALIDATING = "validating"
    BANNED = "banned"


class Outcome(enum.Enum):
    """What became of a change. All but the two in-use ones are a success to the caller, and only ``DONE`` is to be told
    to anybody else."""

    DONE = "done"
    UNCHANGED = "it was so already"
    NOT_FOUND = "there is no such account"
    EMAIL_IN_USE = "the address is another account's"
    USERNAME_IN_USE = "the name is another account's"


@dataclass(frozen=True, slots=True)
class Account:
    """``name`` is the display name, ``revalidate_url`` where the address is yet to be confirmed, or empty. Times are in
    Unix seconds. Who has the hash can log in, so it is not shown."""

    id: int
    name: str
    email: str
    full_name: str | None
    pass_hash: str = field(repr=False)
    pass_salt: str = field(repr=False)
    is_banned: bool
    revalidate_url: str
    created_at: float
    changed_at: float

    @property
    def state(self) -> State:
        if self.is_banned:
            return State.BANNED
        return State.VALIDATING if self.revalidate_url else State.ACTIVE


@dataclass(frozen=True, slots=True)
class NewPerson:
    """Who is to be registered; see Account."""

    name: str
    email: str
    pass_hash: str = field(repr=False)
    pass_salt: str = field(repr=False)
    revalidate_url: str = ""
    full_name: str | None = None


@dataclass(frozen=True, slots=True)
class Registration:
    """The account that somebody has now. Unless it is new (``DONE``), ``outcome`` says what it was found by."""

    account: Account
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Change:
    """The last change of an account: its number, and the account as it is now, or None where it is gone; or, in a copy,
    where all that is known of it is that it is not gone."""

    number: int
    id: int
    account: Account | None
    is_gone: bool = False


#: Characters, as many as the tables hold.
_LIMITS = {"name": 255, "email": 320, "full_name": 1_000, "pass_hash": 255, "pass_salt": 255, "revalidate_url": 2048}
_TRIMMED = frozenset({"name", "email"})
_NEEDED = frozenset({"name", "email", "pass_hash", "pass_salt"})


def fit(what: str, value: str) -> str:
    """A value as it is kept. Raises ValueError, with the name but never the value, for one that cannot be."""
    if what in _TRIMMED:
        value = value.strip()
    if what in _NEEDED and not value:
        raise ValueError(f"{what}: is empty")
    if len(value) > _LIMITS[what]:
        raise ValueError(f"{what}: has more than {_LIMITS[what]} characters")
    if not is_storable(value):
        raise ValueError(f"{what}: holds a character that cannot be kept")
    return value


def is_storable(value: str) -> bool:
    """Whether a database takes the text at all: what it refuses, nobody is called."""
    return "\0" not in value and (value.isascii() or value.encode(errors="replace").decode() == value)
