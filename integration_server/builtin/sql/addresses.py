"""Writing rows of ``email_table``."""

from __future__ import annotations

from collections.abc import Sequence

from integration_server import BackendError, BadEntry, Entry, normalize_name, values
from integration_server.builtin.sql.driver import Driver, Row, Session
from integration_server.builtin.sql.lookups import Stored
from integration_server.builtin.sql.settings import EmailTable


class AddressRows:
    """Thread-safe. The methods run in a transaction of the caller's, and raise the driver's exceptions."""

    def __init__(self, driver: Driver, settings: EmailTable) -> None:
        assert settings.table is not None
        self.key_column = settings.key_column
        self._attribute = settings.attribute
        self._yes = driver.yes
        table = driver.table(settings.table, settings.schema_name)
        user, address = driver.quote(settings.user_column), driver.quote(settings.address_column)
        marks = [driver.quote(n) for n in (settings.verified_column, settings.primary_column) if n is not None]
        columns, given = ", ".join([user, address, *marks]), ", ".join([":user", ":address", *[":yes"] * len(marks)])
        whose = f"{user} = :user AND {address} = :address"
        self._insert = driver.query(f"INSERT INTO {table} ({columns}) VALUES ({given})")
        self._select = driver.query(f"SELECT {', '.join([address, *marks])} FROM {table} WHERE {user} = :user")
        self._marking = [driver.query(f"UPDATE {table} SET {mark} = :yes WHERE {whose}") for mark in marks]

    def insert(self, session: Session, user: object, address: str) -> None:
        """An address that is verified and preferred, as far as there are columns for that."""
        session.change(self._insert, {"user": user, "address": address, "yes": self._yes})

    def key_of(self, entry: Entry) -> object:
        """What the table calls the person."""
        assert isinstance(entry.handle, Stored)
        key = entry.handle.keys[self._attribute]
        if key is None:
            raise BadEntry(f"the person has no {self.key_column}, so no addresses")
        return key

    def confirm(self, session: Session, user: object, address: str) -> None:
        """Mark an address of theirs as verified, and as primary where no verified one is. Raises BackendError."""
        rows = session.fetch(self._select, {"user": user}).rows
        chosen = _spelled(rows, address)
        arguments = {"user": user, "address": chosen[0], "yes": self._yes}
        verifying, *preferring = self._marking
        if not _is_yes(chosen[1]):
            session.change(verifying, arguments)
        if preferring and not any(_is_yes(row[2]) and (row is chosen or _is_yes(row[1])) for row in rows):
            session.change(preferring[0], arguments)


def _spelled(rows: Sequence[Row], address: str) -> Row:
    """The row of an address: the one that is spelled so, or in another case."""
    texts = [str(row[0] or "").strip() for row in rows]
    folded = normalize_name(address.strip())
    alike = [row for row, text in zip(rows, texts, strict=True) if normalize_name(text) == folded]
    exact = [row for row, text in zip(rows, texts, strict=True) if text == address.strip()]
    if not alike:
        raise BackendError("the person has no such address any more")
    return (exact or alike)[0]


def _is_yes(value: object) -> bool:
    try:
        return values.flag(value)
    except ValueError as exc:
        raise BadEntry(f"a yes/no column of email_table: {exc}") from exc
