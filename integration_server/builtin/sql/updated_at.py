"""The feed that goes by a column with the time (or version) of a row's last change."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from integration_server import Batch, Changes, ComparisonNeeded, Deadline, Finding, Overlap
from integration_server.builtin.sql.connections import Connections
from integration_server.builtin.sql.driver import BATCH, NO_VALUES, Driver, Query, Row, Rows, Session, Values
from integration_server.builtin.sql.feeds import Feed
from integration_server.builtin.sql.listing import completed, names_given
from integration_server.builtin.sql.marks import (
    Mark,
    earlier,
    is_plausible,
    latest_plausible,
    mark,
    newest,
    position_parts,
    read,
    shown,
    written,
)
from integration_server.builtin.sql.plans import Layout, Plan, TablePlan, position_of, require_parameters
from integration_server.builtin.sql.rereading import People
from integration_server.builtin.sql.settings import SqlSettings, id_column
from integration_server.builtin.sql.side_tables import SideRows


@dataclass(frozen=True, slots=True)
class Pause:
    """Where a reading of many rows was left: after the row of this mark and id; ``then`` is the position at its end."""

    at: Mark
    key: int | str
    then: Mark | None


@dataclass(frozen=True, slots=True)
class Place:
    """Everything up to the mark was told, or, with a pause, some of what follows it as well."""

    since: Mark | None
    pause: Pause | None = None


class UpdatedAtFeed(Feed):
    """Reads the rows behind the position, and moves the position only as far as nothing can come late any more.

    A row that changed and does not meet ``where`` any more is gone. Rows that were deleted, or changed in a second
    table alone, are not noticed. Many rows are read in order of mark and id; where these cannot be had (own
    statements, an id made of several columns), many changes at once mean a comparison.
    """

    def __init__(self, driver: Driver, settings: SqlSettings, plan: Plan, sides: Sequence[SideRows]) -> None:
        assert settings.updated_at_column is not None
        self._driver = driver
        self._plan = plan
        self._sides = sides
        self._column = settings.updated_at_column
        self._seconds = settings.overlap_seconds
        self._overlap: Overlap[Mark] = Overlap(settings.overlap_seconds)
        self.name = f"updated_at column {self._column}"
        self._feed = ("updated_at", settings.table or "", self._column)
        self._id_column = id_column(settings) if isinstance(plan, TablePlan) else None
        #: Whether a row tells in its last column if it meets ``where``; the id is needed for who does not.
        self._tells_scope = settings.where is not None and self._id_column is not None
        self._people = People(driver, plan, sides, self._id_column) if self._id_column is not None else None
        column = driver.quote(self._column)
        self._maximum = driver.query(f"SELECT MAX({column}) FROM {plan.source}")
        self._plausible = driver.query(f"SELECT MAX({column}) FROM {plan.source} WHERE {column} <= :latest")
        self._after: Query | None = None
        if settings.changes_statement is not None:
            self._since, self._all = driver.query(settings.changes_statement), plan.everybody
            require_parameters("changes_statement", self._since, {"since"}, {"since"})
        else:
            self._compile(column)

    def _compile(self, column: str) -> None:
        """The questions for the first rows of all, for the first after a mark, and for those after a pause."""
        plan, condition, columns = self._plan, f"{self._plan.condition} AND ", f"{self._plan.selected}, {column}"
        if self._tells_scope:
            columns, condition = f"{columns}, CASE WHEN {plan.condition} THEN 1 ELSE 0 END", ""
        head = f"SELECT {columns} FROM {plan.source} WHERE {condition}"
        order = ""
        if self._id_column is not None:
            key = self._driver.quote(self._id_column)
            order = f" ORDER BY {column}, {key}"
            self._after = self._chunk(f"{head}{column} >= :at AND ({column} > :at OR {key} > :key){order}")
        self._since = self._chunk(f"{head}{column} > :since{order}")
        self._all = self._chunk(f"{head}{column} IS NOT NULL{order}")

    def _chunk(self, text: str) -> Query:
        return self._driver.query(self._driver.limited(text, self._most))

    @property
    def _most(self) -> int:
        """Rows in one answer. Without an order, one more than may be, as they cannot be gone on with."""
        return BATCH + (self._after is None)

    # -- where it stands -------------------------------------------------------------------------------------------

    def position(self, connections: Connections, deadline: Deadline) -> str:
        began = self._overlap.now()
        found = connections.ask(deadline, self._newest)
        return self._written(Place(self._next(None, found, began)))

    def _newest(self, session: Session) -> Mark | None:
        ((value,),) = session.fetch(self._maximum, NO_VALUES).rows
        if value is None:
            return None
        found = mark(value, self._column)
        if isinstance(found, dt.datetime) and not is_plausible(found):
            ((value,),) = session.fetch(self._plausible, {"latest": latest_plausible(found)}).rows
            return None if value is None else mark(value, self._column)
        return found

    def _next(self, since: Mark | None, found: Mark | None, began: float) -> Mark | None:
        """The position after a reading that began then, when ``found`` was the newest mark."""
        safe = [since, self._overlap.settled(began)]
        if found is not None:
            safe.append(earlier(found, self._seconds, self._column))
            self._overlap.note(found)
        try:
            return max((one for one in safe if one is not None), default=None)
        except TypeError as exc:
            raise ComparisonNeeded(f"{self._column} holds another type of values than before") from exc

    def _written(self, place: Place) -> str:
        pause = place.pause
        left = [] if pause is None else [written(pause.at), pause.key, written(pause.then)]
        return json.dumps([*self._feed, written(place.since), left])

    def _read(self, position: str) -> Place:
        """Raises ComparisonNeeded."""
        match position_parts(position, self._feed):
            case [since, []]:
                return Place(read(since))
            case [since, [at, int() | str() as key, then]] if (
                self._after is not None and (left := read(at)) is not None
            ):
                return Place(read(since), Pause(left, key, read(then)))
        raise ComparisonNeeded("the position of the change feed cannot be read")

    # -- what changed ----------------------------------------------------------------------------------------------

    def changes(self, connections: Connections, position: str, deadline: Deadline) -> Iterator[Changes]:
        place: Place | None = self._read(position)
        before = position
        while place is not None:
            here = place
            told, after, place = connections.ask(deadline, lambda session, here=here: self._step(session, here))  # type: ignore[misc]
            now = self._written(after)
            if told is not None or now != before:
                told = told or Changes("")
                yield Changes(now, told.entries, told.gone)
            before = now

    def _step(self, session: Session, place: Place) -> tuple[Changes | None, Place, Place | None]:
        """Some changes, how far they bring one, and where to go on at once, where there may be more."""
        began = self._overlap.now()
        with session.snapshot():
            query, values = self._question(place)
            found = session.fetch(query, values, self._most)
            is_all = len(found.rows) < self._most
            told, last = self._told(session, found) if found.rows else (None, None)
            if is_all and place.pause is None:
                then = self._next(place.since, last, began)
            elif place.pause is None:
                # Rows of this moment are all that this reading answers for, however long it takes.
                then = self._next(place.since, self._newest(session), began)
            else:
                then = place.pause.then
        if is_all:
            return told, Place(then), None
        if self._after is None:
            raise ComparisonNeeded(f"more than {BATCH} rows changed at once")
        after = Place(place.since, self._pause(found, then))
        return told, after, after

    def _question(self, place: Place) -> tuple[Query, Values]:
        if place.pause is not None and self._after is not None:
            return self._after, {"at": place.pause.at, "key": place.pause.key}
        return (self._all, NO_VALUES) if place.since is None else (self._since, {"since": place.since})

    def _pause(self, found: Rows, then: Mark | None) -> Pause:
        assert self._id_column is not None
        row = found.rows[-1]
        key = row[position_of(found.names, self._id_column)]
        if isinstance(key, UUID | Decimal):
            key = str(key)
        if not isinstance(key, int | str):
            raise ComparisonNeeded(f"more than {BATCH} rows changed at once, and their ids have no order")
        return Pause(mark(row[self._mark_position(found.names)], self._column), key, then)

    def _mark_position(self, names: Sequence[str]) -> int:
        if isinstance(self._plan, TablePlan):
            return len(names) - 1 - self._tells_scope
        return position_of(names, self._column)

    def _told(self, session: Session, found: Rows) -> tuple[Changes, Mark | None]:
        """What rows tell, and the newest mark among them."""
        names, rows = found
        column = self._mark_position(names)
        last = newest([mark(row[column], self._column) for row in rows if row[column] is not None], self._column)
        layout = Layout.of_part(names, self._plan.listed)
        kept: Sequence[Row] = [row for row in rows if row[-1]] if self._tells_scope else rows
        entries = completed(session, layout, self._sides, kept)
        gone: tuple[str, ...] = ()
        if len(kept) < len(rows):
            assert self._people is not None
            assert self._id_column is not None
            key = position_of(names, self._id_column)
            # Another row of the same person may still be in scope.
            others, gone = self._people.read(session, [row[key] for row in rows if not row[-1]])
            entries = [*entries, *(others.rows if others is not None else ())]
        batch = Batch(names_given(layout, self._sides), entries) if entries else None
        return Changes("", batch, gone), last

    # -- check -----------------------------------------------------------------------------------------------------

    def check(self, session: Session) -> Iterator[Finding]:
        ((value,),) = session.fetch(self._maximum, NO_VALUES).rows
        if value is None:
            yield Finding("warning", f"the {self.name} has no value in any row, so no change shows in it")
            return
        found = mark(value, self._column)
        earlier(found, self._seconds, self._column)
        yield Finding("ok", f"the {self.name} can be read; its newest value is {shown(found)}")
        if not is_plausible(found):
            yield Finding("warning", f"{self._column} holds a time in the future, {shown(found)}; it is not believed")
        if isinstance(self._plan, TablePlan):
            yield from self._rows_and_index(session, found)
        for side in self._sides:
            yield Finding("ok", f"changes of {side.attribute} in the second table alone wait for a full comparison")

    def _rows_and_index(self, session: Session, found: Mark) -> Iterator[Finding]:
        column = self._driver.quote(self._column)
        query = self._driver.query(f"SELECT COUNT(*), COUNT({column}) FROM {self._plan.source}")
        ((count, filled),) = session.fetch(query, NO_VALUES).rows
        if count > filled:
            yield Finding("warning", f"{count - filled} rows have no {self._column}: they wait for full comparisons")
        if count >= 1000 and self._driver.uses_index(session, self._since, {"since": found}) is False:
            yield Finding("warning", f"no index on {self._column}: every look at the feed reads the whole table")
