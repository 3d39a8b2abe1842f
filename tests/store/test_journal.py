"""The journal: snapshot and events move together, and serials become visible in order."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from integration_server.store.journal import Applied, Change, Journal

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
