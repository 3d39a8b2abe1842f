"""The journal: snapshot and events move together, and serials become visible in order."""

from __future__ import annotations

import threading

import orjson
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from integration_server import batch_json, event_json
from integration_server.sdk.stretches import Stretch
from integration_server.store.changes import Changes
from integration_server.store.engine import writing
from integration_server.store.event_rows import _column
from integration_server.store.journal import Applied, Change, Journal
from integration_server.store.watches import Watch, Watches

CLOCK = 1_800_000_000.0


class Clock:
    def __init__(self) -> None:
        self.now = CLOCK

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def journal(engine: sa.Engine, clock: Clock) -> Journal:
    return Journal(engine, clock)


def person(person_id: str, *groups: str, **fields: object) -> dict[str, object]:
    document: dict[str, object] = {"id": person_id, "username": person_id, "full_name": None, "groups": list(groups)}
    return {**document, "state": "active", **fields}


def put(person_id: str, *groups: str, **fields: object) -> Change:
    document = person(person_id, *groups, **fields)
    return Change("update", person_id, repr(document).encode()[:16].ljust(16), document)


def told(journal: Journal, after: int = 0) -> list[str]:
    return [" ".join(filter(None, (e.type, e.person_id, e.group))) for e in journal.events(after, 1000)]


def test_somebody_new_is_created_and_then_put_into_groups(journal: Journal) -> None:
    assert journal.apply("hq", [put("ada", "staff", "math")], 0) == Applied(3, 0, 3)

    assert told(journal) == ["user.created ada", "membership.added ada staff", "membership.added ada math"]
    events = journal.events(0, 10)
    assert [event.serial for event in events] == [1, 2, 3]
    assert all(event.groups == ("math", "staff") for event in events)
    assert all(event.after == person("ada", "staff", "math") for event in events)
    assert len({event.id for event in events}) == 3


def test_events_come_in_an_order_that_a_reader_understands(journal: Journal) -> None:
    journal.apply("hq", [put("ada", "staff", "math")], 0)

    journal.apply("hq", [put("ada", "math", "chess", full_name="Ada")], 3)
    journal.apply("hq", [Change("delete", "ada")], 6)

    assert told(journal, 3) == [
        "membership.removed ada staff",
        "user.updated ada",
        "membership.added ada chess",
        "membership.removed ada math",
        "membership.removed ada chess",
        "user.deleted ada",
    ]


def test_what_is_stored_decides_and_not_what_the_change_calls_itself(journal: Journal) -> None:
    journal.apply("hq", [Change("delete", "nobody"), Change("vanish", "nobody"), put("ada")], 0)
    journal.apply("hq", [Change("create", "ada", b"y" * 16, person("ada", full_name="Ada"))], 1)

    assert told(journal) == ["user.created ada", "user.updated ada"]


def test_a_person_is_found_again_who_is_stored_elsewhere_than_a_change_says(journal: Journal) -> None:
    """Between the look and the writing they were deleted and came again, or somebody else was there."""
    journal.apply("hq", [put("ada"), put("bob")], 0)
    bob = journal.person("hq", "bob")
    assert bob is not None
    digest, ada = b"n" * 16, person("ada", full_name="Ada")

    journal.apply("hq", [Change("update", "ada", digest, ada, key=bob.key), Change("delete", "bob", key=999)], 2)

    assert told(journal, 2) == ["user.updated ada", "user.deleted bob"]
    assert [one.document for one in journal.people("hq", 0, 9)] == [ada]


def test_the_same_state_again_is_no_event(journal: Journal) -> None:
    journal.apply("hq", [put("ada")], 0)

    assert journal.apply("hq", [put("ada")], 1) == Applied(0, 0, 1)


def test_who_was_deleted_meanwhile_is_not_created_by_an_older_look(journal: Journal) -> None:
    journal.apply("hq", [put("ada"), put("bob")], 0)
    journal.apply("hq", [Change("delete", "ada")], 2)

    assert journal.apply("hq", [put("ada"), put("bob", full_name="Bob")], 2).skipped == 1
    assert told(journal, 3) == ["user.updated bob"]


def test_snapshot_events_and_what_is_written_along_move_together(journal: Journal, engine: sa.Engine) -> None:
    def fails(connection: sa.Connection) -> None:
        raise RuntimeError("the process dies here")

    with pytest.raises(RuntimeError):
        journal.apply("hq", [put("ada")], 0, before_commit=fails)
    assert (journal.last_serial(), journal.events(0, 10), journal.person("hq", "ada")) == (0, [], None)

    watches = Watches(engine)
    journal.apply("hq", [put("ada")], 0, before_commit=watches.changing("hq", feed_position="7"))
    assert watches.get("hq").feed_position == "7"


def test_people_come_in_pages(journal: Journal) -> None:
    journal.apply("hq", [put(f"p{n}") for n in range(5)], 0)
    journal.apply("crm", [put("other")], 5)

    first = journal.people(None, 0, 4)
    second = journal.people(None, first[-1].key, 4)

    assert [person.person_id for person in (*first, *second)] == ["p0", "p1", "p2", "p3", "p4", "other"]
    assert [person.backend for person in journal.people("crm", 0, 9)] == ["crm"]
    found = journal.person("hq", "p3")
    assert found is not None
    assert (found.serial, found.gone_at, found.document) == (4, None, person("p3"))


def test_pruning_stops_at_the_bound_and_at_the_first_event_that_is_too_young(journal: Journal, clock: Clock) -> None:
    for n in range(6):
        clock.now = CLOCK + n
        journal.apply("hq", [put(f"p{n}")], n)

    assert journal.prune(CLOCK + 4, 2) == 2
    assert (journal.pruned_serial(), told(journal)[0]) == (2, "user.created p2")
    assert journal.prune(CLOCK + 4, 100) == 2
    assert journal.prune(CLOCK + 4, 100) == 0
    assert (journal.pruned_serial(), len(told(journal)), journal.last_serial()) == (4, 2, 6)
    assert journal.prune(CLOCK + 99, 100) == 2
    assert (journal.pruned_serial(), journal.last_serial()) == (6, 6)
    assert journal.apply("hq", [put("next")], 6).last_serial == 7


def test_pruning_leaves_no_gap_after_the_clock_was_set_back(journal: Journal, clock: Clock) -> None:
    for n, moment in enumerate((100, 200, 50, 60)):
        clock.now = moment
        journal.apply("hq", [put(f"p{n}")], n)

    assert journal.prune(150, 100) == 1
    assert len(told(journal)) == 3


def test_a_moment_is_found_in_the_journal(journal: Journal, clock: Clock) -> None:
    for n in range(4):
        clock.now = CLOCK + 10 * n
        journal.apply("hq", [put(f"p{n}")], n)

    assert journal.serial_at(CLOCK - 5) == 0
    assert journal.serial_at(CLOCK + 10) == 1
    assert journal.serial_at(CLOCK + 11) == 2
    assert journal.serial_at(CLOCK + 99) == 4
    journal.prune(CLOCK + 15, 100)
    assert journal.serial_at(CLOCK + 5) is None
    assert journal.serial_at(CLOCK + 25) == 3


def test_the_moment_of_an_event_is_kept_as_long_as_the_event(journal: Journal, clock: Clock) -> None:
    journal.apply("hq", [put("ada")], 0)
    clock.now += 60
    journal.apply("hq", [put("bob")], 1)
    assert journal.noticed_at(2) == clock.now
    assert journal.noticed_at(1) == clock.now - 60
    assert journal.noticed_at(3) is None
    journal.prune(clock.now, 2)
    assert journal.noticed_at(1) is None


def test_serials_become_visible_in_order_under_many_writers(url: str, engine: sa.Engine, journal: Journal) -> None:
    """A reader that saw N + 1 has been able to see N."""
    count, writers = 40, 4
    seen: list[int] = []
    is_over = threading.Event()

    def write(name: str) -> None:
        own = sa.create_engine(url) if engine.dialect.name == "postgresql" else engine
        mine = Journal(own)
        for n in range(count):
            mine.apply(name, [put(f"{name}{n}"), put(f"{name}{n}b")], 0)

    def read() -> None:
        while not is_over.is_set() or len(seen) < journal.last_serial():
            seen.extend(event.serial for event in journal.events(seen[-1] if seen else 0, 7))

    reader = threading.Thread(target=read)
    threads = [threading.Thread(target=write, args=(f"w{n}",)) for n in range(writers)]
    for thread in (reader, *threads):
        thread.start()
    for thread in threads:
        thread.join(60)
    is_over.set()
    reader.join(60)

    assert seen == list(range(1, 2 * count * writers + 1))


def test_a_serial_waits_for_the_disk_and_nothing_else_does(new_engine: sa.Engine) -> None:
    """On PostgreSQL even where somebody has set that nothing waits."""
    is_sqlite = new_engine.dialect.name == "sqlite"
    levels = []
    if not is_sqlite:
        with writing(new_engine) as connection:
            connection.exec_driver_sql(f'ALTER DATABASE "{new_engine.url.database}" SET synchronous_commit = off')
        new_engine.dispose()

    def note(connection: sa.Connection) -> None:
        asked = "PRAGMA synchronous" if is_sqlite else "SHOW synchronous_commit"
        levels.append(connection.exec_driver_sql(asked).scalar())

    Journal(new_engine).apply("hq", [put("ada")], 0, before_commit=note)
    with writing(new_engine) as connection:
        note(connection)

    assert levels == ([2, 1] if is_sqlite else ["on", "off"])


def test_watches_are_rows_that_appear_when_they_are_needed(engine: sa.Engine) -> None:
    watches = Watches(engine)
    assert (watches.get("hq"), watches.all()) == (Watch("hq"), [])

    watches.want_scan("hq")
    watches.change("crm", failure="down", failed_at=5.0)

    assert [watch.backend for watch in watches.all()] == ["crm", "hq"]
    assert watches.get("hq").is_scan_wanted
    assert watches.get("crm").failure == "down"
    watches.remove("hq")
    assert not watches.get("hq").is_scan_wanted


ODD = ["a,b", '"', "\\", '","', 'a",', "\x1e", "[]", "null", "ä\U0001f600", "a\nb", " ", "7"]


def test_page_has_what_was_written_whatever_is_in_it(journal: Journal, engine: sa.Engine, clock: Clock) -> None:
    """Read in bulk and one by one."""
    journal.apply("hq", [put(id, *ODD[:2], full_name=id) for id in ODD], 0)
    clock.now += 1 / 3
    journal.apply("b-1", [put(id, full_name=id) for id in ODD], journal.last_serial(), origin="sub_x")
    journal.apply("hq", [Change("delete", id) for id in ODD], journal.last_serial(), origin='"')
    changes = Changes(engine)
    one_by_one = [one for of in ("hq", "b-1") for id in ODD for one in changes.about(of, id, 0, 100)]
    one_by_one.sort(key=lambda event: event.serial)

    page = journal.page(0, 1000)

    assert page.events == one_by_one == journal.events(0, 1000)
    assert [event_json(one) for one in page.events] == [event_json(one) for one in one_by_one]
    assert batch_json("bat", Stretch([(page, range(len(ODD)))])) == batch_json("bat", one_by_one[: len(ODD)])
    last = page.serials[-1]
    for after, limit in ((0, 1), (0, 2), (last - 1, 5), (last - 7, 7)):
        assert journal.page(after, limit).events == [one for one in one_by_one if one.serial > after][:limit]
    assert journal.page(last, 5).events == []


@given(st.lists(st.none() | st.sampled_from([*ODD, "", "7,7"]) | st.text(max_size=3), max_size=5))
def test_column_is_the_values_that_are_in_it(values: list[str | None]) -> None:
    for column in (values, values[:1] * 3):
        assert _column(orjson.dumps(column).decode(), len(column)) == column
