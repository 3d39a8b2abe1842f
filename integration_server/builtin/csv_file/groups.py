"""The groups of a second file. They are few, so they are read as a whole, and believed whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from integration_server import Deadline, Group, normalize_name
from integration_server.builtin.csv_file.quiet import QuietPeriod
from integration_server.builtin.csv_file.settings import CsvSettings, GroupsSettings, Layout
from integration_server.builtin.csv_file.sharing import SharedWork
from integration_server.builtin.csv_file.source import BrokenFile, Row, Signature, SourceFile, UnsettledFile

#: The fields of a group, each read from the column that ``FIELD_column`` names.
_FIELDS = ("id", "title", "url", "email", "type", "privacy")


class GroupsFile:
    """``[backends.NAME.groups]``. Thread-safe. Read again only when the file has changed.

    Other than with people, no earlier content stands in for a file that cannot be believed: nobody is locked out by an
    error here.
    """

    def __init__(self, name: str, path: Path, groups: GroupsSettings, people: CsvSettings) -> None:
        chosen = {field: getattr(groups, f"{field}_column") for field in _FIELDS}
        self._columns: dict[str, str] = {field: column for field, column in chosen.items() if column is not None}
        layout = Layout.of_second(f"[backends.{name}.groups]", groups, people, self._columns.values())
        self._source = SourceFile(path, layout)
        self._quiet = QuietPeriod(self._source, people.quiet_seconds)
        self._work = SharedWork(f"backend {name}, groups")
        self._known: tuple[Signature, tuple[Group, ...]] | None = None

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self._source.path

    def groups(self, deadline: Deadline) -> tuple[Group, ...]:
        """All of them in the order of the file. A file that was just changed is waited for.

        Raises BrokenFile with the line or row, UnsettledFile where the file goes on changing, BackendUnavailable.
        """
        return self._work.result("groups", self._look, deadline)

    def _look(self) -> tuple[Group, ...]:
        signature = self._source.signature()
        known = self._known
        if known is not None and known[0] == signature:
            return known[1]
        if not self._quiet.is_over(signature):
            signature = self._quiet.wait()
        groups = self._read()
        if self._source.signature() != signature:
            raise UnsettledFile(f"{self.path} changed while it was read")
        self._known = signature, groups
        return groups

    def _read(self) -> tuple[Group, ...]:
        rows: list[Row] = []

        def take(block: Sequence[Row], _: list[str]) -> None:
            rows.extend(block)

        names = self._source.read(take).present
        places = {field: names.index(column) for field, column in self._columns.items()}
        groups = [Group(**{field: _text(row[at]) for field, at in places.items()}) for row in rows]  # type: ignore[arg-type]
        seen: dict[str, int] = {}
        for number, group in enumerate(groups, 1):
            where = f"{self.path}, row {number} below the header, column {self._columns['id']!r}"
            if not group.id:
                raise BrokenFile(f"{where}: a group without an id")
            # A person's groups are told apart whatever their case, so one of these two could have no members.
            earlier = seen.setdefault(normalize_name(group.id), number)
            if earlier != number:
                raise BrokenFile(f"{where}: the id {group.id[:60]!r} is that of row {earlier} already")
        return tuple(groups)


def _text(value: str | None) -> str | None:
    return (value or "").strip() or None
