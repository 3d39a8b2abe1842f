"""The flow of a receiver that only wants to know that something changed. Pure, as ``flow`` is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from integration_server.forwarding.delivery.flow import Flow
from integration_server.forwarding.delivery.health import Health
from integration_server.forwarding.delivery.parcels import Ending, Item, Outcome, Parcel
from integration_server.forwarding.delivery.retry import SCHEDULE, Random, is_due, pause_after
from integration_server.sdk.events import Event
from integration_server.store.settlements import LaneRows
from integration_server.store.subscriptions import Subscription


class SignalFlow(Flow):
    """Hands over the latest event alone, once nothing has changed for ``quiet_seconds``.

    There are no rows: the cursor stands before the first event of which nothing was said yet. A failed signal is tried
    again until it is taken; what changed meanwhile goes with it.
    """

    def __init__(self, subscription: Subscription, health: Health, quiet_seconds: float, random: Random) -> None:
        super().__init__(subscription, health, 1, random)
        self._may_pass_through = False
        self._quiet_seconds = quiet_seconds
        self._first: Item | None = None
        self._latest: Item | None = None
        self._sent: Item | None = None
        self._attempts = 0
        self._not_before = 0.0

    def restore(self, lanes: Iterable[LaneRows], batches: Iterable[Parcel]) -> None:
        """Nothing is stored but the cursor."""

    def wants_input(self, now: float) -> bool:
        return not self.is_closing

    def _take_in(self, events: Iterable[tuple[int, Event]]) -> None:
        for position, event in events:
            self._latest = Item(event, position, "*")
            if self._first is None:
                self._first = self._latest
                self.ledger.add(self._first)

    def _fed(self, read_to: int, is_end: bool) -> None:
        self.ledger.read_position = max(read_to, self.ledger.read_position)
        self._is_at_end = is_end
        self.is_primed = True

    def wanted_lane(self) -> str | None:
        return None

    def load(self, key: str, items: Sequence[Item], is_all: bool) -> None:
        raise NotImplementedError  # there are no rows

    def due(self, now: float) -> float | None:
        if self.is_closing or self.in_flight or self._latest is None or self.health.state == "ended":
            return None
        if self.health.is_resting:
            return now if self.health.is_probe_due(now) else self.health.next_probe_at
        quiet_at = self._latest.event.noticed_at + self._quiet_seconds
        at = max(quiet_at if not is_due(quiet_at, now, self._quiet_seconds) else now, self._not_before)
        return max(at, self._next_send_at)

    def take_ahead(self, now: float) -> Parcel | None:
        return None

    def _next(self, now: float, is_probe: bool) -> Parcel | None:
        assert self._latest is not None
        parcel = Parcel([[self._latest]], False)
        parcel.attempt = self._attempts + 1
        self._sent, self._first, self._latest = self._first, None, None
        return parcel

    def cancel(self, parcel: Parcel) -> None:
        self.in_flight -= 1
        self.ledger.unsettled -= parcel.weight
        self._give_back(parcel)

    def finish(self, parcel: Parcel, outcome: Outcome, now: float) -> None:
        self.in_flight -= 1
        self.ledger.finish(parcel, parcel.logged(self.subscription.id, outcome))
        if outcome.ending in (Ending.TAKEN, Ending.REFUSED):
            if outcome.ending is Ending.REFUSED:
                event = parcel.events[0]
                self._note("delivery.dead", event_id=event.id, person_id=event.person_id, error=outcome.error)
            self._answered()
            self._attempts, self._not_before = 0, 0.0
            assert self._sent is not None
            self.ledger.done(self._sent)
            self._sent = None
            return
        self._give_back(parcel)
        self._go_wrong(parcel, outcome, now)

    def _go_wrong(self, parcel: Parcel, outcome: Outcome, now: float) -> None:
        error = outcome.error or ""
        if outcome.ending is Ending.GONE:
            self.health.end(outcome.error or "the receiver wants no more")
            self._note("subscription.ended", reason=self.health.reason)
        elif self.health.is_resting:
            if self.health.fail_probe(now, error, outcome.retry_after):
                self._note("subscription.quarantined", reason=error, since=self.health.failing_since)
        elif outcome.ending is Ending.UNAVAILABLE:
            self.health.rest(now, error, outcome.retry_after)
        else:
            self._attempts += 1
            tries = min(self._attempts, len(SCHEDULE))
            self._not_before = now + (pause_after(tries, outcome.retry_after, self._random) or 0.0)
            self.health.fail(now, error)

    def _give_back(self, parcel: Parcel) -> None:
        """The signal was not taken: it stands for everything since the first again."""
        assert self._sent is not None
        if self._first is not None and self._first is not self._sent:
            self.ledger.forget(self._first)
        self._first, self._sent = self._sent, None
        if self._latest is None:
            self._latest = parcel.units[0][0]

    def shift(self, seconds: float) -> None:
        self._not_before += seconds
        super().shift(seconds)
