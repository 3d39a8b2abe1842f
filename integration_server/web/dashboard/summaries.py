"""What the overview says of backends, frontends, receivers and the process: read from the store and the spool, so that
nobody waits for a directory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from integration_server.directory.spool import Outcome
from integration_server.sdk.certificates import Sighting
from integration_server.sdk.errors import BackendError
from integration_server.sdk.events import Event
from integration_server.store.deliveries import Backlog
from integration_server.store.runs import HeldRun
from integration_server.store.subscriptions import Subscription
from integration_server.store.watches import Watch
from integration_server.web.dashboard.facts import DashboardFacts
from integration_server.web.dashboard.hours import FrontendHours, hours_of
from integration_server.web.dashboard.subscription_words import told_state
from integration_server.web.monitoring.health import Condition

#: Certificates are listed that long before their end.
CERTIFICATE_DAYS = 60
_WARN_DAYS, _BAD_DAYS = 30, 7
_DAY_SECONDS = 86400.0
_MOST_CERTIFICATES = 50
MOST_SUBSCRIPTIONS = 50
#: So many rows of what waits are counted; beyond, it is "at least".
_MOST_ROWS = 20_000
#: Among so many events after a cursor the first is looked for that is for the receiver.
_LOOK_AHEAD = 20


@dataclass(frozen=True, slots=True)
class BackendSummary:
    """``watch`` is what detection knows, None where the backend is not watched; ``listed`` the latest whole list that
    it is a part of, ``people`` how many people it has, where that is known."""

    name: str
    type: str
    condition: Condition | None
    watch: Watch | None
    listed: Outcome | None
    people: int | None
    held: HeldRun | None
    feed: str | None
    feed_fault: str | None
    is_left_alone: bool

    @property
    def state(self) -> tuple[str, str]:
        """A kind and a word."""
        if self.condition is None:
            return ("bad", "down") if self.is_left_alone else ("idle", "not asked yet")
        if self.condition.is_up:
            return "good", "up"
        return ("bad", "down") if self.condition.seconds is None else ("bad", "answers, with faults")

    @property
    def complete_at(self) -> float | None:
        """When everybody was read to the end last, for a comparison or a list; Unix seconds."""
        times = [self.watch.scanned_at if self.watch is not None else None]
        if self.listed is not None and self.listed.release is not None:
            times.append(self.listed.release.ended_at)
        return max((at for at in times if at is not None), default=None)


@dataclass(frozen=True, slots=True)
class FrontendSummary:
    """``outcome`` tells how the latest list came out, None where none was made on this machine."""

    name: str
    type: str
    path: str
    outcome: Outcome | None
    hours: FrontendHours


@dataclass(frozen=True, slots=True)
class SubscriptionSummary:
    """``lag`` counts the events after the cursor; ``oldest_at`` is when the oldest one was noticed that was not
    delivered."""

    subscription: Subscription
    lag: int
    oldest_at: float | None
    waiting: Mapping[str, int]
    is_partial: bool

    @property
    def name(self) -> str:
        return self.subscription.uid or self.subscription.id

    @property
    def state(self) -> tuple[str, str]:
        """A kind and a word."""
        return told_state(self.subscription, any(self.waiting.values()))


@dataclass(frozen=True, slots=True)
class CertificateSummary:
    """``days`` are whole ones to its end, negative afterwards."""

    sighting: Sighting
    days: int

    @property
    def state(self) -> tuple[str, str]:
        """A kind and words."""
        if self.days < 0:
            return "bad", "has run out"
        told = {0: "ends today", 1: "1 day left"}.get(self.days, f"{self.days} days left")
        return ("bad" if self.days < _BAD_DAYS else "warn" if self.days < _WARN_DAYS else "idle"), told


class Summaries:
    """Looks when it is asked, and keeps nothing. What reads the store raises StoreUnavailable."""

    def __init__(self, facts: DashboardFacts) -> None:
        self._facts = facts

    def backends(self) -> list[BackendSummary]:
        watches = {watch.backend: watch for watch in self._facts.store.watches.all()}
        held = {run.backend: run for run in self._facts.store.runs.all()}
        outcomes = self._outcomes()
        return [self._backend(name, watches.get(name), held.get(name), outcomes) for name in self._facts.sources]

    def backend(self, name: str) -> BackendSummary:
        """Raises KeyError."""
        watch = self._facts.store.watches.get(name)
        return self._backend(name, watch, self._facts.store.runs.get(name), self._outcomes())

    def _backend(
        self, name: str, watch: Watch | None, held: HeldRun | None, outcomes: Mapping[str, Sequence[Outcome]]
    ) -> BackendSummary:
        source = self._facts.sources[name]
        is_watched = source.settings.sync is not None
        watch = (watch or Watch(name)) if is_watched else None
        listed = _latest_with(name, [one for some in outcomes.values() for one in some])
        feed, feed_fault = None, None
        try:
            found = source.feed
            feed = found.feed() if found is not None else None
        except BackendError as exc:
            feed_fault = str(exc)
        return BackendSummary(
            name,
            source.settings.type,
            self._facts.health.known(name),
            watch,
            listed,
            _people(name, watch, listed),
            held if is_watched else None,
            feed,
            feed_fault,
            source.breaker.is_open,
        )

    def _outcomes(self) -> dict[str, list[Outcome]]:
        return {name: self._facts.lister.outcomes(mount) for name, mount in self._facts.mounts.items()}

    def frontends(self) -> list[FrontendSummary]:
        now = self._facts.clock()
        hours, nothing = hours_of(self._facts.store.hourly_counts, now), FrontendHours(int(now // 3600))
        found = []
        for name, outcomes in self._outcomes().items():
            settings = self._facts.mounts[name].settings
            outcome = max(outcomes, key=lambda one: one.ended_at, default=None)
            found.append(FrontendSummary(name, settings.type, settings.path, outcome, hours.get(name, nothing)))
        return found

    def subscriptions(self) -> list[SubscriptionSummary]:
        """Up to MOST_SUBSCRIPTIONS, those first that a person should look at."""
        store = self._facts.store
        backlog = store.deliveries.backlog(_MOST_ROWS)
        stuck = [id for id, waiting in backlog.waiting.items() if waiting.counts.get("dead")]
        last, first_after = store.journal.last_serial(), _FirstAfter(self._facts)
        found = []
        for one in store.subscriptions.foremost(MOST_SUBSCRIPTIONS, stuck):
            lag = max(0, last - one.cursor) if one.state != "ended" else 0
            found.append(_subscription(one, lag, backlog, first_after.noticed_at(one) if lag else None))
        return found

    def certificates(self) -> list[CertificateSummary]:
        now = self._facts.clock()
        found = self._facts.store.certificates.ending(now + CERTIFICATE_DAYS * _DAY_SECONDS, _MOST_CERTIFICATES)
        return [CertificateSummary(one, int((one.certificate.expires_at - now) // _DAY_SECONDS)) for one in found]

    def administrators(self) -> list[str]:
        """Who has signed in and is not away yet, by name."""
        settings, now = self._facts.config.core.dashboard, self._facts.clock()
        longest, idle = settings.session_hours * 3600, settings.idle_minutes * 60
        sessions = self._facts.store.admins.sessions()
        alive = (one for one in sessions if now - one.created_at < longest and now - one.seen_at < idle)
        return sorted({one.admin for one in alive})


class _FirstAfter:
    """The first event after a cursor that is for a receiver. Most cursors stand at the same place."""

    def __init__(self, facts: DashboardFacts) -> None:
        self._journal = facts.store.journal
        self._read: dict[int, list[Event]] = {}

    def noticed_at(self, one: Subscription) -> float | None:
        """When it was noticed; None where it is not among the next few."""
        if one.cursor not in self._read:
            self._read[one.cursor] = self._journal.events(one.cursor, _LOOK_AHEAD)
        return next((event.noticed_at for event in self._read[one.cursor] if one.matches(event)), None)


def _subscription(one: Subscription, lag: int, backlog: Backlog, next_at: float | None) -> SubscriptionSummary:
    waiting = backlog.waiting.get(one.id)
    times = [at for at in (next_at, waiting.oldest_at if waiting is not None else None) if at is not None]
    counts = waiting.counts if waiting is not None else {}
    return SubscriptionSummary(one, lag, min(times, default=None), counts, backlog.is_partial)


def _latest_with(backend: str, outcomes: Sequence[Outcome]) -> Outcome | None:
    whole = [(one.release.ended_at, one) for one in outcomes if one.release and backend in one.release.backends]
    return max(whole, key=lambda pair: pair[0])[1] if whole else None


def _people(backend: str, watch: Watch | None, listed: Outcome | None) -> int | None:
    """At the latest comparison; else on a list of this backend alone."""
    if watch is not None and watch.baseline_at is not None:
        return watch.people_count
    if listed is not None and listed.release is not None and listed.release.backends == (backend,):
        return listed.release.count
    return None
