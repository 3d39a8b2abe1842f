"""kill -9 at random moments while accounts change and slaves are told: nobody misses a change, and none is overtaken.

``KILLS`` (6) and ``SEED`` (1) of the environment say how many and which moments.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from integration_server.builtin.ips_connect.accounts import Accounts
from integration_server.builtin.ips_connect.tables import TABLES
from integration_server.store import Store
from tests.builtin.ips_connect.changing import Changes, check_order, events_of
from tests.builtin.ips_connect.slaves import Slave, as_ipbwi
from tests.crash.machine import Machine
from tests.crash.memory import Memory
from tests.waiting import wait_for

KILLS = int(os.environ.get("KILLS", "6"))
SEED = int(os.environ.get("SEED", "1"))
#: Seconds in which a server starts; some lives end there. And after its first call.
_YOUTH, _PRIME = 2.0, 1.0
NAMES = ("near", "far", "lagging", "silent", "flaky")


@pytest.fixture
def slaves() -> Iterator[dict[str, Slave]]:
    with ExitStack() as stack:
        found = {name: stack.enter_context(Slave(f"the key of {name}")) for name in NAMES}
        found["far"].delay, found["far"].lag = 0.01, 0.01
        # Of most calls, the answer is still to come when the server dies.
        found["lagging"].lag = 0.03
        found["silent"].forum.knows_itself = True
        found["silent"].script = lambda sent: as_ipbwi(found["silent"].forum.call(sent))
        yield found


def config(folder: Path, slaves: dict[str, Slave]) -> Path:
    made = folder / "config.d"
    made.mkdir()
    tables = [
        '[server]\ndata_dir = "../data"\n[log]\nlevel = "warning"\n[forwarding]\nallow_networks = ["127.0.0.1"]\n',
        '[backends.forum]\ntype = "ips_connect"\n',
    ]
    for name, slave in slaves.items():
        tables.append(
            f'[subscriptions.{name}]\ntype = "ips_connect"\nbackend = "forum"\nurl = "{slave.url}"\n'
            f'key = "{slave.forum.key}"\naccept_empty = {str(name == "silent").lower()}\n'
        )
    (made / "all.toml").write_text("\n".join(tables), encoding="utf-8")
    return made


@pytest.mark.timeout(120 + 10 * KILLS)
def test_no_change_is_lost_nor_overtaken_through_kills(tmp_path: Path, slaves: dict[str, Slave]) -> None:
    chance = random.Random(SEED)
    with Machine(config(tmp_path, slaves)) as machine:
        machine.start()
        machine.wait_ready()
        store = Store("", tmp_path / "data")
        wait_for(lambda: len(store.subscriptions.all()) == len(NAMES), machine.log)
        changes = Changes(Accounts("forum", store.storage(TABLES)), SEED)
        with changes.going_on(pause=0.04):
            for number in range(KILLS):
                _live(slaves, machine, chance, is_short=number > 1 and chance.random() < 0.4)
                machine.kill()
                # Some fail while nobody is there to see it, and are back later.
                if number == KILLS // 2:
                    slaves["flaky"].stop()
                machine.start()
            _live(slaves, machine, chance, is_short=False)
            slaves["flaky"].start()
        _settle(store, machine, tmp_path)
    gone = frozenset(str(one.id) for one in changes.accounts.changes(0, 1_000_000) if one.account is None)
    events = events_of(store, "forum")
    repeats = {name: check_order(slave, events, gone) for name, slave in slaves.items()}
    print(f"{len(events)} changes, told again: {repeats}")
    for name, slave in slaves.items():
        assert changes.is_in_step(slave), name
        # One that was under way at each end, and the one on the connection that was cut.
        assert repeats[name] <= KILLS + (name == "flaky")
    store.close()
    assert sum(repeats.values()), "no kill hit a call under way: this run proved nothing about repeats"


def _live(slaves: dict[str, Slave], machine: Machine, chance: random.Random, is_short: bool) -> None:
    """Let the server live until the moment of its death."""
    if is_short:
        time.sleep(chance.uniform(0, _YOUTH))
    else:
        came = len(slaves["near"].queries)
        wait_for(lambda: len(slaves["near"].queries) > came, machine.log, pause=0.01)
        time.sleep(chance.uniform(0, _PRIME))
    assert machine.is_running, machine.log()


def _settle(store: Store, machine: Machine, folder: Path) -> None:
    """Wait until everybody was told everything; nobody has hours for those who rest."""
    with Memory(f"sqlite:///{folder / 'data' / 'store.db'}") as memory:

        def is_quiet() -> bool:
            assert machine.is_running, machine.log()
            memory.make_due()
            return memory.is_quiet()

        wait_for(is_quiet, lambda: f"{memory.describe()}\n{machine.log()}", 90, pause=0.5)
