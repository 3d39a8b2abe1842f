"""Events by the page, as columns: most receivers get their JSON, and nobody looks at one of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import chain
from typing import Any, TypeVar, overload

import orjson

from integration_server.sdk.events import Event, stored_body, stored_event

_T = TypeVar("_T")
#: A page, and where on it something stands, in order.
Part = tuple["EventPage", Sequence[int]]


class EventPage:
    """Events that follow one another in the journal: columns of equal length, in the order of ``stored_event``.

    Events, and their JSON, are made for the whole page when somebody first asks. Two threads may do so at a time; then
    one of them did it in vain.
    """

    def __init__(
        self,
        serials: Sequence[int],
        ids: Sequence[str],
        types: Sequence[str],
        backends: Sequence[str],
        person_ids: Sequence[str],
        noticed_at: Sequence[float],
        groups: Sequence[str | None],
        group_names: Sequence[str],
        origins: Sequence[str | None],
        bodies: Sequence[bytes],
    ) -> None:
        """``group_names`` are JSON arrays; the others are as the fields of an event."""
        self.serials = serials
        self.ids = ids
        self.types = types
        self.backends = backends
        self.person_ids = person_ids
        self.noticed_at = noticed_at
        self.groups = groups
        self.group_names = group_names
        self.origins = origins
        self.bodies = bodies
        #: Each event as JSON, once somebody needed it; see envelopes.
        self.texts: list[bytes] | None = None

    @cached_property
    def kinds(self) -> frozenset[str]:
        """The types that there are."""
        return frozenset(self.types)

    @cached_property
    def sources(self) -> frozenset[str]:
        """The backends that there are."""
        return frozenset(self.backends)

    @cached_property
    def writers(self) -> frozenset[str | None]:
        """The origins that there are."""
        return frozenset(self.origins)

    @cached_property
    def lanes(self) -> list[str]:
        """The lane of each event."""
        return [f"{of}/{person}" for of, person in zip(self.backends, self.person_ids, strict=True)]

    @cached_property
    def events(self) -> list[Event]:
        """All of them."""
        return [
            # Most are in no group, and nothing need be called to know that.
            stored_event(serial, id, type, of, person, at, group, _names(names) if names != "[]" else (), origin, body)
            for serial, id, type, of, person, at, group, names, origin, body in self._rows()
        ]

    def event(self, place: int) -> Event:
        """One of them, without the others."""
        return stored_event(
            self.serials[place],
            self.ids[place],
            self.types[place],
            self.backends[place],
            self.person_ids[place],
            self.noticed_at[place],
            self.groups[place],
            _names(self.group_names[place]),
            self.origins[place],
            self.bodies[place],
        )

    def only(self, places: Sequence[int]) -> EventPage:
        """A page of what stands at these places, which keeps nothing else alive."""
        about = self.serials, self.ids, self.types, self.backends, self.person_ids, self.noticed_at
        columns: Sequence[Sequence[Any]] = *about, self.groups, self.group_names, self.origins, self.bodies
        return EventPage(*(placed(column, places) for column in columns))

    def _rows(self) -> Iterator[tuple[int, str, str, str, str, float, str | None, str, str | None, bytes]]:
        about = self.serials, self.ids, self.types, self.backends, self.person_ids, self.noticed_at
        return zip(*about, self.groups, self.group_names, self.origins, self.bodies, strict=True)


def page_of(events: Sequence[Event]) -> EventPage:
    """A page on which these stand, as if they had been read. For tests."""
    rows: list[tuple[Any, ...]] = []
    for one in events:
        about = one.serial, one.id, one.type, one.backend, one.person_id, one.noticed_at, one.group
        body = orjson.dumps(stored_body(one.after, one.before, one.changed))
        rows.append((*about, orjson.dumps(one.groups).decode(), one.origin, body))
    return EventPage(*zip(*rows, strict=True))


def _names(groups: str) -> tuple[str, ...]:
    return tuple(orjson.loads(groups))


class Stretch(Sequence[Event]):
    """Some events of one or more pages, in order, which are made only when somebody looks at one."""

    __slots__ = ("lanes", "parts", "serials")

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = parts
        self.serials: list[int] = [serial for page, places in parts for serial in placed(page.serials, places)]
        self.lanes: list[str] = [lane for page, places in parts for lane in placed(page.lanes, places)]

    def __len__(self) -> int:
        return len(self.serials)

    def __iter__(self) -> Iterator[Event]:
        return chain.from_iterable(placed(page.events, places) for page, places in self.parts)

    @overload
    def __getitem__(self, index: int) -> Event: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Event]: ...
    def __getitem__(self, index: int | slice) -> Event | Sequence[Event]:
        if isinstance(index, slice):
            return tuple(self)[index]
        place = range(len(self.serials))[index]
        for page, places in self.parts:
            if place < len(places):
                return page.event(places[place])
            place -= len(places)
        raise IndexError(index)

    @property
    def noticed_at(self) -> list[float]:
        """When each was noticed, in Unix seconds."""
        return [at for page, places in self.parts for at in placed(page.noticed_at, places)]


def placed(column: Sequence[_T], places: Sequence[int]) -> Sequence[_T]:
    """What stands at these places of a column."""
    if isinstance(places, range):
        return column[places.start : places.stop]
    return [column[place] for place in places]
