"""Who does the work that must be done once, where several processes could do it.

A seat is held by at most one process. On SQLite all processes share one folder, and a lock on a file there is freed by
the operating system when its holder ends, also after kill -9. On PostgreSQL a lease says until when it is held.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import time
from pathlib import Path
from typing import Protocol

import filelock

from integration_server.sdk.errors import StoreUnavailable
from integration_server.store.leases import LeaseTable

logger = logging.getLogger(__name__)

#: So long after a node was killed others wait.
LEASE_SECONDS = 15.0
#: How often a lease is prolonged within its time.
_LOOKS = 5


def node_name() -> str:
    """A name for this process that no other ever had."""
    return f"{socket.gethostname()[:50]}:{os.getpid()}:{secrets.token_hex(4)}"


class Seat(Protocol):
    """What one process at a time holds. Used by one thread."""

    def take(self) -> bool:
        """Whether it is held now. Does not wait. Raises StoreUnavailable where nobody can tell."""
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
                logger.error("%s cannot be locked, so what it stands for is not done: %s", self._path, exc)
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


class LeaseSeat:
    """A seat among the nodes that share a database."""

    def __init__(self, leases: LeaseTable, owner: str, name: str) -> None:
        self._leases = leases
        self._owner = owner
        self._name = name
        self._fence: int | None = None
        self._taken_at = 0.0

    def take(self) -> bool:
        """Raises StoreUnavailable."""
        self._fence = None
        return self._prolong()

    def keep(self) -> bool:
        """Whether the lease is good still. While the database cannot be asked, that is until it runs out."""
        age = time.monotonic() - self._taken_at
        if age < LEASE_SECONDS / _LOOKS:
            return True
        try:
            return self._prolong()
        except StoreUnavailable:
            return age < LEASE_SECONDS

    def _prolong(self) -> bool:
        asked_at = time.monotonic()
        fence = self._leases.take(self._owner, {self._name: LEASE_SECONDS}).get(self._name)
        if fence is None or self._fence not in (None, fence):
            return False
        self._fence, self._taken_at = fence, asked_at
        return True

    def release(self) -> None:
        try:
            self._leases.free(self._owner, [self._name])
        except StoreUnavailable:
            logger.warning("the lease on %s could not be given back; it ends by itself", self._name)


class NoSeat:
    """For work that sorts out by itself who does what."""

    def take(self) -> bool:
        return True

    def keep(self) -> bool:
        return True

    def release(self) -> None:
        return
