"""Groups and memberships out of second files, beside the CSV backend's people."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from integration_server import (
    BackendError,
    BackendUnavailable,
    ComparisonNeeded,
    ConfigError,
    Deadline,
    Group,
    IncompleteListing,
)
from tests.builtin.csv_files import QUIET_SECONDS, Reader, age, write, write_old

PEOPLE = "username,number,groups\nann,1,staff; board\nbob,2,\n"
GROUPS = "id,name,page,mail\nstaff,All of us,https://x.example.org/,staff@example.org\nempty,,,\n"
MEMBERSHIPS = "who,what\n1,staff\n2,staff\n1,board\n1,staff\n9,staff\n"
GROUPS_TABLE = {"path": "groups.csv", "id_column": "id", "title_column": "name", "url_column": "page"}
MEMBERSHIPS_TABLE = {"path": "in.csv", "user_column": "who", "group_column": "what", "key_column": "number"}


def with_groups(folder: Path, content: str | bytes = GROUPS, **keys: Any) -> Reader:
    made = Reader(folder, groups={**GROUPS_TABLE, **keys})
    write_old(made.path, PEOPLE)
    write_old(folder / "groups.csv", content)
    return made


def with_memberships(folder: Path, content: str = MEMBERSHIPS, **keys: Any) -> Reader:
    fields = {"username": "username", "groups": "groups"}
    made = Reader(folder, memberships={**MEMBERSHIPS_TABLE, **keys}, map=fields)
    write_old(made.path, PEOPLE)
    write_old(folder / "in.csv", content)
    return made


def groups_of(reader: Reader) -> dict[str, tuple[str, ...]]:
    return {user.username: user.groups for user in reader.users()}


def groups(reader: Reader) -> list[Group]:
    found = reader.backend.groups(Deadline(20))
    assert found is not None
    return list(found)


def test_without_a_groups_file_there_is_no_list_of_groups(tmp_path: Path) -> None:
    assert Reader(tmp_path).backend.groups(Deadline(20)) is None


def test_groups_are_read_in_the_order_of_the_file_and_blank_cells_are_unknown(tmp_path: Path) -> None:
    made = with_groups(tmp_path, email_column="mail")
    assert groups(made) == [
        Group("staff", "All of us", "https://x.example.org/", "staff@example.org"),
        Group("empty"),
    ]


def test_groups_file_is_written_as_the_people_are_unless_it_says_otherwise(tmp_path: Path) -> None:
    made = Reader(tmp_path, delimiter=";", encoding="cp1252", groups=GROUPS_TABLE)
    write_old(tmp_path / "groups.csv", GROUPS.replace(",", ";").replace("All", "Ålle").encode("cp1252"))
    assert groups(made)[0].title == "Ålle of us"
    made = Reader(tmp_path, delimiter=";", encoding="cp1252", groups={**GROUPS_TABLE, "delimiter": ","})
    write_old(tmp_path / "groups.csv", GROUPS)
    assert len(groups(made)) == 2


def test_groups_file_without_a_header_names_its_columns(tmp_path: Path) -> None:
    made = with_groups(tmp_path, "staff,All\nboard,Some\n", has_header=False, columns=["id", "name"], url_column=None)
    assert [group.title for group in groups(made)] == ["All", "Some"]
    with pytest.raises(ConfigError, match=r"groups\] columns: there is no 'page'"):
        with_groups(tmp_path, has_header=False, columns=["id", "name"])


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (GROUPS[:-3], r"groups\.csv, line 3: no line end"),
        (GROUPS[:-1] + ",x,y\n", r"groups\.csv, line 3: 6 columns instead of 4"),
        (GROUPS.replace("name", "title"), r"groups\.csv: the first row names no column 'name'"),
        (GROUPS + "x,,,\nStaff,again,,\n", r"groups\.csv, row 4 below the header, column 'id': .*'Staff'.* of row 1"),
        (GROUPS + " ,nameless,,\n", r"groups\.csv, row 3 below the header, column 'id': a group without an id"),
        ("", r"groups\.csv is empty"),
    ],
)
def test_groups_that_are_not_whole_are_an_error_even_after_they_were(
    tmp_path: Path, content: str, complaint: str
) -> None:
    made = with_groups(tmp_path)
    assert len(groups(made)) == 2
    write_old(tmp_path / "groups.csv", content)
    with pytest.raises(IncompleteListing, match=complaint):
        groups(made)
    assert made.names() == ["ann", "bob"]
    write_old(tmp_path / "groups.csv", GROUPS)
    assert len(groups(made)) == 2


def test_groups_file_that_is_gone_is_an_outage(tmp_path: Path) -> None:
    made = with_groups(tmp_path)
    (tmp_path / "groups.csv").unlink()
    with pytest.raises(BackendUnavailable, match="does not exist"):
        groups(made)


def test_fresh_groups_are_waited_for_and_those_that_go_on_changing_are_an_error(tmp_path: Path) -> None:
    made = with_groups(tmp_path)
    write(tmp_path / "groups.csv", GROUPS + "new,,,\n")
    started = time.monotonic()
    assert len(groups(made)) == 3
    assert time.monotonic() - started >= QUIET_SECONDS / 2
    with written_without_end(tmp_path / "groups.csv"), pytest.raises(IncompleteListing, match="is being written"):
        groups(made)


@contextmanager
def written_without_end(path: Path) -> Iterator[None]:
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.02):
            write(path, GROUPS + "new,,,\n")

    thread = threading.Thread(target=work)
    write(path, GROUPS)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_groups_of_people_may_stand_in_a_column_of_their_row(tmp_path: Path) -> None:
    made = Reader(tmp_path, map={"username": "username", "groups": {"from": "groups", "separator": ";"}})
    write_old(made.path, PEOPLE)
    assert groups_of(made) == {"ann": ("staff", "board"), "bob": ()}


def test_memberships_of_a_second_file_are_in_listings_and_in_what_is_found(tmp_path: Path) -> None:
    made = with_memberships(tmp_path)
    assert groups_of(made) == {"ann": ("staff", "board"), "bob": ("staff",)}
    entry = made.find("ann")
    assert entry is not None
    assert entry.attributes["groups"] == ("staff", "board")
    assert entry.attributes["number"] == "1"


def test_memberships_may_have_another_attribute_name(tmp_path: Path) -> None:
    made = Reader(
        tmp_path,
        memberships={**MEMBERSHIPS_TABLE, "attribute": "teams"},
        map={"username": "username", "groups": "teams"},
    )
    write_old(made.path, PEOPLE)
    write_old(tmp_path / "in.csv", MEMBERSHIPS)
    assert groups_of(made)["bob"] == ("staff",)


def test_memberships_that_nothing_reads_are_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="memberships that nothing reads: set groups = 'groups'"):
        Reader(tmp_path, memberships=MEMBERSHIPS_TABLE)
    with pytest.raises(ConfigError, match="are the same"):
        with_memberships(tmp_path, user_column="what")


@pytest.mark.parametrize("content", [MEMBERSHIPS[:-3], MEMBERSHIPS + "3,\n", "who\n1\n", MEMBERSHIPS + "a,b,c\n"])
def test_last_good_memberships_stay_in_force_while_the_file_is_not_sound(tmp_path: Path, content: str) -> None:
    made = with_memberships(tmp_path)
    before = groups_of(made)
    write_old(tmp_path / "in.csv", content)
    assert groups_of(made) == before
    assert any("in.csv" in complaint and "stays in force" in complaint for complaint in made.complaints())
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    with pytest.raises(IncompleteListing, match=r"in\.csv"):
        with_memberships(fresh, content).users()


def test_blank_cell_among_memberships_is_named(tmp_path: Path) -> None:
    made = with_memberships(tmp_path, MEMBERSHIPS + "3, \n")
    with pytest.raises(BackendError, match=r"in\.csv, row 6 below the header: nothing in column 'what'"):
        made.users()


def test_changed_memberships_are_noticed_by_the_feed(tmp_path: Path) -> None:
    made = with_memberships(tmp_path)
    position = made.backend.feed_position(Deadline(20))
    assert list(made.backend.changes(position, Deadline(20))) == []
    write(tmp_path / "in.csv", MEMBERSHIPS + "2,board\n")
    age(tmp_path / "in.csv")
    with pytest.raises(ComparisonNeeded):
        list(made.backend.changes(position, Deadline(20)))
    assert groups_of(made)["bob"] == ("staff", "board")


def test_check_counts_groups_and_memberships(tmp_path: Path) -> None:
    write_old(tmp_path / "groups.csv", GROUPS)
    write_old(tmp_path / "in.csv", MEMBERSHIPS)
    made = Reader(
        tmp_path,
        groups=GROUPS_TABLE,
        memberships=MEMBERSHIPS_TABLE,
        map={"username": "username", "groups": "groups"},
    )
    write_old(made.path, PEOPLE)
    messages = [finding.message for finding in made.backend.check(Deadline(20))]
    assert any(message.endswith("groups.csv: 2 groups") for message in messages)
    assert any(message.endswith("in.csv: 5 memberships") for message in messages)
