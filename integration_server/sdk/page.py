"""Mapped users as columns: what listings are made of where a ``User`` object per person would cost too much."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self, overload

from integration_server.sdk.model import AccountState, Email, User, normalize_name

Column = list[str | None]
Lists = Sequence[list[str]]


class Aligned(Sequence[list[str]]):
    """A list for each user, held as columns: of each column its value, unless that is None.

    This is what addresses are where they come out of columns: with an alias in a second one, say. No user's list holds
    an address twice.
    """

    __slots__ = ("columns",)

    def __init__(self, columns: Sequence[Sequence[str | None]]) -> None:
        self.columns = columns

    def __len__(self) -> int:
        return len(self.columns[0])

    def __iter__(self) -> Iterator[list[str]]:
        first, *others = self.columns
        if len(others) > 1 or None in first:
            return iter([[v for v in row if v is not None] for row in zip(*self.columns, strict=True)])
        if not others:
            return map(list, zip(first, strict=True))  # type: ignore[arg-type]
        # An address for everybody and an alias for some: worth sparing the inner loop.
        pairs = zip(first, *others, strict=True)
        return iter([[v] if more is None else [v, more] for v, more in pairs])

    @overload
    def __getitem__(self, i: int) -> list[str]: ...
    @overload
    def __getitem__(self, i: slice) -> Aligned: ...
    def __getitem__(self, i: int | slice) -> list[str] | Aligned:
        if isinstance(i, slice):
            return Aligned([column[i] for column in self.columns])
        return [v for column in self.columns if (v := column[i]) is not None]


class Numerals(Sequence[str]):
    """A column of whole numbers as texts, written only when somebody looks at them: ids are rarely looked at."""

    __slots__ = ("_numbers",)

    def __init__(self, numbers: Sequence[int]) -> None:
        self._numbers = numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[str]:
        return map(str, self._numbers)

    @overload
    def __getitem__(self, i: int) -> str: ...
    @overload
    def __getitem__(self, i: slice) -> Numerals: ...
    def __getitem__(self, i: int | slice) -> str | Numerals:
        return Numerals(self._numbers[i]) if isinstance(i, slice) else str(self._numbers[i])


@dataclass(slots=True)
class UserPage:
    """Some users of one backend, a list per field, all of one length; None for a field that is not mapped.

    ``emails`` holds a list of all addresses per user, preferred ones first. ``preferred_emails`` and
    ``unverified_emails`` say which of them are; no address is both. Without these columns all are verified, and each
    user's first verified one is preferred. ``groups`` holds the ids of groups. ``are_names_unique`` says that no two
    users of the whole listing share a user name, letter for letter.
    """

    backend: str
    ids: Sequence[str]
    usernames: list[str]
    full_names: Column | None = None
    distinguished_names: Column | None = None
    emails: Lists | None = None
    preferred_emails: Lists | None = None
    unverified_emails: Lists | None = None
    groups: Lists | None = None
    nicknames: Column | None = None
    biographies: Column | None = None
    tzs: Column | None = None
    states: list[AccountState] | None = None
    are_names_unique: bool = False

    def __len__(self) -> int:
        return len(self.usernames)

    def __reduce__(self) -> tuple[type[UserPage], tuple[Any, ...]]:
        # Thousands of small ones are kept in files; by the names of their fields they would take twice the time.
        return type(self), (self.backend, *[getattr(self, name) for name in _COLUMNS], self.are_names_unique)

    def take(self, positions: Sequence[int]) -> UserPage:
        """A page of only the users at these positions, in this order."""
        columns: dict[str, Any] = {
            name: None if (column := getattr(self, name)) is None else [column[i] for i in positions]
            for name in _COLUMNS
        }
        return UserPage(self.backend, are_names_unique=self.are_names_unique, **columns)

    def users(self) -> Iterator[User]:
        """The users as objects, in order."""
        return map(self.user, range(len(self)))

    def user(self, i: int) -> User:
        """The user at position ``i``."""
        return User(
            backend=self.backend,
            id=self.ids[i],
            username=self.usernames[i],
            full_name=_at(self.full_names, i),
            distinguished_name=_at(self.distinguished_names, i),
            emails=self.addresses(i),
            groups=tuple(self.groups[i]) if self.groups is not None else (),
            nickname=_at(self.nicknames, i),
            biography=_at(self.biographies, i),
            tz=_at(self.tzs, i),
            state=self.states[i] if self.states is not None else AccountState.ACTIVE,
        )

    def addresses(self, i: int) -> tuple[Email, ...]:
        """The addresses of the user at position ``i``, in order, with what is known of each."""
        if self.emails is None:
            return ()
        emails = self.emails[i]
        unverified = _folded(self.unverified_emails, i)
        verified = [normalize_name(address) not in unverified for address in emails]
        if self.preferred_emails is not None:
            chosen = _folded(self.preferred_emails, i)
            preferred = [normalize_name(address) in chosen for address in emails]
        else:
            first = verified.index(True) if True in verified else -1
            preferred = [n == first for n in range(len(emails))]
        return tuple(map(Email, emails, verified, preferred))

    @classmethod
    def of(cls, backend: str, users: Sequence[User]) -> Self:
        """A page made of objects. Preferred addresses come first; of who has none, the first verified one is."""
        preferred = [[e.address for e in u.emails if e.is_preferred and e.is_verified] for u in users]
        unverified = [[e.address for e in u.emails if not e.is_verified] for u in users]
        return cls(
            backend,
            ids=[u.id for u in users],
            usernames=[u.username for u in users],
            full_names=[u.full_name for u in users],
            distinguished_names=[u.distinguished_name for u in users],
            emails=[[e.address for e in sorted(u.emails, key=_not_preferred)] for u in users],
            # One for each is what there is without the column, too, and means the same.
            preferred_emails=None
            if all(len(one) <= 1 for one in preferred)
            else [
                one or [e.address for e in u.emails if e.is_verified][:1]
                for u, one in zip(users, preferred, strict=True)
            ],
            unverified_emails=unverified if any(unverified) else None,
            groups=[list(u.groups) for u in users],
            nicknames=[u.nickname for u in users],
            biographies=[u.biography for u in users],
            tzs=[u.tz for u in users],
            states=[u.state for u in users],
        )


_COLUMNS = tuple(f.name for f in fields(UserPage) if f.name not in ("backend", "are_names_unique"))


def _folded(column: Lists | None, i: int) -> frozenset[str]:
    return frozenset(map(normalize_name, column[i])) if column is not None and column[i] else frozenset()


def _at(column: Column | None, i: int) -> str | None:
    return None if column is None else column[i]


def _not_preferred(email: Email) -> tuple[bool, bool]:
    return not (email.is_preferred and email.is_verified), not email.is_verified
