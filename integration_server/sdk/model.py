"""The words of the project as types: what backends give, what frontends get."""

from __future__ import annotations

import enum
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, overload


class Verdict(enum.Enum):
    """What a directory says of a login. An outage is not a verdict but an exception."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNKNOWN_USER = "unknown user"
    DISABLED = "disabled"
    EXPIRED = "expired"


class AccountState(enum.Enum):
    """Whether an account may be used now.

    The last two pass by themselves or with the person's next logon: such people stay on lists, and cannot log in.
    """

    ACTIVE = "active"
    DISABLED = "disabled"
    EXPIRED = "expired"
    LOCKED = "locked"
    PASSWORD_EXPIRED = "password expired"


#: The states for which somebody is taken off lists, unless a list wants them.
CLOSED_STATES: Final = frozenset({AccountState.DISABLED, AccountState.EXPIRED})


@dataclass(frozen=True, slots=True)
class Email:
    """One address of a person."""

    address: str
    is_verified: bool = True
    is_preferred: bool = False


@dataclass(frozen=True, slots=True)
class User:
    """A person as a backend knows them, after mapping. Never carries a password or a hash.

    ``id`` never changes for a person within ``backend``; ``emails`` is ordered, the preferred one first.
    """

    backend: str
    id: str
    username: str
    full_name: str | None = None
    distinguished_name: str | None = None
    emails: tuple[Email, ...] = ()
    groups: tuple[str, ...] = ()
    nickname: str | None = None
    biography: str | None = None
    tz: str | None = None
    state: AccountState = AccountState.ACTIVE


@dataclass(frozen=True, slots=True)
class Group:
    """A group as a backend knows it; None for what it does not know.

    ``id`` never changes for a group within the backend, and is what ``User.groups`` holds.
    """

    id: str
    title: str | None = None
    url: str | None = None
    email: str | None = None
    type: str | None = None
    privacy: str | None = None


@dataclass(frozen=True, slots=True)
class NewAccount:
    """A person who is to be made. ``email`` counts as verified, and mail goes there. ``password`` is a plain one."""

    email: str
    full_name: str
    biography: str | None = None
    tz: str | None = None
    password: str | None = field(default=None, repr=False)


class _Hidden(enum.Enum):
    HIDDEN = "hidden"


#: What a ``transform_user`` hook returns to leave a person out.
HIDDEN: Final = _Hidden.HIDDEN
Hidden = _Hidden


class ColumnwiseRows(Sequence[tuple[object, ...]]):
    """Rows held as their columns, at least one, all of one length: for sources that have them so. The mapping works on
    columns, and need not turn these first."""

    __slots__ = ("columns",)

    def __init__(self, columns: Sequence[Sequence[object]]) -> None:
        """Raises ValueError for columns of several lengths, or none."""
        if len(set(map(len, columns))) != 1:
            raise ValueError("the columns are not of one length")
        self.columns = columns

    def __len__(self) -> int:
        return len(self.columns[0])

    def __iter__(self) -> Iterator[tuple[object, ...]]:
        return zip(*self.columns, strict=True)

    @overload
    def __getitem__(self, i: int) -> tuple[object, ...]: ...
    @overload
    def __getitem__(self, i: slice) -> ColumnwiseRows: ...
    def __getitem__(self, i: int | slice) -> tuple[object, ...] | ColumnwiseRows:
        if isinstance(i, slice):
            return ColumnwiseRows([column[i] for column in self.columns])
        return tuple([column[i] for column in self.columns])


@dataclass(frozen=True, slots=True)
class Batch:
    """Some entries of a backend as rows: ``rows[i][j]`` is the value of attribute ``names[j]``.

    Values are str, int, float, bool, bytes, Decimal, date, datetime, UUID, None (absent) or a list/tuple of these.
    About a thousand rows a batch is right: the mapping works on columns, and its price per batch vanishes there. A
    source that has columns gives ``ColumnwiseRows``.
    ``unique`` names attributes that the source itself keeps unique over the whole listing (a primary key, a unique
    index), letter for letter; claim nothing that is not enforced there. It saves looking for duplicates.
    """

    names: tuple[str, ...]
    rows: Sequence[Sequence[object]]
    unique: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as a backend found it. ``handle`` is the backend's own (a DN, a stored hash) and is never shown."""

    attributes: Mapping[str, object]
    handle: object = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Lookup:
    """ "The entry whose ``attribute`` is ``value``"; ``ignore_case`` by Unicode case folding."""

    attribute: str
    value: str
    ignore_case: bool = False


def normalize_name(name: str) -> str:
    """The form in which two user names are the same person's: NFC, case folded."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
