"""The abilities to write: which file, which columns, and what the settings must say for it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from integration_server import (
    BackendContext,
    BackendMisconfigured,
    ConfigError,
    Deadline,
    Entry,
    FieldRule,
    Finding,
    MapSettings,
    NewAccount,
    ReadOnlyBackend,
    UnknownGroup,
    UnwritableValue,
    normalize_name,
)
from integration_server.builtin.csv_file.accounts import (
    AccountColumns,
    AddressColumns,
    ConfirmedAddress,
    NewPerson,
    plain_column,
)
from integration_server.builtin.csv_file.edits import CellMembership, Edit, RowMembership
from integration_server.builtin.csv_file.groups import GroupsFile
from integration_server.builtin.csv_file.memberships import MembershipsFile
from integration_server.builtin.csv_file.rewriting import FileRewriter
from integration_server.builtin.csv_file.settings import DEFAULT_MAP, CsvSettings

_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")


class CsvWriter:
    """Turns what is to be written into edits of the files. Thread-safe."""

    def __init__(
        self,
        settings: CsvSettings,
        context: BackendContext,
        people: FileRewriter,
        memberships: MembershipsFile | None,
        groups: GroupsFile | None,
    ) -> None:
        self._where = f"[backends.{context.name}]"
        self._settings = settings
        self._people = people
        self._memberships = memberships
        self._groups = groups
        self._membership_rows: FileRewriter | None = None
        if memberships is not None:
            self._membership_rows = FileRewriter(f"{context.name}, memberships", memberships.source, memberships.file)

    def set_member(self, entry: Entry, group: str, deadline: Deadline, *, is_member: bool) -> bool:
        """Whether that was new. Raises as MembershipWriter, UnwritableValue for an id that the file cannot hold."""
        self.check_writable()
        if not group or group != group.strip():
            raise UnwritableValue(f"group: the id {group[:60]!r} is empty, or begins or ends with a blank")
        listed = () if self._groups is None else [each.id for each in self._groups.groups(deadline)]
        is_known = self._groups is None or group in listed
        # Memberships are found whatever their case, so that such an id would take somebody out of the listed group.
        if not is_known and (is_member or normalize_name(group) in map(normalize_name, listed)):
            self._refuse_group(group)
        is_new = self._apply_membership(entry, group, deadline, is_member=is_member)
        # Who is in a group that is not there any more can still be taken out of it.
        if not is_new and not is_known:
            self._refuse_group(group)
        return is_new

    def check(self) -> Iterator[Finding]:
        """Whether the folders can be written, where the settings want it."""
        if not self._settings.is_writable:
            return
        for file in (self._people, self._membership_rows):
            if file is not None and not os.access(file.path.parent, os.W_OK | os.X_OK):
                yield Finding("error", f"is_writable is set, but the folder {file.path.parent} cannot be written")

    def create(self, account: NewAccount, deadline: Deadline) -> str:
        """The id of the new person, or of whoever has the address. Raises as AccountWriter, and UnwritableValue."""
        self.check_writable()
        edit = NewPerson(self._account_columns(), account)
        self._people.apply(edit, deadline)
        return edit.id

    def confirm(self, entry: Entry, address: str, deadline: Deadline) -> None:
        """Nothing where the mapping has no columns for both kinds of addresses. Raises as AccountWriter."""
        columns = AddressColumns.of(self._rules())
        if columns.unverified is None or not columns.emails:
            return
        self.check_writable()
        self._people.apply(ConfirmedAddress(self.identity(entry), columns, address), deadline)

    def _account_columns(self) -> AccountColumns:
        key = None if self._memberships is None else self._memberships.settings.key_column
        try:
            return AccountColumns.of(self._rules(), key)
        except ConfigError as exc:
            raise ReadOnlyBackend(f"{self._where} people cannot be made: in [map], {exc}") from exc

    def check_writable(self) -> None:
        """Raises ReadOnlyBackend where the settings do not allow to write."""
        if not self._settings.is_writable:
            raise ReadOnlyBackend(f"{self._where} is read-only; set is_writable = true")

    def _refuse_group(self, group: str) -> None:
        assert self._groups is not None
        raise UnknownGroup(f"{self._groups.path} has no group {group[:60]!r}")

    def _apply_membership(self, entry: Entry, group: str, deadline: Deadline, *, is_member: bool) -> bool:
        if self._memberships is not None and self._membership_rows is not None:
            chosen = self._memberships.settings
            user = str(entry.attributes.get(chosen.key_column) or "").strip()
            if not user:
                raise BackendMisconfigured(f"{self._where} the person has nothing in {chosen.key_column!r}")
            columns = (chosen.user_column, chosen.group_column)
            edit: Edit = RowMembership(columns, user, group, is_member=is_member)
            return self._membership_rows.apply(edit, deadline)
        rule = self._rule("groups")
        column = plain_column(rule)
        if rule is None or column is None:
            raise ReadOnlyBackend(
                f"{self._where} memberships have no place: set groups in [map] to one column, or [memberships]"
            )
        edit = CellMembership(self.identity(entry), column, rule.separator, group, is_member=is_member)
        return self._people.apply(edit, deadline)

    def identity(self, entry: Entry) -> dict[str, str]:
        """The columns that tell a person from all others, and what they hold for this one."""
        rule = self._rule("id") or self._rule("username")
        assert rule is not None
        columns = [name for source in rule.sources for name in _PLACEHOLDER.findall(source) or [source]]
        return {name: str(entry.attributes.get(name) or "").strip() for name in columns}

    def _rules(self) -> dict[str, FieldRule]:
        return {field: rule for field in MapSettings.model_fields if (rule := self._rule(field)) is not None}

    def _rule(self, field: str) -> FieldRule | None:
        assert field in MapSettings.model_fields
        found: FieldRule | None = getattr(self._settings.map, field) or getattr(DEFAULT_MAP, field)
        return found
