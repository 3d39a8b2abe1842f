"""The CSV backend puts people into groups and takes them out, in a column or in a second file."""

from __future__ import annotations

import codecs
import os
import random
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from integration_server import (
    AmbiguousEntry,
    BackendError,
    BackendMisconfigured,
    BackendTimeout,
    BackendUnavailable,
    Deadline,
    IncompleteListing,
    MembershipWriter,
    ReadOnlyBackend,
    UnknownGroup,
    UnwritableValue,
)
from integration_server.builtin.csv_file.source import Signature
from tests.builtin.csv_files import Reader, age, write, write_old
from tests.builtin.csv_writer import GROUPS_MAP, join, leave, writable
from tests.directory.full_disk import full_disk

PEOPLE = 'username;full_name;email;groups;note\nann;Ann;ann@x.org;;"a ""note"""\nbob;Bob;bob@x.org;staff;\n'


@pytest.fixture
def file(tmp_path: Path) -> Reader:
    made = writable(tmp_path)
    write_old(made.path, PEOPLE)
    return made


def text(reader: Reader) -> str:
    return reader.path.read_bytes().decode()


def groups_of(reader: Reader, name: str) -> tuple[str, ...]:
    return next(user.groups for user in reader.users() if user.username == name)


def beside(reader: Reader) -> set[str]:
    return {path.name for path in reader.path.parent.iterdir()} - {"data", "users.csv", "users.csv.lock"}


def test_backend_is_read_only_until_it_is_told_otherwise(tmp_path: Path) -> None:
    made = Reader(tmp_path, map=GROUPS_MAP, delimiter=";")
    write_old(made.path, PEOPLE)
    assert isinstance(made.backend, MembershipWriter)
    with pytest.raises(ReadOnlyBackend, match=r"\[backends.test\] is read-only; set is_writable = true"):
        join(made, "ann", "staff")
    assert text(made) == PEOPLE
    made = writable(tmp_path, map={"username": "username"})
    with pytest.raises(ReadOnlyBackend, match=r"set groups in \[map\] to one column, or \[memberships\]"):
        join(made, "ann", "staff")


def test_only_the_cell_changes_and_is_seen_at_once(file: Reader) -> None:
    assert join(file, "ann", "staff")
    assert text(file) == PEOPLE.replace("x.org;;", "x.org;staff;")
    assert groups_of(file, "ann") == ("staff",)
    assert join(file, "ann", "board")
    assert text(file) == PEOPLE.replace("x.org;;", 'x.org;"staff;board";')
    assert groups_of(file, "ann") == ("staff", "board")
    assert leave(file, "ann", "staff")
    assert groups_of(file, "ann") == ("board",)
    assert leave(file, "ann", "board")
    assert groups_of(file, "ann") == ()
    assert [user.username for user in file.users()] == ["ann", "bob"]


def test_what_is_done_already_is_not_new_and_writes_nothing(file: Reader) -> None:
    before = Signature.of(file.path.stat())
    assert not join(file, "bob", "staff")
    assert not join(file, "bob", "STAFF")
    assert not leave(file, "bob", "board")
    assert Signature.of(file.path.stat()) == before
    assert beside(file) == set()


def test_look_that_began_before_a_write_answers_nobody_who_asks_after_it(
    file: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = file.find("ann")
    assert entry is not None
    began, go_on = threading.Event(), threading.Event()
    watched = file.backend._file
    real = watched._source.signature

    def slow() -> Signature:
        found = real()
        if threading.current_thread().name == "backend test" and not began.is_set():
            began.set()
            go_on.wait(20)
        return found

    monkeypatch.setattr(watched._source, "signature", slow)
    early = threading.Thread(target=file.names)
    early.start()
    assert began.wait(20)
    assert file.backend.add_member(entry, "staff", Deadline(20))
    assert groups_of(file, "ann") == ("staff",)
    go_on.set()
    early.join()
    assert groups_of(file, "ann") == ("staff",)


def test_check_tells_of_a_folder_that_cannot_be_written(file: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    assert file.complaints() == []
    monkeypatch.setattr(os, "access", lambda *_: False)
    (complaint,) = file.complaints()
    assert complaint == f"is_writable is set, but the folder {file.path.parent} cannot be written"


def test_another_backend_on_the_same_file_sees_the_change_at_once_and_writes_without_waiting(file: Reader) -> None:
    other = writable(file.path.parent, quiet_seconds=30.0)
    slow = writable(file.path.parent, quiet_seconds=30.0)
    assert other.names() == slow.names() == ["ann", "bob"]
    started = time.monotonic()
    for number in range(4):
        assert join(other if number % 2 else slow, "ann", f"g{number}")
        assert len(groups_of(other, "ann")) == len(groups_of(slow, "ann")) == number + 1
    assert time.monotonic() - started < 20


def test_backup_is_the_file_before_the_last_change(file: Reader) -> None:
    join(file, "ann", "one")
    second = text(file)
    assert (file.path.parent / "users.csv.bak").read_bytes().decode() == PEOPLE
    join(file, "ann", "two")
    assert (file.path.parent / "users.csv.bak").read_bytes().decode() == second
    assert beside(file) == {"users.csv.bak"}


def test_separators_are_set_as_they_were(file: Reader) -> None:
    write_old(file.path, PEOPLE.replace(";staff;", ';"staff; board";'))
    join(file, "bob", "new")
    assert '"staff; board; new"' in text(file)
    leave(file, "bob", "board")
    assert '"staff; new"' in text(file)
    write_old(file.path, PEOPLE.replace(";staff;", ';"staff;";'))
    join(file, "bob", "new")
    assert '"staff;new"' in text(file)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no file modes")
def test_mode_is_kept_by_the_file_and_its_backup(file: Reader) -> None:
    file.path.chmod(0o640)
    join(file, "ann", "staff")
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o640
    assert stat.S_IMODE((file.path.parent / "users.csv.bak").stat().st_mode) == 0o640


@pytest.mark.parametrize(
    ("encoding", "mark", "codec"),
    [
        ("utf-8", b"", "utf-8"),
        ("utf-8", codecs.BOM_UTF8, "utf-8"),
        ("utf-8-sig", codecs.BOM_UTF8, "utf-8"),
        ("cp1252", b"", "cp1252"),
        ("utf-16", codecs.BOM_UTF16_LE, "utf-16-le"),
        ("utf-16", codecs.BOM_UTF16_BE, "utf-16-be"),
        ("utf-32", codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encoding_byte_order_mark_and_line_ends_are_kept(
    tmp_path: Path, encoding: str, mark: bytes, codec: str, end: str
) -> None:
    people = PEOPLE.replace("Ann", "Änn").replace("\n", end)
    made = writable(tmp_path, encoding=encoding)
    write_old(made.path, mark + people.encode(codec))
    assert join(made, "ann", "Größe")
    assert made.path.read_bytes() == mark + people.replace("x.org;;", "x.org;Größe;").encode(codec)
    assert groups_of(made, "ann") == ("Größe",)


def test_quoted_rows_with_line_breaks_stay_as_they_are(file: Reader) -> None:
    people = 'username;full_name;email;groups;note\r\n\r\n"ann";"An\r\nn";"";"";"x\ny"\r\n"bob";"B";"";staff;""\r\n'
    write_old(file.path, people)
    assert join(file, "ann", "board")
    assert join(file, "bob", "board")
    expected = people.replace('"";"";"x', '"";"board";"x').replace(";staff;", ';"staff;board";')
    assert text(file) == expected


@pytest.mark.parametrize("delimiter", [",", "\t", "|"])
def test_other_delimiters_are_kept_whether_named_or_found(tmp_path: Path, delimiter: str) -> None:
    people = PEOPLE.replace(";", delimiter)
    for chosen in (delimiter, "auto"):
        made = writable(tmp_path, delimiter=chosen)
        write_old(made.path, people)
        assert join(made, "ann", "staff")
        assert text(made) == people.replace(f"x.org{delimiter * 2}", f"x.org{delimiter}staff{delimiter}")


@pytest.mark.parametrize(
    "group", ['"; DROP', "a\nadmin;x;y", "=cmd()|calc", "a\r\nb", "'", '""', "x\u2028y\x85z", "a\x0bb", "李四", "%s{0}"]
)
def test_hostile_names_of_groups_stay_in_their_cell(tmp_path: Path, group: str) -> None:
    made = writable(tmp_path, map={**GROUPS_MAP, "groups": {"from": "groups", "separator": "~"}})
    write_old(made.path, PEOPLE)
    assert join(made, "ann", group)
    assert groups_of(made, "ann") == (group,)
    assert groups_of(made, "bob") == ("staff",)
    assert not join(made, "ann", group)
    assert leave(made, "ann", group)
    assert made.names() == ["ann", "bob"]


@pytest.mark.parametrize(
    ("keys", "group", "complaint"),
    [
        ({}, "a;b", r"group: 'a;b' holds the separator ';' of column 'groups'"),
        ({}, " a", "group: the id ' a' is empty, or begins or ends with a blank"),
        ({}, "", "group: the id '' is empty"),
        ({}, "a\0b", r"group \(column 'groups'\): a NUL"),
        ({}, "\ud800", r"group \(column 'groups'\): the character '\\ud800' does not exist in utf-8"),
        ({"encoding": "cp1252"}, "李", r"group \(column 'groups'\): the character '\\u674e' does not exist in cp1252"),
        ({"quote": ""}, "a\nb", r"group \(column 'groups'\): a line break cannot be written where nothing is quoted"),
        ({}, "x" * 200_000, "cannot be written so that it can be read again: field larger"),
    ],
)
def test_value_that_the_file_cannot_hold_is_named_and_nothing_is_written(
    tmp_path: Path, keys: dict[str, object], group: str, complaint: str
) -> None:
    made = writable(tmp_path, **keys)
    write_old(made.path, PEOPLE)
    with pytest.raises(UnwritableValue, match=complaint):
        join(made, "ann", group)
    assert text(made) == PEOPLE
    assert beside(made) == set()


def test_column_for_one_group_takes_no_second_one(tmp_path: Path) -> None:
    made = writable(tmp_path, map={**GROUPS_MAP, "groups": "groups"})
    write_old(made.path, PEOPLE)
    assert join(made, "ann", "staff; board")
    with pytest.raises(BackendMisconfigured, match=r"for more than one, set separator in \[map\] groups"):
        join(made, "bob", "board")
    assert leave(made, "bob", "staff")
    assert groups_of(made, "bob") == ()


def test_person_who_left_meanwhile_and_one_who_is_there_twice_are_errors(file: Reader) -> None:
    entry = file.find("ann")
    assert entry is not None
    write_old(file.path, PEOPLE.replace("ann;", "eve;"))
    with pytest.raises(BackendError, match=r"users\.csv: there is no row with username='ann' any more"):
        file.backend.add_member(entry, "staff", Deadline(20))
    twice = PEOPLE + "ann;;;;\n"
    write_old(file.path, twice)
    with pytest.raises(AmbiguousEntry, match="2 rows have username='ann'"):
        file.backend.add_member(entry, "staff", Deadline(20))
    assert text(file) == twice


@pytest.mark.parametrize("torn", [PEOPLE[:-5], PEOPLE + "x;y\n", PEOPLE + 'x;"', PEOPLE + "\0\0\n", ""])
def test_torn_file_is_never_written_on(file: Reader, torn: str) -> None:
    entry = file.find("ann")
    assert entry is not None
    write_old(file.path, torn)
    with pytest.raises(IncompleteListing):
        file.backend.add_member(entry, "staff", Deadline(20))
    assert text(file) == torn
    assert beside(file) == set()


def test_file_that_another_program_writes_is_waited_for(file: Reader) -> None:
    entry = file.find("ann")
    assert entry is not None
    write(file.path, PEOPLE[:-20])

    def finish() -> None:
        write(file.path, PEOPLE + "cid;;;;\n")

    timer = threading.Timer(0.2, finish)
    timer.start()
    assert file.backend.add_member(entry, "staff", Deadline(20))
    timer.join()
    assert text(file) == PEOPLE.replace("x.org;;", "x.org;staff;") + "cid;;;;\n"


def test_change_by_another_program_between_reading_and_replacing_is_not_overwritten(
    file: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = file.find("ann")
    assert entry is not None
    theirs = PEOPLE + "cid;;;;\n"
    monkeypatch.setattr(
        "integration_server.builtin.csv_file.rewriting.shutil.copyfileobj",
        lambda *_: write(file.path, theirs),
    )
    with pytest.raises(IncompleteListing, match="changed by another program meanwhile; nothing was written"):
        file.backend.add_member(entry, "staff", Deadline(20))
    assert text(file) == theirs


def test_file_without_a_last_line_end_keeps_none(tmp_path: Path) -> None:
    made = writable(tmp_path, require_final_newline=False)
    write_old(made.path, PEOPLE[:-1])
    assert join(made, "bob", "board")
    assert text(made) == PEOPLE[:-1].replace(";staff;", ';"staff;board";')


@pytest.mark.skipif(sys.platform == "win32", reason="limits the size of files")
def test_full_disk_is_an_error_and_leaves_the_file_as_it_is(file: Reader) -> None:
    people = PEOPLE + "".join(f"u{number};;;;\n" for number in range(2000))
    write_old(file.path, people)
    entry = file.find("ann")
    assert entry is not None
    with full_disk(5000), pytest.raises(BackendUnavailable, match="cannot be written: File too large"):
        file.backend.add_member(entry, "staff", Deadline(20))
    assert text(file) == people
    assert beside(file) == set()
    assert file.backend.add_member(entry, "staff", Deadline(20))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="permissions do not bind root")
def test_folder_that_may_not_be_written_is_an_error(file: Reader) -> None:
    file.path.parent.chmod(0o500)
    try:
        with pytest.raises(BackendMisconfigured, match="cannot be written: Permission denied"):
            join(file, "ann", "staff")
    finally:
        file.path.parent.chmod(0o700)


def test_file_that_may_not_be_replaced_is_an_error_and_stays(file: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.replace

    def refuse(source: Path, target: Path) -> None:
        if target == file.path:
            raise PermissionError(13, "Permission denied")
        real(source, target)

    monkeypatch.setattr("integration_server.builtin.csv_file.rewriting.os.replace", refuse)
    with pytest.raises(BackendMisconfigured, match=r"users\.csv cannot be written: Permission denied"):
        join(file, "ann", "staff")
    assert text(file) == PEOPLE
    assert beside(file) == {"users.csv.bak"}


def test_lock_that_is_held_is_a_timeout_and_one_left_behind_is_none(file: Reader) -> None:
    script = (
        "import filelock,sys,time; it = filelock.FileLock(sys.argv[1]); it.acquire(); print(flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(file.path) + ".lock"], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    holder.stdout.readline()
    entry = file.find("ann")
    assert entry is not None
    with pytest.raises(BackendTimeout):
        file.backend.add_member(entry, "staff", Deadline(0.3))
    holder.kill()
    holder.wait()
    holder.stdout.close()
    assert file.backend.add_member(entry, "board", Deadline(20))
    assert groups_of(file, "ann") == ("board",)


def start(folder: Path, task: str, first: int, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.builtin.csv_writer", str(folder), task, str(first), str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])


def test_eight_threads_and_two_processes_lose_nothing(file: Reader) -> None:
    assert file.names()
    processes = [start(file.path.parent, "join", 1000 * n, 20) for n in (1, 2)]
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(5):
                assert join(file, "ann" if number % 2 else "bob", f"t{number}-{turn}")
        except BaseException as exc:
            failures.append(exc)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert failures == []
    expected = {f"g{1000 * n + number}" for n in (1, 2) for number in range(20)}
    expected |= {f"t{number}-{turn}" for number in (1, 3, 5, 7) for turn in range(5)}
    assert set(groups_of(file, "ann")) == expected
    assert set(groups_of(file, "bob")) == {"staff"} | {f"t{n}-{turn}" for n in (0, 2, 4, 6) for turn in range(5)}
    assert beside(file) == {"users.csv.bak"}


@pytest.mark.skipif(sys.platform == "win32", reason="kills as Unix does")
def test_killed_writer_leaves_the_old_file_or_the_new_one_and_blocks_nobody(file: Reader) -> None:
    people = PEOPLE + "".join(f"u{number};Somebody;;;\n" for number in range(3000))
    write_old(file.path, people)
    states = {people, people.replace("x.org;;", "x.org;toggled;", 1)}
    chance = random.Random(7)
    for _ in range(5):
        process = start(file.path.parent, "toggle", 1, 100_000)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(chance.uniform(0, 0.15))
        process.kill()
        process.communicate()
        assert text(file) in states
        backup = file.path.parent / "users.csv.bak"
        assert backup.read_bytes().decode() in states
    age(file.path)
    assert join(file, "bob", "board")
    assert beside(file) == {"users.csv.bak"}
    assert len(file.users()) == 3002


MEMBERSHIPS = "who;what;since\nann;staff;2020\nbob;staff;\nann;board;\n"


def with_rows(folder: Path, content: str = MEMBERSHIPS, **keys: object) -> Reader:
    table = {"path": "in.csv", "user_column": "who", "group_column": "what", "key_column": "username", **keys}
    made = writable(folder, memberships=table, map={"username": "username", "groups": "groups"})
    write_old(made.path, PEOPLE)
    write_old(folder / "in.csv", content)
    return made


def test_memberships_in_a_second_file_are_rows_that_come_and_go(tmp_path: Path) -> None:
    made = with_rows(tmp_path)
    assert groups_of(made, "ann") == ("staff", "board")
    assert join(made, "bob", "board")
    assert (tmp_path / "in.csv").read_text() == MEMBERSHIPS + "bob;board;\n"
    assert groups_of(made, "bob") == ("staff", "board")
    assert leave(made, "ann", "staff")
    assert (tmp_path / "in.csv").read_text() == MEMBERSHIPS.replace("ann;staff;2020\n", "") + "bob;board;\n"
    assert groups_of(made, "ann") == ("board",)
    assert not join(made, "bob", "board")
    assert not leave(made, "ann", "staff")
    assert text(made) == PEOPLE


def test_last_membership_can_be_taken_away_and_another_one_made(tmp_path: Path) -> None:
    for number, keys in enumerate(({}, {"has_header": False, "columns": ["who", "what"]})):
        folder = tmp_path / str(number)
        folder.mkdir()
        made = with_rows(folder, "ann;staff\n" if keys else "who;what\nann;staff\n", **keys)
        assert leave(made, "ann", "staff")
        assert groups_of(made, "ann") == ()
        assert join(made, "bob", "staff")
        assert (groups_of(made, "ann"), groups_of(made, "bob")) == ((), ("staff",))


def test_new_row_is_quoted_and_ended_as_the_rows_before_it(tmp_path: Path) -> None:
    quoted = '"who";"what"\r\n"ann";"staff"\r\n'
    made = with_rows(tmp_path, quoted)
    assert join(made, "bob", "staff")
    assert (tmp_path / "in.csv").read_bytes().decode() == quoted + '"bob";"staff"\r\n'
    made = with_rows(tmp_path, quoted[:-2], require_final_newline=False)
    assert join(made, "bob", "staff")
    assert (tmp_path / "in.csv").read_bytes().decode() == quoted + '"bob";"staff"'


def test_group_that_is_not_listed_takes_nobody_and_lets_everybody_go(tmp_path: Path) -> None:
    write_old(tmp_path / "groups.csv", "id\nboard\n")
    made = writable(tmp_path, groups={"path": "groups.csv", "id_column": "id"})
    write_old(made.path, PEOPLE)
    with pytest.raises(UnknownGroup, match=r"groups\.csv has no group 'nowhere'"):
        join(made, "ann", "nowhere")
    with pytest.raises(UnknownGroup):
        leave(made, "ann", "nowhere")
    assert join(made, "ann", "board")
    # Another spelling of a listed group is no group, and takes nobody out of the one that is.
    with pytest.raises(UnknownGroup):
        leave(made, "ann", "BOARD")
    assert groups_of(made, "ann") == ("board",)
    assert leave(made, "bob", "staff")
