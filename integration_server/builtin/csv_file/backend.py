"""The backend: lists and logins from the content that is in force."""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from integration_server import (
    AccountWriter,
    AmbiguousEntry,
    Authenticator,
    Backend,
    BackendContext,
    BackendMisconfigured,
    BackendSettings,
    Batch,
    ChangeFeed,
    Changes,
    ComparisonNeeded,
    ConfigError,
    Deadline,
    Entry,
    Finding,
    Group,
    GroupReader,
    Lookup,
    MembershipWriter,
    NewAccount,
    PasswordChecker,
    UnknownScheme,
    Verdict,
    normalize_name,
)
from integration_server.builtin.csv_file.content import Content, DamagedCopy, Inventory
from integration_server.builtin.csv_file.folder import ContentFolder
from integration_server.builtin.csv_file.groups import GroupsFile
from integration_server.builtin.csv_file.memberships import MembershipsFile
from integration_server.builtin.csv_file.rewriting import FileRewriter
from integration_server.builtin.csv_file.settings import DEFAULT_MAP, CsvSettings, Layout
from integration_server.builtin.csv_file.source import BrokenFile, Row, SourceFile
from integration_server.builtin.csv_file.watched import Trouble, WatchedFile
from integration_server.builtin.csv_file.writing import CsvWriter

logger = logging.getLogger(__name__)


#: What people read about the change feed, in ``check`` too.
_FEED = "modification of the file"

#: A row of the people's file, and the groups of its person.
_Joined = tuple[object, ...]


class CsvBackend(Backend, Authenticator, ChangeFeed, GroupReader, MembershipWriter, AccountWriter):
    """Users in a text file with columns. Its change feed knows when the file was renewed, but not what is new in it."""

    type: ClassVar[str] = "csv"
    Settings = CsvSettings
    default_map = DEFAULT_MAP

    def __init__(self, settings: BackendSettings, context: BackendContext) -> None:
        assert isinstance(settings, CsvSettings)
        self._name = context.name
        self._path = context.path(settings.path)
        self._layout = Layout.of(settings, context)
        self._passwords = _checker(settings, context.name)
        folder = ContentFolder(context.data_dir / f"csv-{context.name}", self._layout.digest(str(self._path)))
        source = SourceFile(self._path, self._layout)
        self._file = WatchedFile(context.name, source, folder, settings.quiet_seconds)
        self._taught: Path | None = None
        self._groups: GroupsFile | None = None
        self._memberships: MembershipsFile | None = None
        if settings.groups is not None:
            self._groups = GroupsFile(context.name, context.path(settings.groups.path), settings.groups, settings)
        if settings.memberships is not None:
            path = context.path(settings.memberships.path)
            self._memberships = MembershipsFile(context, path, settings.memberships, settings)
        people = FileRewriter(context.name, source, self._file)
        self._writer = CsvWriter(settings, context, people, self._memberships, self._groups)

    def users(self, deadline: Deadline) -> Iterator[Batch]:
        with self._content(deadline) as content:
            names, complete = self._completion(content, deadline)
            for rows in content.blocks(deadline):
                yield Batch(names, complete(rows))

    def find(self, lookup: Lookup, deadline: Deadline) -> Entry | None:
        with self._content(deadline) as content:
            names = content.inventory.names
            if lookup.attribute not in names:
                raise BackendMisconfigured(f"{self._path} is not read for a column {lookup.attribute!r}")
            column = names.index(lookup.attribute)
            index = self._file.index(content, column, deadline)
            found = [
                (row, password)
                for row, password in content.candidates(index, lookup.value)
                if _is_same(row[column], lookup)
            ]
            names, complete = self._completion(content, deadline)
        if len(found) > 1:
            raise AmbiguousEntry(f"{self._path}: {len(found)} rows have the {lookup.attribute} {lookup.value[:60]!r}")
        if not found:
            return None
        row, password = found[0]
        return Entry(dict(zip(names, complete([row])[0], strict=True)), handle=password)

    def verify(self, entry: Entry, password: str, deadline: Deadline) -> Verdict:
        self._check_passwords_exist(deadline)
        assert isinstance(entry.handle, str)
        return Verdict.ACCEPTED if self._passwords.verify(entry.handle, password) else Verdict.REJECTED

    def verify_nobody(self, password: str, deadline: Deadline) -> None:
        self._check_passwords_exist(deadline)
        self._passwords.verify_nobody(password)

    def feed(self) -> str:
        return _FEED

    def feed_position(self, deadline: Deadline) -> str:
        """Which content is in force: costs a look at the file's size and times, as long as these stay the same."""
        inventory = self._file.content(deadline).inventory
        # What is in force still answers callers; but nobody must believe that changes are noticed.
        for trouble in (self._file.trouble, self._memberships.file.trouble if self._memberships is not None else None):
            if trouble is not None and isinstance(trouble.error, BrokenFile):
                raise BrokenFile(f"{trouble.error}; the content read before stays in force")
        position: list[object] = [inventory.layout, *inventory.signature]
        if self._memberships is not None:
            position += self._memberships.position(deadline)
        return json.dumps(position)

    def groups(self, deadline: Deadline) -> tuple[Group, ...] | None:
        return None if self._groups is None else self._groups.groups(deadline)

    def changes(self, position: str, deadline: Deadline) -> Iterator[Changes]:
        """Nothing while the content in force is the same. Raises ComparisonNeeded when it is another one."""
        if self.feed_position(deadline) != position:
            raise ComparisonNeeded(f"{self._path} was renewed")
        yield from ()

    def add_member(self, entry: Entry, group_id: str, deadline: Deadline) -> bool:
        return self._writer.set_member(entry, group_id, deadline, is_member=True)

    def remove_member(self, entry: Entry, group_id: str, deadline: Deadline) -> bool:
        return self._writer.set_member(entry, group_id, deadline, is_member=False)

    def create_account(self, account: NewAccount, deadline: Deadline) -> str:
        """Where somebody has the address by now, their id is returned and nobody is made."""
        return self._writer.create(account, deadline)

    def confirm_email(self, entry: Entry, address: str, deadline: Deadline) -> None:
        self._writer.confirm(entry, address, deadline)

    def check(self, deadline: Deadline) -> Iterator[Finding]:
        with self._content(deadline) as content:
            inventory = content.inventory
            stored = content.some_passwords() if self._layout.password_column is not None else []
        yield Finding("ok", f"{self._path}: {inventory.rows} people, columns {', '.join(inventory.names)}")
        yield Finding("ok", f"changes are noticed by {_FEED}, and then everybody is compared")
        yield from _troubles(self._file.trouble, inventory)
        for name in inventory.missing:
            yield Finding("warning", f"{self._path} has no column {name!r}; map another one, or it stays empty")
        if self._layout.password_column is None:
            yield Finding("warning", "no password_column is set: people are listed, but cannot log in")
        yield from self._schemes(stored)
        yield from self._second_files(deadline)
        yield from self._writer.check()

    def close(self) -> None:
        self._file.close()
        if self._memberships is not None:
            self._memberships.close()

    @contextmanager
    def _content(self, deadline: Deadline) -> Iterator[Content]:
        content = self._file.content(deadline)
        try:
            if self._taught != content.path:
                # So that an unknown name costs what a known one does from the first login on.
                for stored in content.some_passwords():
                    self._passwords.observe(stored)
                self._taught = content.path
            yield content
        except DamagedCopy:
            self._file.drop(content)
            raise

    def _completion(
        self, content: Content, deadline: Deadline
    ) -> tuple[tuple[str, ...], Callable[[Sequence[Row]], Sequence[Row | _Joined]]]:
        """The names of the attributes, and what completes rows of the people's file by their memberships."""
        names = content.inventory.names
        if self._memberships is None:
            return names, lambda rows: rows
        known = self._memberships.memberships(deadline)
        key = names.index(self._memberships.settings.key_column)

        def complete(rows: Sequence[Row]) -> list[_Joined]:
            return [(*row, known.get((row[key] or "").strip(), ())) for row in rows]

        return (*names, self._memberships.settings.attribute), complete

    def _second_files(self, deadline: Deadline) -> Iterator[Finding]:
        if self._groups is not None:
            yield Finding("ok", f"{self._groups.path}: {len(self._groups.groups(deadline))} groups")
        if self._memberships is not None:
            inventory = self._memberships.file.content(deadline).inventory
            yield Finding("ok", f"{self._memberships.source.path}: {inventory.rows} memberships")
            yield from _troubles(self._memberships.file.trouble, inventory)

    def _schemes(self, stored: Sequence[str]) -> Iterator[Finding]:
        """Of what kind the first passwords are; one that cannot be read shuts its owner out."""
        counts: Counter[str] = Counter()
        unreadable: Counter[str] = Counter()
        for value in stored:
            try:
                counts[self._passwords.scheme_of(value) or "none"] += 1
            except UnknownScheme as exc:
                unreadable[str(exc)] += 1
        if counts:
            shown = ", ".join(f"{scheme} {count}" for scheme, count in counts.most_common())
            yield Finding("ok", f"password schemes of the first {len(stored)}: {shown}")
        for problem, count in unreadable.most_common(5):
            yield Finding("error", f"{count} of the first {len(stored)} passwords cannot be checked: {problem}")

    def _check_passwords_exist(self, deadline: Deadline) -> None:
        deadline.remaining()
        if self._layout.password_column is None:
            raise BackendMisconfigured(f"[backends.{self._name}] names no password_column, so nobody can log in")


def _troubles(trouble: Trouble | None, inventory: Inventory) -> Iterator[Finding]:
    if trouble is not None:
        level = "error" if isinstance(trouble.error, BrokenFile) else "warning"
        yield Finding(level, f"{trouble.error}; the content read {_age(inventory.read_at)} stays in force")


def _is_same(value: str | None, lookup: Lookup) -> bool:
    # Listed values have no white space around them, so it does not count here either.
    found = (value or "").strip()
    if lookup.ignore_case:
        return normalize_name(found) == normalize_name(lookup.value)
    return found == lookup.value


def _checker(settings: CsvSettings, name: str) -> PasswordChecker:
    def warn(scheme: str) -> None:
        logger.warning("backend %s: passwords are stored in the weak scheme %s", name, scheme)

    try:
        return PasswordChecker(settings.password_scheme, allow_plain=settings.allow_plain_passwords, on_weak=warn)
    except UnknownScheme as exc:
        raise ConfigError(f"[backends.{name}] password_scheme: {exc}") from exc


def _age(read_at: float) -> str:
    minutes = max(0.0, time.time() - read_at) / 60
    if minutes < 120:
        return f"{minutes:.0f} minutes ago"
    return f"{minutes / 60:.0f} hours ago" if minutes < 60 * 48 else f"{minutes / 1440:.0f} days ago"
