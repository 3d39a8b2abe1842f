"""The real server as a process whose clock can be set, and what it has noted and left open."""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from tests.crash.machine import Machine
from tests.crash.memory import Memory, Noted
from tests.faults.directories.directory import Outage
from tests.tcp_proxy import Fault as NetworkFault
from tests.waiting import wait_for

#: Of Debian's package libfaketime, whatever the machine; None where it is not installed.
FAKETIME: Final = next(iter(Path("/usr/lib").glob("*/faketime/libfaketime.so.1")), None)
#: The store keeps some connections, of three files each, more or fewer as they were needed at one time.
_FILES_OF_STORE: Final = 15


class Place(Protocol):
    """What a fault can be applied to."""

    @property
    def outages(self) -> Mapping[str, Outage]: ...
    @property
    def store_file(self) -> Path: ...
    @property
    def pid(self) -> int: ...
    @property
    def is_far(self) -> bool: ...
    def network(self, fault: NetworkFault, *, drops: bool = False) -> AbstractContextManager[None]: ...
    def set_clock(self, seconds: int) -> None: ...
    def wait_scanning(self) -> None: ...
    def kill(self) -> None: ...
    def restart(self) -> None: ...


class Open(NamedTuple):
    """What a process has open."""

    threads: int
    sockets: int
    files: int


def opened_by(pid: int) -> Open:
    sockets = files = 0
    for entry in os.scandir(f"/proc/{pid}/fd"):
        try:
            is_socket = os.readlink(entry.path).startswith("socket:")
        except FileNotFoundError:
            continue
        sockets += is_socket
        files += not is_socket
    return Open(len(os.listdir(f"/proc/{pid}/task")), sockets, files)


class Served(ABC):
    """The server on a configuration folder; the first ``serve`` starts it. Close it before what it is connected to."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.folder = folder
        self._clock_file = folder / "clock"
        self._machine: Machine | None = None
        self._is_clock_ours = False
        self._port = port
        self._calm: Open | None = None

    @property
    def machine(self) -> Machine:
        assert self._machine is not None
        return self._machine

    @property
    def pid(self) -> int:
        return self.machine.pid

    @property
    def store_file(self) -> Path:
        return self.folder / "data" / "store.db"

    @abstractmethod
    def is_ready(self, memory: Memory) -> bool:
        """Whether it has noted by now, in a store that has its tables, what it does at its start."""

    @abstractmethod
    def exercise(self) -> None:
        """Let it do, with nothing wrong, as much as it must do at one time later on."""

    def settle(self) -> None:  # noqa: B027
        """What must be done when it is ready; mostly nothing."""

    def serve(self, *, is_clock_ours: bool = False) -> None:
        """See that it runs, under a clock that can be set or the true one."""
        if self._machine is not None and self._machine.is_running and is_clock_ours == self._is_clock_ours:
            return
        self.close()
        environment = {}
        if is_clock_ours:
            self._clock_file.write_text("+0\n", encoding="ascii")
            environment = {
                "LD_PRELOAD": str(FAKETIME),
                "FAKETIME_TIMESTAMP_FILE": str(self._clock_file),
                "FAKETIME_CACHE_DURATION": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            }
        self._machine = Machine(self.folder, port=self._port, environment=environment)
        self._port, self._is_clock_ours = self._machine.port, is_clock_ours
        self._start()

    def restart(self) -> None:
        """After it was killed; on the same port."""
        assert not self.machine.is_running
        self._start()

    def kill(self) -> None:
        self.machine.kill()

    def _start(self) -> None:
        self._calm = None
        self.machine.start()
        self.machine.wait_ready()
        wait_for(self._is_ready, self.machine.log)
        self.settle()

    def _is_ready(self) -> bool:
        assert self.machine.is_running, self.machine.log()
        with self.memory() as memory:
            return memory.has_tables() and self.is_ready(memory)

    def set_clock(self, seconds: int) -> None:
        self._clock_file.write_text(f"{seconds:+d}\n", encoding="ascii")
        # The library looks at the file once a second.
        time.sleep(1.2)

    def close(self) -> None:
        if self._machine is not None:
            self._machine.kill()

    def memory(self) -> Memory:
        return Memory(f"sqlite:///{self.store_file}")

    def journal(self) -> list[Noted]:
        with self.memory() as memory:
            return memory.events()

    @property
    def calm(self) -> Open:
        """The most that it has open when all is well and much was asked; measured once for each life."""
        if self._calm is None:
            for _ in range(3):
                self.exercise()
            self._calm = opened_by(self.pid)
            for _ in range(5):
                time.sleep(0.1)
                self._calm = Open(*map(max, self._calm, opened_by(self.pid)))
        return self._calm

    def take_for_calm(self) -> None:
        """Whatever is open now: a pool may keep one connection more. What is left each time anew is a leak."""
        self._calm = Open(*map(max, self.calm, opened_by(self.pid)))

    def left_open(self, seconds: float = 15) -> Open:
        """What it has open beyond that, once it had time to close it."""
        calm, deadline = self.calm, time.monotonic() + seconds
        while True:
            left = Open(*(max(0, now - then) for now, then in zip(opened_by(self.pid), calm, strict=True)))
            left = left._replace(files=max(0, left.files - _FILES_OF_STORE))
            if not any(left) or time.monotonic() > deadline:
                return left
            time.sleep(0.1)
