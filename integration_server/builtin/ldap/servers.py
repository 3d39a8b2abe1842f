"""Fail-over and switch-back: which of the configured servers is asked."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from integration_server import BackendTimeout, BackendUnavailable, Deadline
from integration_server.builtin.ldap.connect import Connector
from integration_server.builtin.ldap.results import ServerFailed
from integration_server.builtin.ldap.settings import Address
from integration_server.builtin.ldap.wire import Wire

logger = logging.getLogger(__name__)


class Servers:
    """The servers in their order, each with the moment until which it is left alone. Thread-safe.

    A server that failed is asked last until ``rest_seconds`` have passed; then one caller tries it first, and when
    that goes well everybody comes back to it.
    """

    def __init__(
        self,
        addresses: Sequence[Address],
        connector: Connector,
        connect_seconds: float,
        rest_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.addresses = tuple(addresses)
        self._connector = connector
        self._connect_seconds = connect_seconds
        self._rest_seconds = rest_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._resting_until = [0.0] * len(self.addresses)

    def open(self, deadline: Deadline, *, as_service: bool) -> Wire:
        """A connection to the best server that can be reached. The caller closes it.

        Raises BackendUnavailable naming each server's trouble, BackendTimeout, BackendMisconfigured.
        """
        troubles: list[str] = []
        ranks = self._order()
        for tried, rank in enumerate(ranks):
            share = deadline.sooner(deadline.remaining() / (len(ranks) - tried))
            try:
                wire = self.open_one(rank, share, as_service=as_service)
            except (ServerFailed, BackendTimeout) as exc:
                self.failed(rank, str(exc))
                troubles.append(str(exc))
                if deadline.is_over():
                    raise BackendTimeout("; ".join(troubles)) from exc
            else:
                self._recovered(rank)
                return wire
        raise BackendUnavailable("; ".join(troubles))

    def open_one(self, rank: int, deadline: Deadline, *, as_service: bool) -> Wire:
        """A connection to this server and no other, within ``connect_seconds``.

        Raises ServerFailed, BackendTimeout, BackendMisconfigured.
        """
        limit = deadline.sooner(self._connect_seconds)
        return self._connector.open(self.addresses[rank], rank, limit, as_service=as_service)

    def has_better(self, rank: int) -> bool:
        """Whether a server before this one is worth a try."""
        if rank == 0:
            return False
        now = self._clock()
        with self._lock:
            return any(until <= now for until in self._resting_until[:rank])

    def failed(self, rank: int, why: str) -> None:
        """Leave this server alone for a while, as long as another one answers."""
        with self._lock:
            was_resting = self._resting_until[rank] > 0
            self._resting_until[rank] = self._clock() + self._rest_seconds
        if not was_resting:
            logger.warning("LDAP server %s fails: %s", self.addresses[rank].uri, why)

    def _recovered(self, rank: int) -> None:
        with self._lock:
            was_resting = self._resting_until[rank] > 0
            self._resting_until[rank] = 0.0
        if was_resting:
            logger.info("LDAP server %s answers again", self.addresses[rank].uri)

    def _order(self) -> list[int]:
        """Whom to try: those thought well, then the others. One whose rest is over is tried by this caller alone."""
        now = self._clock()
        with self._lock:
            well = [rank for rank, until in enumerate(self._resting_until) if until <= now]
            for rank in well:
                if self._resting_until[rank]:
                    self._resting_until[rank] = now + self._rest_seconds
        return well + [rank for rank in range(len(self.addresses)) if rank not in well]
