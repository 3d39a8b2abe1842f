"""The feed that goes by a column with the time (or version) of a row's last change."""

from __future__ import annotations

import datetime as dt
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from integration_server import Batch, Changes, ComparisonNeeded, Deadline, Finding, Overlap
from integration_server.builtin.sql.driver import BATCH, NO_VALUES, Driver, Query, Row, Rows, Session, Values
from integration_server.builtin.sql.feeds import Access, Feed
from integration_server.builtin.sql.listing import completed, names_given, spooled
from integration_server.builtin.sql.marks import (
    Mark,
    earlier,
    is_plausible,
    latest_plausible,
    mark,
    newest,
    read,
    shown,
    written,
)
from integration_server.builtin.sql.plans import Layout, Plan, TablePlan, position_of, require_parameters
from integration_server.builtin.sql.rereading import People
from integration_server.builtin.sql.settings import SqlSettings, id_column
from integration_server.builtin.sql.side_tables import SideRows

#: What some rows tell, and the newest mark among them.
Step = tuple[Changes, Mark | None]


class UpdatedAtFeed(Feed):
    """Reads the rows behind the position, and moves the position only as far as nothing can come late any more.

    A row that changed and does not meet ``where`` any more is gone. Rows that were deleted, or changed in a second
    table alone, are not noticed.
    """

    def __init__(
        self, driver: Driver, settings: SqlSettings, plan: Plan, sides: Sequence[SideRows], folder: Path
    ) -> None:
        assert settings.updated_at_column is not None
        self._driver = driver
        self._plan = plan
        self._sides = sides
        self._folder = folder
        self._column = settings.updated_at_column
        self._seconds = settings.overlap_seconds
        self._overlap: Overlap[Mark] = Overlap(settings.overlap_seconds)
        self.name = f"updated_at column {self._column}"
        self._feed = ("updated_at", settings.table or "", self._column)
        column = driver.quote(self._column)
        #: Whether a row tells in its last column if it meets ``where``.
        self._tells_scope = settings.where is not None and id_column(settings) is not None
        self._people = People(driver, plan, sides, id_column(settings) or "") if self._tells_scope else None
        self._id_column = id_column(settings)
        self._maximum = driver.query(f"SELECT MAX({column}) FROM {plan.source}")
        self._plausible = driver.query(f"SELECT MAX({column}) FROM {plan.source} WHERE {column} <= :latest")
        if settings.changes_statement is not None:
            self._since = driver.query(settings.changes_statement)
            require_parameters("changes_statement", self._since, {"since"}, {"since"})
            self._some, self._all = self._since, plan.everybody
        else:
            head = self._head(settings, column)
            self._since = driver.query(f"{head} AND {column} > :since")
            self._all = driver.query(head)
            self._some = driver.query(driver.limited(f"{head} AND {column} > :since", BATCH + 1))

    def _head(self, settings: SqlSettings, column: str) -> str:
        columns = f"{self._plan.selected}, {column}"
        if self._tells_scope:
            scope = f"CASE WHEN {self._plan.condition} THEN 1 ELSE 0 END"
            return f"SELECT {columns}, {scope} FROM {self._plan.source} WHERE {column} IS NOT NULL"
        return f"SELECT {columns} FROM {self._plan.source} WHERE {self._plan.condition} AND {column} IS NOT NULL"

    # -- where it stands -------------------------------------------------------------------------------------------

    def position(self, access: Access, deadline: Deadline) -> str:
        began = self._overlap.now()
        found = access.connections.ask(deadline, self._newest)
        return written(self._feed, self._next(None, found, began))

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
        """The position after a reading that began then and met ``found`` as the newest mark."""
        safe = [since, self._overlap.settled(began)]
        if found is not None:
            safe.append(earlier(found, self._seconds, self._column))
            self._overlap.note(found)
        try:
            return max((one for one in safe if one is not None), default=None)
        except TypeError as exc:
            raise ComparisonNeeded(f"{self._column} holds another type of values than before") from exc

    # -- what changed ----------------------------------------------------------------------------------------------

    def changes(self, access: Access, position: str, deadline: Deadline) -> Iterator[Changes]:
        since = read(position, self._feed)
        began = self._overlap.now()
        marks: list[Mark] = []
        with closing(self._steps(access, since, deadline)) as steps:
            for told, last in steps:
                marks += [] if last is None else [last]
                yield Changes(position, told.entries, told.gone)
        after = written(self._feed, self._next(since, newest(marks, self._column), began))
        if after != position:
            yield Changes(after)

    def _steps(self, access: Access, since: Mark | None, deadline: Deadline) -> Generator[Step, None, None]:
        if since is not None:
            few = access.connections.ask(deadline, lambda session: self._few(session, since))
            if few is not None:
                yield from few
                return
        with access.own(deadline) as session, closing(self._many(session, since)) as many:
            yield from many

    def _few(self, session: Session, since: Mark) -> list[Step] | None:
        """All changes at once, or None where they are too many for that."""
        with session.snapshot():
            found = session.fetch(self._some, {"since": since}, BATCH + 1)
            if len(found.rows) > BATCH:
                return None
            return [self._told(session, found)] if found.rows else []

    def _many(self, session: Session, since: Mark | None) -> Generator[Step, None, None]:
        session.begin()
        query, values = self._question(since)
        stream: Generator[Rows, None, None] = session.stream(query, values)
        # Second tables, and those who left, are asked for meanwhile.
        if not session.can_interleave:
            stream = spooled(stream, self._folder)
        with closing(stream) as batches:
            for found in batches:
                yield self._told(session, found)

    def _question(self, since: Mark | None) -> tuple[Query, Values]:
        return (self._all, NO_VALUES) if since is None else (self._since, {"since": since})

    def _told(self, session: Session, found: Rows) -> Step:
        names, rows = found
        column = len(names) - 1 - self._tells_scope
        if not isinstance(self._plan, TablePlan):
            column = position_of(names, self._column)
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
            yield Finding("warning", f"changes are noticed by the {self.name}, which has no value in any row")
            return
        found = mark(value, self._column)
        earlier(found, self._seconds, self._column)
        yield Finding("ok", f"changes are noticed by the {self.name}, the newest {shown(found)}")
        if not is_plausible(found):
            yield Finding(
                "warning", f"{self._column} holds a time in the future, {shown(found)}; it is not believed"
            )
        if isinstance(self._plan, TablePlan):
            column = self._driver.quote(self._column)
            query = self._driver.query(f"SELECT COUNT(*) FROM {self._plan.source} WHERE {column} IS NULL")
            ((empty,),) = session.fetch(query, NO_VALUES).rows
            if empty:
                yield Finding("warning", f"{empty} rows have no {self._column}; their changes wait for a comparison")
        yield from self._index(session, found)
        for side in self._sides:
            yield Finding("ok", f"changes of {side.attribute} in the second table alone wait for a full comparison")

    def _index(self, session: Session, found: Mark) -> Iterator[Finding]:
        ((count,),) = session.fetch(self._driver.query(f"SELECT COUNT(*) FROM {self._plan.source}"), NO_VALUES).rows
        if count >= 1000 and self._driver.uses_index(session, self._some, {"since": found}) is False:
            yield Finding("warning", f"no index on {self._column}: every look at the feed reads the whole table")
