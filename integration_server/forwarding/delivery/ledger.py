"""What a flow has read and what became of it, until that is written down. Pure.

Every position that was read is either outstanding, or has a row, or is done. The cursor stands before the first
outstanding one. What is done above it gets a row that says so, or a crash would send it after newer events of its lane.
For the same reason nothing of a lane gets a row before all that waits ahead of it has one: rows are loaded first, and
what is read again is put behind them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from integration_server.forwarding.delivery.health import Health
from integration_server.forwarding.delivery.parcels import Item, Parcel
from integration_server.forwarding.delivery.through import Through
from integration_server.sdk.events import USER_SNAPSHOT
from integration_server.store.settlements import Members, RowChange, Settlement
from integration_server.store.subscriptions import Subscription

#: So many events may be handed over and not yet written down; after a crash they come again, with the same ids.
WINDOW = 256
#: The same for batches.
BATCH_WINDOW = 16
#: Of either, where everything is one lane: that one was taken is written down while the next is on its way. With more,
#: what was taken would come again after what followed from it, somebody else's events included.
STEPWISE_WINDOW = 2


@dataclass(frozen=True, slots=True)
class Draft:
    """A settlement that is about to be written, and what it frees: ``finished`` of the window."""

    settlement: Settlement
    finished: int
    is_over: bool


class Ledger:
    """Where a flow stands."""

    def __init__(
        self, subscription: Subscription, known: Mapping[str, str], done_batches: Mapping[str, Members]
    ) -> None:
        """``known``: event id -> state of every row beyond the cursor, and of what is settled; ``done_batches``: id ->
        members of batches that are done while older events are not."""
        self._subscription = subscription
        self._cursor = subscription.cursor
        self._replay_serial = subscription.replay_serial
        self._replay_key = subscription.replay_key or 0
        self._known = dict(known)
        #: Event id -> position of each settled row; None for what has not been read since the start.
        self._settled: dict[str, int | None] = {id: None for id, state in known.items() if state == "settled"}
        positions = {id: [one for unit in members for one in unit] for id, members in done_batches.items()}
        self._skipped = {position for several in positions.values() for position in several}
        #: Batch id -> last position of each batch that is done above the cursor, and whether that is written down.
        self._batches: dict[str, tuple[int, bool]] = {id: (max(several), True) for id, several in positions.items()}
        self._outstanding: OrderedDict[int, Item] = OrderedDict()
        self._is_sorted = True
        #: What is outstanding, too, and of what there are no items.
        self.through = Through()
        self._done: list[Item] = []
        self._rows: dict[str, RowChange] = {}
        self._opened: dict[str, Members] = {}
        self._unsaved: dict[str, Parcel] = {}
        self._marked: list[str] = []
        self._closed: list[str] = []
        self._attempts: list[dict[str, Any]] = []
        self._finished = 0
        #: A replay has just ended, which is worth writing down.
        self._is_over = False
        self._written: tuple[object, ...] = ()
        self._written_health: dict[str, Any] = {}
        self.read_position = self._replay_key if self.is_replaying else self._cursor
        #: Handed over, and what became of it not yet written down.
        self.unsettled = 0

    @property
    def is_replaying(self) -> bool:
        return self._replay_serial is not None

    @property
    def replay_serial(self) -> int:
        return self._replay_serial or 0

    @property
    def outstanding(self) -> int:
        return len(self._outstanding) + self.through.size

    @property
    def overtaken(self) -> Sequence[Parcel]:
        """Batches without items that hold up the cursor, while too much is done above it: with items, they can get
        rows, and it can pass."""
        return self.through.out if self.through.size and self._is_much_done(self._position()) else ()

    @property
    def is_dirty(self) -> bool:
        """Whether something waits to be written, a cursor that merely moved on aside."""
        if self._rows or self._finished or self._opened or self._closed or self._done or self._is_over:
            return True
        return any(not is_marked for _, is_marked in self._batches.values())

    @property
    def is_resumed(self) -> bool:
        """Whether something that will be read again is done already, or has a row."""
        return bool(self._known or self._skipped)

    # -- reading -----------------------------------------------------------------------------------------------------

    def is_known(self, event_id: str, position: int) -> bool:
        """Whether what was just read is done or has a row already."""
        if position in self._skipped:
            self._skipped.discard(position)
            return True
        if not self._known:
            return False
        state = self._known.pop(event_id, None)
        if state == "settled":
            self._settled[event_id] = position
        return state is not None

    def end_resume(self) -> None:
        """Everything was read again; what was not met no longer concerns this subscription."""
        self._known.clear()
        self._skipped.clear()
        self._settled = {id: -1 if position is None else position for id, position in self._settled.items()}

    def is_waiting(self, event_id: str) -> bool:
        """Whether there is a row beyond the cursor that waits."""
        return self._known.get(event_id, "settled") != "settled"

    def is_given_up(self, event_id: str) -> bool:
        """Whether a person has skipped what is in an open batch."""
        return self._known.get(event_id) == "settled"

    def keep(self, item: Item) -> None:
        """Give a row to what was not read yet since the start."""
        self.write(item, "held")
        self._known[item.event.id] = "held"

    def add(self, item: Item) -> None:
        self._outstanding[item.position] = item

    def add_earlier(self, items: Iterable[Item]) -> None:
        """Those that were outstanding already, without being items."""
        self._outstanding.update((item.position, item) for item in items)
        self._is_sorted = False

    def forget(self, item: Item) -> None:
        """Another one stands for it."""
        self._outstanding.pop(item.position, None)

    def end_replay(self) -> None:
        """Everybody was read and is settled: go on with what happened after."""
        self._replay_serial = None
        self._is_over = True
        self._settled = dict.fromkeys(self._settled, -1)
        self._known.clear()
        self._skipped.clear()
        self._batches = {id: (-1, is_marked) for id, (_, is_marked) in self._batches.items()}
        self.read_position = self._cursor

    # -- what becomes of it ------------------------------------------------------------------------------------------

    def hand_over(self, parcel: Parcel) -> None:
        self.unsettled += parcel.weight
        self.open(parcel)

    def open(self, parcel: Parcel) -> None:
        """A new batch is made up, and must be written down before it is sent."""
        if parcel.is_new:
            self._opened[parcel.id] = parcel.members
            self._unsaved[parcel.id] = parcel
            parcel.is_new = False

    def finish(self, parcel: Parcel, attempt: dict[str, Any]) -> None:
        """A try ended, well or not."""
        self._finished += parcel.weight
        self._attempts.append(attempt)

    def close(self, parcel: Parcel) -> None:
        """A batch is no longer to be sent again as it was."""
        self._close(parcel.id)

    def _close(self, id: str) -> None:
        self._unsaved.pop(id, None)
        if self._opened.pop(id, None) is None:
            self._closed.append(id)

    def done_batch(self, parcel: Parcel) -> None:
        """All of a batch was taken. Above the cursor it stays as one row, instead of one for each event."""
        if parcel.stretch is not None:
            self._batches[parcel.id] = (parcel.stretch.serials[-1], False)
            return
        last = 0
        for item in parcel.items():
            if item.has_row:
                self.done(item)
            else:
                self._outstanding.pop(item.position, None)
                if item.position > last:
                    last = item.position
        self._batches[parcel.id] = (last, False)

    def done(self, item: Item) -> None:
        self._outstanding.pop(item.position, None)
        self._done.append(item)

    def write(
        self,
        item: Item,
        state: str,
        next_at: float | None = None,
        error: str | None = None,
        status: int | None = None,
    ) -> None:
        """Give it a row; the cursor may pass it then."""
        self._put(item, state, next_at, error, status)
        if not item.has_row:
            item.has_row = True
            self._outstanding.pop(item.position, None)

    def _put(self, item: Item, state: str, next_at: float | None, error: str | None, status: int | None) -> None:
        event = item.event
        previous = self._rows.get(event.id)
        values = {
            "subscription_id": self._subscription.id,
            "serial": event.serial,
            "lane": item.lane,
            "event_id": event.id,
            "event_type": event.type,
            "backend": event.backend,
            "person_id": event.person_id,
            "state": state,
            "attempts": item.attempts,
            "next_at": next_at,
            "error": error,
            "status": status,
        }
        is_new = not item.has_row or (previous is not None and previous.is_new)
        self._rows[event.id] = RowChange(event.id, values, is_new)

    # -- writing it down ---------------------------------------------------------------------------------------------

    def collect(self, health: Health, lease: tuple[str, str, int] | None, ends_for_good: bool = False) -> Draft | None:
        """Everything since the last time, or None where that is nothing."""
        self._settle_done()
        progress = self._progress()
        state = self._health(health)
        is_moved = progress != self._written or state != self._written_health
        if not (is_moved or self.is_dirty or self._attempts):
            return None
        columns = dict(zip(("cursor", "replay_serial", "replay_key"), progress, strict=True))
        settlement = Settlement(
            self._subscription.id,
            self._subscription.epoch,
            self._subscription.changed_at,
            lease,
            columns if progress != self._written else {},
            state if state != self._written_health else {},
            tuple(self._rows.values()),
            self._opened,
            self._marked,
            self._closed,
            self._attempts,
            is_cancelled=ends_for_good and health.state == "ended",
        )
        draft = Draft(settlement, self._finished, health.state == "ended")
        self._rows, self._opened, self._marked, self._closed, self._attempts, self._finished = {}, {}, [], [], [], 0
        self._written, self._written_health = progress, state
        self._is_over = False
        return draft

    def advance(self, health: Health) -> tuple[int, int] | None:
        """The cursor, and what that frees of the window, where that it moved is all there is to write at once; the log
        of attempts can wait."""
        self._settle_done()
        if self.is_replaying or self._is_over or self._rows or self._opened or self._marked or self._closed:
            return None
        return (self._progress()[0], self._finished) if self._health(health) == self._written_health else None

    def advanced(self, cursor: int, finished: int) -> None:
        """It was written. More may have been finished meanwhile, which is not."""
        self._written = (cursor, None, None)
        self.unsettled -= finished
        self._finished -= finished

    def settled(self, draft: Draft, is_written: bool = True) -> None:
        """It was written, or did not count."""
        self.unsettled -= draft.finished
        for id in draft.settlement.opened:
            parcel = self._unsaved.pop(id, None)
            if parcel is not None:
                parcel.is_saved = is_written

    def put_back(self, draft: Draft) -> None:
        """It could not be written, and goes with the next."""
        old = draft.settlement
        rows = {row.event_id: row for row in old.rows}
        for id, row in self._rows.items():
            is_new = row.is_new or (id in rows and rows[id].is_new)
            rows[id] = RowChange(id, row.values, is_new)
        self._rows = rows
        opened = {**old.opened, **self._opened}
        # Whether the first writing happened is not known, so what was opened and closed since is closed for certain.
        self._closed = [*old.closed, *self._closed]
        self._marked = [*old.marked, *self._marked]
        self._opened = {id: members for id, members in opened.items() if id not in self._closed}
        self._attempts = [*old.attempts, *self._attempts]
        self._finished += draft.finished
        self._written, self._written_health = (), {}

    def _settle_done(self) -> None:
        """Remember what is done above the cursor, forget what the cursor has passed."""
        if not self._done and not self._settled and not self._batches:
            return
        cursor = self._position()
        if not (self._settled or self._batches) and all(self._is_simply_done(item, cursor) for item in self._done):
            self._done = []
            return
        if self._is_much_done(cursor):
            self._let_pass()
            cursor = self._position()
        self._settle_batches(cursor)
        for item in self._done:
            if self._is_beyond(item, cursor):
                self._put(item, "settled", None, None, None)
                self._settled[item.event.id] = item.position
            elif item.has_row:
                self._drop(item.event.id)
        self._done = []
        for id in [id for id, position in self._settled.items() if position is not None and position <= cursor]:
            del self._settled[id]
            self._drop(id)

    def _let_pass(self) -> None:
        """Too much is done above something that takes long: give that a row, so that the cursor may pass it."""
        last = max((item.position for item in self._done), default=0)
        last = max([last, *(position for position in self._settled.values() if position is not None)])
        last = max([last, *(position for position, _ in self._batches.values())])
        for item in [item for position, item in self._outstanding.items() if position <= last]:
            self.write(item, "held")

    def _is_much_done(self, cursor: int) -> bool:
        """Whether too much is done above the cursor."""
        beyond = sum(1 for item in self._done if self._is_beyond(item, cursor))
        batches = sum(1 for last, _ in self._batches.values() if last > cursor)
        return beyond + len(self._settled) > WINDOW or batches > BATCH_WINDOW

    def _settle_batches(self, cursor: int) -> None:
        for id, (last, is_marked) in list(self._batches.items()):
            if last <= cursor:
                del self._batches[id]
                self._close(id)
            elif not is_marked:
                self._batches[id] = (last, True)
                self._marked.append(id)

    def _drop(self, event_id: str) -> None:
        previous = self._rows.get(event_id)
        if previous is not None and previous.is_new:
            # Never written, or not known to be; a row that is not there can be deleted as well.
            del self._rows[event_id]
        self._rows[event_id] = RowChange(event_id, None, False)

    def _is_simply_done(self, item: Item, cursor: int) -> bool:
        """Whether the cursor alone tells that it is done. It is for most."""
        return item.position <= cursor and not item.has_row

    def _is_beyond(self, item: Item, cursor: int) -> bool:
        if item.event.type == USER_SNAPSHOT and not self.is_replaying:
            return False
        return item.position > cursor

    def _position(self) -> int:
        if not self._is_sorted:
            self._outstanding = OrderedDict(sorted(self._outstanding.items()))
            self._is_sorted = True
        first, passing = next(iter(self._outstanding), None), self.through.first
        if passing is not None and (first is None or passing < first):
            first = passing
        return self.read_position if first is None else first - 1

    def _progress(self) -> tuple[int, int | None, int | None]:
        if self.is_replaying:
            self._replay_key = self._position()
            return self._cursor, self._replay_serial, self._replay_key
        self._cursor = self._position()
        return self._cursor, None, None

    def _health(self, health: Health) -> dict[str, Any]:
        return {
            "state": health.state,
            "state_reason": health.reason,
            "failing_since": health.failing_since,
            "probes": health.probes,
            "next_probe_at": health.next_probe_at or None,
        }
