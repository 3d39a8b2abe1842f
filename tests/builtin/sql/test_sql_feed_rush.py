"""Many writers at once, some slow, some rolled back: who only follows the feed ends with what is in the table."""

from __future__ import annotations

import random
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from integration_server.builtin.sql import SqlBackend
from integration_server.sdk.testing.harness import in_background, settle
from tests.builtin.sql import people_database as db
from tests.builtin.sql.feed_edits import SqlEdits, with_outbox, with_updated_at
from tests.builtin.sql.people_database import PeopleDatabase

WRITERS = 6
TRANSACTIONS = 15
_LONGEST = 0.15


def write(database: PeopleDatabase, number: int) -> None:
    """Transactions of several changes each to people of one's own, kept open for a while; a quarter is rolled back."""
    dice = random.Random(number)
    now = "now()" if "postgresql" in database.url else "NOW(6)"
    own = [i for i in range(1, 31) if i % WRITERS == number]
    change = sa.text(f"UPDATE persons SET full_name = :name, updated_at = {now} WHERE id = :id")
    with database.engine().connect() as connection:
        for turn in range(TRANSACTIONS):
            for person in dice.sample(own, 2):
                connection.execute(change, {"name": f"by {number}, {turn}", "id": person})
                time.sleep(dice.random() * _LONGEST / 2)
            if dice.random() < 0.25:
                connection.rollback()
            else:
                connection.commit()


def followed(backend: SqlBackend, position: str, known: dict[Any, str]) -> str:
    for step in backend.changes(position, db.soon()):
        position = step.position
        assert not step.gone
        if step.entries is not None:
            key, name = step.entries.names.index("id"), step.entries.names.index("full_name")
            known.update((row[key], str(row[name])) for row in step.entries.rows)
    return position


@pytest.fixture(params=["postgresql", "mariadb"])
def shared(request: pytest.FixtureRequest) -> PeopleDatabase:
    database: PeopleDatabase = request.getfixturevalue(f"{request.param}_database")
    with_updated_at(database)
    SqlEdits(database, "'2020-01-02'").change("alice")
    return database


@pytest.mark.parametrize("feed", ["outbox", "updated_at"])
def test_follower_misses_nothing_of_many_writers(shared: PeopleDatabase, feed: str, tmp_path: Path) -> None:
    if feed == "outbox":
        table = with_outbox(shared)
        # An outbox that never held a row asks for a comparison where numbers were passed by.
        SqlEdits(shared, "'2020-01-02'").change("bob")
        assert shared.scalar("SELECT COUNT(*) FROM integration_outbox") == 1
    else:
        table = db.settings(shared.url, updated_at_column="updated_at", overlap_seconds=2)
    with closing(db.opened(table, tmp_path)) as backend:
        position = backend.feed_position(db.soon())
        known: dict[Any, str] = {}
        writers = [in_background(lambda number=number: write(shared, number)) for number in range(WRITERS)]  # type: ignore[misc]
        while not all(writer.done() for writer in writers):
            position = followed(backend, position, known)
            time.sleep(0.01)
        for writer in writers:
            settle(writer, 60, "a writer")
        followed(backend, position, known)
    with shared.connected() as connection:
        now = {row.id: row.full_name for row in connection.execute(sa.text("SELECT id, full_name FROM persons"))}
    changed = {key: name for key, name in now.items() if name.startswith("by ")}
    assert len(changed) == 30
    assert {key: known.get(key) for key in changed} == changed
