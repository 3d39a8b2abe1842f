"""A small pool of connections, each lent to one thread at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from integration_server import BackendTimeout, BackendUnavailable, Deadline
from integration_server.builtin.ldap.results import ServerFailed
from integration_server.builtin.ldap.servers import Servers
from integration_server.builtin.ldap.wire import Wire

T = TypeVar("T")

#: A connection that was idle for longer is not trusted: firewalls forget connections without a word.
_IDLE_SECONDS = 60.0


class Pool:
    """Connections of one kind: bound as the service account, or for users' binds. Thread-safe."""

    def __init__(self, servers: Servers, size: int, *, as_service: bool) -> None:
        self._servers = servers
        self._size = size
        self._as_service = as_service
        self._slots = threading.Semaphore(size)
        self._lock = threading.Lock()
        self._idle: list[tuple[Wire, float]] = []
        self._is_closed = False

    def run(self, operation: Callable[[Wire, Deadline], T], deadline: Deadline) -> T:
        """What the operation returns, given a connection and its deadline.

        Where the connection turns out dead the operation is run once more on a fresh one, of another server where
        the first has just failed. An exception closes the connection.
        """
        with self._slot(deadline):
            is_last = False
            while True:
                wire, is_fresh = self._take(deadline)
                is_last = is_last or (is_fresh and self._is_alone)
                try:
                    answer = operation(wire, deadline if is_last else self._first_share(deadline))
                except (ServerFailed, BackendTimeout) as exc:
                    self._broke(wire, exc, is_fresh=is_fresh)
                    if is_last or deadline.is_over():
                        raise
                    is_last = True
                except BaseException:
                    wire.close()
                    raise
                else:
                    self._give_back(wire)
                    return answer

    def close(self) -> None:
        """Close what is idle; what is lent is closed when it comes back. May be called twice."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for wire, _ in idle:
            wire.close()

    @property
    def _is_alone(self) -> bool:
        return self._servers.is_one

    def _first_share(self, deadline: Deadline) -> Deadline:
        """A server that hangs may not use up the time in which another one could have answered."""
        return deadline if self._is_alone else deadline.sooner(deadline.remaining() / 2)

    @contextmanager
    def _slot(self, deadline: Deadline) -> Iterator[None]:
        if not self._slots.acquire(timeout=deadline.remaining()):
            raise BackendTimeout(f"all {self._size} connections to the directory were in use (pool_size)")
        try:
            yield
        finally:
            self._slots.release()

    def _take(self, deadline: Deadline) -> tuple[Wire, bool]:
        """A connection, and whether it is a fresh one."""
        deadline.remaining()
        while True:
            with self._lock:
                if not self._idle:
                    break
                wire, since = self._idle.pop()
            if (
                time.monotonic() - since < _IDLE_SECONDS
                and not self._servers.has_better(wire.address, deadline)
                and wire.is_quiet()
            ):
                return wire, False
            wire.close()
        return self._servers.open(deadline, as_service=self._as_service), True

    def _give_back(self, wire: Wire) -> None:
        now = time.monotonic()
        with self._lock:
            stale = [entry[0] for entry in self._idle if now - entry[1] >= _IDLE_SECONDS]
            self._idle = [entry for entry in self._idle if now - entry[1] < _IDLE_SECONDS]
            if self._is_closed:
                stale.append(wire)
            else:
                self._idle.append((wire, now))
        for old in stale:
            old.close()

    def _broke(self, wire: Wire, exc: BackendUnavailable, *, is_fresh: bool) -> None:
        """Close the connection, and the idle ones to its server, which broke as well or are about to."""
        with self._lock:
            gone = [other for other, _ in self._idle if other.address == wire.address]
            self._idle = [entry for entry in self._idle if entry[0].address != wire.address]
        for broken in (wire, *gone):
            broken.close()
        # An old connection breaks whenever its server restarts; that alone says nothing of the server now.
        if is_fresh or isinstance(exc, BackendTimeout):
            self._servers.failed(wire.address, str(exc))
