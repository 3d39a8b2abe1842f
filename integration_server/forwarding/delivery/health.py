"""How a receiver is doing as a whole: taking events, resting, quarantined, ended. Pure; the clock is handed in."""

from __future__ import annotations

from integration_server.forwarding.delivery.retry import LONGEST_PROBE, Random, is_due, pause_before_probe
from integration_server.store.subscriptions import Subscription

OK, RESTING, QUARANTINED, ENDED = "ok", "resting", "quarantined", "ended"
#: So many failed events in a row, without a success, and it is the receiver that is ill, not the events.
FAILURES_TO_REST = 5


class Health:
    """The state of one receiver. ``is_proven``: it took something since it was started or last failed."""

    def __init__(self, subscription: Subscription, quarantine_seconds: float, random: Random) -> None:
        self._quarantine_seconds = quarantine_seconds
        self._random = random
        self.state = subscription.state
        self.reason = subscription.state_reason
        self.failing_since = subscription.failing_since
        self.probes = subscription.probes
        self.next_probe_at = subscription.next_probe_at or 0.0
        self.failures = 0
        self.is_proven = False

    @property
    def is_resting(self) -> bool:
        return self.state in (RESTING, QUARANTINED)

    def is_probe_due(self, now: float) -> bool:
        return is_due(self.next_probe_at, now, LONGEST_PROBE)

    def succeed(self) -> bool:
        """It took something. Whether that ends a quarantine."""
        was_quarantined = self.state == QUARANTINED
        self.is_proven = True
        self.failures = 0
        if self.state != OK:
            self.state, self.reason = OK, None
            self.probes, self.next_probe_at = 0, 0.0
        self.failing_since = None
        return was_quarantined

    def answer(self) -> None:
        """It refused an event for good: not a success, but it is there."""
        self.failures = 0

    def fail(self, now: float, error: str) -> bool:
        """It did not take one event. Whether it rests from now on."""
        self.is_proven = False
        self.failures += 1
        self.failing_since = self.failing_since or now
        if self.failures < FAILURES_TO_REST:
            return False
        self.rest(now, f"{self.failures} failures in a row, the last: {error}", None)
        return True

    def rest(self, now: float, reason: str, retry_after: float | None) -> None:
        """Leave it alone until the next probe."""
        self.is_proven = False
        self.failures = 0
        self.failing_since = self.failing_since or now
        if not self.is_resting:
            self.state, self.probes = RESTING, 0
        self.reason = reason
        self.next_probe_at = now + pause_before_probe(self.probes, retry_after, self.state == QUARANTINED, self._random)

    def fail_probe(self, now: float, error: str, retry_after: float | None) -> bool:
        """The probe failed. Whether it is quarantined from now on."""
        self.probes += 1
        if self.failing_since is None or self.failing_since > now:
            self.failing_since = now
        is_new = self.state == RESTING and now - self.failing_since >= self._quarantine_seconds
        if is_new:
            self.state = QUARANTINED
        self.rest(now, error, retry_after)
        return is_new

    def end(self, reason: str) -> None:
        """It wants no more."""
        self.state, self.reason = ENDED, reason
        self.next_probe_at = 0.0

    def shift(self, seconds: float) -> None:
        """The clock was set forward by so much."""
        if self.next_probe_at:
            self.next_probe_at += seconds
        if self.failing_since is not None:
            self.failing_since += seconds
