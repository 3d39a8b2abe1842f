"""Which groups there are, out of a table or statement of their own."""

from __future__ import annotations

import time
from collections.abc import Sequence

from integration_server import BadEntry, Group, values
from integration_server.builtin.sql.driver import NO_VALUES, Driver, Facts, Row, Session
from integration_server.builtin.sql.lookups import is_askable
from integration_server.builtin.sql.plans import CANDIDATES, FACTS_SECONDS, Question, named_queries
from integration_server.builtin.sql.settings import GroupList


class GroupRows:
    """Reads the list of groups. Any method raises the driver's exceptions."""

    def __init__(self, driver: Driver, settings: GroupList) -> None:
        self.table, self.schema = settings.table, settings.schema_name
        # The line break ends a comment that the admin's statement may end with.
        self.source = (
            driver.table(settings.table, settings.schema_name)
            if settings.table is not None
            else f"({(settings.statement or '').strip().rstrip(';')}\n) group_list"
        )
        columns = {
            "id": settings.id_column,
            "title": settings.title_column,
            "url": settings.url_column,
            "email": settings.email_column,
            "type": settings.type_column,
            "privacy": settings.privacy_column,
        }
        self._fields = tuple(field for field, column in columns.items() if column is not None)
        self.names = tuple(column for column in columns.values() if column is not None)
        self._id_column = settings.id_column
        self._driver = driver
        self._every = driver.query(f"SELECT {', '.join(map(driver.quote, self.names))} FROM {self.source}")
        self._known: tuple[float, tuple[Question, ...]] | None = None

    def groups(self, session: Session) -> tuple[Group, ...]:
        """Every group. Raises BadEntry for one without an id, or with another one's."""
        found: dict[str, Group] = {}
        for row in session.fetch(self._every, NO_VALUES).rows:
            group = self._group(row)
            if group.id in found:
                raise BadEntry(f"group_list: two groups have the {self._id_column} {group.id[:100]!r}")
            found[group.id] = group
        return tuple(found.values())

    def _group(self, row: Row) -> Group:
        try:
            told = {field: values.text(value) for field, value in zip(self._fields, row, strict=True)}
        except ValueError as exc:
            raise BadEntry(f"group_list: {self._id_column} {str(row[0])[:60]!r}: {exc}") from exc
        group_id = told.pop("id")
        if group_id is None:
            raise BadEntry(f"group_list: a group has no {self._id_column}")
        return Group(group_id, **told)

    def stored_id(self, session: Session, group_id: str) -> object | None:
        """The id of that group as the database holds it; None where there is no such group."""
        if not is_askable(group_id):
            return None
        for query, arguments_for in self._questions(session):
            if (arguments := arguments_for(group_id)) is None:
                continue
            for (stored,) in session.fetch(query, arguments, CANDIDATES).rows:
                # What a collation takes for equal is another group.
                if is_id(stored, group_id):
                    return self._driver.key(stored)
        return None

    def _questions(self, session: Session) -> Sequence[Question]:
        now = time.monotonic()
        if self._known is None or now > self._known[0]:
            columns = [self._id_column]
            if self.table is not None:
                facts = self._driver.study(session, self.table, self.schema, columns)
            else:
                # Nothing is known of a statement's columns: compared as texts, they are never an error.
                facts = Facts(dict.fromkeys(columns, "other"))
            column = self._driver.quote(self._id_column)
            head = f"SELECT {column} FROM {self.source} WHERE "
            steps = self._driver.steps(self._id_column, False, facts)
            self._known = (now + FACTS_SECONDS, tuple(named_queries(self._driver, head, steps, column)))
        return self._known[1]


def is_id(stored: object, group_id: str) -> bool:
    """Whether a value of the database is that id. Letters of another case are another id."""
    try:
        return values.text(stored) == group_id
    except ValueError:
        return False
