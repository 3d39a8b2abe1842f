"""The index of listed names: a generation counts once it is complete, and old ones go."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from integration_server import StoreUnavailable
from integration_server.store.name_index import NameIndex

DAY = 86400.0


@pytest.fixture
def index(engine: sa.Engine) -> NameIndex:
    return NameIndex(engine)


def build(index: NameIndex, backend: str, now: float, **ids: str) -> int:
    generation = index.begin(backend, now)
    index.add(generation, list(ids), list(ids.values()))
    index.complete(backend, generation, now)
    return generation


def rows(engine: sa.Engine) -> tuple[int, int]:
    with engine.connect() as connection:
        return (
            int(connection.scalar(sa.text("SELECT count(*) FROM index_generations")) or 0),
            int(connection.scalar(sa.text("SELECT count(*) FROM name_index")) or 0),
        )


def test_a_backend_without_a_list_knows_nobody_and_says_so(index: NameIndex) -> None:
    assert not index.is_built("hq")
    assert index.entry_id("hq", "ann") is None


def test_names_count_from_the_moment_their_list_is_complete(index: NameIndex) -> None:
    generation = index.begin("hq", 100)
    index.add(generation, ["ann"], ["1"])
    index.add(generation, [], [])
    index.add(generation, ["bob"], ["2"])
    assert not index.is_built("hq")
    assert index.entry_id("hq", "ann") is None

    index.complete("hq", generation, 110)

    assert index.is_built("hq")
    assert (index.entry_id("hq", "ann"), index.entry_id("hq", "bob"), index.entry_id("hq", "carl")) == ("1", "2", None)
    assert index.entry_id("lab", "ann") is None


def test_an_empty_list_is_complete_too(index: NameIndex) -> None:
    build(index, "hq", 100)

    assert index.is_built("hq")
    assert index.entry_id("hq", "ann") is None


def test_a_new_list_replaces_the_old_one_at_once_and_whole(index: NameIndex, engine: sa.Engine) -> None:
    build(index, "hq", 100, ann="1", bob="2")
    build(index, "lab", 100, ann="7")
    generation = index.begin("hq", 200)
    index.add(generation, ["ann"], ["3"])
    assert (index.entry_id("hq", "ann"), index.entry_id("hq", "bob")) == ("1", "2")

    index.complete("hq", generation, 210)

    assert (index.entry_id("hq", "ann"), index.entry_id("hq", "bob")) == ("3", None)
    assert index.entry_id("lab", "ann") == "7"
    assert rows(engine) == (2, 2)


def test_a_list_that_fails_leaves_the_old_one_in_force(index: NameIndex, engine: sa.Engine) -> None:
    build(index, "hq", 100, ann="1")
    generation = index.begin("hq", 200)
    index.add(generation, ["ann", "bob"], ["3", "4"])
    index.abandon(generation)

    assert (index.entry_id("hq", "ann"), index.entry_id("hq", "bob")) == ("1", None)
    assert rows(engine) == (1, 1)


def test_two_lists_at_a_time_do_not_remove_each_other(index: NameIndex) -> None:
    slow = index.begin("hq", 100)
    index.add(slow, ["ann"], ["old"])
    build(index, "hq", 110, ann="new")
    index.add(slow, ["bob"], ["old"])
    index.complete("hq", slow, 120)

    # The one that began later has seen the newer directory.
    assert index.entry_id("hq", "ann") == "new"
    assert index.entry_id("hq", "bob") is None


def test_what_a_crash_left_is_removed_a_day_later(index: NameIndex, engine: sa.Engine) -> None:
    left = index.begin("hq", 100)
    index.add(left, ["ann"], ["1"])

    build(index, "hq", 100 + DAY - 1, ann="2")
    assert rows(engine) == (2, 2)
    build(index, "hq", 101 + DAY, ann="3")
    assert rows(engine) == (1, 1)
    assert index.entry_id("hq", "ann") == "3"


def test_a_name_stands_for_one_entry_only(index: NameIndex) -> None:
    generation = index.begin("hq", 100)
    index.add(generation, ["ann"], ["1"])

    with pytest.raises(StoreUnavailable):
        index.add(generation, ["ann"], ["2"])
