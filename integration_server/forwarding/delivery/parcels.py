"""What is handed over, and how that went. Plain records of one flow; none of them is shared between flows."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from operator import attrgetter
from typing import Any

from integration_server.sdk.consumers import Delivery
from integration_server.sdk.events import Event
from integration_server.sdk.stretches import Stretch


class Ending(Enum):
    """How a try ended."""

    TAKEN = "taken"
    FAILED = "failed"
    BLOCKED = "blocked"
    UNAVAILABLE = "unavailable"
    REFUSED = "refused"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Outcome:
    """``at`` is when the try began (Unix seconds), ``seconds`` how long it took."""

    ending: Ending
    at: float = 0.0
    seconds: float = 0.0
    error: str | None = None
    status: int | None = None
    response: str | None = None
    retry_after: float | None = None


@dataclass(slots=True, eq=False)
class Item:
    """One event that waits. ``position`` is where it stands in what is being read: its serial, in a replay of everybody
    the person's key. ``has_row``: it has one in the store, or will with the next settlement. ``limit``: it goes with at
    most so many in a batch, since a larger one with it failed; 0 for any."""

    event: Event
    position: int
    lane: str
    attempts: int = 0
    has_row: bool = False
    limit: int = 0


Unit = Sequence[Item]
_ATTEMPTS = attrgetter("attempts")


_MERGED = "mrg_"


class Parcel:
    """One or more units that are handed over at once; each unit becomes one event. What is no batch is one event.

    ``is_batch``: what is in it is written down before it is sent, and sent again as it is. So are several events that
    became one, although their receiver sees a single event (``is_alone``): taken apart again after a crash, the first
    of them would come after what the last one told.

    ``stretch``: its events, while nobody needs items of them; see ``through``.
    """

    __slots__ = (
        "_units",
        "attempt",
        "events",
        "fails",
        "id",
        "is_batch",
        "is_new",
        "is_probe",
        "is_saved",
        "next_at",
        "stretch",
    )

    def __init__(
        self,
        units: Sequence[Unit],
        is_batch: bool,
        id: str | None = None,
        *,
        is_alone: bool = False,
        stretch: Stretch | None = None,
    ) -> None:
        """Of ``units`` or, which is always a batch, of a ``stretch``."""
        self._units = units
        self.stretch = stretch
        self.events: Sequence[Event]
        self.is_batch = is_batch
        if stretch is not None:
            self.events, self.id, self.attempt = stretch, "bat_" + secrets.token_hex(16), 1
        elif is_batch:
            self.events = tuple(
                merged([one.event for one in unit]) if len(unit) > 1 else unit[0].event for unit in units
            )
            self.id = id or (_MERGED if is_alone else "bat_") + secrets.token_hex(16)
            self.attempt = 1 + max(map(_ATTEMPTS, self.items()))
        else:
            # Most are of this kind.
            item = units[0][0]
            self.events, self.id, self.attempt = (item.event,), id or item.event.id, 1 + item.attempts
        self.is_new = is_batch and id is None
        self.is_saved = not self.is_new
        self.is_probe = False
        self.fails = 0
        self.next_at = 0.0

    @property
    def units(self) -> Sequence[Unit]:
        """What is in it. Those of a stretch are made when they are first asked for."""
        if not self._units and (stretch := self.stretch) is not None:
            about = zip(stretch, stretch.serials, stretch.lanes, strict=True)
            self._units = [(Item(event, position, lane),) for event, position, lane in about]
        return self._units

    @property
    def is_alone(self) -> bool:
        """Whether its receiver sees one event, not a batch."""
        return not self.is_batch or self.id.startswith(_MERGED)

    @property
    def sent_id(self) -> str:
        """What names it towards its receiver."""
        return self.events[0].id if self.is_alone else self.id

    def items(self) -> Iterator[Item]:
        """All of all units, in order."""
        return itertools.chain.from_iterable(self.units)

    @property
    def weight(self) -> int:
        """How much of the window it takes: events, or one batch."""
        return len(self.units[0]) if self.is_alone else 1

    @property
    def members(self) -> list[list[int]]:
        if self.stretch is not None:
            return [[serial] for serial in self.stretch.serials]
        return [[item.position for item in unit] for unit in self.units]

    def delivery(self, subscription_id: str, active_secrets: tuple[str, ...]) -> Delivery:
        attempt = self.attempt + self.fails
        return Delivery(self.sent_id, subscription_id, self.events, attempt, not self.is_alone, active_secrets)

    def logged(self, subscription_id: str, outcome: Outcome) -> dict[str, Any]:
        """A row of the log of attempts."""
        first = self.events[0]
        return {
            "subscription_id": subscription_id,
            "delivery_id": self.sent_id,
            "serial": first.serial,
            "event_count": len(self.events),
            "person_id": first.person_id,
            "at": outcome.at,
            "seconds": outcome.seconds,
            "is_ok": outcome.ending is Ending.TAKEN,
            "status": outcome.status,
            "error": outcome.error,
            "response": outcome.response,
        }


def merged(events: Sequence[Event]) -> Event:
    """Several updates of one person as one: the newest, with what changed since before the first."""
    changed: dict[str, tuple[object, object]] = {}
    groups: dict[str, None] = {}
    for event in events:
        groups.update(dict.fromkeys(event.groups))
        for name, (old, new) in (event.changed or {}).items():
            changed[name] = (changed[name][0] if name in changed else old, new)
    kept: Mapping[str, tuple[object, object]] = {name: pair for name, pair in changed.items() if pair[0] != pair[1]}
    return replace(events[-1], changed=kept, groups=tuple(groups))
