"""Whether backends answer: asked at most every few seconds, however many monitors ask."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from integration_server.directory.source import Source
from integration_server.directory.survey import asking
from integration_server.sdk.deadline import Deadline
from integration_server.sdk.errors import BackendError

logger = logging.getLogger(__name__)

#: So long an answer counts.
FRESH_SECONDS = 15.0
#: So long a backend has for one.
PATIENCE = 5.0


@dataclass(slots=True)
class _Known:
    lock: threading.Lock = field(default_factory=threading.Lock)
    at: float | None = None
    is_up: bool = False


class BackendHealth:
    """The backends of one installation. Thread-safe; owns nothing."""

    def __init__(self, sources: Mapping[str, Source], clock: Callable[[], float] = time.monotonic) -> None:
        self._sources = sources
        self._clock = clock
        self._known = {name: _Known() for name in sources}

    @property
    def names(self) -> tuple[str, ...]:
        """The backends that there are."""
        return tuple(self._sources)

    def is_up(self, name: str) -> bool:
        """Whether a backend answers its own check, of now or of some seconds ago. Raises KeyError.

        While somebody asks one that hangs, it counts for others as what it was before; at first they wait.
        """
        known = self._known[name]
        if self._is_fresh(known):
            return known.is_up
        patience = 0.0 if known.at is not None else PATIENCE
        if not known.lock.acquire(timeout=patience):
            return known.is_up
        try:
            if not self._is_fresh(known):
                known.is_up = self._ask(name)
                known.at = self._clock()
            return known.is_up
        finally:
            known.lock.release()

    def _is_fresh(self, known: _Known) -> bool:
        return known.at is not None and self._clock() - known.at < FRESH_SECONDS

    def _ask(self, name: str) -> bool:
        source = self._sources[name]
        try:
            with asking(source):
                findings = list(source.backend.check(Deadline(PATIENCE)))
        except BackendError as exc:
            logger.warning("backend %s does not answer a monitor: %s", name, exc)
            return False
        faults = [finding.message for finding in findings if finding.level == "error"]
        for fault in faults:
            logger.warning("backend %s is not well: %s", name, fault)
        return not faults
