"""Faults of the ground the server stands on: it says what is wrong, goes on when it is over, and has lost nothing."""

from __future__ import annotations

import contextlib
import resource
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.crash.directories import OutboxDirectory, changing
from tests.crash.machine import Machine
from tests.crash.scene import Scene
from tests.receiver import Receiver
from tests.servers import PostgreSql

_SUBSCRIPTIONS = {"single": "", "batches": "batch_size = 10\n"}


@contextmanager
def _running(folder: Path, store_url: str = "") -> Iterator[tuple[Scene, Machine, Path]]:
    """A server that delivers what changes all the time; in the end everything must have come, each once."""
    with Receiver(folder / "receiver") as receiver:
        scene = Scene(folder, [OutboxDirectory("outbox", folder, 120, seed=3)], receiver, _SUBSCRIPTIONS, store_url)
        config = scene.create()
        with Machine(config) as machine:
            machine.start()
            scene.wait_baseline(machine)
            with changing(scene.directories, pause=0.02):
                time.sleep(1)
                yield scene, machine, config
                time.sleep(1)
            scene.settle(machine)
            assert machine.is_running
            assert len(machine.births) == 1
            told = scene.verify(machine.births)
    assert not told["single"].repeats, "without a crash, what was taken never comes again"


def _wait_said(machine: Machine, begin: int, *words: str, seconds: float = 30) -> str:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for line in machine.said[begin:]:
            if any(word in line for word in words):
                return line
        time.sleep(0.05)
    raise AssertionError(f"nothing said of {words}:\n" + "\n".join(machine.said[begin:]))


def _assert_no_tracebacks(machine: Machine) -> None:
    said = "\n".join(machine.said)
    assert "Traceback" not in said, said[-6000:]


def test_a_full_disk_is_told_and_got_over(tmp_path: Path) -> None:
    with _running(tmp_path) as (_, machine, _):
        begin = len(machine.said)
        before = resource.prlimit(machine.pid, resource.RLIMIT_FSIZE)
        # No file of the server may grow beyond what even the first page of its log needs.
        resource.prlimit(machine.pid, resource.RLIMIT_FSIZE, (4096, before[1]))
        try:
            _wait_said(machine, begin, "disk", "full")
            time.sleep(4)
        finally:
            resource.prlimit(machine.pid, resource.RLIMIT_FSIZE, before)
        assert len(machine.said) - begin < 100, "the log is flooded:\n" + "\n".join(machine.said[begin:][:100])
    _assert_no_tracebacks(machine)


def test_a_locked_store_is_told_and_waited_for(tmp_path: Path) -> None:
    with _running(tmp_path) as (_, machine, config):
        begin = len(machine.said)
        with contextlib.closing(sqlite3.connect(config / "data" / "store.db", timeout=30)) as connection:
            connection.isolation_level = None
            connection.execute("BEGIN IMMEDIATE")
            # Longer than the ten seconds for which the server itself waits for a lock.
            _wait_said(machine, begin, "locked")
            time.sleep(2)
            connection.execute("ROLLBACK")
    _assert_no_tracebacks(machine)


@pytest.mark.parametrize("how", [PostgreSql.restart, PostgreSql.kill], ids=["restarted", "killed"])
def test_a_postgresql_that_goes_away_is_told_and_waited_for(
    tmp_path: Path, postgresql: PostgreSql, how: Callable[[PostgreSql], None]
) -> None:
    with _running(tmp_path, postgresql.create_database()) as (_, machine, _):
        begin = len(machine.said)
        how(postgresql)
        _wait_said(machine, begin, "store")
        time.sleep(2)
        postgresql.heal()
    _assert_no_tracebacks(machine)
