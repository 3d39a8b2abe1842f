"""Fail-over and switch-back: which of the configured servers is asked."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from integration_server import BackendError, BackendTimeout, BackendUnavailable, Deadline
from integration_server.builtin.ldap.addresses import Addresses
from integration_server.builtin.ldap.connect import Connector
from integration_server.builtin.ldap.results import ServerFailed
from integration_server.builtin.ldap.settings import Address
from integration_server.builtin.ldap.wire import Wire

logger = logging.getLogger(__name__)


#: With more servers than this, each of the first may use up that part of what is left of the time.
_LARGEST_SHARES = 3


class Servers:
    """The servers in their order, each with the moment until which it is left alone. Thread-safe.

    A server that failed is asked last until ``rest_seconds`` have passed; then one caller tries it first, and when
    that goes well everybody comes back to it.
    """

    def __init__(
        self,
        addresses: Addresses,
        connector: Connector,
        connect_seconds: float,
        rest_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._addresses = addresses
        self._connector = connector
        self._connect_seconds = connect_seconds
        self._rest_seconds = rest_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._resting_until: dict[Address, float] = {}

    @property
    def is_one(self) -> bool:
        """Whether there is no other server to turn to."""
        return self._addresses.is_one

    @property
    def dns_troubles(self) -> list[BackendError]:
        """Why DNS did not tell all the servers that it should."""
        return self._addresses.troubles

    def current(self, deadline: Deadline) -> tuple[Address, ...]:
        """All servers, in their order. Raises BackendError where DNS has to tell them and does not."""
        return self._addresses.current(deadline)

    def open(self, deadline: Deadline, *, as_service: bool) -> Wire:
        """A connection to the best server that can be reached. The caller closes it.

        Raises BackendUnavailable naming each server's trouble, BackendTimeout, BackendMisconfigured.
        """
        troubles: list[str] = []
        tried: set[Address] = set()
        left = self._order(self.current(deadline))
        while left:
            for place, address in enumerate(left):
                share = deadline.sooner(deadline.remaining() / min(len(left) - place, _LARGEST_SHARES))
                try:
                    wire = self.open_one(address, share, as_service=as_service)
                except (ServerFailed, BackendTimeout) as exc:
                    self.failed(address, str(exc))
                    troubles.append(str(exc))
                    if deadline.is_over():
                        raise BackendTimeout("; ".join(troubles)) from exc
                else:
                    self._recovered(address)
                    return wire
            # DNS may have other servers by now.
            tried.update(left)
            left = [address for address in self._addresses.renewed(deadline) if address not in tried]
        raise BackendUnavailable("; ".join(troubles))

    def open_one(self, address: Address, deadline: Deadline, *, as_service: bool) -> Wire:
        """A connection to this server and no other, within ``connect_seconds``.

        Raises ServerFailed, BackendTimeout, BackendMisconfigured.
        """
        return self._connector.open(address, deadline.sooner(self._connect_seconds), as_service=as_service)

    def has_better(self, address: Address, deadline: Deadline) -> bool:
        """Whether a server before this one is worth a try, or this one is none of ours any more."""
        addresses = self.current(deadline)
        # The same object as a rule, and each question of a login comes by here.
        if address is addresses[0] or address == addresses[0]:
            return False
        if address not in addresses:
            return True
        now = self._clock()
        with self._lock:
            return any(self._resting_until.get(one, 0.0) <= now for one in addresses[: addresses.index(address)])

    def failed(self, address: Address, why: str) -> None:
        """Leave this server alone for a while, as long as another one answers."""
        with self._lock:
            was_resting = address in self._resting_until
            self._resting_until[address] = self._clock() + self._rest_seconds
        if not was_resting:
            logger.warning("LDAP server %s fails: %s", address.uri, why)

    def _recovered(self, address: Address) -> None:
        with self._lock:
            was_resting = self._resting_until.pop(address, None) is not None
        if was_resting:
            logger.info("LDAP server %s answers again", address.uri)

    def _order(self, addresses: Sequence[Address]) -> list[Address]:
        """Whom to try: those thought well, then the others. One whose rest is over is tried by this caller alone."""
        now = self._clock()
        with self._lock:
            well = [address for address in addresses if self._resting_until.get(address, 0.0) <= now]
            for address in well:
                if address in self._resting_until:
                    self._resting_until[address] = now + self._rest_seconds
        return well + [address for address in addresses if address not in well]
