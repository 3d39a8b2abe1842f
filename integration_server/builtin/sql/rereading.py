"""The rows of certain people, many at once: what a feed knows of a change is mostly whose row it was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from integration_server import BadEntry, Batch, values
from integration_server.builtin.sql.driver import Driver, Query, Row, Session
from integration_server.builtin.sql.listing import completed, names_given
from integration_server.builtin.sql.plans import Layout, Plan, position_of
from integration_server.builtin.sql.side_tables import SideRows

#: Ids in one statement. SQLite before 3.32 takes 999 parameters.
IDS = 500


class People:
    """Reads people by their ids, as a listing would give them."""

    def __init__(self, driver: Driver, plan: Plan, sides: Sequence[SideRows], id_column: str) -> None:
        self._driver = driver
        self._plan = plan
        self._sides = sides
        self._id_column = id_column
        self._one = self._query(1)
        self._many = self._query(IDS)

    def _query(self, count: int) -> Query:
        marks = ", ".join(f":k{i}" for i in range(count))
        column = self._driver.quote(self._id_column)
        return self._driver.query(
            f"SELECT {self._plan.selected} FROM {self._plan.source} "
            f"WHERE {self._plan.condition} AND {column} IN ({marks})"
        )

    def read(self, session: Session, keys: Sequence[object]) -> tuple[Batch | None, tuple[str, ...]]:
        """Those of the people who are there, and the ids of those who are not. Raises BadEntry."""
        asked = {text: key for key in keys if (text := _text(key)) is not None}
        found: list[Row] = []
        layout: Layout | None = None
        for query, arguments in self._questions(list(asked.values())):
            names, rows = session.fetch(query, arguments)
            layout = layout or Layout.of_part(names, self._plan.listed)
            column = position_of(names, self._id_column)
            for row in rows:
                asked.pop(_text(row[column]) or "", None)
            found += completed(session, layout, self._sides, rows)
        batch = Batch(names_given(layout, self._sides), found) if layout is not None and found else None
        return batch, tuple(asked)

    def _questions(self, keys: Sequence[object]) -> Iterator[tuple[Query, dict[str, object]]]:
        for start in range(0, len(keys), IDS):
            some = [self._driver.key(key) for key in keys[start : start + IDS]]
            query = self._one if len(some) == 1 else self._many
            # The last one over and over, so that one statement serves every number of people.
            some += [some[-1]] * (len(query.names) - len(some))
            yield query, {f"k{i}": key for i, key in enumerate(some)}


def _text(key: object) -> str | None:
    """An id as the mapping writes it."""
    try:
        return values.text(key)
    except ValueError as exc:
        raise BadEntry(f"an id cannot be read: {exc}") from exc
