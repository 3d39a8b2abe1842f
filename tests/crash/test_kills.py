"""kill -9 at random moments, again and again, while three directories change and four receivers are told.

``KILLS`` (20) and ``SEED`` (1) of the environment say how many and which moments; ``make crash`` does 500.
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from tests.crash.directories import FileDirectory, OutboxDirectory, StampedDirectory, changing
from tests.crash.machine import Machine
from tests.crash.scene import Scene
from tests.receiver import OK, Behaviour, Receiver
from tests.waiting import wait_for

KILLS = int(os.environ.get("KILLS", "20"))
SEED = int(os.environ.get("SEED", "1"))
#: Seconds in which a server starts, makes its tables and compares everybody; some lives end there.
_YOUTH = 2.0
#: Seconds after the first delivery of a life in which the others end.
_PRIME = 1.0
_SUBSCRIPTIONS = {
    "single": "",
    "batches": "batch_size = 10\n",
    "coalescing": "coalesce = true\n",
    # Takes some people's events only in the end.
    "picky": "",
}
#: Ids of people whom /picky does not take at first: some who are there, and some who come later.
_PICKED_ON = tuple(str(number) for number in range(7, 9000, 13))


@pytest.mark.timeout(100 + 8 * KILLS)
def test_nothing_is_lost_nor_overtaken_through_kills(tmp_path: Path) -> None:
    """The rules are those of tests.crash.promises."""
    chance = random.Random(SEED)
    directories = [kind(kind.__name__.lower(), tmp_path, 120, SEED) for kind in (OutboxDirectory, StampedDirectory)]
    with Receiver(tmp_path / "receiver") as receiver:
        scene = Scene(tmp_path, [*directories, FileDirectory("file", tmp_path, 120, SEED)], receiver, _SUBSCRIPTIONS)
        receiver.behave("/picky", Behaviour(status=500, persons=_PICKED_ON))
        with Machine(scene.create()) as machine:
            with changing(scene.directories, pause=0.03):
                for number in range(KILLS):
                    machine.start()
                    _live(scene, machine, chance, is_short=number < 3 or chance.random() < 0.4)
                    machine.kill()
                    # What was under way on the wire counts to the life that ended.
                    wait_for(lambda: receiver.connected == 0, "the end of a killed server's connections")
                machine.start()
                _live(scene, machine, chance, is_short=False)
            receiver.behave("/picky", OK)
            scene.settle(machine)
            told = scene.verify(machine.births)
    assert told["picky"].failures, "nobody was ever parked: this run proved nothing about lanes"
    assert told["single"].repeats, "no kill hit a delivery under way: this run proved nothing about repeats"


def _live(scene: Scene, machine: Machine, chance: random.Random, is_short: bool) -> None:
    """Let the server live until the moment of its death."""
    if is_short:
        time.sleep(chance.uniform(0, _YOUTH))
    else:
        came = scene.receiver.count("/single").requests
        wait_for(lambda: scene.receiver.count("/single").requests > came, machine.log, pause=0.01)
        time.sleep(chance.uniform(0, _PRIME))
    assert machine.is_running, machine.log()
