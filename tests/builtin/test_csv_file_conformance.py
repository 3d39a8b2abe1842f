"""The CSV backend keeps the promises of every backend."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from integration_server.builtin.csv_file import CsvBackend
from integration_server.sdk.testing import AuthenticatorConformance, BackendConformance, Outage
from tests.builtin.csv_files import quoted, ssha, write_old

PASSWORDS = {
    "ann": "ann's Passw0rd",
    "Bob": "Tr0ub4dor&3",
    "jörg.müller@example.org": "Grün, süß",
    "o'hara": '"quoted" secret',
    "李四": "密码secret",
}


class CsvConformance(AuthenticatorConformance, BackendConformance):
    backend_class = CsvBackend
    verifies_from_entry = True

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        path = tmp_path / "people and more.csv"
        rows = [quoted("username", "full_name", "email", "note", "password")]
        rows += [
            quoted(name, f"Dr. {name}", f"{n}@example.org", "x", ssha(PASSWORDS[name]))
            for n, name in enumerate(PASSWORDS)
        ]
        rows += [quoted("dora", "Dora", "", "two\nlines", "")]
        write_old(path, "".join(rows))
        return path

    @pytest.fixture
    def population(self) -> Mapping[str, str | None]:
        return {**PASSWORDS, "dora": None}

    @pytest.fixture
    def secrets(self) -> Sequence[str]:
        return [*PASSWORDS.values(), *(ssha(password)[9:] for password in PASSWORDS.values())]

    @pytest.fixture
    def outages(self, path: Path) -> list[Outage]:
        @contextmanager
        def moved(replacement: str) -> Iterator[None]:
            aside = path.with_name("aside")
            path.rename(aside)
            if replacement == "folder":
                path.mkdir()
            try:
                yield
            finally:
                if replacement == "folder":
                    path.rmdir()
                aside.rename(path)

        return [Outage("file gone", lambda: moved("")), Outage("a folder in its place", lambda: moved("folder"))]


class TestCsvBackend(CsvConformance):
    @pytest.fixture
    def table(self, path: Path) -> dict[str, Any]:
        return {"type": "csv", "path": path.name, "password_column": "password", "quiet_seconds": 0.2}


class TestCsvBackendThatIgnoresCase(CsvConformance):
    @pytest.fixture
    def table(self, path: Path) -> dict[str, Any]:
        return {
            "type": "csv",
            "path": path.name,
            "password_column": "password",
            "quiet_seconds": 0.2,
            "map": {"username": {"from": "username", "ignore_case": True}, "id": "email", "nickname": "note"},
        }

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        path = tmp_path / "people.csv"
        rows = [quoted("username", "email", "note", "password")]
        for n, name in enumerate(PASSWORDS):
            rows.append(quoted(name, f"{n}@example.org", " ", ssha(PASSWORDS[name])))
        rows += [quoted("dora", "9@example.org", "two\nlines", "")]
        write_old(path, "".join(rows))
        return path
