"""The feed that reads an outbox: a table in which triggers of the database note whose rows changed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from integration_server import BackendMisconfigured, Changes, ComparisonNeeded, Deadline, Finding
from integration_server.builtin.sql.connections import Connections
from integration_server.builtin.sql.driver import NO_VALUES, Driver, Row, Session
from integration_server.builtin.sql.feeds import Feed
from integration_server.builtin.sql.gaps import MOST, Gap, between, remaining
from integration_server.builtin.sql.marks import position_parts
from integration_server.builtin.sql.plans import Plan
from integration_server.builtin.sql.rereading import IDS, People
from integration_server.builtin.sql.settings import OutboxTable, SqlSettings, id_column
from integration_server.builtin.sql.side_tables import SideRows

#: Gaps that one question asks for.
_RANGES = 50
#: Newest rows among which a new position looks for gaps: so many changes may end while one transaction runs.
_LOOKED_BACK = 10_000
#: How long a transaction may run, where the database does not tell whether it still does.
_LONGEST_SECONDS = 3600.0
#: And where it tells: between taking its number and its first write a transaction is not known to it.
_SETTLING_SECONDS = 5.0
_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Place:
    """How far the outbox was read: up to ``high``, but for ``gaps``."""

    high: int
    gaps: tuple[Gap, ...] = ()


class OutboxFeed(Feed):
    """Reads the rows of the outbox behind the position, and then the people whom they name, many at once.

    Numbers that were passed by stay in the position as gaps, and are looked for again at each look. A gap is closed
    when the row shows up, or nobody can hold the number any more: on PostgreSQL when all transactions are over that
    ran when it was first seen, elsewhere after an hour. So a long transaction delays nobody, and is not lost.
    """

    def __init__(
        self,
        backend: str,
        driver: Driver,
        settings: SqlSettings,
        outbox: OutboxTable,
        plan: Plan,
        sides: Sequence[SideRows],
    ) -> None:
        column = id_column(settings)
        assert column is not None
        self._backend = backend
        self._driver = driver
        self._outbox = outbox
        self._people = People(driver, plan, sides, column)
        self.name = f"outbox table {outbox.table}"
        self._feed = ("outbox", f"{outbox.schema_name or ''}.{outbox.table}")
        source = driver.table(outbox.table, outbox.schema_name)
        number, person = driver.quote(outbox.sequence_column), driver.quote(outbox.person_column)
        head = f"SELECT {number}, {person} FROM {source}"
        ranges = " OR ".join(f"{number} BETWEEN :a{i} AND :b{i}" for i in range(_RANGES))
        self._after = driver.query(driver.limited(f"{head} WHERE {number} > :high ORDER BY {number}", IDS))
        self._within = driver.query(f"{head} WHERE {ranges} ORDER BY {number}")
        self._ends = driver.query(f"SELECT MIN({number}), MAX({number}), COUNT(*) FROM {source}")
        self._bounds = driver.query(f"SELECT MIN({number}), MAX({number}) FROM {source}")
        self._newest = driver.query(
            driver.limited(f"SELECT {number} FROM {source} ORDER BY {number} DESC", _LOOKED_BACK)
        )
        self._columns = driver.query(f"{head} WHERE 1 = 0")
        #: When each gap was first seen by this process, by its last number.
        self._first_seen: dict[int, float] = {}

    # -- where it stands -------------------------------------------------------------------------------------------

    def position(self, connections: Connections, deadline: Deadline) -> str:
        return connections.ask(deadline, self._now)

    def _now(self, session: Session) -> str:
        with session.snapshot():
            numbers = [_number(row[0]) for row in session.fetch(self._newest, NO_VALUES, _LOOKED_BACK).rows][::-1]
            known = self._driver.transactions(session)
        if not numbers:
            return self._written(Place(0))
        fence = known[1] if known is not None else None
        # What is missing before the oldest row was deleted, but it may also be on its way.
        start = 0 if len(numbers) < _LOOKED_BACK else numbers[0] - 1
        return self._written(Place(numbers[-1], tuple(between(start, numbers, fence))[-MOST:]))

    def _written(self, place: Place) -> str:
        return json.dumps([*self._feed, place.high, [[gap.first, gap.last, gap.fence] for gap in place.gaps]])

    def _read(self, position: str) -> Place:
        """Raises ComparisonNeeded."""
        match position_parts(position, self._feed):
            case [int() as high, list() as gaps] if _is_number(high) and len(gaps) <= MOST and all(map(_is_gap, gaps)):
                return Place(high, tuple(Gap(*gap) for gap in gaps))
        raise ComparisonNeeded("the position of the outbox cannot be read")

    # -- what changed ----------------------------------------------------------------------------------------------

    def changes(self, connections: Connections, position: str, deadline: Deadline) -> Iterator[Changes]:
        place = self._read(position)
        is_more = True
        is_first = True
        while is_more:
            before = place
            work = partial(self._step, place=before, is_first=is_first)
            told, place, is_more = connections.ask(deadline, work)
            is_first = False
            if told is not None or place != before:
                told = told or Changes("")
                yield Changes(self._written(place), told.entries, told.gone)

    def _step(self, session: Session, place: Place, is_first: bool) -> tuple[Changes | None, Place, bool]:
        """Some changes, how far they bring one, and whether there may be more."""
        with session.snapshot():
            late = self._late(session, place.gaps) if is_first else []
            rows = session.fetch(self._after, {"high": place.high}, IDS).rows
            self._check_bounds(session, place)
            known = self._driver.transactions(session)
            entries, gone = self._people.read(session, [row[1] for row in (*late, *rows) if row[1] is not None])
        numbers = [_number(row[0]) for row in rows]
        gaps = list(remaining(place.gaps, [_number(row[0]) for row in late]))
        if is_first:
            gaps = self._open(gaps, known)
        gaps += between(place.high, numbers, known[1] if known is not None else None)
        after = Place(numbers[-1] if numbers else place.high, tuple(gaps[-MOST:]))
        told = Changes("", entries, gone) if late or rows else None
        return told, after, len(rows) >= IDS

    def _late(self, session: Session, gaps: Sequence[Gap]) -> list[Row]:
        """Rows that have shown up in gaps."""
        found: list[Row] = []
        for start in range(0, len(gaps), _RANGES):
            some = list(gaps[start : start + _RANGES])
            some += [some[-1]] * (_RANGES - len(some))
            limits = {f"a{i}": gap.first for i, gap in enumerate(some)}
            limits |= {f"b{i}": gap.last for i, gap in enumerate(some)}
            found += session.fetch(self._within, limits).rows
        return found

    def _check_bounds(self, session: Session, place: Place) -> None:
        """Raises ComparisonNeeded where rows behind the position are not there any more."""
        ((lowest, highest),) = session.fetch(self._bounds, NO_VALUES).rows
        if place.high > (0 if highest is None else _number(highest)):
            raise ComparisonNeeded("the outbox has lost its newest rows; was it emptied, or a backup put back?")
        if lowest is not None and _number(lowest) > place.high + 1:
            raise ComparisonNeeded("rows of the outbox were deleted before they were read")

    def _open(self, gaps: Sequence[Gap], known: tuple[int, int] | None) -> list[Gap]:
        """The gaps whose transactions may still be running."""
        now = time.monotonic()
        seen = self._first_seen
        self._first_seen = {gap.last: seen.get(gap.last, now) for gap in gaps}
        kept: list[Gap] = []
        for gap in gaps:
            age = now - self._first_seen[gap.last]
            if known is None:
                is_open = age < _LONGEST_SECONDS
            else:
                oldest, following = known
                # A cluster that was restored counts its transactions anew.
                gap = replace(gap, fence=following if gap.fence is None else min(gap.fence, following))
                is_open = oldest < (gap.fence or 0) or age < _SETTLING_SECONDS
            if is_open:
                kept.append(gap)
        return kept

    # -- check -----------------------------------------------------------------------------------------------------

    def check(self, session: Session) -> Iterator[Finding]:
        try:
            session.fetch(self._columns, NO_VALUES)
        except self._driver.errors:
            if not self._is_missing(session):
                raise
            script = f"what 'integration-server outbox-script {self._backend}' prints makes it, and its triggers"
            yield Finding("error", f"there is no {self.name}; {script}")
            return
        ((_, highest, count),) = session.fetch(self._ends, NO_VALUES).rows
        if highest is not None:
            _number(highest)
        yield Finding("ok", f"the {self.name} can be read; it holds {count} row{'' if count == 1 else 's'}")
        if not count:
            yield Finding("warning", f"the {self.name} is empty: until a change was noted, nobody knows if triggers do")

    def _is_missing(self, session: Session) -> bool:
        """Whether that is why it cannot be read."""
        if session.is_lost or session.is_cancelled:
            return False
        try:
            return not self._driver.inspector(session).has_table(self._outbox.table, self._outbox.schema_name)
        except self._driver.errors:
            return False


def _number(value: object) -> int:
    """Raises BackendMisconfigured for what is no sequence number."""
    if isinstance(value, str | bytes | bool | float) or value is None:
        raise BackendMisconfigured("the sequence_column of the outbox_table must hold whole numbers")
    number: int = int(value)  # type: ignore[call-overload]
    return number


def _is_number(found: object) -> bool:
    return isinstance(found, int) and not isinstance(found, bool) and 0 <= found <= _LARGEST


def _is_gap(found: object) -> bool:
    match found:
        case [first, last, None]:
            return _is_number(first) and _is_number(last) and first <= last  # type: ignore[operator]
        case [first, last, fence]:
            return _is_gap([first, last, None]) and _is_number(fence)
    return False
