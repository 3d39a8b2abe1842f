"""The groups that people are in, as last noticed. There is no table of them: they are read from the documents."""

from __future__ import annotations

import sqlalchemy as sa

from integration_server.store.engine import reading
from integration_server.store.schema import journal_state, people

_GROUPS = {
    "sqlite": "SELECT DISTINCT p.backend, g.value FROM people p, json_each(p.document, '$.groups') g",
    "postgresql": "SELECT DISTINCT p.backend, g.value FROM people p,"
    " jsonb_array_elements_text(CAST(p.document AS jsonb) -> 'groups') AS g(value)",
}


class Groups:
    """Does not own the engine. Its methods raise StoreUnavailable."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._groups = sa.text(_GROUPS[engine.dialect.name])

    def all(self) -> list[tuple[str, str]]:
        """Backend and name of every group that has a member, sorted. Reads every document: seconds for a million."""
        with reading(self._engine) as connection:
            return sorted((backend, group) for backend, group in connection.execute(self._groups))

    def stamp(self) -> tuple[int, int]:
        """Moves whenever ``all`` may give something else."""
        last_key = sa.select(sa.func.max(people.c.key)).scalar_subquery()
        with reading(self._engine) as connection:
            row = connection.execute(sa.select(journal_state.c.last_serial, last_key)).one_or_none()
        return (row[0], row[1] or 0) if row is not None else (0, 0)
