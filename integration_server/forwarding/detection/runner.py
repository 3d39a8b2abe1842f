"""One run of detection: look, judge, and either apply all of it or hold all of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from integration_server.directory.source import Source
from integration_server.forwarding.audit import Audit
from integration_server.forwarding.detection.brake import NO_LOSSES, Tally, is_below_limits, why_held
from integration_server.forwarding.detection.comparison import compare, write_baseline
from integration_server.forwarding.detection.feeding import read_news, stage_news
from integration_server.forwarding.detection.fingerprint import fingerprint
from integration_server.forwarding.detection.staging import Staging
from integration_server.sdk.deadline import Deadline
from integration_server.sdk.errors import BackendError
from integration_server.sdk.settings import SyncSettings
from integration_server.store import Store
from integration_server.store.bell import Bell
from integration_server.store.differences import Change
from integration_server.store.journal import APPLIED_AT_ONCE, Applied, Losses
from integration_server.store.runs import APPROVED, HeldRun, NewRun

logger = logging.getLogger(__name__)

_HOUR = 3_600.0

Kind = Literal["baseline", "compared", "fed", "held", "applied", "failed"]


@dataclass(frozen=True, slots=True)
class RunResult:
    """What became of a run.

    ``counts`` are those of ``brake.Tally``. ``events`` were written to the journal; ``skipped`` people were left out
    because something newer is known of them. ``reason`` says why the run is held, or failed. ``is_all`` is False where
    a feed has more to tell at once.
    """

    backend: str
    kind: Kind
    counts: Mapping[str, int] = field(default_factory=dict)
    events: int = 0
    skipped: int = 0
    reason: str | None = None
    is_all: bool = True


class Runner:
    """Runs for one backend, one after the other: not thread-safe. Owns nothing."""

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
        self._audit = audit
        self._bell = bell
        self._clock = clock
        self._folder = folder
        self._sync = source.settings.sync or SyncSettings()
        self.fingerprint = fingerprint(source)

    @property
    def _name(self) -> str:
        return self._source.name

    # -- looking at everybody ----------------------------------------------------------------------------------------

    def compare(self) -> RunResult:
        """Compare everybody; the first time, write them down instead.

        Raises BackendError (nothing was changed), StoreUnavailable, OSError.
        """
        began = time.monotonic()
        watch = self._store.watches.get(self._name)
        if watch.is_scan_wanted:
            # Now, so that a wish which comes meanwhile is not lost.
            self._store.watches.change(self._name, is_scan_wanted=False)
        start_serial = self._store.journal.last_serial()
        # Before anybody is read: what changes in between is told twice, and not never.
        position = self._feed_position()
        if watch.baseline_at is None:
            result, count = self._baseline()
        else:
            with Staging(self._store.people, start_serial, self._folder) as staging:
                count = compare(self._source, self._store.people, staging, self._clock)
                is_preview = watch.fingerprint is not None and watch.fingerprint != self.fingerprint
                is_harmless = not is_preview and self._is_harmless(staging, count)
                result = self._settle(
                    staging, start_serial, position, is_empty=not count, is_preview=is_preview, is_harmless=is_harmless
                )
        done: dict[str, Any] = {"scanned_at": self._clock(), "scan_seconds": time.monotonic() - began}
        if result.kind != "held":
            self._store.runs.end(self._name)
            done |= {"feed_position": position, "people_count": count}
            if not result.skipped:
                # Whoever was left out has not been seen under changed settings: the next run is a preview as well.
                done["fingerprint"] = self.fingerprint
            done |= {"baseline_at": self._clock()} if result.kind == "baseline" else {}
        self._store.watches.change(self._name, failed_at=None, failure=None, **done)
        return result

    def _feed_position(self) -> str | None:
        if self._source.feed is None:
            return None
        return self._source.feed_position(Deadline(self._source.settings.list_seconds))

    def _baseline(self) -> tuple[RunResult, int]:
        try:
            count = write_baseline(self._source, self._store.people)
        except BackendError:
            self._store.people.wipe(self._name)
            raise
        logger.info("backend %s: %d people are known from now on; changes of them will be told", self._name, count)
        return RunResult(self._name, "baseline", {"created": count}), count

    # -- looking at what a feed tells --------------------------------------------------------------------------------

    def feed(self, position: str) -> RunResult:
        """Take in what the feed tells since ``position``.

        Raises ComparisonNeeded, other BackendErrors (nothing was changed), StoreUnavailable, OSError.
        """
        start_serial = self._store.journal.last_serial()
        news = read_news(self._source, position)
        with Staging(self._store.people, start_serial, self._folder) as staging:
            stage_news(self._source, self._store.people, news, staging)
            is_empty = self._would_be_empty(staging.tally)
            result = self._settle(staging, start_serial, news.position, is_empty=is_empty)
        # Of whoever was left out it is told once more: what the feed says may be newer than what is known.
        if result.kind != "held" and not result.skipped and news.position != position:
            self._store.watches.change(self._name, feed_position=news.position)
        kind: Kind = "held" if result.kind == "held" else "fed"
        return RunResult(self._name, kind, result.counts, result.events, result.skipped, result.reason, news.is_all)

    def _would_be_empty(self, tally: Tally) -> bool:
        return bool(tally.deleted) and self._people_count() + tally.created <= tally.deleted

    # -- applying or holding -----------------------------------------------------------------------------------------

    def _settle(
        self,
        staging: Staging,
        start_serial: int,
        position: str | None,
        *,
        is_empty: bool,
        is_preview: bool = False,
        is_harmless: bool = False,
    ) -> RunResult:
        """``is_harmless``: it takes nothing away, or from so few that nobody needs to count."""
        tally = staging.tally
        reason = None
        if not is_harmless:
            staging.look()
            # Counting takes as long as a thousand changes do.
            earlier = self._earlier_losses() if tally.has_losses else NO_LOSSES
            people = self._people_count() if tally.has_losses else 0
            judged = partial(
                why_held, tally, self._sync.guard, people, is_empty=is_empty, is_preview=is_preview, earlier=earlier
            )
            reason = judged()
            if reason is not None and not (judged(is_raised=True) is None and self._is_lifted(reason, tally)):
                return self._hold(staging, start_serial, position, reason)
        events, skipped = self._apply(staging.to_apply(), start_serial)
        if reason is not None:
            # As after a yes: these losses do not count against the next run.
            self._store.watches.change(self._name, approved_at=self._clock())
        if events:
            logger.info("backend %s: %d events: %s", self._name, events, _told(tally))
        return RunResult(self._name, "compared", tally.as_dict(), events, skipped)

    def _is_lifted(self, reason: str, tally: Tally) -> bool:
        """Whether somebody lifted the guard for this one run; that is used up now."""
        lift = self._store.guard_lifts.use("backend", self._name)
        if lift is None:
            return False
        logger.warning("backend %s: a run goes through as %s lifted the guard once: %s", self._name, lift.actor, reason)
        details = {"kind": "backend", "reason": reason, "counts": tally.as_dict(), "lifted_by": lift.actor}
        self._audit.tell("guard.passed", self._name, details)
        return True

    def _is_harmless(self, staging: Staging, count: int) -> bool:
        """Whether so few differ, or are gone, that no guard would hold the run whatever they lose: then nobody needs to
        wait for a look at all of them. ``count`` is how many the directory has."""
        tally, journal = staging.tally, self._store.journal
        lost = len(staging.differing) + tally.deleted + tally.due
        if not lost:
            return True
        people, since = count - tally.created - len(staging.differing), self._clock() - _HOUR
        if self._sync.delete_after_days:
            lost += self._store.people.gone_count(self._name, since)
        # Whoever else lost something in the last hour has an event. Mostly few are kept, and need no counting.
        kept = journal.last_serial() - journal.pruned_serial()
        is_below = partial(is_below_limits, people=people, limits=self._sync.guard)
        return is_below(lost + kept) or is_below(lost + journal.count_since(since, limit=count))

    def _people_count(self) -> int:
        return self._store.people.count(self._name) - self._store.people.gone_count(self._name)

    def _earlier_losses(self) -> Losses:
        """Those of the last hour, unless somebody has said yes since."""
        watch = self._store.watches.get(self._name)
        since = max(self._clock() - _HOUR, watch.approved_at or 0.0)
        losses = self._store.journal.losses(self._name, since)
        if not self._sync.delete_after_days:
            return losses
        # Judged when they vanished, as deletions; the deletion that follows days later is no news.
        vanished = self._store.people.gone_count(self._name, since)
        return Losses(vanished, max(0, losses.disabled - vanished), losses.regrouped)

    def _apply(self, changes: Iterable[Change], start_serial: int) -> tuple[int, int]:
        """Written in steps, each whole by itself: after a crash the next run finds what is left."""
        events = skipped = 0
        for applied in self._store.journal.apply_all(self._name, changes, start_serial):
            self._tell(applied)
            events, skipped = events + applied.events, skipped + applied.skipped
        return events, skipped

    def _tell(self, applied: Applied) -> None:
        if applied.events:
            self._bell.ring()

    def _hold(self, staging: Staging, start_serial: int, position: str | None, reason: str) -> RunResult:
        counts = staging.tally.as_dict()
        digest = staging.digest(self.fingerprint)
        new = NewRun(self._name, reason, digest, start_serial, counts, self.fingerprint, position)
        run, is_new = self._store.runs.hold(new, staging.changes())
        if is_new:
            logger.warning(
                "backend %s: a run is held and changes nothing until somebody decides: %s", run.backend, reason
            )
            self._audit.tell("sync.held", self._name, {"run": run.id, "reason": reason, "counts": counts})
        return RunResult(self._name, "held", counts, reason=reason)

    def apply_approved(self) -> RunResult | None:
        """Apply the held run that somebody said yes to, if there is one: just what was shown.

        What became known of a person since is newer and stays. Raises StoreUnavailable.
        """
        run = self._store.runs.get(self._name)
        if run is None or run.state != APPROVED:
            return None
        events = skipped = 0
        while some := self._store.runs.changes(run.id, 0, APPLIED_AT_ONCE):
            take_off = self._store.runs.applied(run.id, [one.number for one in some])
            changes = [one.change for one in some]
            applied = self._store.journal.apply(self._name, changes, run.start_serial, before_commit=take_off)
            self._tell(applied)
            events, skipped = events + applied.events, skipped + applied.skipped
        self._finish(run)
        self._audit.tell("sync.applied", self._name, {"run": run.id, "counts": dict(run.counts)})
        logger.info("backend %s: held run %d is applied: %d events", self._name, run.id, events)
        return RunResult(self._name, "applied", run.counts, events, skipped)

    def _finish(self, run: HeldRun) -> None:
        # What was approved is no loss to count against the next; and the directory has gone on since.
        noted: dict[str, Any] = {"approved_at": self._clock(), "fingerprint": run.fingerprint, "is_scan_wanted": True}
        if run.feed_position is not None:
            noted["feed_position"] = run.feed_position
        self._store.runs.finished(run, **noted)


def _told(tally: Tally) -> str:
    return ", ".join(f"{count} {what}" for what, count in tally.as_dict().items() if count)
