"""A file that is being written is not believed, and the last good content stays in force."""

from __future__ import annotations

import logging
import os
import stat
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from integration_server import BackendTimeout, BackendUnavailable, Deadline, Entry, IncompleteListing, Verdict
from tests.builtin.csv_files import QUIET_SECONDS, Reader, age, ssha, write, write_old

HEADER = "username,password\n"
GOOD = f"{HEADER}ann,{ssha('first')}\nbob,{ssha('bob')}\n"
#: Enough people for several batches.
MANY = 1200
#: What a program that rewrites the file may leave for others to see.
TORN = {
    "torn row": GOOD[:-10],
    "one row short of a line end": GOOD[:-1],
    "header only": HEADER,
    "empty": "",
    "half a header": HEADER[:-5],
    "no header": GOOD.split("\n", 1)[1],
    "one column too many": GOOD + "x,y,z\n",
    "preallocated": GOOD + "\0" * 4096,
}


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Reader]:
    """A backend that has read its file."""
    made = Reader(tmp_path, password_column="password")
    write_old(made.path, GOOD)
    assert made.names() == ["ann", "bob"]
    yield made
    made.backend.close()


def again(file: Reader) -> Reader:
    """The same backend after a restart."""
    file.backend.close()
    return Reader(file.path.parent, password_column="password")


def verdict(file: Reader, name: str, password: str) -> Verdict:
    entry = file.find(name)
    assert entry is not None
    return file.backend.verify(entry, password, Deadline(20))


def test_changed_file_is_read_after_the_quiet_period(file: Reader) -> None:
    write(file.path, GOOD + f"cleo,{ssha('cleo')}\n")
    assert file.names() == ["ann", "bob"]
    assert file.find("cleo") is None
    assert any("is being written; the content read 0 minutes ago" in warning for warning in file.warnings())
    time.sleep(QUIET_SECONDS)
    assert file.names() == ["ann", "bob", "cleo"]
    assert verdict(file, "cleo", "cleo") is Verdict.ACCEPTED


def test_file_that_grows_again_and_again_is_not_read_in_between(file: Reader) -> None:
    text = GOOD
    for n in range(6):
        text += f"u{n},{ssha('x')}\n"
        write(file.path, text)
        assert file.names() == ["ann", "bob"]
        time.sleep(QUIET_SECONDS / 3)
    time.sleep(QUIET_SECONDS)
    assert len(file.names()) == 8


def test_replaced_file_is_noticed_by_size_time_or_identity(file: Reader) -> None:
    # Same size and same time, but another file under the name.
    found = file.path.stat()
    beside = file.path.with_name("beside.csv")
    write(beside, GOOD.replace("ann", "eve"))
    os.utime(beside, ns=(found.st_atime_ns, found.st_mtime_ns))
    beside.replace(file.path)
    assert file.path.stat().st_size == found.st_size
    assert file.names() == ["eve", "bob"]
    # The same file, changed in place, its time set back.
    found = file.path.stat()
    write(file.path, GOOD.replace("ann", "abe"))
    os.utime(file.path, ns=(found.st_atime_ns, found.st_mtime_ns))
    if sys.platform != "win32":
        assert file.names() == ["abe", "bob"]


@pytest.mark.parametrize("state", TORN)
def test_last_good_content_stays_in_force_while_the_file_is_not_sound(file: Reader, state: str) -> None:
    write_old(file.path, TORN[state])
    for _ in range(2):
        assert file.names() == ["ann", "bob"]
        assert verdict(file, "ann", "first") is Verdict.ACCEPTED
        assert verdict(file, "ann", "second") is Verdict.REJECTED
        assert file.find("nobody") is None
    (complaint,) = file.complaints()
    assert "users.csv" in complaint
    assert "stays in force" in complaint
    write_old(file.path, GOOD.replace(ssha("first"), ssha("second")))
    assert verdict(file, "ann", "second") is Verdict.ACCEPTED
    assert verdict(file, "ann", "first") is Verdict.REJECTED
    assert file.complaints() == []


@pytest.mark.parametrize("state", TORN)
def test_torn_file_is_an_outage_where_there_is_no_last_good_content(tmp_path: Path, state: str) -> None:
    file = Reader(tmp_path, password_column="password")
    write_old(file.path, TORN[state])
    with pytest.raises(IncompleteListing):
        file.users()
    with pytest.raises(IncompleteListing):
        file.find("ann")
    write_old(file.path, GOOD)
    assert file.names() == ["ann", "bob"]


@pytest.mark.parametrize("state", TORN)
def test_last_good_content_outlives_a_restart(file: Reader, state: str) -> None:
    write_old(file.path, TORN[state])
    restarted = again(file)
    assert restarted.names() == ["ann", "bob"]
    assert verdict(restarted, "ann", "first") is Verdict.ACCEPTED
    assert len(restarted.complaints()) == 1


def test_content_of_other_settings_is_not_taken_for_the_last_good_one(file: Reader) -> None:
    write_old(file.path, TORN["torn row"])
    other = Reader(file.path.parent, password_column="password", delimiter=";")
    with pytest.raises(IncompleteListing):
        other.users()


def test_file_that_is_gone_is_an_outage_even_with_last_good_content(file: Reader) -> None:
    aside = file.path.rename(file.path.with_name("aside.csv"))
    for reader in (file, again(file)):
        with pytest.raises(BackendUnavailable, match="does not exist"):
            reader.users()
        with pytest.raises(BackendUnavailable, match="does not exist"):
            reader.find("ann")
    aside.rename(file.path)
    assert file.names() == ["ann", "bob"]


def test_trouble_is_logged_once_for_each_change(file: Reader, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for n in range(2):
        write_old(file.path, GOOD + "x\n" * (n + 1))
        for _ in range(3):
            file.names()
            file.find("ann")
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 2
    assert all("backend test: " in text and "line 4: 1 column instead of 2" in text for text in warnings)
    write_old(file.path, GOOD)
    file.names()
    assert "2 people from" in caplog.records[-1].getMessage()


def test_fresh_file_is_awaited_where_there_is_nothing_else(tmp_path: Path) -> None:
    file = Reader(tmp_path, password_column="password")
    write(file.path, GOOD)
    started = time.monotonic()
    assert file.names() == ["ann", "bob"]
    assert time.monotonic() - started >= QUIET_SECONDS / 2


def test_file_dated_in_the_future_is_read_once_it_was_left_alone(tmp_path: Path) -> None:
    file = Reader(tmp_path, password_column="password")
    write(file.path, GOOD)
    age(file.path, -3600)
    assert file.names() == ["ann", "bob"]
    write(file.path, GOOD.replace("ann", "eve"))
    age(file.path, -7200)
    assert file.names() == ["ann", "bob"]
    time.sleep(QUIET_SECONDS * 1.5)
    assert file.names() == ["eve", "bob"]


@contextmanager
def writer_at_work(path: Path, texts: list[str]) -> Iterator[None]:
    """Rewrites the file in place, piece by piece, without end."""
    stop = threading.Event()

    def work() -> None:
        turn = 0
        while not stop.is_set():
            text = texts[turn % len(texts)]
            with path.open("w", encoding="utf-8", newline="") as handle:
                for start in range(0, len(text), 700):
                    handle.write(text[start : start + 700])
                    handle.flush()
                    if stop.wait(0.0005):
                        break
            turn += 1

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_no_reader_ever_sees_a_mixture_of_two_contents(tmp_path: Path) -> None:
    # Without a quiet period every look reads the file, whatever its writer is doing.
    file = Reader(tmp_path, quiet_seconds=0.0)
    texts = ["username\n" + "".join(f"{letter}{n:05d}\n" for n in range(MANY + 200)) for letter in "ab"]
    wholes = [[f"{letter}{n:05d}" for n in range(MANY + 200)] for letter in "ab"]
    write_old(file.path, texts[0])
    assert file.names() == wholes[0]
    with writer_at_work(file.path, texts):
        until = time.monotonic() + 2
        while time.monotonic() < until:
            names = file.names()
            if names not in wholes:
                # Cut between two writes, the file is indistinguishable from a shorter one; this is what quiet is for.
                assert names in [whole[: len(names)] for whole in wholes]
    file.backend.close()


def test_file_in_steady_change_never_shortens_a_list(tmp_path: Path) -> None:
    file = Reader(tmp_path, quiet_seconds=0.3)
    texts = ["username\n" + "".join(f"{letter}{n:05d}\n" for n in range(500)) for letter in "ab"]
    write_old(file.path, texts[0])
    file.names()
    with writer_at_work(file.path, texts):
        until = time.monotonic() + 2
        while time.monotonic() < until:
            assert file.names() == [f"a{n:05d}" for n in range(500)]
    file.backend.close()


def test_listing_goes_on_with_the_content_it_began_with(tmp_path: Path) -> None:
    file = Reader(tmp_path)
    text = "username\n" + "".join(f"a{n}\n" for n in range(3 * MANY))
    write_old(file.path, text)
    batches = file.backend.users(Deadline(20))
    rows = list(next(batches).rows)
    write_old(file.path, text.replace("a", "b").replace("usernbme", "username"))
    assert file.names()[0] == "b0"
    rows += [row for batch in batches for row in batch.rows]
    assert [row[0] for row in rows] == [f"a{n}" for n in range(3 * MANY)]


def test_many_threads_meet_one_change_and_all_get_the_new_content(file: Reader) -> None:
    write_old(file.path, GOOD.replace("ann", "eve"))
    found: list[list[str] | Entry | None] = []
    threads = [threading.Thread(target=lambda: found.append(file.names())) for _ in range(8)]
    threads += [threading.Thread(target=lambda: found.append(file.find("ann"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found.count(["eve", "bob"]) == 8
    assert found.count(None) == 8
    assert len(file.copies()) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no file modes; the folder's permissions are inherited")
def test_copy_is_readable_by_its_owner_only(file: Reader) -> None:
    (copy,) = file.copies()
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert stat.S_IMODE(copy.parent.stat().st_mode) == 0o700


def test_copies_do_not_pile_up(file: Reader) -> None:
    abandoned = file.copies()[0].with_name("1-dead.part")
    write(abandoned, "x")
    age(abandoned, 7200)
    for n in range(5):
        write_old(file.path, GOOD + f"u{n},\n")
        assert f"u{n}" in file.names()
    assert len(file.copies()) == 1


def test_two_processes_share_one_copy(file: Reader) -> None:
    other = Reader(file.path.parent, password_column="password")
    (copy,) = file.copies()
    made = copy.stat().st_mtime_ns
    assert other.names() == ["ann", "bob"]
    assert copy.stat().st_mtime_ns == made
    write_old(file.path, GOOD.replace("ann", "eve"))
    assert other.names() == ["eve", "bob"]
    # The first process may have its copy removed beneath it and still moves on.
    write_old(file.path, TORN["torn row"])
    assert file.names() in (["eve", "bob"], ["ann", "bob"])
    write_old(file.path, GOOD)
    assert file.names() == other.names() == ["ann", "bob"]
    other.backend.close()


@pytest.mark.parametrize("damage", ["cut", "overwritten", "emptied"])
def test_damaged_copy_is_an_outage_and_then_made_anew(tmp_path: Path, damage: str) -> None:
    rows = "".join(f"u{n}\n" for n in range(2 * MANY))
    file = Reader(tmp_path)
    write_old(file.path, f"username\n{rows}")
    assert len(file.names()) == 2 * MANY
    file.backend.close()
    (copy,) = file.copies()
    content = copy.read_bytes()
    damaged = {"cut": content[:-40], "overwritten": b"\0" * 100 + content[100:], "emptied": b""}[damage]
    copy.write_bytes(damaged)
    restarted = Reader(tmp_path)
    try:
        assert len(restarted.names()) == 2 * MANY
    except BackendUnavailable:
        assert len(restarted.names()) == 2 * MANY


def test_slow_reading_of_a_new_file_is_a_timeout_and_still_comes_to_an_end(tmp_path: Path) -> None:
    file = Reader(tmp_path)
    write_old(file.path, "username\n" + "".join(f"u{n}\n" for n in range(300_000)))
    with pytest.raises(BackendTimeout):
        list(file.backend.users(Deadline(0.02)))
    until = time.monotonic() + 30
    while not any(path.suffix == ".copy" for path in file.copies()) and time.monotonic() < until:
        time.sleep(0.05)
    assert next(iter(file.backend.users(Deadline(5)))).rows[0][0] == "u0"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipe_in_place_of_the_file_blocks_nobody(file: Reader) -> None:
    file.path.unlink()
    os.mkfifo(file.path)
    with pytest.raises(BackendUnavailable, match="is no file"):
        file.users()


def test_share_that_hangs_is_a_timeout_and_heals(file: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    real = os.stat

    def hang(path: object, *args: object, **kwargs: object) -> os.stat_result:
        if str(path) == str(file.path):
            released.wait(30)
        return real(path, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "stat", hang)
    threads = threading.active_count()
    for _ in range(5):
        with pytest.raises(BackendTimeout):
            list(file.backend.users(Deadline(0.05)))
    assert threading.active_count() <= threads + 1
    released.set()
    assert file.names() == ["ann", "bob"]


def test_closed_backend_opens_its_file_again_when_asked(file: Reader) -> None:
    file.backend.close()
    assert file.names() == ["ann", "bob"]
