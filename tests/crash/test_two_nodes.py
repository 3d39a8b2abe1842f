"""Two nodes of ``integration-server work`` on one PostgreSQL store, one of which is killed while it delivers."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.crash.directories import OutboxDirectory, changing
from tests.crash.machine import Machine
from tests.crash.scene import Scene
from tests.receiver import OK, Behaviour, Receiver
from tests.servers import PostgreSql

_KILLS = 2
_TIMEOUT = 2
_SUBSCRIPTIONS = {
    "single": f"timeout_seconds = {_TIMEOUT}\n",
    "batches": f"timeout_seconds = {_TIMEOUT}\nbatch_size = 10\n",
    "slow": f"timeout_seconds = {_TIMEOUT}\n",
}


@pytest.mark.timeout(180)
def test_another_node_takes_over_and_nothing_is_lost(tmp_path: Path, postgresql: PostgreSql) -> None:
    """The rules are those of tests.crash.promises; a life ends with each kill of the node that delivers."""
    with Receiver(tmp_path / "receiver") as receiver:
        # Something is always on the wire when the node dies.
        receiver.behave("/slow", Behaviour(delay=0.2))
        directory = OutboxDirectory("outbox", tmp_path, 120, seed=2)
        scene = Scene(tmp_path, [directory], receiver, _SUBSCRIPTIONS, postgresql.create_database())
        with Machine(scene.create("one"), "work") as one, Machine(scene.create("two"), "work") as two:
            one.start()
            scene.wait_baseline(one)
            two.start()
            ends = [one.births[0]]
            with changing(scene.directories, pause=0.03):
                time.sleep(4)
                for _ in range(_KILLS):
                    node = _delivering(scene, one, two)
                    node.kill()
                    time.sleep(0.05)
                    ends.append(time.time())
                    _wait_moving(scene, receiver)
                    node.start()
                    time.sleep(2)
            receiver.behave("/slow", OK)
            scene.settle(one, two)
            told = scene.verify(ends)
    assert told["slow"].repeats, "no kill hit a delivery under way: this run proved nothing about repeats"


def _delivering(scene: Scene, *nodes: Machine) -> Machine:
    """The node that holds the lease of a subscription."""
    with scene.memory() as memory:
        rows = memory.rows("SELECT name, owner FROM leases")
    for node in nodes:
        for name, owner in rows:
            if "single" in name and str(node.pid) in owner:
                return node
    raise AssertionError(f"none of {[node.pid for node in nodes]} holds the lease: {rows}")


def _wait_moving(scene: Scene, receiver: Receiver) -> None:
    """Until the other node delivers."""
    before = receiver.count("/single").requests
    deadline = time.monotonic() + 60
    while receiver.count("/single").requests == before:
        assert time.monotonic() < deadline, "nobody took over"
        time.sleep(0.02)
