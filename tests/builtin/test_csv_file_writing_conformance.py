"""The CSV backend keeps the promises of groups, memberships and accounts, in a column or in second files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from integration_server.builtin.csv_file import CsvBackend
from integration_server.sdk.testing import (
    AccountWriterConformance,
    GroupReaderConformance,
    MembershipWriterConformance,
    Outage,
)
from tests.builtin.csv_files import quoted, write_old

PEOPLE = (
    ("1", "ann", "Ann", "ann@x.org", "new@x.org", "staff"),
    ("2", "Bob", 'Bob "the" Builder', "", "bob@x.org", ""),
    ("3", "jörg", "Jörg, Dr.", "joerg@x.org", "", "staff;O'Hara's"),
    ("4", "李四", "李四", "li@x.org", "", ""),
    ("5", "o'hara", "O'Hara\nJunior", "", "", ""),
)
GROUPS = ("staff", "O'Hara's", "Chess, evening", "空")
MAP = {
    "id": "number",
    "username": "login",
    "full_name": "name",
    "emails": "mail",
    "unverified_emails": "pending",
    "biography": "about",
    "tz": "zone",
    "groups": {"from": "groups", "separator": ";"},
}


@contextmanager
def moved(paths: Sequence[Path], *, is_folder: bool) -> Iterator[None]:
    with ExitStack() as stack:
        for path in paths:
            stack.enter_context(_moved(path, is_folder=is_folder))
        yield


@contextmanager
def _moved(path: Path, *, is_folder: bool) -> Iterator[None]:
    aside = path.with_name(f"{path.name}.aside")
    path.rename(aside)
    if is_folder:
        path.mkdir()
    try:
        yield
    finally:
        if is_folder:
            path.rmdir()
        aside.rename(path)


class CsvWriting(GroupReaderConformance, MembershipWriterConformance, AccountWriterConformance):
    backend_class = CsvBackend

    @pytest.fixture
    def paths(self, tmp_path: Path) -> list[Path]:
        """The people, the groups, the memberships."""
        people = [quoted("number", "login", "name", "mail", "pending", "groups", "about", "zone")]
        people += [quoted(*person, "", "") for person in PEOPLE]
        groups = [quoted("id", "title"), *(quoted(group, "") for group in GROUPS)]
        memberships = [quoted("person", "group")]
        memberships += [quoted(number, group) for number, *_, held in PEOPLE for group in held.split(";") if group]
        paths = [tmp_path / name for name in ("people.csv", "groups.csv", "memberships.csv")]
        for path, rows in zip(paths, (people, groups, memberships), strict=True):
            write_old(path, "".join(rows))
        return paths

    @pytest.fixture
    def population(self) -> dict[str, str | None]:
        return {login: None for _, login, *_ in PEOPLE}

    @pytest.fixture
    def group_ids(self) -> list[str] | None:
        return list(GROUPS)

    @pytest.fixture
    def unproved(self) -> dict[str, str]:
        return {"ann": "new@x.org", "Bob": "bob@x.org"}

    @pytest.fixture
    def read_only_table(self, table: dict[str, Any]) -> dict[str, Any]:
        return {**table, "is_writable": False}

    @pytest.fixture
    def outages(self, paths: list[Path]) -> list[Outage]:
        return [
            Outage("files gone", lambda: moved(paths, is_folder=False)),
            Outage("folders in their place", lambda: moved(paths, is_folder=True)),
        ]

    def table_of(self, **more: object) -> dict[str, Any]:
        mapping = {**MAP, "emails": {"from": "mail", "separator": " "}}
        return {"type": "csv", "path": "people.csv", "quiet_seconds": 0.05, "is_writable": True, "map": mapping, **more}


class TestGroupsInAColumn(CsvWriting):
    @pytest.fixture
    def table(self, paths: list[Path]) -> dict[str, Any]:
        return self.table_of(groups={"path": "groups.csv", "id_column": "id", "title_column": "title"})


class TestMembershipsInASecondFile(CsvWriting):
    @pytest.fixture
    def table(self, paths: list[Path]) -> dict[str, Any]:
        memberships = {
            "path": "memberships.csv",
            "user_column": "person",
            "group_column": "group",
            "key_column": "number",
        }
        table = self.table_of(groups={"path": "groups.csv", "id_column": "id"}, memberships=memberships)
        return {**table, "map": {**table["map"], "groups": "groups"}}


class TestWithoutAList(CsvWriting):
    """Nothing says which groups there are, so any id is one; nor are there unverified addresses."""

    knows_unverified = False

    @pytest.fixture
    def table(self, paths: list[Path]) -> dict[str, Any]:
        table = self.table_of()
        return {**table, "map": {key: rule for key, rule in table["map"].items() if key != "unverified_emails"}}

    @pytest.fixture
    def group_ids(self) -> None:
        return None

    @pytest.fixture
    def joinable(self) -> list[str]:
        return ["staff", "rowing"]
