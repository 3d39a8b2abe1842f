"""Whether backends answer: asked at most every few seconds, however many ask."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from integration_server.directory.source import Source
from integration_server.directory.survey import asking
from integration_server.sdk.certificates import Sightings
from integration_server.sdk.contracts import Finding
from integration_server.sdk.deadline import Deadline
from integration_server.sdk.errors import AmbiguousEntry, BackendError, BadEntry

logger = logging.getLogger(__name__)

#: So long an answer counts.
FRESH_SECONDS = 15.0
#: So long a backend has for one.
PATIENCE = 5.0
#: Whom no directory knows: to look for them takes as long as to look for somebody.
_NOBODY = "integration-server-looks-for-nobody"


@dataclass(frozen=True, slots=True)
class Condition:
    """How a backend was when it was asked, at ``at`` (Unix seconds). ``reason`` says why it is not up. ``seconds`` is
    what a lookup of one person took, or, where names cannot be looked up by themselves, the whole check."""

    is_up: bool
    at: float
    reason: str | None = None
    seconds: float | None = None
    is_lookup: bool = False


@dataclass(slots=True)
class _Known:
    lock: threading.Lock = field(default_factory=threading.Lock)
    at: float | None = None
    condition: Condition | None = None


class BackendHealth:
    """The backends of one installation. Thread-safe; owns nothing."""

    def __init__(
        self,
        sources: Mapping[str, Source],
        clock: Callable[[], float] = time.monotonic,
        asked_at_once: int = 4,
        sightings: Sightings | None = None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """``asked_at_once`` bounds the threads that ``ask`` keeps waiting; ``sightings`` are told of the certificates
        that backends show."""
        self._sources = sources
        self._clock = clock
        self._wall_clock = wall_clock
        self._asking = threading.BoundedSemaphore(asked_at_once)
        self._sightings = sightings or Sightings()
        self._known = {name: _Known() for name in sources}

    @property
    def names(self) -> tuple[str, ...]:
        """The backends that there are."""
        return tuple(self._sources)

    def known(self, name: str) -> Condition | None:
        """What this process heard last, without asking; None where nobody has asked yet. Raises KeyError."""
        return self._known[name].condition

    def ask(self, name: str) -> Condition | None:
        """How a backend is, of now or of some seconds ago. Where it is being asked already, or as many others are as
        may be at once, what is known of it. Raises KeyError."""
        known = self._known[name]
        if self._is_fresh(known) or not self._asking.acquire(blocking=False):
            return known.condition
        try:
            if known.lock.acquire(blocking=False):
                try:
                    self._refresh(name, known)
                finally:
                    known.lock.release()
            return known.condition
        finally:
            self._asking.release()

    def is_up(self, name: str) -> bool:
        """Whether a backend answers its own check, of now or of some seconds ago. Raises KeyError.

        While somebody asks one that hangs, it counts for others as what it was before; at first they wait.
        """
        known = self._known[name]
        if not self._is_fresh(known):
            patience = 0.0 if known.at is not None else PATIENCE
            if known.lock.acquire(timeout=patience):
                try:
                    self._refresh(name, known)
                finally:
                    known.lock.release()
        condition = known.condition
        return condition is not None and condition.is_up

    def _refresh(self, name: str, known: _Known) -> None:
        if not self._is_fresh(known):
            known.condition = self._ask(self._sources[name])
            known.at = self._clock()

    def _is_fresh(self, known: _Known) -> bool:
        return known.at is not None and self._clock() - known.at < FRESH_SECONDS

    def _ask(self, source: Source) -> Condition:
        deadline, began = Deadline(PATIENCE), time.perf_counter()
        try:
            with asking(source):
                findings = list(source.backend.check(deadline))
                seconds, is_lookup = time.perf_counter() - began, False
                if (taken := _lookup(source, deadline)) is not None:
                    seconds, is_lookup = taken, True
        except BackendError as exc:
            logger.warning("backend %s does not answer a monitor: %s", source.name, exc)
            return Condition(False, self._wall_clock(), str(exc))
        self._note(findings)
        faults = [finding.message for finding in findings if finding.level == "error"]
        for fault in faults:
            logger.warning("backend %s is not well: %s", source.name, fault)
        return Condition(not faults, self._wall_clock(), "; ".join(faults) or None, seconds, is_lookup)

    def _note(self, findings: list[Finding]) -> None:
        for finding in findings:
            for certificate in finding.certificates:
                self._sightings.note(certificate)


def _lookup(source: Source, deadline: Deadline) -> float | None:
    """Seconds that looking for one person takes; None where names cannot be looked up without the index. Raises
    BackendError."""
    lookups = source.mapper.lookups(_NOBODY) if source.mapper.is_reversible else ()
    if not lookups:
        return None
    began = time.perf_counter()
    with suppress(AmbiguousEntry, BadEntry):
        source.backend.find(lookups[0], deadline)
    return time.perf_counter() - began
