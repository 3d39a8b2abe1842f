"""What each process counts while it works. Everything else that monitoring asks for is read from the store.

``prometheus_client`` adds up several processes through files, in the folder that its environment variable names when it
is imported first; without one, what is counted is this process's alone.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from pathlib import Path

_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
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


class Meters:
    """Thread-safe. What cannot be counted, since the disk is full for instance, is passed over. A label's values are
    names of the configuration and words of ours, never a caller's."""

    def __init__(self) -> None:
        self._made: _Counts | None = None
        self._lock = threading.Lock()

    def answered(self, frontend: str, status: int, seconds: float) -> None:
        """A request was answered. ``frontend`` is its name; ``(api)``, ``(monitoring)`` and ``(none)`` are none."""
        with suppress(OSError):
            counts = self._counts()
            counts.requests.labels(frontend, status).inc()
            counts.seconds.labels(frontend).observe(seconds)

    def login(self, frontend: str, outcome: str) -> None:
        """Somebody's password was asked about. ``outcome`` is a verdict, ``throttled`` or ``unavailable``."""
        with suppress(OSError):
            self._counts().logins.labels(frontend, outcome).inc()

    def delivery(self, type: str, outcome: str) -> None:
        """A try to hand something over to a receiver of this consumer type ended."""
        with suppress(OSError):
            self._counts().deliveries.labels(type, outcome).inc()

    def text(self) -> bytes:
        """What was counted, in Prometheus' text format."""
        from prometheus_client import CollectorRegistry, generate_latest
        from prometheus_client.multiprocess import MultiProcessCollector

        folder = os.environ.get(_FOLDER)
        if folder is None or not Path(folder).is_dir():
            return generate_latest(self._counts().registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=folder)  # type: ignore[no-untyped-call]
        return generate_latest(registry)

    def _counts(self) -> _Counts:
        if self._made is None:
            with self._lock:
                if self._made is None:
                    self._made = _Counts()
        return self._made


class _Counts:
    def __init__(self) -> None:
        # Commands that count nothing need not load it.
        from prometheus_client import CollectorRegistry, Counter, Histogram

        self.registry = CollectorRegistry()
        self.requests = Counter(
            "integration_server_requests",
            "Answers, by frontend and HTTP status; (api), (monitoring) and (none) are no frontends",
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
