"""Who does the work that must be done once, where several processes could do it.

A seat is held by at most one process. On SQLite all processes share one folder, and a lock on a file there is freed by
the operating system when its holder ends, also after kill -9.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Protocol

import filelock

logger = logging.getLogger(__name__)


class Seat(Protocol):
    """What one process at a time holds. Used by one thread."""

    def take(self) -> bool:
        """Whether it is held now. Does not wait."""
        ...

    def keep(self) -> bool:
        """Whether it is held still; called about once a second while it is."""
        ...

    def release(self) -> None:
        """Let somebody else have it. Called only where it was taken."""
        ...


class FileSeat:
    """A seat among the processes that share a folder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # Whoever releases it may be another thread than the one that took it.
        self._lock = filelock.FileLock(path, thread_local=False)
        self._number: int | None = None
        self._is_complained = False

    def take(self) -> bool:
        try:
            self._lock.acquire(timeout=0)
            self._number = self._path.stat().st_ino
        except filelock.Timeout:
            return False
        except OSError as exc:
            self._lock.release(force=True)
            if not self._is_complained:
                logger.error("%s cannot be locked, so nothing is watched or delivered: %s", self._path, exc)
            self._is_complained = True
            return False
        self._is_complained = False
        return True

    def keep(self) -> bool:
        """Whether the file that was locked is the one that others would lock: somebody may have removed it."""
        try:
            return self._path.stat().st_ino == self._number
        except OSError:
            return False

    def release(self) -> None:
        self._lock.release()
