"""What a run measured, as a JSON file: on which machine, when, and each line with its noise."""

from __future__ import annotations

import datetime
import json
import os
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import integration_server
from bench.measured import Measured, Series


@dataclass(frozen=True, slots=True)
class Machine:
    """Where it was measured. ``load`` is the load average of the five minutes before."""

    processor: str
    cores: int
    memory_gb: int
    system: str
    python: str
    load: float
    date: str
    version: str

    @property
    def text(self) -> str:
        return (
            f"{self.processor}, {self.cores} cores, {self.memory_gb} GB, {self.system}, CPython {self.python}, "
            f"load {self.load:.1f}"
        )


def machine() -> Machine:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return Machine(
        processor=_processor(),
        cores=os.cpu_count() or 1,
        memory_gb=round(memory),
        system=_system(),
        python=platform.python_version(),
        load=round(os.getloadavg()[1], 1),
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        version=integration_server.__version__,
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"].partition(" (")[0]
    except OSError:
        return platform.system()


@dataclass(slots=True)
class Results:
    """The lines of one run, kind by kind."""

    machine: Machine
    kinds: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, kind: str, lines: Iterable[Measured], series: Iterable[Series], rounds: int) -> None:
        self.kinds[kind] = {
            "machine": asdict(self.machine),
            "rounds": rounds,
            "lines": [line.as_dict() for line in lines],
            "series": [one.as_dict() for one in series],
        }

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(self.kinds, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
