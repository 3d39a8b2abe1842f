"""The CSV backend's change feed: that the file was renewed."""

from __future__ import annotations

import csv
import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from integration_server import Changes, ComparisonNeeded, Deadline, IncompleteListing
from integration_server.builtin.csv_file import CsvBackend
from integration_server.sdk.testing import ChangeFeedConformance, Outage
from tests.builtin.csv_files import Reader, age, write, write_old

COLUMNS = ("username", "full_name", "email")


class CsvEdits:
    """Renews the file as an export does: another one beside it, renamed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._numbers = itertools.count(1)

    def rows(self) -> dict[str, list[str]]:
        with self.path.open(encoding="utf-8", newline="") as file:
            return {row[0]: row for row in list(csv.reader(file))[1:]}

    def renew(self, rows: dict[str, list[str]]) -> None:
        beside = self.path.with_suffix(".new")
        with beside.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([COLUMNS, *rows.values()])
        age(beside)
        beside.replace(self.path)

    def add(self, username: str) -> None:
        self.renew({**self.rows(), username: [username, f"New {next(self._numbers)}", f"{username}@example.org"]})

    def change(self, username: str) -> None:
        rows = self.rows()
        rows[username][1] = f"Changed {next(self._numbers)}"
        self.renew(rows)

    def remove(self, username: str) -> None:
        self.renew({name: row for name, row in self.rows().items() if name != username})


class TestCsvFeed(ChangeFeedConformance):
    backend_class = CsvBackend
    tells_people = False
    outage_seconds = 0.3

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        path = tmp_path / "people.csv"
        write_old(path, "username,full_name,email\n" + "".join(f"{n},Dr. {n},{n}@example.org\n" for n in "abc"))
        return path

    @pytest.fixture
    def table(self, path: Path) -> dict[str, Any]:
        return {"type": "csv", "path": path.name, "quiet_seconds": 0.2}

    @pytest.fixture
    def population(self) -> dict[str, str | None]:
        return dict.fromkeys("abc")

    @pytest.fixture
    def edits(self, path: Path) -> CsvEdits:
        return CsvEdits(path)

    @pytest.fixture
    def outages(self, path: Path) -> list[Outage]:
        @contextmanager
        def gone() -> Iterator[None]:
            path.rename(path.with_suffix(".away"))
            try:
                yield
            finally:
                path.with_suffix(".away").rename(path)

        return [Outage("the file is gone", gone)]


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    write_old(tmp_path / "users.csv", "username,full_name\nann,Ann\n")
    one = Reader(tmp_path)
    yield one
    one.backend.close()


def asked(reader: Reader, position: str) -> list[Changes]:
    return list(reader.backend.changes(position, Deadline(20)))


def test_unchanged_file_is_looked_at_and_not_opened(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    position = reader.backend.feed_position(Deadline(20))
    opened: list[object] = []
    path_open: Callable[..., Any] = Path.open

    def noting(path: Path, *arguments: Any, **options: Any) -> Any:
        opened.append(path)
        return path_open(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", noting)
    assert asked(reader, position) == []
    assert opened == []


def test_broken_file_is_told_and_changes_nothing_until_it_is_sound(reader: Reader) -> None:
    position = reader.backend.feed_position(Deadline(20))
    write_old(reader.path, "username,full_name\nann,Ann\nbob,Bo")
    # Callers get the content of before, but nobody must believe that changes are noticed.
    for _ in range(2):
        with pytest.raises(IncompleteListing, match="the content read before stays in force"):
            asked(reader, position)
        with pytest.raises(IncompleteListing):
            reader.backend.feed_position(Deadline(20))
    assert len(list(reader.backend.users(Deadline(20)))) == 1
    write_old(reader.path, "username,full_name\nann,Ann\nbob,Bob\n")
    with pytest.raises(ComparisonNeeded, match=r"users\.csv was renewed"):
        asked(reader, position)


def test_file_that_is_being_written_changes_nothing_yet(reader: Reader) -> None:
    position = reader.backend.feed_position(Deadline(20))
    write(reader.path, "username,full_name\nann,Ann\nbob,Bob\n")
    assert asked(reader, position) == []
    os.utime(reader.path, (1_000_000_000, 1_000_000_000))
    with pytest.raises(ComparisonNeeded):
        asked(reader, position)


def test_position_of_other_settings_means_a_comparison(reader: Reader, tmp_path: Path) -> None:
    position = reader.backend.feed_position(Deadline(20))
    other = Reader(tmp_path, map={"username": "username", "nickname": "full_name"})
    with pytest.raises(ComparisonNeeded):
        asked(other, position)
    other.backend.close()
