"""Watches one backend: a look at its change feed every moment, a comparison of everybody now and then."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from integration_server.directory.source import Source
from integration_server.forwarding.audit import Audit
from integration_server.forwarding.detection.runner import Runner, RunResult
from integration_server.forwarding.writing import finish_left
from integration_server.sdk.errors import (
    BackendError,
    ComparisonNeeded,
    ConfigError,
    IntegrationError,
    StoreUnavailable,
)
from integration_server.sdk.settings import SyncSettings
from integration_server.store import Store
from integration_server.store.bell import Bell
from integration_server.store.runs import HeldRun
from integration_server.store.watches import Watch

logger = logging.getLogger(__name__)

__all__ = ["RunResult", "Watcher"]

#: How long a wish or an approval may go unnoticed.
_LOOK_SECONDS = 1.0
_FIRST_PAUSE = 5.0
#: How often writes are looked for whose process died before it could tell of them.
_LEFT_SECONDS = 5.0
_DISCARDED = (
    "the settings changed, and what that would have done was discarded: nothing is noticed until the next comparison"
    " (sync scan), or until the settings are put back"
)
_LONGEST_PAUSE = 60.0


class Watcher:
    """Notices the changes of one backend and writes them to the journal. Owns nothing; only one may run per backend."""

    def __init__(
        self,
        source: Source,
        store: Store,
        audit: Audit,
        bell: Bell,
        clock: Callable[[], float] = time.time,
        folder: Path | None = None,
    ) -> None:
        """``folder`` is where a run may keep what does not fit into memory; the system's own place by default."""
        self._source = source
        self._store = store
        self._bell = bell
        self._clock = clock
        self._sync = source.settings.sync or SyncSettings()
        self._runner = Runner(source, store, audit, bell, clock, folder)
        self._failures = 0
        self._is_failure_noted = True  # perhaps, by an earlier process
        self._told: type[Exception] | None = None
        self._retry_at = 0.0  # monotonic
        self._compare_at = 0.0  # monotonic; a feed that always asks for a comparison must not keep everybody busy
        self._feed_at = 0.0  # monotonic
        self._left_at = 0.0  # monotonic
        self._is_settings_change_seen = False

    # -- by hand -----------------------------------------------------------------------------------------------------

    def run_once(self) -> RunResult:
        """Apply the held run that is approved, if there is one, or else compare everybody now. Never raises an
        IntegrationError: a run that failed says so, in what it returns and in the store."""
        return self._guarded(lambda: self._runner.apply_approved() or self._compare())

    def feed_once(self) -> RunResult | None:
        """Look at the change feed, where that may be done now; None where not."""
        watch = self._store.watches.get(self._source.name)
        if not self._may_feed(watch):
            return None
        return self._guarded(lambda: self._feed(watch))

    # -- by itself ---------------------------------------------------------------------------------------------------

    def run(self, stop: threading.Event) -> None:
        """The main loop of a thread; returns soon after ``stop`` is set."""
        while not stop.is_set():
            try:
                pause = self.step()
            except Exception as exc:
                pause = self._failed(exc)
            stop.wait(pause)

    def step(self) -> float:
        """Do what is due; returns the seconds until something may be due again. Raises StoreUnavailable."""
        self._finish_left()
        run = self._store.runs.get(self._source.name)
        watch = self._store.watches.get(self._source.name)
        if run is not None and run.state == "approved":
            self._guarded(self._runner.apply_approved)
            return 0.0
        left = self._retry_at - time.monotonic()
        if watch.is_scan_wanted or (left <= 0 and self._is_due(watch)):
            self._is_settings_change_seen = True
            self._guarded(self._compare)
            return 0.0 if not self._failures else _LOOK_SECONDS
        if left > 0 or run is not None or not self._may_feed(watch):
            self._say_why_it_waits(run, watch)
            return _LOOK_SECONDS
        wait = self._feed_at - time.monotonic()
        if wait > 0:
            return min(wait, _LOOK_SECONDS)
        result = self._guarded(lambda: self._feed(watch))
        if not result.is_all:
            return 0.0
        self._feed_at = time.monotonic() + self._sync.feed_seconds
        return min(self._sync.feed_seconds, _LOOK_SECONDS)

    def _finish_left(self) -> None:
        if time.monotonic() < self._left_at:
            return
        self._left_at = time.monotonic() + _LEFT_SECONDS
        try:
            finish_left(self._source, self._store, self._bell)
        except (BackendError, ConfigError) as exc:
            # They stay, and so does the next comparison.
            logger.info("backend %s: a write that was cut off cannot be looked at yet: %s", self._source.name, exc)

    def _is_due(self, watch: Watch) -> bool:
        if watch.baseline_at is None or watch.scanned_at is None:
            return True
        if watch.fingerprint != self._runner.fingerprint and not self._is_settings_change_seen:
            return True
        if self._source.feed is not None and watch.feed_position is None:
            # A feed that is new has no place to begin at.
            return time.monotonic() >= self._compare_at
        since = self._clock() - watch.scanned_at
        # A clock that was set back would keep everybody waiting.
        return not 0 <= since < self._sync.scan_seconds

    def _may_feed(self, watch: Watch) -> bool:
        """Not while a run is held, nor before changed settings were judged: all that is held would slip past."""
        return (
            self._source.feed is not None
            and watch.baseline_at is not None
            and watch.feed_position is not None
            and watch.fingerprint == self._runner.fingerprint
            and self._store.runs.get(self._source.name) is None
        )

    def _say_why_it_waits(self, run: HeldRun | None, watch: Watch) -> None:
        """A run that settings brought about was discarded: nobody is told anything, and that must not look well."""
        is_waiting = run is None and watch.baseline_at is not None and watch.fingerprint != self._runner.fingerprint
        if is_waiting and watch.failure is None:
            self._note(_DISCARDED)
            self._is_failure_noted = True

    # -- runs --------------------------------------------------------------------------------------------------------

    def _compare(self) -> RunResult:
        began = time.monotonic()
        result = self._runner.compare()
        ended = time.monotonic()
        self._compare_at = ended + (ended - began)
        return result

    def _feed(self, watch: Watch) -> RunResult | None:
        assert watch.feed_position is not None
        try:
            return self._runner.feed(watch.feed_position)
        except ComparisonNeeded as exc:
            if time.monotonic() < self._compare_at:
                return None
            logger.debug("backend %s: %s", self._source.name, exc)
            return self._compare()

    def _guarded(self, work: Callable[[], RunResult | None]) -> RunResult:
        """The result of a run, with its failure noted where it fails; StoreUnavailable included."""
        try:
            result = work()
        except (IntegrationError, OSError) as exc:
            self._failed(exc)
            return RunResult(self._source.name, "failed", reason=_told(exc))
        self._succeeded()
        return result or RunResult(self._source.name, "fed")

    def _succeeded(self) -> None:
        if self._failures:
            logger.info("backend %s: changes are noticed again", self._source.name)
        if self._is_failure_noted:
            self._note(None)
            self._is_failure_noted = False
        self._failures, self._told, self._retry_at = 0, None, 0.0

    def _failed(self, exc: Exception) -> float:
        """Note a failure, say it once per kind, and wait longer each time; returns the pause."""
        self._failures += 1
        pause = min(_FIRST_PAUSE * (1 << min(self._failures - 1, 10)), _LONGEST_PAUSE)
        self._retry_at = time.monotonic() + pause
        if type(exc) is not self._told:
            self._told = type(exc)
            is_foreseen = isinstance(exc, IntegrationError | OSError)
            told = f"backend {self._source.name}: no changes are noticed: {_told(exc)}"
            logger.error(told, exc_info=None if is_foreseen else exc)
        self._note(_told(exc))
        self._is_failure_noted = True
        return min(pause, _LOOK_SECONDS)

    def _note(self, failure: str | None) -> None:
        try:
            if failure is not None:
                self._store.watches.fail(self._source.name, self._clock(), failure)
            else:
                self._store.watches.change(self._source.name, failed_at=None, failure=None)
        except StoreUnavailable:
            logger.debug("backend %s: the failure cannot be noted", self._source.name)


def _told(exc: Exception) -> str:
    if isinstance(exc, IntegrationError):
        return str(exc)
    if isinstance(exc, OSError):
        return f"what was found cannot be kept in a temporary file: {exc.strerror or exc}"
    return f"{type(exc).__name__}: {exc}"
