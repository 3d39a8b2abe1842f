"""A CSV file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.builtin.csv_files import quoted, ssha, write_old
from tests.faults.directories.directory import Directory, Outage

_CROWD = 300


class CsvDirectory(Directory):
    name = "CSV"

    @property
    def file(self) -> Path:
        return self.folder / "people.csv"

    def open(self) -> None:
        self.people = {f"u{number}" for number in range(_CROWD)}
        self.login = ("u0", "the secret of u0")
        write_old(self.file, self._content(0))

    def _content(self, number: int) -> str:
        stored = ssha(self.login[1])
        rows = [quoted("username", "full_name", "email", "password")]
        rows += [quoted(f"u{n}", f"User {number if n == 0 else n}", f"u{n}@example.org", stored) for n in range(_CROWD)]
        return "".join(rows)

    def table(self) -> str:
        return 'type = "csv"\npath = "people.csv"\npassword_column = "password"\nquiet_seconds = 0.3\n'

    def change(self, number: int) -> None:
        fresh = self.file.with_suffix(".new")
        write_old(fresh, self._content(number))
        os.replace(fresh, self.file)

    @property
    def outages(self) -> Mapping[str, Outage]:
        return {"table gone": self.gone, "file half-written": self.torn}

    @contextmanager
    def gone(self) -> Iterator[None]:
        self.file.rename(self.folder / "aside")
        try:
            yield
        finally:
            (self.folder / "aside").rename(self.file)

    @contextmanager
    def torn(self) -> Iterator[None]:
        """Somebody writes it anew, and has come half way, in the middle of a row."""
        content = self.file.read_bytes()
        half = content.index(b"@example", len(content) // 2)
        self.file.write_bytes(content[:half])
        try:
            yield
        finally:
            self.file.write_bytes(content)
