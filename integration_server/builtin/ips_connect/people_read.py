"""Rows about people, as this server and IPS itself write them, read into accounts. Pure.

IPS keeps its members in the table ``core_members``, whose columns are understood beside our own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from integration_server.builtin.ips_connect.account import Account
from integration_server.builtin.ips_connect.adoption import fit_adopted
from integration_server.builtin.ips_connect.passwords import is_bcrypt

#: Our own name of each column, in the order in which they are written, and what IPS calls it.
COLUMNS: Mapping[str, str | None] = {
    "id": "member_id",
    "name": "name",
    "email": "email",
    "pass_hash": "members_pass_hash",
    "pass_salt": "members_pass_salt",
    "full_name": None,
    "is_banned": "temp_ban",
    "revalidate_url": "ipsconnect_revalidate_url",
}
_NEEDED = ("id", "name", "email", "pass_hash", "pass_salt")
_DETAILS = frozenset(COLUMNS) - {"id", "pass_salt"}
_ID = re.compile(r"[0-9]{1,19}", re.ASCII)
_WHOLE = re.compile(r"-?[0-9]{1,19}", re.ASCII)
#: What MySQL writes for nothing.
_NOTHING = frozenset({"NULL", "\\N"})
_YES, _NO = frozenset({"true", "yes", "1"}), frozenset({"false", "no", "0", ""})
_FOR_GOOD = -1
#: The hashes of which a slave can send one.
_BCRYPT = re.compile(r"\$2a\$13\$[./A-Za-z0-9]{53}", re.ASCII)
_DOUBLE_MD5 = re.compile(r"[0-9a-f]{32}", re.ASCII)
_LONGEST_SHOWN = 60

Values = Sequence[str | None]


@dataclass(frozen=True, slots=True)
class Source:
    """Rows that are read one by one: the names of their columns, and each row with the place where it stands.

    Reading raises UnreadableRow.
    """

    names: tuple[str, ...]
    rows: Iterator[tuple[str, Values]]


class UnreadableRow(ValueError):
    """A row that is none, so that what follows cannot be read either. The message names its place."""


@dataclass(slots=True)
class Remarks:
    """What a person should know of the rows: so many have no password, a hash that no password leads to, a ban that
    ends by itself, and were left out since they had no name or no address."""

    without_password: int = 0
    strange_password: int = 0
    temporary_ban: int = 0
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each attribute stands in a row. ``foreign`` are those whose column has IPS's own name, ``details`` those
    that can be compared, ``unknown`` the columns that mean nothing here."""

    places: Mapping[str, int]
    foreign: frozenset[str]
    details: frozenset[str]
    unknown: tuple[str, ...]

    @classmethod
    def of(cls, names: Sequence[str]) -> Layout:
        """Raises ValueError where a column that is needed is missing, or stands there twice."""
        if not names:
            raise ValueError("there is nothing in it")
        folded = [name.strip().lower() for name in names]
        places: dict[str, int] = {}
        for own, foreign in COLUMNS.items():
            found = [number for number, name in enumerate(folded) if name in (own, foreign)]
            if len(found) > 1:
                raise ValueError(f"the columns hold {own} twice: {', '.join(names[number] for number in found)}")
            if found:
                places[own] = found[0]
        if missing := [name for name in _NEEDED if name not in places]:
            told = ", ".join(f"{name} (or {COLUMNS[name]})" if COLUMNS[name] != name else name for name in missing)
            raise ValueError(f"the columns lack {told}; the first line must name the columns")
        named_by_ips = frozenset(own for own, place in places.items() if folded[place] != own)
        known = set(places.values())
        unknown = tuple(name for number, name in enumerate(names) if number not in known)
        return cls(places, named_by_ips, _DETAILS.intersection(places), unknown)

    def who(self, values: Values) -> str:
        """Whom a row is about, for messages."""
        id, name = (self._text(values, key)[:_LONGEST_SHOWN] for key in ("id", "name"))
        return f"id {id if _ID.fullmatch(id) else repr(id)}, {name!r}"

    def is_empty(self, values: Values) -> bool:
        """Whether a row has no name or no address, as registrations that were never finished."""
        return not (self._text(values, "name").strip() and self._text(values, "email").strip())

    def account(self, values: Values, remarks: Remarks, now: float) -> Account:
        """The account that a row is about, without times and, where it is not known, without hash and salt.

        Raises ValueError, which begins with the attribute and quotes nothing.
        """
        id = self._text(values, "id").strip()
        if not _ID.fullmatch(id):
            raise ValueError("id: is no number")
        account = fit_adopted(
            Account(
                id=int(id),
                name=self._text(values, "name"),
                email=self._text(values, "email"),
                full_name=self._text(values, "full_name"),
                pass_hash=self._text(values, "pass_hash"),
                pass_salt=self._text(values, "pass_salt"),
                is_banned=self._is_banned(values, remarks, now),
                revalidate_url=self._text(values, "revalidate_url").strip(),
                created_at=0.0,
                changed_at=0.0,
            )
        )
        remarks.without_password += not account.pass_hash
        remarks.strange_password += bool(account.pass_hash) and not _can_match(account.pass_hash, account.pass_salt)
        return account

    def _is_banned(self, values: Values, remarks: Remarks, now: float) -> bool:
        text = self._text(values, "is_banned").strip().lower()
        if "is_banned" not in self.foreign:
            if text not in _YES | _NO:
                raise ValueError("is_banned: is neither true nor false")
            return text in _YES
        if text and not _WHOLE.fullmatch(text):
            raise ValueError("temp_ban: is no number")
        until = int(text or 0)
        remarks.temporary_ban += until > now
        return until == _FOR_GOOD

    def _text(self, values: Values, name: str) -> str:
        """Empty where there is nothing."""
        place = self.places.get(name)
        text = "" if place is None else values[place] or ""
        return "" if text in _NOTHING and self._is_nothing(name, text) else text

    def _is_nothing(self, name: str, text: str) -> bool:
        """Whether it stands for nothing: somebody may be called NULL."""
        if name in ("name", "email", "full_name"):
            return "id" in self.foreign and (name, text) != ("name", "NULL")
        return True


def _can_match(pass_hash: str, pass_salt: str) -> bool:
    """Whether a password can lead to the hash at all."""
    return (_BCRYPT if is_bcrypt(pass_salt) else _DOUBLE_MD5).fullmatch(pass_hash) is not None
