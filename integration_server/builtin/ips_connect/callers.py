"""Which callers are slaves, by their addresses: from these alone may accounts be changed.

What authorises a change of an account is seen by the browser of its owner, so that it must not be enough. The names in
the URLs of slaves are resolved, and each answer counts for a minute; where none can be had, the last one counts on.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from typing import Any

from integration_server import DirectoryUnavailable, Resolver
from integration_server.builtin.ips_connect.registry import Registry, Slave, plain_address

#: Seconds.
_REMEMBERED = 60.0
_ASKED_AGAIN_AFTER = 5.0
_LOOKED_AT_AGAIN_AFTER = 1.0
_EVER = float("inf")
#: By these the resolver says that there is no such name, or no address of it, and not that it could not ask.
_NO_ADDRESS = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. ``name`` is for counters: that of the slave, or else the address; of IPv6 the network, in which one
    machine has as many as it likes."""

    name: str
    is_slave: bool


@dataclass(slots=True)
class _Known:
    """The addresses of one name, since when they are known, and when they were last asked for."""

    addresses: frozenset[str] | None = None
    at: float = -_EVER
    asked_at: float = -_EVER
    question: Future[Any] | None = None

    def within(self, age: float, now: float) -> frozenset[str] | None:
        """What was known so long ago at most."""
        return self.addresses if now - self.at <= age else None

    def take_answer(self) -> bool:
        """Whether there is one now. That the resolver could not ask is none."""
        if self.question is None or not self.question.done():
            return False
        question, self.question = self.question, None
        error = question.exception()
        if error is None:
            self.addresses = frozenset(filter(None, (plain_address(str(found[0])) for _, found in question.result())))
        elif isinstance(error, UnicodeError) or getattr(error, "errno", None) in _NO_ADDRESS:
            self.addresses = frozenset()
        else:
            return False
        self.at = self.asked_at
        return True


@dataclass(frozen=True, slots=True)
class _Index:
    """Who is where, for as long as the slaves are these and nothing new is known of them: a second, mostly."""

    slaves: tuple[Slave, ...]
    slaves_at: dict[str, list[Slave]] = field(default_factory=dict)
    callers: dict[str, Caller] = field(default_factory=dict)


class Callers:
    """Tells slaves from others. Thread-safe. Raises StoreUnavailable. Does no I/O when made."""

    def __init__(
        self,
        registry: Registry,
        networks: Iterable[str],
        resolver: Resolver,
        clock: Callable[[], float] = time.monotonic,
        patience: float = 3.0,
    ) -> None:
        """``networks`` are those of ``slave_networks``, ``patience`` the seconds that a caller may have to wait."""
        self._registry = registry
        self._networks = tuple(ipaddress.ip_network(text, strict=False) for text in networks)
        self._resolver = resolver
        self._clock = clock
        self._patience = patience
        self._lock = threading.Lock()
        self._known: dict[str, _Known] = {}
        self._looked_at = -_EVER
        self._index: _Index | None = None

    def caller(self, address: str) -> Caller:
        """Who is at an address, as far as that is known by now; nothing is waited for."""
        index = self._current_index()
        caller = index.callers.get(address)
        if caller is None:
            plain = plain_address(address) or ""
            found = index.slaves_at.get(plain, [])
            is_slave = bool(found) or self._is_in_networks(plain)
            caller = Caller(found[0].label if len(found) == 1 else _counted(plain), is_slave)
            index.callers[address] = caller
        return caller

    def may_change(self, address: str) -> bool:
        """Whether accounts may be changed from an address. Names are resolved for one that is new.

        Raises DirectoryUnavailable where that cannot be told, as a name cannot be resolved now.
        """
        plain = plain_address(address)
        if plain is None:
            return False
        if self._is_in_networks(plain) or self._is_slaves(self._registry.slaves(), plain, _REMEMBERED):
            return True
        slaves = self._registry.slaves(is_fresh=True)
        until = time.monotonic() + self._patience
        while questions := self._ask(slaves, _ASKED_AGAIN_AFTER):
            left = until - time.monotonic()
            if left <= 0 or self._is_slaves(slaves, plain, _REMEMBERED):
                break
            wait(questions, left, FIRST_COMPLETED)
        if self._is_slaves(slaves, plain, _EVER):
            return True
        if any(slave.address is None and self._addresses(slave, _EVER) is None for slave in slaves):
            raise DirectoryUnavailable(
                "the name of a slave cannot be resolved now, so it is unknown whether this is the address of one"
            )
        return False

    # -- what is known -----------------------------------------------------------------------------------------------

    def _current_index(self) -> _Index:
        slaves = self._registry.slaves()
        now = self._clock()
        if now - self._looked_at >= _LOOKED_AT_AGAIN_AFTER:
            self._looked_at = now
            self._ask(slaves, _REMEMBERED)
        index = self._index
        if index is None or index.slaves is not slaves:
            index = _Index(slaves)
            for slave in slaves:
                for one in self._addresses(slave, _EVER) or ():
                    index.slaves_at.setdefault(one, []).append(slave)
            self._index = index
        return index

    def _is_in_networks(self, plain: str) -> bool:
        if not self._networks or not plain:
            return False
        address = ipaddress.ip_address(plain)
        return any(address.version == network.version and address in network for network in self._networks)

    def _is_slaves(self, slaves: Sequence[Slave], plain: str, age: float) -> bool:
        return any(plain in (self._addresses(slave, age) or ()) for slave in slaves)

    def _addresses(self, slave: Slave, age: float) -> frozenset[str] | None:
        """Those to which its URL leads, or None where they are not known, or not for ``age`` seconds."""
        if slave.address is not None:
            return frozenset({slave.address})
        known = self._known.get(slave.host)
        return None if known is None else known.within(age, self._clock())

    # -- asking ------------------------------------------------------------------------------------------------------

    def _ask(self, slaves: Sequence[Slave], age: float) -> list[Future[Any]]:
        """Ask for the names of which nothing newer than ``age`` is known, and which were not asked for just now; take
        what is answered by now. What a caller may wait for is returned: not what has been silent for long."""
        ports = {slave.host: slave.port for slave in slaves if slave.address is None}
        now = self._clock()
        with self._lock:
            for gone in self._known.keys() - ports.keys():
                del self._known[gone]
            for host, port in ports.items():
                known = self._known.setdefault(host, _Known())
                if known.take_answer():
                    self._index = None
                is_old = now - known.at >= age and now - known.asked_at >= _ASKED_AGAIN_AFTER
                if is_old and known.question is None:
                    known.asked_at = now
                    known.question = self._asked(host, port)
            known_names = self._known.values()
            return [one.question for one in known_names if one.question and now - one.asked_at < self._patience]

    def _asked(self, host: str, port: int) -> Future[Any]:
        try:
            return self._resolver.ask(host, port)
        except OSError as exc:
            failed: Future[Any] = Future()
            failed.set_exception(exc)
            return failed


def _counted(plain: str) -> str:
    return str(ipaddress.ip_network(f"{plain}/64", strict=False)) if ":" in plain else plain
