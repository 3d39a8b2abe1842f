"""Checking a password: against a stored hash, or by the admin's own statement."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from decimal import Decimal

from integration_server import (
    AmbiguousEntry,
    BackendMisconfigured,
    BadEntry,
    ConfigError,
    Deadline,
    Entry,
    PasswordChecker,
    UnknownScheme,
    values,
)
from integration_server.builtin.sql.connections import Connections
from integration_server.builtin.sql.driver import NO_VALUES, Driver, Query, Row, Session
from integration_server.builtin.sql.lookups import Stored
from integration_server.builtin.sql.plans import require_parameters
from integration_server.builtin.sql.settings import SqlSettings, asked_attributes

logger = logging.getLogger(__name__)

_PERSON = {"value", "username", "id"}
#: Stored passwords that are looked at before the first unknown person.
_TAUGHT = 50


class Passwords:
    """How one backend tells right passwords from wrong ones."""

    def __init__(
        self, name: str, settings: SqlSettings, driver: Driver, connections: Connections, stored: str | None
    ) -> None:
        self._connections = connections
        self._driver = driver
        self._stored = stored
        self._is_taught = stored is None
        self._name = name
        self._keeps_blanks = settings.allow_plain_passwords or "plain" in (settings.password_scheme or "").lower()
        self._usernames = asked_attributes(settings.map.username)
        self._ids = asked_attributes(settings.map.id) or self._usernames
        try:
            self.checker = PasswordChecker(
                settings.password_scheme, allow_plain=settings.allow_plain_passwords, on_weak=self._warn
            )
        except UnknownScheme as exc:
            raise ConfigError(f"[backends.{name}] password_scheme: {exc}") from exc
        self._has_column = settings.password_column is not None
        self.statement: Query | None = None
        if settings.auth_statement is not None:
            self.statement = driver.query(settings.auth_statement)
            require_parameters("auth_statement", self.statement, _PERSON, _PERSON | {"password"})

    @property
    def can_check(self) -> bool:
        return self._has_column or self.statement is not None

    def verify(self, entry: Entry, password: str, deadline: Deadline) -> bool:
        """Whether it is this person's password. Raises BackendError, BadEntry for a hash that cannot be read."""
        deadline.remaining()
        if self.statement is None:
            if not self._has_column or not isinstance(entry.handle, Stored):
                raise BackendMisconfigured("neither password_column nor auth_statement is set, so nobody can log in")
            return self._compare(entry, entry.handle, password)
        person = {
            "value": _text(entry.attributes, self._usernames),
            "username": _text(entry.attributes, self._usernames),
            "id": _text(entry.attributes, self._ids),
        }
        return self._ask(self.statement, entry, person, password, deadline)

    def verify_nobody(self, password: str, deadline: Deadline) -> None:
        """Spend what ``verify`` spends."""
        deadline.remaining()
        if self.statement is not None:
            nobody = Entry(dict.fromkeys((*self._usernames, *self._ids), ""))
            self._ask(self.statement, nobody, dict.fromkeys(_PERSON, ""), password, deadline)
        elif self._has_column:
            self._teach(deadline)
            self.checker.verify_nobody(password)

    def _teach(self, deadline: Deadline) -> None:
        """Show the checker some stored passwords, so that nobody costs what somebody does from the first login on."""
        if not self._is_taught:
            for stored in self._connections.ask(deadline, lambda session: self.sample(session, _TAUGHT)):
                self.checker.observe(self._readable(stored))
            self._is_taught = True

    def sample(self, session: Session, count: int) -> list[object]:
        """Some stored passwords. Raises the driver's exceptions."""
        if self._stored is None:
            return []
        query = self._driver.query(self._driver.limited(self._stored, count))
        return [row[0] for row in session.fetch(query, {}, count).rows]

    def scheme_of(self, stored: object) -> tuple[str, str | None]:
        """The scheme of a stored password, marked where it is weak, and why it cannot be checked, if so."""
        try:
            scheme = self.checker.scheme_of(self._readable(stored))
        except UnknownScheme as exc:
            return "", str(exc)
        if scheme is None:
            return "none", None
        return (f"{scheme} (weak)" if self.checker.is_weak(scheme) else scheme), None

    def _ask(self, statement: Query, entry: Entry, person: dict[str, str], password: str, deadline: Deadline) -> bool:
        takes_password = "password" in statement.names
        if takes_password and not _is_sendable(password):
            return False
        arguments = {**person, "password": password}
        names, rows = self._connections.ask(
            deadline, lambda session: session.fetch(statement, arguments, 100), is_secret=takes_password
        )
        if takes_password:
            return bool(rows) and all(_is_yes(row) for row in rows)
        if len({tuple(row[:2]) for row in rows}) > 1:
            raise AmbiguousEntry(f"auth_statement gives several passwords for {self._who(entry)}")
        if not rows:
            self.checker.verify_nobody(password)
            return False
        stored = Stored(rows[0][0], rows[0][1] if len(names) > 1 else None, NO_VALUES)
        return self._compare(entry, stored, password)

    def _compare(self, entry: Entry, stored: Stored, password: str) -> bool:
        username = _text(entry.attributes, self._usernames)
        salt = "" if stored.salt is None else _as_text(stored.salt, "salt", username)
        try:
            return self.checker.verify(self._readable(stored.password), password, username=username, salt=salt)
        except UnknownScheme as exc:
            raise BadEntry(f"{self._who(entry)}: {exc}") from exc

    def _readable(self, stored: object) -> str | bytes | None:
        """CHAR columns come with blanks at their end."""
        if isinstance(stored, str):
            return stored if self._keeps_blanks else stored.strip()
        if stored is None or isinstance(stored, bytes):
            return stored
        return bytes(stored) if isinstance(stored, bytearray | memoryview) else str(stored)

    def _who(self, entry: Entry) -> str:
        return f"entry {_text(entry.attributes, self._usernames)!r}"

    def _warn(self, scheme: str) -> None:
        logger.warning("backend %s: passwords are stored in the weak scheme %s", self._name, scheme)


def _text(attributes: Mapping[str, object], names: tuple[str, ...]) -> str:
    """The first of these attributes that has a value."""
    for name in names:
        try:
            if (found := values.text(attributes.get(name))) is not None:
                return found
        except ValueError:
            continue
    return ""


def _as_text(value: object, what: str, username: str) -> str:
    try:
        return values.text(value) or ""
    except ValueError as exc:
        raise BadEntry(f"entry {username!r}: the {what} cannot be read: {exc}") from exc


def _is_sendable(password: str) -> bool:
    """No database holds half a surrogate pair, so nobody's password has one."""
    try:
        password.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in password


def _is_yes(row: Row) -> bool:
    """``SELECT hash = crypt(:password, hash) ...`` gives a row that says false."""
    first = row[0] if len(row) else None
    return first is not None and not (isinstance(first, bool | int | float | Decimal) and not first)
