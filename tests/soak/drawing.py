"""The plots of a run, as SVG, and its samples as JSON."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from bench.svg import Track, tracks
from tests.soak.driver import Outcome
from tests.soak.sampling import ProcessSample, StoreSample

_OF_PROCESSES: Final[dict[str, tuple[str, Callable[[ProcessSample], float]]]] = {
    "memory": ("resident, MB", lambda one: one.rss),
    "descriptors": ("open file descriptors", lambda one: one.fds),
    "threads": ("threads", lambda one: one.threads),
}
_OF_STORE: Final[dict[str, Callable[[StoreSample], float]]] = {
    "store.db": lambda one: one.store,
    "its log": lambda one: one.wal,
    "data_dir": lambda one: one.data,
}


def write(outcome: Outcome, folder: Path) -> None:
    """Put ``soak.json`` and the plots into this folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "soak.json").write_text(json.dumps(outcome.document(), indent=1), encoding="utf-8")
    for name, (unit, value) in _OF_PROCESSES.items():
        drawing = tracks(f"Server processes: {name}", ("minutes", unit), _processes(outcome.sampler.processes, value))
        (folder / f"{name}.svg").write_text(drawing, encoding="utf-8")
    stores = outcome.sampler.stores
    lines = [
        Track(name, [(one.at / 60, value(one)) for one in stores], color)
        for color, (name, value) in enumerate(_OF_STORE.items())
    ]
    (folder / "store.svg").write_text(tracks("The store", ("minutes", "MB"), lines), encoding="utf-8")


def _processes(samples: Sequence[ProcessSample], value: Callable[[ProcessSample], float]) -> list[Track]:
    """A line for each process in each life; workers take turns with their colours."""
    lives: dict[tuple[int, int], list[ProcessSample]] = defaultdict(list)
    for one in samples:
        lives[one.life, one.pid].append(one)
    lines, workers = [], defaultdict[int, int](int)
    for (life, _), life_samples in lives.items():
        color, label = 0, "supervisor"
        if life_samples[0].name == "the worker process":
            workers[life] += 1
            color, label = workers[life], f"worker {workers[life]}"
        # One that was caught as it began or ended is a dot that says nothing.
        if len(life_samples) > 1:
            lines.append(Track(label, [(one.at / 60, value(one)) for one in life_samples], min(color, 3)))
    return lines


def report(outcome: Outcome) -> str:
    """For people: what was asked, what is flat, and what went wrong."""
    lines: list[Any] = [f"{outcome.seconds / 60:.1f} minutes"]
    lines += [f"{name}: {tally.done} answered, {tally.excused} excused" for name, tally in outcome.tallies.items()]
    lines += [f"{name}: {count}" for name, count in outcome.counts.items()]
    lines += outcome.verdicts
    lines += [f"WRONG  {told}" for told in outcome.wrong]
    return "\n".join(map(str, lines))
