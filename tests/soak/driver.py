"""The run: a beginning with a kill and a reload, a long quiet life, an end with both again; then the reckoning."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from tests.crash.directories import changing
from tests.soak.callers import Archive, Clerk, Desk, Forums, Monitor, Program, Site
from tests.soak.flatness import Verdict, judge_processes, judge_store
from tests.soak.house import House
from tests.soak.load import Load, Tally, Troubles
from tests.soak.pushing import Holder
from tests.soak.sampling import Sampler
from tests.soak.slaves import check_slave
from tests.waiting import wait_for

#: How long it is left alone before it is killed or reloaded, as shares of the whole: between the two pairs it lives
#: long enough to show a leak, however long a busy machine takes to start it.
_TROUBLES: Final = ((0.03, "kill"), (0.03, "reload"), (0.82, "reload"), (0.06, "kill"), (0.06, ""))
_START_SECONDS: Final = 120.0
_CHANGE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run has shown. ``wrong`` says what was not as it should be, but for what grew."""

    seconds: float
    verdicts: list[Verdict]
    tallies: dict[str, Tally]
    wrong: list[str]
    sampler: Sampler
    counts: dict[str, int]

    @property
    def grown(self) -> list[Verdict]:
        return [one for one in self.verdicts if not one.is_flat]

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "seconds": round(self.seconds),
            "wrong": self.wrong,
            "verdicts": [{**asdict(one), "is_flat": one.is_flat} for one in self.verdicts],
            "callers": {name: asdict(tally) for name, tally in self.tallies.items()},
            "counts": self.counts,
            "processes": [asdict(one) for one in self.sampler.processes],
            "store": [asdict(one) for one in self.sampler.stores],
        }


class _Run:
    """The parts of one run."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.kills, self.reloads = Troubles(), Troubles()
        self.cuts = Troubles()
        self.holder = Holder(house, self.cuts)
        self.forums, self.program, self.clerk = Forums(house), Program(house), Clerk(house)
        parts = [Archive(house), Site(house), self.forums, Desk(house), self.program, Monitor(house), self.clerk]
        callers = [caller for part in [*parts, self.holder] for caller in part.callers()]
        self.load = Load(callers, self.kills)
        self.passing = Load(self.holder.passers_by(), self.cuts)
        self.sampler = Sampler(house.data)

    def live(self, seconds: float) -> None:
        for share, what in _TROUBLES:
            self._pass(seconds * share)
            if what == "kill":
                self.kill()
            elif what == "reload":
                self.reload()

    def _pass(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (rest := until - time.monotonic()) > 0:
            assert self.house.machine.is_running, f"the server has ended:\n{self.house.machine.log()}"
            time.sleep(min(1.0, rest))

    def start(self) -> None:
        machine = self.house.machine
        machine.start()
        machine.wait_ready(_START_SECONDS)
        self.sampler.next_life(machine.pid)

    def kill(self) -> None:
        with self.kills.some(), self.cuts.some():
            self.house.machine.kill()
            self.start()
            self._listening()

    def reload(self) -> None:
        """Callers must not notice; only who holds a connection is cut off."""
        machine = self.house.machine
        before = _program(machine.pid)
        with self.cuts.some():
            os.kill(machine.pid, signal.SIGHUP)
            wait_for(lambda: _program(machine.pid) != before, machine.log, _START_SECONDS)
            self.sampler.next_life(machine.pid)
            self._listening()

    def _listening(self) -> None:
        """Wait for the WebSocket listener, which one of the processes opens after the others are ready."""

        def is_there() -> bool:
            try:
                socket.create_connection(("127.0.0.1", self.house.websocket_port), 5).close()
            except OSError:
                return False
            return True

        wait_for(is_there, self.house.machine.log, _START_SECONDS, pause=0.2)


def _program(pid: int) -> bytes:
    """What is another for each program that runs as this process: where the kernel has put it."""
    return Path(f"/proc/{pid}/auxv").read_bytes()


def soak(house: House, seconds: float) -> Outcome:
    """Run for so long, and tell. Raises AssertionError where something was lost, or the server ended."""
    run = _Run(house)
    with run.sampler:
        run.start()
        house.scene.wait_baseline(house.machine)
        began = time.monotonic()
        with run.holder:
            with run.load, run.passing, changing(house.scene.directories, _CHANGE_SECONDS):
                run.live(seconds)
            passed = time.monotonic() - began
            # What comes afterwards is another load, and lasts as long as it takes to see that nothing was lost.
            processes, stores = list(run.sampler.processes), list(run.sampler.stores)
            wrong, counts = _reckon(run)
    verdicts = [*judge_processes(processes), *judge_store(stores)]
    return Outcome(passed, verdicts, {**run.load.tallies, **run.passing.tallies}, wrong, run.sampler, counts)


def _reckon(run: _Run) -> tuple[list[str], dict[str, int]]:
    """Wait until everything has arrived, and see that it has. Raises AssertionError for what was lost."""
    house = run.house
    house.scene.settle(house.machine)
    told = house.scene.verify(house.machine.births)
    far = check_slave(house.receiver.requests("/far"), run.forums.made, run.forums.acknowledged)
    with house.scene.memory() as memory:
        journal = memory.events()
    serials = [one.serial for one in journal if one.type.startswith(("user.", "membership."))]
    wait_for(lambda: run.holder.told.get(run.holder.plain, 0) >= run.holder.put, "the last version was not told")
    wait_for(lambda: run.holder.told.get(run.holder.bound, 0) >= serials[-1], "the last change was not told")
    run.program.read(wait=0)
    wrong = [*run.load.failures(), *run.passing.failures(), *run.holder.failures, *errors(house.machine.said)]
    if run.program.serials != serials:
        wrong.append(f"the API told of {len(run.program.serials)} events of {len(serials)}, or in another order")
    counts = {
        "events": len(journal),
        "slave calls": far,
        "versions": run.holder.put,
        "reconnects": run.holder.retries,
    }
    counts |= {f"deliveries to {name}": one.events for name, one in told.items()}
    return wrong, counts


def errors(said: Sequence[str]) -> list[str]:
    """Lines of the log that nobody should see."""
    return [f"log: {line}" for line in said if " ERROR " in line or " CRITICAL " in line or "Traceback" in line]
