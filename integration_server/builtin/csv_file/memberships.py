"""Who is in which group, by a second file with a row for each membership."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from integration_server import BackendContext, ConfigError, Deadline
from integration_server.builtin.csv_file.content import Content
from integration_server.builtin.csv_file.folder import ContentFolder
from integration_server.builtin.csv_file.settings import CsvSettings, Layout, MembershipsSettings
from integration_server.builtin.csv_file.sharing import SharedWork
from integration_server.builtin.csv_file.source import BrokenFile, Columns, Row, SourceFile, Take
from integration_server.builtin.csv_file.watched import WatchedFile

#: The groups of each person, by what ``user_column`` holds.
Memberships = Mapping[str, tuple[str, ...]]


class MembershipsFile:
    """``[backends.NAME.memberships]``, believed as the people's file is. Thread-safe.

    All memberships are kept in memory: about 150 bytes for each person who is in a group.
    """

    def __init__(
        self, context: BackendContext, path: Path, memberships: MembershipsSettings, people: CsvSettings
    ) -> None:
        where = f"[backends.{context.name}.memberships]"
        columns = (memberships.user_column, memberships.group_column)
        if columns[0] == columns[1]:
            raise ConfigError(f"{where} user_column and group_column are the same")
        self.settings = memberships
        self.layout = Layout.of_second(where, memberships, people, columns)
        self.source = _FilledFile(path, self.layout)
        folder = ContentFolder(context.data_dir / f"csv-{context.name}-memberships", self.layout.digest(str(path)))
        self.file = WatchedFile(f"{context.name}, memberships", self.source, folder, people.quiet_seconds)
        self._work = SharedWork(f"backend {context.name}, memberships")
        self._known: tuple[Content, Memberships] | None = None

    def position(self, deadline: Deadline) -> list[object]:
        """Stands for the memberships in force. Raises BackendUnavailable where there are none."""
        inventory = self.file.content(deadline).inventory
        return [inventory.layout, *inventory.signature]

    def memberships(self, deadline: Deadline) -> Memberships:
        """The memberships in force. Raises BackendUnavailable where there are none."""
        content = self.file.content(deadline)
        known = self._known
        if known is not None and known[0] is content:
            return known[1]
        return self._work.result(content.path, lambda: self._collect(content), deadline)

    def close(self) -> None:
        """Close the copy, and forget what was in it."""
        self._known = None
        self.file.close()

    def _collect(self, content: Content) -> Memberships:
        found: dict[str, tuple[str, ...]] = {}
        # Many people are in the same groups, so they share one tuple.
        shared: dict[tuple[str, ...], tuple[str, ...]] = {}
        for rows in content.blocks(Deadline(float("inf"))):
            for user, group in rows:
                assert user is not None
                assert group is not None
                user, group = user.strip(), group.strip()
                before = found.get(user, ())
                after = before if group in before else (*before, group)
                found[user] = shared.setdefault(after, after)
        self._known = content, found
        return found


class _FilledFile(SourceFile):
    """A file in which every value that is read must be there."""

    def read(self, take: Take) -> Columns:
        count = 0

        def take_filled(rows: Sequence[Row], passwords: list[str]) -> None:
            nonlocal count
            for number, row in enumerate(rows, count + 1):
                for value, column in zip(row, self.columns, strict=True):
                    if not (value or "").strip():
                        raise BrokenFile(f"{self.path}, row {number} below the header: nothing in column {column!r}")
            count += len(rows)
            take(rows, passwords)

        return super().read(take_filled)
