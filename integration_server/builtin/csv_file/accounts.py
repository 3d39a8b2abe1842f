"""Rows of people who are made, and addresses that have been proved."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from integration_server import (
    AmbiguousEntry,
    BackendMisconfigured,
    ConfigError,
    FieldRule,
    NewAccount,
    UnwritableValue,
    normalize_name,
)
from integration_server.builtin.csv_file.edits import Edit, PersonEdit, joined, names, place, with_cell, without

#: What a user name that we make may hold; an address may hold blanks and quotes, too.
_NOT_IN_NAMES = re.compile(r"[^\w.+-]")
_SMTP = "smtp:"


@dataclass(frozen=True, slots=True)
class AddressColumns:
    """Where the mapping reads addresses from, as far as these are columns as they stand.

    ``emails`` are those that may take a verified one; there may be none.
    """

    emails: tuple[str, ...]
    preferred: str | None
    unverified: str | None
    separator: str | None
    unverified_separator: str | None
    has_prefixes: bool

    @classmethod
    def of(cls, rules: Mapping[str, FieldRule]) -> AddressColumns:
        """The columns of these rules, which are by field."""
        emails, unproved = rules["emails"], rules.get("unverified_emails")
        unverified = plain_column(unproved)
        return cls(
            emails=tuple(source for source in emails.sources if "{" not in source and source != unverified),
            preferred=plain_column(rules.get("preferred_emails")),
            unverified=unverified,
            separator=emails.separator,
            unverified_separator=None if unproved is None else unproved.separator,
            has_prefixes=emails.smtp_prefixes,
        )

    def addresses(self, header: Sequence[str], cells: Sequence[str]) -> Iterator[str]:
        """All addresses in a row in the form in which they are compared."""
        for column in dict.fromkeys((*self.emails, self.preferred, self.unverified)):
            if column is not None and column in header:
                separator = self.unverified_separator if column == self.unverified else self.separator
                for name in names(cells[header.index(column)], separator):
                    yield name.removeprefix(_SMTP)


@dataclass(frozen=True, slots=True)
class AccountColumns:
    """Where a new person's fields are written.

    ``texts`` are the columns of full_name, biography and tz by field; ``key`` is what memberships refer to.
    """

    username: str
    username_rule: FieldRule
    id: str
    id_rule: FieldRule
    addresses: AddressColumns
    texts: Mapping[str, str]
    key: str | None

    @classmethod
    def of(cls, rules: Mapping[str, FieldRule], key: str | None) -> AccountColumns:
        """Raises ConfigError where the mapping leaves no place for a user name, an id or an address."""
        username = rules["username"]
        # With local_part a name is written as an address.
        name_column = username.sources[0] if _is_one_column(username) else None
        id_column = plain_column(rules["id"]) if "id" in rules else name_column
        addresses = AddressColumns.of(rules)
        if name_column is None or id_column is None or not addresses.emails:
            field = "username" if name_column is None else "id" if id_column is None else "emails"
            raise ConfigError(f"{field} must be read from a column as it stands")
        texts = {field: plain_column(rules.get(field)) for field in ("full_name", "biography", "tz")}
        return cls(
            username=name_column,
            username_rule=username,
            id=id_column,
            id_rule=rules.get("id", username),
            addresses=addresses,
            texts={field: column for field, column in texts.items() if column is not None},
            key=key,
        )


class NewPerson(Edit):
    """Appends a person, unless somebody has the address. ``id`` is theirs afterwards, as the mapping will know it."""

    def __init__(self, columns: AccountColumns, account: NewAccount) -> None:
        self.id = ""
        self._columns = columns
        self._account = account
        self._header: Sequence[str] = ()
        self._taken: set[str] = set()
        self.labels = {column: field for field, column in columns.texts.items()}
        self.labels |= {columns.username: "username", columns.addresses.emails[0]: "email"}
        if account.password is not None:
            raise UnwritableValue("password: new people get none here")
        address = account.email.strip()
        separator = columns.addresses.separator
        if not address or "@" not in address or (separator is not None and separator in address):
            raise UnwritableValue(f"email: {address[:60]!r} cannot be written as one address")
        self._address = address

    def start(self, header: Sequence[str]) -> None:
        self._header = header
        for column in (self._columns.username, self._columns.id, self._columns.addresses.emails[0]):
            place(header, column)

    def row(self, cells: list[str]) -> list[str]:
        columns, header = self._columns, self._header
        self._taken.add(self._name(cells[header.index(columns.username)]))
        if normalize_name(self._address) in columns.addresses.addresses(header, cells):
            if self.id:
                raise AmbiguousEntry(f"more than one person has the address {self._address[:60]!r}")
            self.id = mapped(columns.id_rule, cells[header.index(columns.id)])
        return cells

    def end(self) -> list[str] | None:
        if self.id:
            return None
        values = self._values()
        self.id = mapped(self._columns.id_rule, values[self._columns.id])
        return [values.get(name, "") for name in self._header]

    def _values(self) -> dict[str, str]:
        """What is written, by column."""
        columns, addresses = self._columns, self._columns.addresses
        values = {column: getattr(self._account, field) or "" for field, column in columns.texts.items()}
        if addresses.preferred is not None:
            values[addresses.preferred] = self._address
        values[addresses.emails[0]] = f"SMTP:{self._address}" if addresses.has_prefixes else self._address
        if columns.username not in values:
            values[columns.username] = self._free_username()
        elif self._name(values[columns.username]) in self._taken or not values[columns.username].strip():
            raise UnwritableValue(f"username: {values[columns.username][:60]!r} is empty or somebody else's")
        for column in (columns.id, columns.key):
            if column is not None and not values.get(column):
                # A number that counts on could be that of somebody who was deleted.
                values[column] = str(uuid.uuid4())
        return {column: value.strip() for column, value in values.items()}

    def _free_username(self) -> str:
        local, _, domain = self._address.rpartition("@")
        rule = self._columns.username_rule
        ending = f"@{rule.domain or domain}" if rule.local_part else ""
        name = _NOT_IN_NAMES.sub("", local) or "user"
        number, found = 1, name + ending
        while self._name(found) in self._taken:
            number += 1
            found = f"{name}{number}{ending}"
        return found

    def _name(self, value: str) -> str:
        return normalize_name(mapped(self._columns.username_rule, value))


class ConfirmedAddress(PersonEdit):
    """Moves one of a person's addresses from those that nobody has proved to the others."""

    def __init__(self, identity: Mapping[str, str], columns: AddressColumns, address: str) -> None:
        super().__init__(identity)
        self._columns = columns
        self._address = address.strip()
        self._header: Sequence[str] = ()

    def start(self, header: Sequence[str]) -> None:
        super().start(header)
        self._header = header

    def person(self, cells: list[str]) -> list[str]:
        columns, header = self._columns, self._header
        assert columns.unverified is not None
        at = place(header, columns.unverified)
        name = normalize_name(self._address)
        if name not in names(cells[at], columns.unverified_separator):
            return cells
        changed = with_cell(cells, at, without(cells[at], columns.unverified_separator, self._address))
        separator = columns.separator
        places = [place(header, column) for column in columns.emails]
        if not any(name in names(cells[at], separator) for at in places):
            value = f"smtp:{self._address}" if columns.has_prefixes else self._address
            changed = self._with_address(changed, places, value)
        if columns.preferred is not None and not cells[place(header, columns.preferred)].strip():
            changed = with_cell(changed, place(header, columns.preferred), self._address)
        return changed

    def _with_address(self, cells: list[str], places: Sequence[int], value: str) -> list[str]:
        for at in places:
            if not cells[at].strip():
                return with_cell(cells, at, value)
        separator = self._columns.separator
        if separator is None:
            raise BackendMisconfigured(
                "the person has an address already; for more than one, set separator in [map] emails"
            )
        return with_cell(cells, places[0], joined(cells[places[0]], separator, value))


def plain_column(rule: FieldRule | None) -> str | None:
    """The one column that a field is read from as it stands, or None where it is more than that."""
    return rule.sources[0] if rule is not None and _is_one_column(rule) and not rule.local_part else None


def mapped(rule: FieldRule, value: str) -> str:
    """What the mapping makes of a column's value, for a rule of one column."""
    value = value.strip()
    if rule.local_part:
        name, at, domain = value.rpartition("@")
        if rule.domain is None:
            value = value.partition("@")[0]
        elif at and normalize_name(domain) == normalize_name(rule.domain):
            value = name
    return value.lower() if rule.lower else value


def _is_one_column(rule: FieldRule) -> bool:
    return len(rule.sources) == 1 and "{" not in rule.sources[0]
