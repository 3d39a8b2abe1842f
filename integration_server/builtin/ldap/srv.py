"""Servers that DNS names in SRV records (RFC 2782), for settings such as ``ldap+srv://example.org``."""

from __future__ import annotations

import logging
import random
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

# The library takes a tenth of a second to load, so this module is imported where DNS is asked, and nowhere else.
import dns.exception
import dns.nameserver
import dns.rdatatype
import dns.resolver

from integration_server import (
    BackendError,
    BackendMisconfigured,
    BackendTimeout,
    BackendUnavailable,
    Deadline,
)
from integration_server.builtin.ldap.settings import Address, NameServer, SrvName

logger = logging.getLogger(__name__)

#: Seconds for which an answer holds, whatever its TTL: not so short that each login asks, nor longer than an hour.
_SHORTEST, _LONGEST = 30.0, 3600.0
#: Seconds until DNS is asked again after it failed, and where nobody can be reached meanwhile.
_AFTER_FAILURE, _AFTER_OUTAGE = 30.0, 5.0
_LOOKUP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Record:
    """One SRV record. A target of "." says that the domain has no such service."""

    target: str
    port: int
    priority: int
    weight: int


class SrvServers:
    """The servers that one name stands for, in the order in which this machine asks them. Thread-safe.

    An answer is kept for its TTL, and beyond it for as long as DNS gives no other. ``machine`` decides the draw that
    the weights weigh: each machine draws its own, and the same one for as long as the records stay, so that
    connections and change feeds stay with a server.
    """

    def __init__(
        self,
        name: SrvName,
        nameservers: Sequence[NameServer] = (),
        clock: Callable[[], float] = time.monotonic,
        machine: str | None = None,
    ) -> None:
        self._name = name
        self._nameservers = nameservers
        self._clock = clock
        self._machine = socket.gethostname() if machine is None else machine
        self._lock = threading.Lock()
        self._known: tuple[Address, ...] = ()
        self._trouble: BackendError | None = None
        self._asked_at = float("-inf")
        self._ask_at = float("-inf")

    @property
    def known(self) -> tuple[Address, ...]:
        """The last answer, empty before the first one."""
        return self._known

    @property
    def trouble(self) -> BackendError | None:
        """Why DNS gave no answer when it was asked last."""
        return self._trouble

    def current(self, deadline: Deadline) -> tuple[Address, ...]:
        """The servers, asking DNS where it is time to.

        Raises BackendUnavailable and BackendMisconfigured where there is no earlier answer to go on with.
        """
        # Those who have an answer to go on with do not wait for the one who asks.
        if self._clock() >= self._ask_at and self._lock.acquire(timeout=0 if self._known else deadline.remaining()):
            try:
                if self._clock() >= self._ask_at:
                    self._ask(deadline)
            finally:
                self._lock.release()
        if not self._known:
            if (trouble := self._trouble) is None:
                raise BackendTimeout(f"{self._name.uri}: no answer of DNS within the time limit")
            # A new one each time: several threads may be told of the same trouble.
            raise type(trouble)(str(trouble))
        return self._known

    def renewed(self, deadline: Deadline) -> tuple[Address, ...]:
        """The servers after all of them failed: DNS is asked unless it has just been."""
        with suppress(BackendTimeout):
            if self._known and self._lock.acquire(timeout=deadline.remaining()):
                try:
                    if self._clock() >= self._asked_at + _AFTER_OUTAGE:
                        self._ask(deadline)
                finally:
                    self._lock.release()
        return self._known

    def _ask(self, deadline: Deadline) -> None:
        self._asked_at = self._clock()
        try:
            records, seconds = look_up(self._name.record, self._nameservers, _share(deadline))
            found = tuple(self._address(record) for record in ordered(records, self._machine))
            if not found:
                raise BackendMisconfigured(f"{self._name.record}: DNS says that there is no such service")
        except (BackendMisconfigured, BackendUnavailable) as exc:
            self._trouble = exc
            self._ask_at = self._clock() + (_AFTER_FAILURE if self._known else _AFTER_OUTAGE)
            logger.warning("%s: %s%s", self._name.uri, exc, "; its last answer is still used" if self._known else "")
            return
        if set(found) != set(self._known):
            logger.info("%s stands for %s", self._name.uri, ", ".join(address.uri for address in found))
        self._trouble = None
        self._ask_at = self._clock() + min(max(seconds, _SHORTEST), _LONGEST)
        self._known = found

    def _address(self, record: Record) -> Address:
        port = self._name.port or record.port
        host = f"[{record.target}]" if ":" in record.target else record.target
        scheme = "ldaps" if self._name.is_tls else "ldap"
        return Address(f"{scheme}://{host}:{port}", record.target, port, self._name.is_tls)


def _share(deadline: Deadline) -> Deadline:
    """The servers need some of the time, too."""
    return deadline.sooner(min(_LOOKUP_SECONDS, deadline.remaining() / 2))


def ordered(records: Sequence[Record], machine: str) -> list[Record]:
    """By priority, and among equals a draw by weights, as RFC 2782 wants it; without those that stand for "none".

    Drawing one after the other by weights is the same as sorting by u^(1/weight) with a random u for each (Efraimidis
    and Spirakis, 2006). Here u belongs to machine and target, so the order stays when asked again.
    """

    def key(record: Record) -> tuple[int, bool, float]:
        draw = random.Random(f"{machine} {record.target}:{record.port}").random()
        return record.priority, record.weight == 0, -(draw ** (1 / (record.weight or 1)))

    return sorted((record for record in records if record.target), key=key)


def look_up(name: str, nameservers: Sequence[NameServer], deadline: Deadline) -> tuple[list[Record], float]:
    """The SRV records of a name and for how many seconds they hold.

    Asks the system's name servers where none are given. Raises BackendUnavailable, BackendTimeout where DNS does not
    answer, BackendMisconfigured where it answers that there are none.
    """
    try:
        resolver = dns.resolver.Resolver(configure=not nameservers)
        if nameservers:
            resolver.nameservers = [dns.nameserver.Do53Nameserver(one.host, one.port) for one in nameservers]
        # The name is complete: with a search list, a typing error would find servers of another domain.
        answer = resolver.resolve(f"{name}.", "SRV", lifetime=deadline.remaining(), search=False)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer) as exc:
        raise BackendMisconfigured(f"{name}: DNS has no SRV records of this name") from exc
    except dns.exception.Timeout as exc:
        raise BackendTimeout(f"{name}: no answer of DNS within the time limit") from exc
    except (dns.exception.DNSException, OSError) as exc:
        raise BackendUnavailable(f"{name}: DNS cannot be asked: {exc}") from exc
    records = [
        Record(one.target.to_text().removesuffix(".").lower(), one.port, one.priority, one.weight)
        for one in answer
        if one.rdtype == dns.rdatatype.SRV
    ]
    return records, answer.expiration - time.time()
