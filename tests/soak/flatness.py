"""Whether a series stays flat: the last quarter beside the second, of what is left after a warm-up. Pure functions."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tests.soak.sampling import ProcessSample, StoreSample

Points = Sequence[tuple[float, float]]

#: What a life needs to be judged, in seconds, and how much of its beginning does not count.
LEAST_SECONDS: Final = 50.0
_WARM_UP_SECONDS, _WARM_UP_SHARE = 20.0, 0.1
RSS_SHARE, RSS_MB = 0.10, 8.0
#: One more than there ever were in the second quarter may happen to be open in half of the last.
_COUNT_SLACK: Final = 1
#: A quarter of a short life is too short for each pool of connections to have been full once; on a machine with other
#: work, callers pile up at any time. What leaks slowly is found in a long one.
_SHORT_SECONDS, _FILLING_SLACK = 300.0, 8
WAL_MB: Final = 8.0
#: What an event may take in the store with its indices, the attempts to deliver it, and the people in it. In KB.
EVENT_KB: Final = 4.0
STORE_MB: Final = 1.0
#: Tables that grow with what happens: pruned by age (``keep_days``, ``audit_days``), or kept for good, as public ids.
GROWING: Final = frozenset({"audit_log", "events", "profile_identities"})
#: Those that fill up to a number: claims on addresses, a thousand attempts of each of the eight subscriptions, and the
#: people of directories that have up to a fifth more than at first.
FULL: Final = {"leases": 256 + 20, "attempts": 8 * 1000 + 500, "people": 26 + 2 * 72 + 10}
_ROWS_SLACK: Final = 20


@dataclass(frozen=True, slots=True)
class Verdict:
    """``before`` and ``after`` are medians; flat is what is not above ``limit``."""

    name: str
    unit: str
    before: float
    after: float
    limit: float

    @property
    def is_flat(self) -> bool:
        return self.after <= self.limit

    def __str__(self) -> str:
        word = "flat" if self.is_flat else "GROWS"
        return f"{word:5}  {self.name}: {self.before:g} -> {self.after:g} {self.unit} (at most {self.limit:g})"


def warmed(points: Points) -> Points:
    """Without the warm-up; empty where too little is left to judge."""
    if not points:
        return []
    begin, end = points[0][0], points[-1][0]
    begin += max(_WARM_UP_SECONDS, (end - begin) * _WARM_UP_SHARE)
    return [point for point in points if point[0] >= begin] if end - begin >= LEAST_SECONDS else []


def quarters(points: Points) -> tuple[list[float], list[float]]:
    """The values of the second and of the last quarter."""
    begin, end = points[0][0], points[-1][0]
    quarter = (end - begin) / 4
    second = [value for at, value in points if begin + quarter <= at <= begin + 2 * quarter]
    return second, [value for at, value in points if at >= end - quarter]


def judge_memory(name: str, points: Points) -> Verdict:
    second, last = (statistics.median(values) for values in quarters(points))
    return Verdict(name, "MB", round(second, 1), round(last, 1), round(second + max(RSS_MB, second * RSS_SHARE), 1))


def judge_count(name: str, points: Points, slack: float = _COUNT_SLACK) -> Verdict:
    """Of things that come and go: the last quarter's median may be as high as the second quarter ever was."""
    second, last = quarters(points)
    return Verdict(name, "", statistics.median(second), statistics.median(last), max(second) + slack)


def judge_processes(samples: Iterable[ProcessSample]) -> list[Verdict]:
    """Each process in each of its lives that is long enough."""
    lives: dict[tuple[int, int, str], list[ProcessSample]] = defaultdict(list)
    for one in samples:
        lives[one.life, one.pid, one.name].append(one)
    verdicts = []
    for (life, pid, name), life_samples in lives.items():
        if not warmed([(one.at, one.rss) for one in life_samples]):
            continue
        place = f"{name} {pid} (life {life})"
        rss, fds, threads = (
            warmed([(one.at, getattr(one, what)) for one in life_samples]) for what in ("rss", "fds", "threads")
        )
        verdicts += [
            judge_memory(f"memory of {place}", rss),
            judge_count(f"file descriptors of {place}", fds, _COUNT_SLACK if _is_long(fds) else _FILLING_SLACK),
            judge_count(f"threads of {place}", threads),
        ]
    return verdicts


def _is_long(points: Points) -> bool:
    return points[-1][0] - points[0][0] >= _SHORT_SECONDS


def judge_store(samples: Sequence[StoreSample]) -> list[Verdict]:
    """The store grows by its journal, and by nothing else."""
    points = warmed([(one.at, one.wal) for one in samples])
    files = warmed([(one.at, one.files) for one in samples])
    if not points:
        return []
    second, last = (statistics.median(values) for values in quarters(points))
    verdicts = [
        Verdict("size of the write-ahead log", "MB", round(second, 2), round(last, 2), round(second + WAL_MB, 2)),
        judge_count("files in data_dir", files, slack=2),
    ]
    counted = [one for one in samples if one.rows]
    for table in sorted(counted[-1].rows):
        if table not in GROWING:
            rows = warmed([(one.at, one.rows.get(table, 0)) for one in counted])
            found = judge_count(f"rows of {table}", rows, _ROWS_SLACK)
            verdicts.append(replace(found, limit=FULL.get(table, found.limit)))
    return [*verdicts, _judge_size(counted)]


def _judge_size(counted: Sequence[StoreSample]) -> Verdict:
    """By how much the store grew in the second half, beside the events that came in it."""
    half, end = counted[len(counted) // 2], counted[-1]
    events = end.rows["events"] - half.rows["events"]
    limit = half.store + STORE_MB + events * EVENT_KB / 1024
    return Verdict(f"size of store.db, {events} events later", "MB", half.store, end.store, round(limit, 2))
