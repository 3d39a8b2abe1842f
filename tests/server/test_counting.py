"""What was counted comes to the store: after seconds, at the end, and later where the store is down."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from integration_server.meters import Tally
from integration_server.sdk.certificates import Certificate, Sightings
from integration_server.sdk.errors import StoreUnavailable
from integration_server.server.counting import Counting
from integration_server.store import Store
from tests.waiting import wait_for

ROOT = Path(__file__).parents[2]
#: Counts 40 logins, waits until they are kept, counts two more and is killed before anybody takes them.
SCRIPT = """
import os, signal, sys, time
from pathlib import Path
from integration_server.meters import Tally
from integration_server.sdk.certificates import Sightings
from integration_server.server.counting import Counting
from integration_server.store import Store

store, tally = Store("", Path(sys.argv[1])), Tally()
for _ in range(40):
    tally.login("archive", "accepted")
Counting(store, tally, Sightings(), every_seconds=0.1).start()
while not store.hourly_counts.since(0):
    time.sleep(0.02)
tally.take = dict
tally.login("archive", "accepted")
tally.login("archive", "accepted")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store("", tmp_path)
    yield made
    made.close()


def accepted(store: Store) -> int:
    return sum(one.number for one in store.hourly_counts.since(0) if one.what == "accepted")


def test_counts_come_to_the_store_after_a_while_and_at_the_end(store: Store) -> None:
    tally, sightings = Tally(), Sightings()
    counting = Counting(store, tally, sightings, every_seconds=0.05)
    tally.login("archive", "accepted")
    sightings.note(Certificate("https://wiki.example.org", time.time() + 60))
    counting.start()
    wait_for(lambda: accepted(store) == 1)
    wait_for(lambda: len(store.certificates.ending(time.time() + 90, 10)) == 1)
    counting.stop()
    tally.login("archive", "accepted")
    slow = Counting(store, tally, sightings, every_seconds=3600.0)
    slow.start()
    tally.login("archive", "accepted")
    slow.stop()
    assert accepted(store) == 3


def test_a_store_that_is_down_loses_nothing(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    tally, sightings = Tally(), Sightings()
    counting = Counting(store, tally, sightings, every_seconds=0.02)
    with store._engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE hourly_counts RENAME TO away"))
    tally.login("archive", "accepted")
    with pytest.raises(StoreUnavailable):
        counting.flush()
    counting.start()
    tally.login("archive", "accepted")
    time.sleep(0.1)
    with store._engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE away RENAME TO hourly_counts"))
    wait_for(lambda: accepted(store) == 2)
    counting.stop()
    assert accepted(store) == 2


def test_a_process_that_is_killed_loses_only_what_it_had_not_taken_there(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path)], cwd=ROOT, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    store = Store("", tmp_path)
    assert accepted(store) == 40
    store.close()
