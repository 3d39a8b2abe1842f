"""Changes that were looked at before they are written: as good as a look while writing, or looked at again."""

from __future__ import annotations

import random
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
import sqlalchemy as sa

from integration_server import StoreUnavailable
from integration_server.store import journal as journals
from integration_server.store.differences import Change, told
from integration_server.store.engine import open_store, writing
from integration_server.store.journal import Applied, Journal
from integration_server.store.people import People, StoredPeople
from tests.store.test_journal import CLOCK, ODD, person, put

GROUPS = ["staff", "math", "chess"]


@pytest.fixture
def journal(engine: sa.Engine) -> Journal:
    return Journal(engine, lambda: CLOCK)


@pytest.fixture
def people(engine: sa.Engine) -> People:
    return People(engine)


def known(people: People, *ids: str, backend: str = "hq") -> dict[str, tuple[int, bytes]]:
    return {id: (key, bytes(digest)) for id, key, digest in people.known(backend, ids)}


def looked_at(people: People, *changes: Change, backend: str = "hq") -> list[Change]:
    """As a run stages them."""
    keys = {
        id: key for id, (key, _) in known(people, *(change.person_id for change in changes), backend=backend).items()
    }
    stored = StoredPeople(people.stored(list(keys.values())))
    found = []
    for change in changes:
        key, text = keys.get(change.person_id), change.as_json()
        before = None if key is None else stored.get(key)
        if before is not None and text is not None:
            serial, digest, document = before
            seen = (serial, digest, told(document, change.document, text))
            change = change._replace(document=None, text=text, key=key, seen=seen)
        found.append(change)
    return found


def words(journal: Journal, backend: str = "hq") -> list[tuple[object, ...]]:
    """All that is told of a backend, but ids and serials."""
    events = [one for one in journal.events(0, 10_000) if one.backend == backend]
    return [(e.type, e.person_id, e.group, e.groups, e.after, e.before, e.changed) for e in events]


def rows(journal: Journal, backend: str = "hq") -> list[tuple[object, ...]]:
    people = journal.people(backend, 0, 1000)
    events = [one for one in journal.events(0, 10_000) if one.backend == backend]
    last = {one.person_id: one.serial for one in events}
    assert all(one.serial == last.get(one.person_id, 0) for one in people), "a row names the last event"
    return [(one.person_id, one.document, one.gone_at) for one in people]


def test_what_was_looked_at_is_told_as_if_it_was_looked_at_now(journal: Journal, people: People) -> None:
    chance = random.Random(5)
    for turn in range(40):
        changes = []
        for number in chance.sample(range(8), chance.randrange(1, 6)):
            kind = chance.random()
            id = f"p{number}"
            if kind < 0.1:
                changes.append(Change("delete", id))
            elif kind < 0.2:
                changes.append(Change("vanish", id))
            else:
                state = chance.choice(["active", "disabled"])
                groups = chance.sample(GROUPS, chance.randrange(3))
                changes.append(put(id, *groups, state=state, full_name=chance.choice([None, "Ada", f"Ünal {turn}"])))
        last = journal.last_serial()
        after = journal.apply("hq", looked_at(people, *changes), last)
        expected = journal.apply("lab", changes, after.last_serial)

        assert (after.events, after.skipped) == (expected.events, expected.skipped)
        assert words(journal) == words(journal, "lab")
        assert rows(journal) == rows(journal, "lab")
        ids = [f"p{number}" for number in range(8)]
        digests = [{id: digest for id, (_, digest) in known(people, *ids, backend=of).items()} for of in ("hq", "lab")]
        assert digests[0] == digests[1]


@pytest.mark.parametrize("where", ["events", "digest", "gone"])
def test_whoever_was_written_to_since_is_looked_at_again(journal: Journal, people: People, where: str) -> None:
    """And with them all who are in the same transaction."""
    journal.apply("hq", [put("ada"), put("bob")], 0)
    staged = looked_at(people, put("ada", full_name="Ada"), put("bob", full_name="Bob"))
    same, newer = put("ada"), put("ada", full_name="Countess")
    if where == "events":
        journal.apply("hq", [newer], 2)
    elif where == "digest":
        journal.apply("hq", [same._replace(digest=b"n" * 16)], 2)
    else:
        people.wipe("hq")

    applied = journal.apply("hq", staged, 2)

    names = {one.person_id: one.document["full_name"] for one in journal.people("hq", 0, 10)}
    if where == "events":
        assert applied == Applied(1, 1, 4)
        assert names == {"ada": "Countess", "bob": "Bob"}
    else:
        assert applied == Applied(2, 0, 4)
        assert names == {"ada": "Ada", "bob": "Bob"}
        kinds = [one.type for one in journal.events(2, 10)]
        assert kinds == ["user.created" if where == "gone" else "user.updated"] * 2
    assert known(people, "bob")["bob"][1] == staged[1].digest


def test_who_was_newer_already_when_they_were_looked_at_stays_as_they_are(journal: Journal, people: People) -> None:
    journal.apply("hq", [put("ada"), put("bob")], 0)

    applied = journal.apply("hq", looked_at(people, put("ada", full_name="Ada"), put("bob", full_name="Bob")), 1)

    assert applied == Applied(1, 1, 3)
    assert [one.document["full_name"] for one in journal.people("hq", 0, 10)] == ["Ada", None]


def test_a_digest_alone_is_no_event(journal: Journal, people: People) -> None:
    journal.apply("hq", [put("ada")], 0)

    assert journal.apply("hq", looked_at(people, put("ada")._replace(digest=b"n" * 16)), 1) == Applied(0, 0, 1)

    assert known(people, "ada")["ada"][1] == b"n" * 16
    assert [one.serial for one in journal.people("hq", 0, 10)] == [1]


def test_what_is_stored_is_read_whatever_is_in_it(journal: Journal, people: People) -> None:
    texts = [*ODD, "\x01", "\x00", "\x1e\x1e", "\x7f\x9f", "\u2028", "'", "{}", ""]
    journal.apply("hq", [put(f"p{n}{text.strip(chr(0))}", full_name=text) for n, text in enumerate(texts)], 0)
    stored_people = journal.people("hq", 0, 100)

    stored = StoredPeople(people.stored([one.key for one in stored_people] + [999_999_999]))

    assert len(stored_people) == len(texts)
    for one, text in zip(stored_people, texts, strict=True):
        found = stored.get(one.key)
        assert found is not None
        assert found == (one.serial, known(people, one.person_id)[one.person_id][1], one.document)
        assert found[2]["full_name"] == text
    assert stored.get(999_999_999) is None
    assert StoredPeople(people.stored([])).get(1) is None


def test_a_file_of_another_encoding_is_read_and_written_alike(tmp_path: Path) -> None:
    """SQLite keeps the encoding of a file that somebody made before."""
    with sqlite3.connect(tmp_path / "store.db") as connection:
        connection.executescript("PRAGMA encoding = 'UTF-16le'; CREATE TABLE x (y); DROP TABLE x")
    engine = open_store("", tmp_path)
    journal, people = Journal(engine, lambda: CLOCK), People(engine)
    journal.apply("hq", [put(f"p{n}", full_name=text) for n, text in enumerate(ODD)], 0)

    staged = looked_at(people, *(put(f"p{n}", full_name=f"{text} ü") for n, text in enumerate(ODD)))
    assert all(change.seen is not None for change in staged)
    assert journal.apply("hq", staged, journal.last_serial()).events == len(ODD)

    assert [one.document["full_name"] for one in journal.people("hq", 0, 100)] == [f"{text} ü" for text in ODD]
    engine.dispose()


# -- in steps --------------------------------------------------------------------------------------------------------


@pytest.fixture
def short_steps(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(journals, "APPLIED_AT_ONCE", 3)
    yield
    assert [one.name for one in threading.enumerate() if one.name == "journal"] == []


def crowd(count: int, **fields: object) -> list[Change]:
    return [put(f"p{n}", **fields) for n in range(count)]


@pytest.mark.usefixtures("short_steps")
@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 6, 10])
@pytest.mark.parametrize("is_looked_at", [True, False])
def test_many_changes_are_written_in_steps(journal: Journal, people: People, count: int, is_looked_at: bool) -> None:
    journal.apply("hq", crowd(count), 0)
    changes = crowd(count, full_name="Ada")
    staged = looked_at(people, *changes) if is_looked_at else changes

    steps = list(journal.apply_all("hq", iter(staged), count))

    assert [step.events for step in steps] == [3] * (count // 3) + [count % 3] * (count % 3 > 0)
    assert [one.serial for one in journal.events(count, 100)] == list(range(count + 1, 2 * count + 1))
    assert all(one.document["full_name"] == "Ada" for one in journal.people("hq", 0, 100))
    assert len({one.id for one in journal.events(0, 100)}) == 2 * count


@pytest.mark.usefixtures("short_steps")
def test_the_same_person_twice_in_a_step_is_no_end(journal: Journal) -> None:
    changes = [put("p0"), put("p0", full_name="Ada"), put("p1"), put("p1"), put("p1"), put("p2")]

    assert sum(step.events for step in journal.apply_all("hq", changes, 0)) == 3
    assert [one.document["full_name"] for one in journal.people("hq", 0, 10)] == ["Ada", None, None]


@pytest.mark.usefixtures("short_steps")
def test_what_others_write_between_two_steps_is_neither_lost_nor_overwritten(journal: Journal, people: People) -> None:
    """By then the next step has been made ready, with serials that somebody else has now."""
    journal.apply("hq", crowd(8), 0)
    staged = looked_at(people, *crowd(8, full_name="Ada"))
    results = []
    for step in journal.apply_all("hq", staged, 8):
        results.append(step)
        if len(results) == 1:
            journal.apply("lab", [put("x", "staff")], 11)
        if len(results) == 2:
            journal.apply("hq", [put("p6", full_name="Newer")], 100)

    assert [(step.events, step.skipped) for step in results] == [(3, 0), (3, 0), (1, 1)]
    events = journal.events(8, 100)
    assert [one.serial for one in events] == list(range(9, 19))
    assert [one.person_id for one in events] == ["p0", "p1", "p2", "x", "x", "p3", "p4", "p5", "p6", "p7"]
    names = [one.document["full_name"] for one in journal.people("hq", 0, 100)]
    assert names == ["Ada"] * 6 + ["Newer", "Ada"]


@pytest.mark.usefixtures("short_steps")
def test_steps_before_a_failure_stay(journal: Journal) -> None:
    def breaking() -> Iterator[Change]:
        yield from crowd(6)
        raise OSError("no space left")

    steps = journal.apply_all("hq", breaking(), 0)
    assert [next(steps).events, next(steps).events] == [3, 3]
    with pytest.raises(OSError, match="no space"):
        next(steps)

    assert [one.person_id for one in journal.people("hq", 0, 10)] == [f"p{n}" for n in range(6)]
    assert journal.last_serial() == 6


@pytest.mark.usefixtures("short_steps")
def test_a_store_that_fails_between_two_steps_is_unavailable(journal: Journal, engine: sa.Engine) -> None:
    steps = journal.apply_all("hq", crowd(9), 0)
    assert next(steps).events == 3
    with writing(engine) as connection:
        connection.execute(sa.text("ALTER TABLE events RENAME TO events_away"))
    try:
        with pytest.raises(StoreUnavailable):
            list(steps)
    finally:
        with writing(engine) as connection:
            connection.execute(sa.text("ALTER TABLE events_away RENAME TO events"))

    assert [one.person_id for one in journal.people("hq", 0, 10)] == ["p0", "p1", "p2"]
    assert journal.apply("hq", crowd(9), 3).events == 6


@pytest.mark.usefixtures("short_steps")
def test_whoever_stops_in_between_leaves_whole_steps(journal: Journal) -> None:
    steps = journal.apply_all("hq", crowd(9), 0)
    next(steps)
    steps.close()  # type: ignore[attr-defined]

    assert len(journal.people("hq", 0, 10)) == journal.last_serial() == 3


def test_events_that_are_written_out_are_those_of_the_documents() -> None:
    before, after = person("ada", "staff"), person("ada", "math", full_name="Ada")
    found = told(before, after, orjson.dumps(after))

    assert [(type, group) for type, group, _, _ in found] == [
        ("membership.removed", "staff"),
        ("user.updated", None),
        ("membership.added", "math"),
    ]
    assert all(orjson.loads(body)["object"] == after for *_, body in found)
    assert told(after, after, b"{}") == ()
    assert [orjson.loads(body)["object"] for *_, body in told(before, None)] == [None, None]
