"""Directories, a receiver and the configuration between them: what every crash test sets up, and how it ends."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.crash.directories import ChangingDirectory
from tests.crash.machine import Machine
from tests.crash.memory import Memory, is_noticed
from tests.crash.promises import Told, check
from tests.receiver import Receiver
from tests.waiting import wait_for

SECRET: Final = "whsec_" + "c2VjcmV0IG9mIHRoZSBjcmFzaCB0ZXN0cyAhISEh"


class Scene:
    """``subscriptions`` maps names to further keys of their tables; each has a path of its own at the receiver."""

    def __init__(
        self,
        folder: Path,
        directories: Sequence[ChangingDirectory],
        receiver: Receiver,
        subscriptions: Mapping[str, str],
        store_url: str = "",
    ) -> None:
        self.directories = list(directories)
        self.receiver = receiver
        self.subscriptions = dict(subscriptions)
        self._folder = folder
        self._store_url = store_url

    def create(self, name: str = "config") -> Path:
        """Fill the directories (once) and write a configuration folder; several nodes take one each."""
        if not any(directory.people for directory in self.directories):
            for directory in self.directories:
                directory.create()
        config = self._folder / name
        config.mkdir()
        tables = [
            '[server]\ndata_dir = "data"\n[log]\nlevel = "warning"\n[forwarding]\nallow_networks = ["127.0.0.1"]\n',
            f'[store]\nurl = "{self._store_url}"\n' if self._store_url else "",
            *(directory.config() for directory in self.directories),
        ]
        for subscription, keys in self.subscriptions.items():
            url = self.receiver.url(f"/{subscription}")
            tables.append(
                f'[subscriptions.{subscription}]\ntype = "webhook"\nurl = "{url}"\nsecret = "{SECRET}"\n{keys}'
            )
        (config / "all.toml").write_text("\n".join(tables), encoding="utf-8")
        if not self._store_url:
            self._store_url = f"sqlite:///{config / 'data' / 'store.db'}"
        return config

    def memory(self) -> Memory:
        return Memory(self._store_url)

    def wait_baseline(self, *machines: Machine) -> None:
        """Until everybody was written down once."""
        wanted = {directory.name for directory in self.directories}

        def is_there() -> bool:
            _assert_alive(machines)
            with self.memory() as memory:
                return memory.has_tables() and memory.baselines() >= wanted

        wait_for(is_there, lambda: _logs(machines), pause=0.1)

    def settle(self, *machines: Machine, seconds: float = 60) -> None:
        """Wait until everything is noticed and delivered, however much there is: only when nothing has come for
        ``seconds`` does it fail. What is parked is due at once, not some hours later."""
        self.wait_baseline(*machines)
        with self.memory() as memory:

            def tell() -> str:
                return f"{memory.describe()}\n{_logs(machines)}"

            wait_for(lambda: is_noticed(memory, self.directories), tell, seconds, pause=0.1)

            came, moved_at = -1, time.monotonic()
            while not memory.is_quiet():
                _assert_alive(machines)
                memory.make_due()
                now = sum(self.receiver.count(f"/{name}").requests for name in self.subscriptions)
                if now != came:
                    came, moved_at = now, time.monotonic()
                assert time.monotonic() < moved_at + seconds, f"nothing came for {seconds:g} s: {tell()}"
                time.sleep(0.2)

    def verify(self, births: Sequence[float]) -> dict[str, Told]:
        """Check every promise to every subscription, and that each believes of the directories what is true."""
        told = {}
        with self.memory() as memory:
            # What else is in the journal is told to slaves of IPS Connect alone.
            journal = [one for one in memory.events() if one.type.startswith(("user.", "membership."))]
            untold = memory.untold()
        for name, keys in self.subscriptions.items():
            requests = self.receiver.requests(f"/{name}")
            try:
                told[name] = check(requests, journal, births, SECRET, is_coalescing="coalesce = true" in keys)
            except AssertionError as exc:
                raise AssertionError(f"subscription {name}: {exc}") from exc
            for directory in self.directories:
                state = told[name].state
                here = {lane[1]: one for lane, one in state.items() if lane[0] == directory.name and one}
                # Who was there in the first place is told of only when something changes.
                expected = {key: one for key, one in directory.people.items() if (directory.name, key) not in untold}
                assert here == expected, f"{name} believes something else of {directory.name} than is true"
        for name, one in told.items():
            print(f"{name}: {one.events} events taken, {one.repeats} of them again, {one.failures} failures")
        return told


def _assert_alive(machines: Sequence[Machine]) -> None:
    for machine in machines:
        assert machine.is_running, f"the server has ended:\n{machine.log()}"


def _logs(machines: Sequence[Machine]) -> str:
    return "\n".join(machine.log() for machine in machines)
