"""Making people, and marking their addresses as verified: rows of the tables, or the admin's own statements."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

from integration_server import (
    BackendMisconfigured,
    BadEntry,
    Deadline,
    Entry,
    Lookup,
    NewAccount,
    ReadOnlyBackend,
    UnwritableValue,
    normalize_name,
    values,
)
from integration_server.builtin.sql.addresses import AddressRows
from integration_server.builtin.sql.driver import Driver, Session
from integration_server.builtin.sql.lookups import find, is_askable
from integration_server.builtin.sql.plans import Plan
from integration_server.builtin.sql.settings import SqlSettings, WritingSettings, asked_attributes, id_column
from integration_server.builtin.sql.side_tables import SideRows
from integration_server.builtin.sql.writing import OwnStatements, Writing

#: No column of a person is longer.
_LONGEST = 1_000_000


def random_id() -> str:
    return str(uuid.uuid4())


class Accounts:
    """Thread-safe. Raises ConfigError for statements that cannot be meant."""

    def __init__(
        self,
        name: str,
        driver: Driver,
        settings: SqlSettings,
        writing: Writing,
        plan: Plan,
        sides: Sequence[SideRows],
        new_id: Callable[[], str] = random_id,
    ) -> None:
        self._name = name
        self._driver = driver
        self._writing = writing
        self._plan = plan
        self._sides = sides
        self._new_id = new_id
        self._id_column = id_column(settings)
        self._email_attributes = asked_attributes(settings.map.emails)
        self._own = own = settings.writing or WritingSettings()
        self._create = self._confirm = None
        if own.create_statements:
            optional = frozenset({"full_name", "biography", "tz"})
            self._create = OwnStatements(driver, "create_statements", own.create_statements, {"email"}, optional)
        if own.confirm_email_statements:
            statements = own.confirm_email_statements
            self._confirm = OwnStatements(driver, "confirm_email_statements", statements, {"user", "email"})
        table = settings.email_table
        self._knows_unverified = table is not None and table.verified_column is not None
        self._addresses = AddressRows(driver, table) if table is not None and table.is_writable else None

    # -- making ----------------------------------------------------------------------------------------------------

    def create(self, account: NewAccount, deadline: Deadline) -> str:
        """Make a person, or find who has the address since, and give the id. Raises BackendError."""
        if self._create is None and not (self._own.columns or self._own.id_column):
            raise ReadOnlyBackend(
                f"backend {self._name}: its people are only read; set create_statements, or columns such as "
                f"username_column, in [backends.{self._name}.writing]"
            )
        if account.password is not None:
            raise UnwritableValue(f"backend {self._name}: new people get no password here")
        texts: dict[str, str | None] = {name: text for name, text in asdict(account).items() if name != "password"}
        for field, text in texts.items():
            if text and not _is_storable(text):
                raise UnwritableValue(f"backend {self._name}: {field} is too long, or holds what no database takes")
        if not is_askable(account.email):
            raise UnwritableValue(f"backend {self._name}: a person needs an address")
        lock = f"account|{self._name}|{normalize_name(account.email)}"
        return self._writing.change(deadline, lock, lambda session: self._made(session, account.email, texts))

    def _made(self, session: Session, email: str, texts: Mapping[str, str | None]) -> str:
        entry = self._found(session, email)
        if entry is None:
            if self._create is not None:
                self._create.run(session, texts)
            else:
                self._insert(session, email, texts)
            entry = self._found(session, email)
        if entry is None:
            raise BackendMisconfigured(
                "the person was made, but is not found by the address: what do where, the statements and [map] emails "
                "have of it?"
            )
        return self._id(entry)

    def _found(self, session: Session, email: str) -> Entry | None:
        for attribute in self._email_attributes:
            entry = find(session, self._plan, self._sides, Lookup(attribute, email, ignore_case=True))
            if entry is not None:
                return entry
        return None

    def _id(self, entry: Entry) -> str:
        assert self._id_column is not None
        try:
            found = values.text(entry.attributes[self._id_column])
        except ValueError as exc:
            raise BadEntry(f"an id cannot be read: {exc}") from exc
        if found is None:
            raise BadEntry("the person was made without an id")
        return found

    def _insert(self, session: Session, email: str, texts: Mapping[str, str | None]) -> None:
        """The person's row, and the one of the address."""
        own = self._own
        row = {column: text for column, field in own.columns.items() if (text := texts[field])}
        if own.id_column is not None:
            row[own.id_column] = self._new_id()
        named_by = own.username_column or own.email_column or own.id_column
        assert named_by is not None
        key_column = named_by if self._addresses is None else self._addresses.key_column
        # Else two people would have one user name.
        if self._keys(session, key_column, named_by, row):
            raise UnwritableValue(f"backend {self._name}: somebody with another address has the same {named_by}")
        columns = ", ".join(map(self._driver.quote, row))
        marks = ", ".join(f":v{i}" for i in range(len(row)))
        query = self._driver.query(f"INSERT INTO {self._plan.source} ({columns}) VALUES ({marks})")
        session.change(query, {f"v{i}": value for i, value in enumerate(row.values())})
        if self._addresses is not None:
            # What made the key, a sequence or a trigger, is the database's affair.
            keys = self._keys(session, key_column, named_by, row)
            if len(keys) != 1 or keys[0] is None:
                raise BackendMisconfigured(
                    f"the row that was made is not found by its {named_by}, or has no {key_column}"
                )
            self._addresses.insert(session, self._driver.key(keys[0]), email)

    def _keys(self, session: Session, key_column: str, named_by: str, row: Mapping[str, str]) -> list[object]:
        key, column = self._driver.quote(key_column), self._driver.quote(named_by)
        query = self._driver.query(f"SELECT {key} FROM {self._plan.source} WHERE {column} = :value")
        return [found for (found,) in session.fetch(query, {"value": row[named_by]}).rows]

    # -- confirming ------------------------------------------------------------------------------------------------

    def confirm(self, entry: Entry, address: str, deadline: Deadline) -> None:
        """Mark the entry's address. Raises BackendError."""
        if self._confirm is not None:
            statements, arguments = self._confirm, {"user": self._driver.key(self._id(entry)), "email": address}
            lock = f"addresses|{self._name}|{arguments['user']}"
            self._writing.change(deadline, lock, lambda session: statements.run(session, arguments))
        elif self._addresses is not None and self._knows_unverified:
            rows, user = self._addresses, self._driver.key(self._addresses.key_of(entry))
            lock = f"addresses|{self._name}|{user}"
            self._writing.change(deadline, lock, lambda session: rows.confirm(session, user, address))
        elif self._knows_unverified:
            where = f"backends.{self._name}"
            raise ReadOnlyBackend(
                f"backend {self._name}: its addresses are only read; set is_writable in [{where}.email_table], or "
                f"confirm_email_statements in [{where}.writing]"
            )


def _is_storable(text: str) -> bool:
    if "\0" in text or len(text) > _LONGEST:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
