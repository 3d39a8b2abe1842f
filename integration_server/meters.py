"""What each process counts while it works. Everything else that monitoring asks for is read from the store.

``prometheus_client`` adds up several processes through files, in the folder that its environment variable names when it
is imported first; without one, what is counted is this process's alone.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_HOUR_SECONDS = 3600
#: Of hours that wait to be kept, so many at most, over all frontends and words.
_MOST_WAITING = 20_000
_SECONDS = (0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0)


def share(folder: Path) -> None:
    """Have the processes that this one starts from now on add up their counts through files in a folder; those that
    others have left there are removed. A folder that cannot be used leaves each process its own counts."""
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for file in folder.glob("*.db"):
            if not _is_running(file.stem.rpartition("_")[2]):
                with suppress(OSError):
                    file.unlink()
        os.environ[_FOLDER] = str(folder)


def _is_running(pid: str) -> bool:
    """Whether a file may belong to a process. Windows itself keeps files that are open from being removed."""
    if not pid.isdigit():
        return True
    if sys.platform == "win32":
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


class Tallied(NamedTuple):
    """A number, and the Unix time when it was last counted up or set."""

    number: int
    latest_at: float


#: By frontend, hour since 1970 (UTC), and word.
Tallies = Mapping[tuple[str, int, str], Tallied]


class Tally:
    """Logins and lists by frontend and hour, in memory, until somebody takes them to where they are kept. Thread-safe.

    The words are ``accepted``, ``refused`` and ``unavailable`` for logins, ``lists`` for lists that went out, and
    ``people`` for how many were on the latest one.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: dict[tuple[str, int, str], Tallied] = {}

    def login(self, frontend: str, outcome: str) -> None:
        """``outcome`` is a verdict, ``throttled`` or ``unavailable``."""
        now = self._clock()
        with self._lock:
            self._add(frontend, outcome if outcome in ("accepted", "unavailable") else "refused", 1, now)

    def listed(self, frontend: str, people: int) -> None:
        """A list with so many people went out."""
        now = self._clock()
        with self._lock:
            self._add(frontend, "lists", 1, now)
            self._add(frontend, "people", people, now)

    def take(self) -> Tallies:
        """What was counted since the last time."""
        with self._lock:
            taken, self._waiting = self._waiting, {}
        return taken

    def give_back(self, taken: Tallies) -> None:
        """What could not be kept; ``take`` gives it again, with what is counted meanwhile."""
        with self._lock:
            newer, self._waiting = self._waiting, dict(taken)
            for (frontend, hour, word), tallied in newer.items():
                self._put(frontend, hour, word, tallied.number, tallied.latest_at)

    def _add(self, frontend: str, word: str, number: int, now: float) -> None:
        self._put(frontend, int(now // _HOUR_SECONDS), word, number, now)

    def _put(self, frontend: str, hour: int, word: str, number: int, at: float) -> None:
        key = (frontend, hour, word)
        before = self._waiting.get(key)
        if before is None and len(self._waiting) >= _MOST_WAITING:
            del self._waiting[min(self._waiting, key=lambda each: each[1])]
        if before is not None and word != "people":
            number += before.number
        self._waiting[key] = Tallied(number, at)


class Meters:
    """Thread-safe. What cannot be counted, since the disk is full for instance, is passed over. A label's values are
    names of the configuration and words of ours, never a caller's."""

    def __init__(self) -> None:
        #: For the dashboard, which shows the hours.
        self.tally = Tally()
        self._made: _Counts | None = None
        #: By consumer type and outcome: every delivery looks for one.
        self._deliveries: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()

    def answered(self, frontend: str, status: int, seconds: float) -> None:
        """A request was answered. ``frontend`` is its name; what stands in parentheses is none."""
        try:
            counts = self._made or self._counts()
            counts.of(counts.requests, frontend, str(status)).inc()
            counts.of(counts.seconds, frontend).observe(seconds)
        except OSError:
            pass

    def login(self, frontend: str, outcome: str) -> None:
        """Somebody's password was asked about. ``outcome`` is a verdict, ``throttled`` or ``unavailable``."""
        self.tally.login(frontend, outcome)
        try:
            counts = self._made or self._counts()
            counts.of(counts.logins, frontend, outcome).inc()
        except OSError:
            pass

    def listed(self, frontend: str, people: int) -> None:
        """A list with so many people goes out."""
        self.tally.listed(frontend, people)

    def delivery(self, type: str, outcome: str) -> None:
        """A try to hand something over to a receiver of this consumer type ended."""
        with suppress(OSError):
            counter = self._deliveries.get((type, outcome))
            if counter is None:
                counter = self._deliveries[type, outcome] = self._counts().deliveries.labels(type, outcome)
            counter.inc()

    def text(self) -> bytes:
        """What was counted, in Prometheus' text format."""
        from prometheus_client import CollectorRegistry, generate_latest

        folder = os.environ.get(_FOLDER)
        if folder is None or not Path(folder).is_dir():
            return generate_latest(self._counts().registry)
        registry = CollectorRegistry()
        registry.register(_OfAllProcesses(Path(folder)))
        return generate_latest(registry)

    def _counts(self) -> _Counts:
        if self._made is None:
            with self._lock:
                if self._made is None:
                    self._made = _Counts()
        return self._made


class _OfAllProcesses:
    """What all processes counted, for a registry. As ``MultiProcessCollector``, which fails at the file of a process
    that has just begun one: it is empty for a moment, or for ever where that is killed then."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Any:
        from prometheus_client.multiprocess import MultiProcessCollector

        files = [str(file) for file in self._folder.glob("*.db") if file.stat().st_size]
        return MultiProcessCollector.merge(files, accumulate=True)  # type: ignore[no-untyped-call]


class _Counts:
    def __init__(self) -> None:
        # Commands that count nothing need not load it.
        from prometheus_client import CollectorRegistry, Counter, Histogram

        self.registry = CollectorRegistry()
        self.requests = Counter(
            "integration_server_requests",
            "Answers, by frontend and HTTP status; (api), (dashboard), (monitoring) and (none) are no frontends",
            ["frontend", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "integration_server_request_seconds",
            "Time that answers took, without sending them",
            ["frontend"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.logins = Counter(
            "integration_server_logins",
            "Passwords that were asked about, by frontend and what was said",
            ["frontend", "outcome"],
            registry=self.registry,
        )
        self.deliveries = Counter(
            "integration_server_deliveries",
            "Tries to hand something over, by consumer type and how they ended",
            ["type", "outcome"],
            registry=self.registry,
        )
        self._known: dict[tuple[Any, ...], Any] = {}

    def of(self, metric: Any, *labels: str) -> Any:
        """The part of a metric that has these labels. The library looks for it at each call, under a lock, which takes
        longer than to count."""
        key = (metric, *labels)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = metric.labels(*labels)
        return found
