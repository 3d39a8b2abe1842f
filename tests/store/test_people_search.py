"""Searching people: parts of names and addresses, in any case, a page at a time."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integration_server.store import people_search
from integration_server.store.people import People
from integration_server.store.people_search import PeopleSearch, folded, is_match

SECONDS = 60.0


def person(person_id: str, **fields: Any) -> dict[str, Any]:
    empty = {"username": person_id, "full_name": None, "emails": [], "groups": [], "state": "active"}
    return {"id": person_id, **empty, **fields}


@pytest.fixture
def people(engine: sa.Engine) -> People:
    return People(engine)


@pytest.fixture
def search(engine: sa.Engine) -> PeopleSearch:
    return PeopleSearch(engine)


def put(people: People, *documents: dict[str, Any], backend: str = "hq") -> None:
    people.add(backend, [(one["id"], b"x" * 16, orjson.dumps(one).decode()) for one in documents])


def found(search: PeopleSearch, text: str, backend: str | None = None, **options: Any) -> list[str]:
    matches = search.find(text, backend, options.pop("after", 0), options.pop("limit", 50), SECONDS)
    return [match.person_id for match in matches.people]


def test_every_name_and_address_is_searched(people: People, search: PeopleSearch) -> None:
    emails = [{"address": a, "is_verified": True, "is_preferred": False} for a in ("ada@x.org", "Countess@Y.org")]
    put(people, person("4711", username="alove", full_name="Ada Lovelace", emails=emails), person("12"))
    for text in ("47", "LOVE", "da lov", "countess", "Y.ORG", "ada@"):
        assert found(search, text) == ["4711"], text


def test_words_of_the_stored_form_find_nobody(people: People, search: PeopleSearch) -> None:
    put(people, person("1", groups=["staff"]))
    for text in ("username", "active", "null", "staff", "{", '"', "true", "emails"):
        assert found(search, text) == [], text


@pytest.mark.parametrize("name", ["100%", "under_score", 'quo"te', "back\\slash", "tab\tbed", "O'Neil", "(x)", "<b>"])
def test_odd_characters_are_themselves(people: People, search: PeopleSearch, name: str) -> None:
    put(people, person("1", full_name=f"a {name} b"), person("2", full_name="another one"))
    assert found(search, name) == ["1"]


@pytest.mark.parametrize(
    ("name", "text"), [("Übel", "übel"), ("ÄRGER", "ärg"), ("Müller", "MÜLL"), ("Ñandú", "ñAND"), ("e\u0301va", "éVA")]
)
def test_other_letters_are_found_in_any_case_and_form(
    people: People, search: PeopleSearch, name: str, text: str
) -> None:
    put(people, person("1", full_name=name), person("2"))
    assert found(search, text) == ["1"]


def test_one_backend_can_be_searched(people: People, search: PeopleSearch) -> None:
    put(people, person("ann"))
    put(people, person("ann"), person("anna"), backend="branch")
    assert found(search, "ann") == ["ann", "ann", "anna"]
    assert found(search, "ann", "branch") == ["ann", "anna"]
    assert found(search, "ann", "nobody's") == []


def test_pages_follow_each_other_without_gap_or_double(
    people: People, search: PeopleSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people_search, "_AT_ONCE", 7)
    put(people, *(person(f"{'odd' if n % 2 else 'even'}{n}") for n in range(100)))
    got: list[str] = []
    after: int | None = 0
    while after is not None:
        matches = search.find("odd", None, after, 8, SECONDS)
        got += [match.person_id for match in matches.people]
        after = matches.after
    assert got == [f"odd{n}" for n in range(1, 100, 2)]


def test_who_runs_out_of_time_says_how_far_they_came(
    engine: sa.Engine, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people_search, "_AT_ONCE", 10)
    put(people, *(person(f"p{n}") for n in range(35)))
    ticks = iter(range(100))
    search = PeopleSearch(engine, lambda: float(next(ticks)))
    first = search.find("p34", "hq", 0, 50, 2.0)
    assert first.people == []
    assert first.after is not None
    rest = search.find("p34", "hq", first.after, 50, 10.0)
    assert [match.person_id for match in rest.people] == ["p34"]
    assert rest.after is None


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(st.characters(codec="utf-8"), min_size=1, max_size=12), data=st.data())
def test_every_part_of_a_name_that_is_no_other_letters_case_finds_it(
    people: People, search: PeopleSearch, name: str, data: st.DataObject
) -> None:
    if "\0" in name:
        return
    people.wipe("hq")
    document = person("1", username="x", full_name=name)
    put(people, document)
    first = data.draw(st.integers(0, len(name) - 1))
    part = name[first : data.draw(st.integers(first + 1, len(name)))]
    if is_match(document, folded(part)):
        assert found(search, part) == ["1"]
