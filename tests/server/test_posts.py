"""Work that must be done once: by one process, by the next when that one is killed, and by nobody after the stop."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from integration_server.sdk.errors import StoreUnavailable
from integration_server.server.election import FileSeat, LeaseSeat
from integration_server.server.posts import Loop, Post, Work
from integration_server.store import Store
from integration_server.store.leases import LeaseTable
from tests.servers import PostgreSql
from tests.waiting import wait_for

ROOT = Path(__file__).parents[2]
#: Writes "begun PID", then waits; at the end of its input it stops the post and writes "ended PID".
SCRIPT = """
import os, sys, threading
from pathlib import Path
from integration_server.server.election import FileSeat
from integration_server.server.posts import Loop, Post

folder = Path(sys.argv[1])

def note(word):
    with (folder / "diary").open("a") as file:
        file.write(f"{word} {os.getpid()}\\n")

def run(stop):
    note("begun")
    stop.wait()
    note("ended")

post = Post("the work", FileSeat(folder / "seat.lock"), lambda: [Loop("worker", run)])
post.start()
sys.stdin.read()
post.ask_to_stop(10)
post.join()
note("gone")
"""


def diary(folder: Path) -> list[str]:
    path = folder / "diary"
    return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """A process that does the work as soon as nobody else does."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
        started.append(subprocess.Popen(command, stdin=subprocess.PIPE, cwd=ROOT))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_one_of_several_processes_works_and_another_goes_on_after_kill_9(
    begin: Callable[[], subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    processes = {process.pid: process for process in (begin(), begin(), begin())}
    for round_number in range(1, 4):
        wait_for(lambda n=round_number: len(diary(tmp_path)) >= n, "the next to work")
        time.sleep(0.3)
        begun = [int(line.removeprefix("begun ")) for line in diary(tmp_path)]
        assert len(begun) == round_number, "two worked at one time"
        assert len(set(begun)) == round_number
        processes[begun[-1]].kill()
        processes[begun[-1]].wait()


def test_stopped_process_ends_its_work_and_leaves_it_to_the_next(
    begin: Callable[[], subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    first = begin()
    wait_for(lambda: diary(tmp_path), "the first")
    second = begin()
    first.communicate()
    assert diary(tmp_path)[:3] == [f"begun {first.pid}", f"ended {first.pid}", f"gone {first.pid}"]
    wait_for(lambda: len(diary(tmp_path)) == 4, "the second")
    assert diary(tmp_path)[3] == f"begun {second.pid}"


def test_seat_is_lost_with_the_file_that_others_would_lock(tmp_path: Path) -> None:
    path = tmp_path / "seat.lock"
    mine, other = FileSeat(path), FileSeat(path)
    assert mine.take()
    assert not other.take()
    assert mine.keep()
    path.unlink()
    assert not mine.keep()
    assert other.take()
    assert not mine.keep()
    mine.release()
    assert other.keep()
    other.release()
    assert mine.take()
    mine.release()


def test_seat_in_what_is_no_folder_is_not_taken_and_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    seat = FileSeat(tmp_path / "file" / "seat.lock")
    assert not seat.take()
    assert not seat.take()
    assert len([record for record in caplog.records if "cannot be locked" in record.message]) == 1


class Free:
    """A seat that nobody else wants."""

    def __init__(self) -> None:
        self.is_kept = True
        self.takes = 0
        self.releases = 0

    def take(self) -> bool:
        self.takes += 1
        return True

    def keep(self) -> bool:
        return self.is_kept

    def release(self) -> None:
        self.releases += 1


def test_work_that_is_lost_is_ended_and_begun_anew_when_the_seat_comes_back() -> None:
    seat, runs, ended = Free(), [], []

    def run(stop: threading.Event) -> None:
        runs.append(seat.takes)
        stop.wait()
        ended.append(seat.takes)

    post = Post("the work", seat, lambda: [Loop("worker", run)])
    post.start()
    wait_for(lambda: runs, "the first run")
    seat.is_kept = False
    wait_for(lambda: ended, "the end of it")
    seat.is_kept = True
    wait_for(lambda: len(runs) >= 2, "the second run")
    post.ask_to_stop(5)
    post.join()
    assert len(ended) == len(runs)
    assert seat.releases == seat.takes


def test_work_that_cannot_begin_gives_the_seat_back_and_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("integration_server.server.posts.PAUSE_SECONDS", 0.05)
    seat, tries, done = Free(), [], threading.Event()

    def run(stop: threading.Event) -> None:
        done.set()
        stop.wait()

    def begin() -> Sequence[Work]:
        tries.append(1)
        if len(tries) < 3:
            raise OSError("not yet")
        return [Loop("worker", run)]

    post = Post("the work", seat, begin)
    post.start()
    assert done.wait(20)
    post.ask_to_stop(5)
    post.join()
    assert seat.releases == seat.takes == 3
    assert "the work could not begin" in caplog.text


def test_loop_that_fails_runs_again(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr("integration_server.server.posts.PAUSE_SECONDS", 0.05)
    runs, done = [], threading.Event()

    def run(stop: threading.Event) -> None:
        runs.append(1)
        if len(runs) < 3:
            raise RuntimeError("a fault of ours")
        done.set()
        stop.wait()

    loop = Loop("worker", run)
    loop.start()
    assert done.wait(20)
    loop.stop(5)
    assert caplog.text.count("worker failed and is begun again") == 2


def test_loop_that_does_not_hear_is_left_behind(caplog: pytest.LogCaptureFixture) -> None:
    release = threading.Event()

    def run(stop: threading.Event) -> None:
        release.wait()

    loop = Loop("worker", run)
    loop.start()
    loop.stop(0.05)
    release.set()
    assert "worker did not end within 0.05 s and is left behind" in caplog.text


def test_work_ends_by_itself_when_the_process_is_about_to_stop() -> None:
    seat, flag, ended = Free(), threading.Event(), threading.Event()

    def run(stop: threading.Event) -> None:
        stop.wait()
        ended.set()

    post = Post("the work", seat, lambda: [Loop("worker", run)], flag.is_set)
    post.start()
    wait_for(lambda: seat.takes, "the work")
    flag.set()
    assert ended.wait(20)
    post.ask_to_stop(5)
    post.join()
    assert (seat.takes, seat.releases) == (1, 1)


# -- leases ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def leases(postgresql: PostgreSql, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LeaseTable]:
    monkeypatch.setattr("integration_server.server.election.LEASE_SECONDS", 3.0)
    store = Store(postgresql.create_database(), tmp_path)
    yield store.leases
    store.close()


def test_lease_is_one_nodes_until_it_gives_it_back(leases: LeaseTable) -> None:
    mine, other = LeaseSeat(leases, "a", "watch/hq"), LeaseSeat(leases, "b", "watch/hq")
    assert mine.take()
    assert not other.take()
    assert LeaseSeat(leases, "b", "watch/lab").take()
    mine.release()
    assert other.take()
    assert not mine.take()


def test_lease_is_prolonged_while_it_is_kept_and_free_once_its_holder_is_gone(leases: LeaseTable) -> None:
    mine, other = LeaseSeat(leases, "a", "watch/hq"), LeaseSeat(leases, "b", "watch/hq")
    assert mine.take()
    until = time.monotonic() + 4
    while time.monotonic() < until:
        assert mine.keep()
        assert not other.take()
        time.sleep(0.1)
    # From here on it is as if that node had been killed.
    wait_for(other.take, "the takeover")
    assert not mine.keep()
    assert other.keep()


def test_lease_outlives_a_database_that_restarts_but_not_its_own_end(
    leases: LeaseTable, postgresql: PostgreSql
) -> None:
    mine = LeaseSeat(leases, "a", "watch/hq")
    began = time.monotonic()
    assert mine.take()
    with postgresql.stopped():
        with pytest.raises(StoreUnavailable):
            LeaseSeat(leases, "b", "watch/hq").take()
        while mine.keep():
            assert time.monotonic() - began < 20, "a lease that nobody prolonged is held for ever"
            time.sleep(0.05)
        assert time.monotonic() - began >= 3.0
    wait_for(mine.take, "the lease after the restart")
