"""What the engine survives: a store that fails, a clock that is set, a process that is killed."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from integration_server.sdk.consumers import Delivery
from integration_server.sdk.deadline import Deadline
from integration_server.sdk.errors import DeliveryFailed
from integration_server.store import Store
from tests.forwarding.impatience import impatient
from tests.forwarding.receivers import POST, cursor, running, subscription, write_events
from tests.servers import PostgreSql
from tests.waiting import wait_for

ROOT = Path(__file__).parents[2]


def test_locked_store_delays_and_loses_nothing(sqlite: Store, tmp_path: Path) -> None:
    sqlite.subscriptions.add(subscription("sub_1"))
    POST.answer = lambda delivery, deadline: time.sleep(0.002)
    serials = write_events(sqlite, [f"p{n % 40}" for n in range(600)])
    other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    impatient(sqlite)
    with running(sqlite):
        wait_for(lambda: len(POST.taken) > 20)
        other.execute("BEGIN IMMEDIATE")
        # Longer than SQLite itself waits.
        time.sleep(2.5)
        assert len(POST.taken) < 600, "more was handed over than fits into the window"
        other.execute("ROLLBACK")
        wait_for(lambda: cursor(sqlite, "sub_1") == serials[-1])
    other.close()

    assert sorted(POST.serials()) == serials


def test_full_disk_delays_and_loses_nothing(sqlite: Store) -> None:
    sqlite.subscriptions.add(subscription("sub_1"))
    POST.answer = lambda delivery, deadline: time.sleep(0.002)
    serials = write_events(sqlite, [f"p{n % 40}" for n in range(600)])
    pages = {"most": 0}

    def limit(connection: Any, *_: object) -> None:
        # What SQLite answers then is what it answers on a full disk: "database or disk is full".
        connection.execute(f"PRAGMA max_page_count = {pages['most'] or 1_000_000}")

    import sqlalchemy as sa

    engine = sqlite._engine
    sa.event.listen(engine, "checkout", limit)
    with running(sqlite):
        wait_for(lambda: len(POST.taken) > 20)
        pages["most"] = 1
        time.sleep(2)
        assert len(POST.taken) < 600
        pages["most"] = 0
        wait_for(lambda: cursor(sqlite, "sub_1") == serials[-1])

    assert sorted(POST.serials()) == serials


def test_restarted_postgresql_delays_and_loses_nothing(postgresql: PostgreSql, tmp_path: Path) -> None:
    POST.__init__()  # type: ignore[misc]
    store = Store(postgresql.create_database(), tmp_path)
    store.subscriptions.add(subscription("sub_1", settings={"timeout_seconds": 2.0}))
    POST.answer = lambda delivery, deadline: time.sleep(0.002)
    serials = write_events(store, [f"p{n % 40}" for n in range(600)])
    with running(store, lease_slack=3.0):
        wait_for(lambda: len(POST.taken) > 20)
        postgresql.stop()
        time.sleep(1)
        handed = len(POST.taken)
        postgresql.start()
        wait_for(lambda: cursor(store, "sub_1") == serials[-1])
    store.close()

    assert handed < 600
    assert sorted(set(POST.serials())) == serials
    for person in range(40):
        own = POST.serials(person=f"p{person}")
        assert list(dict.fromkeys(own)) == serials[person::40]


class Clock:
    def __init__(self) -> None:
        self.step = 0.0

    def __call__(self) -> float:
        return time.time() + self.step


@pytest.mark.parametrize("step", [-86400.0, 86400.0])
def test_clock_that_is_set_changes_no_pause(sqlite: Store, step: float) -> None:
    clock = Clock()
    fails = threading.Event()
    fails.set()

    def answer(delivery: Delivery, deadline: Deadline) -> None:
        if fails.is_set():
            raise DeliveryFailed("500", 500)

    POST.answer = answer
    sqlite.subscriptions.add(subscription("sub_1"))
    write_events(sqlite, ["ada"])
    with running(sqlite, clock=clock):
        wait_for(lambda: sqlite.deliveries.find(["sub_1"], state="parked"))
        failed_at = time.monotonic()
        fails.clear()
        clock.step = step
        write_events(sqlite, ["bob"])
        wait_for(lambda: len(POST.taken) == 2)

    again = POST.deliveries[-1][0]
    assert [one.events[0].person_id for one in POST.taken] == ["bob", "ada"]
    assert 3.5 < again - failed_at < 20


_NODE = """
import os, sys, time
from pathlib import Path
from tests.forwarding.receivers import CONSUMERS, POST, make_engine
from integration_server.store import Store
url, folder, log, pause = sys.argv[1], Path(sys.argv[2]), sys.argv[3], float(sys.argv[4])
file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

def answer(delivery, deadline):
    line = " ".join([str(os.getpid()), str(time.time()), delivery.id, delivery.events[0].person_id,
                     ",".join(str(event.serial) for event in delivery.events)])
    os.write(file, (line + "\\n").encode())
    time.sleep(pause)

POST.answer = answer
store = Store(url if url != "-" else "", folder)
engine = make_engine(store, node=f"node {os.getpid()}", lease_slack=2.0)
engine.start()
print("ready", flush=True)
sys.stdin.read()
engine.stop(5)
"""


class Node:
    """An engine in a process of its own, which writes a line for each delivery at once."""

    def __init__(self, url: str, folder: Path, log: Path, pause: float = 0.0) -> None:
        folder.mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            [sys.executable, "-c", _NODE, url or "-", str(folder), str(log), str(pause)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready\n"

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.end()

    def stop(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.wait(20) == 0

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


def lines(log: Path) -> list[tuple[int, float, str, str, list[int]]]:
    found = []
    for line in log.read_text().splitlines() if log.exists() else []:
        pid, at, id, person, serials = line.split(" ")
        found.append((int(pid), float(at), id, person, [int(one) for one in serials.split(",")]))
    return found


def judge(log: Path, serials: list[int], people: int, window: int) -> None:
    """Nothing is lost; first deliveries are in order per person; what comes twice is in the window before a kill."""
    handed = [(pid, serial) for pid, _, _, _, several in lines(log) for serial in several]
    assert sorted({serial for _, serial in handed}) == serials
    first = list(dict.fromkeys(serial for _, serial in handed))
    for person in range(people):
        own = serials[person::people]
        assert [serial for serial in first if serial in set(own)] == own
    seen: dict[int, int] = {}
    for number, (pid, serial) in enumerate(handed):
        if serial in seen:
            begin = next(at for at, (other, _) in enumerate(handed) if other == pid)
            assert seen[serial] < begin, f"{serial} came twice from one life"
            assert begin - seen[serial] <= window, f"{serial} came again, {begin - seen[serial]} hand-overs later"
        seen[serial] = number


@pytest.mark.parametrize("batch_size", [1, 20])
def test_killed_engine_repeats_at_most_its_window_and_loses_nothing(tmp_path: Path, batch_size: int) -> None:
    log = tmp_path / "log"
    store = Store("", tmp_path / "data")
    store.subscriptions.add(subscription("sub_1", batch_size=batch_size))
    serials = write_events(store, [f"p{n % 20}" for n in range(3000)])
    for seconds in (0.15, 0.3, 0.5):
        node = Node("", tmp_path / "data", log, 0.001)
        time.sleep(seconds)
        node.kill()
    node = Node("", tmp_path / "data", log)
    wait_for(lambda: cursor(store, "sub_1") == serials[-1] and not store.deliveries.find(["sub_1"]))
    node.stop()
    node.end()
    store.close()

    window = 256 if batch_size == 1 else 16 * batch_size
    judge(log, serials, 20, window)
    batches: dict[str, list[int]] = {}
    for _, _, id, _, several in lines(log):
        assert batches.setdefault(id, several) == several


def test_second_node_takes_over_after_the_request_deadline(postgresql: PostgreSql, tmp_path: Path) -> None:
    log = tmp_path / "log"
    url = postgresql.create_database()
    store = Store(url, tmp_path)
    for number in range(4):
        store.subscriptions.add(subscription(f"sub_{number}", settings={"timeout_seconds": 1.0}))
    first = Node(url, tmp_path / "a", log, 0.005)
    wait_for(lambda: len(store.leases.all()) == 4)
    second = Node(url, tmp_path / "b", log, 0.005)
    serials = write_events(store, [f"p{n % 10}" for n in range(300)])
    wait_for(lambda: len(lines(log)) > 40)
    first.kill()
    killed_at = time.time()
    more = write_events(store, [f"p{n % 10}" for n in range(300, 400)])
    wait_for(lambda: all(cursor(store, f"sub_{n}") == more[-1] for n in range(4)))
    second.stop()
    first_pid, second_pid = first.process.pid, second.process.pid
    second.end()
    store.close()

    told = lines(log)
    begun = min(at for pid, at, _, _, _ in told if pid == second_pid)
    assert max(at for pid, at, _, _, _ in told if pid == first_pid) < begun
    assert begun - killed_at >= 1.0 - 0.1, "it took over while a request of the first could still arrive"
    counts: dict[int, int] = {}
    for _, _, _, _, several in told:
        for serial in several:
            counts[serial] = counts.get(serial, 0) + 1
    assert sorted(counts) == serials + more
    assert min(counts.values()) >= 4


def test_node_that_stops_hands_its_leases_over_at_once(postgresql: PostgreSql, tmp_path: Path) -> None:
    log = tmp_path / "log"
    url = postgresql.create_database()
    store = Store(url, tmp_path)
    store.subscriptions.add(subscription("sub_1", settings={"timeout_seconds": 60.0}))
    first = Node(url, tmp_path / "a", log)
    wait_for(lambda: len(store.leases.all()) == 1)
    second = Node(url, tmp_path / "b", log)
    first.stop()
    first.end()
    [serial] = write_events(store, ["ada"])
    wait_for(lambda: cursor(store, "sub_1") == serial, seconds=20)
    second.stop()
    second.end()
    store.close()

    assert [pid for pid, *_ in lines(log)] == [second.process.pid]


def freeze(node: Node, postgresql: PostgreSql) -> None:
    """Between two transactions: in the middle of one it would keep its locks until its connection ends."""
    busy = "SELECT 1 FROM pg_stat_activity WHERE datname LIKE 'test%' AND state <> 'idle'"
    with postgresql._connect() as connection:
        while True:
            node.process.send_signal(signal.SIGSTOP)
            time.sleep(0.05)
            if connection.execute(busy).fetchone() is None:
                return
            node.process.send_signal(signal.SIGCONT)
            time.sleep(0.03)


def test_frozen_node_that_wakes_up_writes_nothing_over_its_successors_work(
    postgresql: PostgreSql, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    url = postgresql.create_database()
    store = Store(url, tmp_path)
    store.subscriptions.add(subscription("sub_1", settings={"timeout_seconds": 1.0}))
    first = Node(url, tmp_path / "a", log, 0.005)
    wait_for(lambda: len(store.leases.all()) == 1)
    write_events(store, [f"p{n % 10}" for n in range(500)])
    wait_for(lambda: len(lines(log)) > 20)
    freeze(first, postgresql)
    second = Node(url, tmp_path / "b", log)
    wait_for(lambda: cursor(store, "sub_1") == 500)
    first.process.send_signal(signal.SIGCONT)
    time.sleep(1.5)
    assert cursor(store, "sub_1") == 500
    [serial] = write_events(store, ["ada"])
    wait_for(lambda: cursor(store, "sub_1") == serial)
    first.stop()
    second.stop()
    first.end()
    second.end()
    store.close()

    assert [pid for pid, _, _, person, _ in lines(log) if person == "ada"] == [second.process.pid]
    assert json.dumps(sorted({s for *_, several in lines(log) for s in several})) == json.dumps(list(range(1, 502)))
