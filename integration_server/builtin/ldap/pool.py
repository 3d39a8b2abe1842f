"""A small pool of connections, each lent to one thread at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from integration_server import BackendTimeout, BackendUnavailable, Deadline
from integration_server.builtin.ldap.messages import Scope, Search, present
from integration_server.builtin.ldap.results import ServerFailed
from integration_server.builtin.ldap.search import Referrals, few
from integration_server.builtin.ldap.servers import Servers
from integration_server.builtin.ldap.wire import Wire

T = TypeVar("T")

#: A connection that was idle for longer is not trusted: firewalls forget connections without a word.
_IDLE_SECONDS = 60.0
#: One that was idle for longer than this shows that it is alive before somebody's login depends on it, within so long.
_PROBE_AFTER_SECONDS = 5.0
_PROBE_SECONDS = 2.0
#: One that answered so shortly ago is not looked at before it is used: where many wait for the interpreter, that costs
#: as much as a question. Should it be gone after all, the question is asked again elsewhere.
_SURE_SECONDS = 0.25
#: A server that was there a moment ago may be restarting: whom it left without an answer, waits so long for it, and
#: asks again in such intervals.
_RESTART_SECONDS = 3.0
_RESTART_PAUSE = 0.1


class Pool:
    """Connections of one kind: bound as the service account, or for users' binds. Thread-safe."""

    def __init__(self, servers: Servers, size: int, *, as_service: bool) -> None:
        self._servers = servers
        self._size = size
        self._as_service = as_service
        self._lock = threading.Lock()
        self._free, self._waiting = size, 0
        self._freed = threading.Condition(self._lock)
        self._idle: list[tuple[Wire, float]] = []
        self._is_closed = False

    def run(self, operation: Callable[[Wire, Deadline], T], deadline: Deadline) -> T:
        """What the operation returns, given a connection and its deadline.

        Where the connection turns out dead the operation is run once more on a fresh one, of another server where
        the first has just failed, or of the same one if it comes back soon. An exception closes the connection.
        """
        self._enter(deadline)
        kept: Wire | None = None
        try:
            is_last, has_lost = False, False
            while True:
                wire, is_fresh = self._take(deadline, has_lost=has_lost)
                is_last = is_last or (is_fresh and self._servers.is_one)
                try:
                    answer = operation(wire, deadline if is_last else _first_share(deadline))
                except (ServerFailed, BackendTimeout) as exc:
                    self._broke(wire, exc, is_fresh=is_fresh)
                    if is_last or deadline.is_over():
                        raise
                    is_last, has_lost = True, not is_fresh
                except BaseException:
                    wire.close()
                    raise
                else:
                    kept = wire
                    return answer
        finally:
            self._leave(kept)

    def close(self) -> None:
        """Close what is idle; what is lent is closed when it comes back. May be called twice."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for wire, _ in idle:
            wire.close()

    def _enter(self, deadline: Deadline) -> None:
        """Take a place. Raises BackendTimeout where none becomes free."""
        with self._lock:
            if not self._free:
                self._waiting += 1
                try:
                    is_free = self._freed.wait_for(lambda: self._free, deadline.remaining())
                finally:
                    self._waiting -= 1
                if not is_free:
                    raise BackendTimeout(f"all {self._size} connections to the directory were in use (pool_size)")
            self._free -= 1

    def _leave(self, wire: Wire | None) -> None:
        """Give the place back, and the connection for others where there still is one."""
        stale: list[Wire] = []
        with self._lock:
            self._free += 1
            if self._waiting:
                self._freed.notify()
            if wire is not None:
                stale = self._keep(wire)
        for old in stale:
            old.close()

    def _keep(self, wire: Wire) -> list[Wire]:
        """Keep the connection; returns those that are not to be kept."""
        if self._is_closed:
            return [wire]
        now = time.monotonic()
        self._idle.append((wire, now))
        stale: list[Wire] = []
        # In the order in which they came back.
        while now - self._idle[0][1] >= _IDLE_SECONDS:
            stale.append(self._idle.pop(0)[0])
        return stale

    def _take(self, deadline: Deadline, *, has_lost: bool) -> tuple[Wire, bool]:
        """A connection, and whether it is a fresh one. ``has_lost`` tells that one has just broken."""
        deadline.remaining()
        while True:
            with self._lock:
                if not self._idle:
                    break
                wire, since = self._idle.pop()
            try:
                idle_seconds = time.monotonic() - since
                is_gone = idle_seconds >= _SURE_SECONDS and not wire.is_quiet()
                if not is_gone and self._is_fit(wire, idle_seconds, deadline):
                    return wire, False
                has_lost = has_lost or is_gone
            except (ServerFailed, BackendTimeout) as exc:
                self._broke(wire, exc, is_fresh=False)
                has_lost = True
                continue
            except BaseException:
                wire.close()
                raise
            wire.close()
        return self._open(deadline, is_patient=has_lost), True

    def _is_fit(self, wire: Wire, idle_seconds: float, deadline: Deadline) -> bool:
        """Whether to go on with a connection that was idle for so long. Raises ServerFailed, BackendTimeout."""
        if idle_seconds >= _IDLE_SECONDS or self._servers.has_better(wire.address, deadline):
            return False
        if idle_seconds >= _PROBE_AFTER_SECONDS:
            probe(wire, deadline.sooner(min(_PROBE_SECONDS, deadline.remaining() / 4)))
        return True

    def _open(self, deadline: Deadline, *, is_patient: bool) -> Wire:
        """A fresh connection; the patient ask again for a while."""
        give_up = deadline.sooner(min(_RESTART_SECONDS, deadline.remaining() / 2))
        while True:
            try:
                return self._servers.open(deadline, as_service=self._as_service)
            except BackendUnavailable:
                if not is_patient or give_up.is_over():
                    raise
            time.sleep(min(_RESTART_PAUSE, deadline.remaining()))

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


def _first_share(deadline: Deadline) -> Deadline:
    """Neither a server that hangs nor a dead connection may use up the time in which another could have answered."""
    return deadline.sooner(deadline.remaining() / 2)


def probe(wire: Wire, deadline: Deadline) -> None:
    """See that the server answers. Raises ServerFailed, BackendTimeout.

    The root entry is asked for, by name alone: whoever may bind may do that, and a refusal is an answer, too.
    """
    few(wire, Search("", Scope.BASE, present("objectClass")), ("dn",), deadline, Referrals())
