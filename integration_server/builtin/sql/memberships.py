"""Putting people into groups and taking them out: rows of ``group_table``, or the admin's own statements."""

from __future__ import annotations

from typing import ClassVar

from integration_server import (
    BackendMisconfigured,
    BadEntry,
    Deadline,
    Entry,
    ReadOnlyBackend,
    UnknownGroup,
)
from integration_server.builtin.sql.driver import Driver, Query, Session
from integration_server.builtin.sql.group_list import GroupRows, is_id
from integration_server.builtin.sql.lookups import Stored, is_askable
from integration_server.builtin.sql.settings import GroupTable, SqlSettings, id_column
from integration_server.builtin.sql.side_tables import SideRows
from integration_server.builtin.sql.writing import OwnStatements, Writing


class Memberships:
    """Thread-safe. ``side`` are the memberships as they are read, where they have a table of their own."""

    _keys: ClassVar = {True: "add_member_statements", False: "remove_member_statements"}

    def __init__(
        self,
        name: str,
        driver: Driver,
        settings: SqlSettings,
        writing: Writing,
        groups: GroupRows | None,
        side: SideRows | None,
    ) -> None:
        """Raises ConfigError for statements that cannot be meant."""
        self._name = name
        self._driver = driver
        self._writing = writing
        self._groups = groups
        self._side = side
        self._id_column = id_column(settings)
        table, own = settings.group_table, settings.writing
        self._rows = _queries(driver, table) if table is not None and table.is_writable else None
        self._statements = None
        if own is not None and own.add_member_statements:
            self._statements = {
                is_added: OwnStatements(driver, key, getattr(own, key), {"user", "group"})
                for is_added, key in self._keys.items()
            }

    def put(self, entry: Entry, group_id: str, *, is_added: bool, deadline: Deadline) -> bool:
        """See that the entry is, or is not, in the group; whether that was new. Raises BackendError."""
        if self._rows is None and self._statements is None:
            where = f"backends.{self._name}"
            raise ReadOnlyBackend(
                f"backend {self._name}: its groups are only read; set is_writable in [{where}.group_table], or "
                f"{self._keys[is_added]} in [{where}.writing]"
            )
        if not is_askable(group_id):
            raise UnknownGroup(f"backend {self._name}: there is no group {group_id[:100]!r}")
        user = self._user(entry)
        return self._writing.change(
            deadline,
            f"membership|{self._name}|{user}|{group_id}",
            lambda session: self._changed(session, entry, user, group_id, is_added=is_added),
        )

    def _user(self, entry: Entry) -> object:
        """What the database calls the person: as the table of memberships does, or by the id."""
        if self._rows is not None:
            key = self._key(entry)
        else:
            key = None if self._id_column is None else entry.attributes.get(self._id_column)
        if key is None:
            raise BadEntry(f"backend {self._name}: the person has no key for memberships")
        return self._driver.key(key)

    def _key(self, entry: Entry) -> object:
        assert self._side is not None
        assert isinstance(entry.handle, Stored)
        return entry.handle.keys[self._side.attribute]

    def _changed(self, session: Session, entry: Entry, user: object, group_id: str, *, is_added: bool) -> bool:
        stored = self._stored_group(session, group_id)
        if self._is_in(session, entry, group_id) is is_added:
            return False
        arguments = {"user": user, "group": stored}
        if self._rows is not None:
            count = session.change(self._rows[is_added], arguments)
        else:
            assert self._statements is not None
            count = self._statements[is_added].run(session, arguments)
        is_in = self._is_in(session, entry, group_id)
        if is_in is not None and is_in is not is_added:
            key = self._keys[is_added] if self._rows is None else "group_table"
            raise BackendMisconfigured(f"{key}: the change was made, but it does not show when memberships are read")
        return count > 0

    def _stored_group(self, session: Session, group_id: str) -> object:
        if self._groups is None:
            return group_id
        stored = self._groups.stored_id(session, group_id)
        if stored is None:
            raise UnknownGroup(f"backend {self._name}: there is no group {group_id[:100]!r}")
        return stored

    def _is_in(self, session: Session, entry: Entry, group_id: str) -> bool | None:
        """None where memberships are not in a table that can be asked for one person."""
        if self._side is None:
            return None
        (found,) = self._side.lists(session, [self._key(entry)])
        return any(is_id(value, group_id) for value in found)


def _queries(driver: Driver, table: GroupTable) -> dict[bool, Query]:
    """The statements that put somebody in and take them out."""
    assert table.table is not None
    into = driver.table(table.table, table.schema_name)
    user, group = driver.quote(table.user_column), driver.quote(table.group_column)
    return {
        True: driver.query(f"INSERT INTO {into} ({user}, {group}) VALUES (:user, :group)"),
        False: driver.query(f"DELETE FROM {into} WHERE {user} = :user AND {group} = :group"),
    }
