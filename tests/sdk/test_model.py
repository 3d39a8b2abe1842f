"""Names: when two of them are one person's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_server import User, normalize_name
from integration_server.directory.names import normalize_names

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ann", "aNN"),
        ("JÖRG", "jörg"),
        ("jo\N{COMBINING DIAERESIS}rg", "jörg"),
        ("STRASSE", "straße"),
        ("Σίσυφος", "ΣΊΣΥΦΟΣ"),
        ("\N{KELVIN SIGN}arl", "karl"),
    ],
)
def test_case_and_composition_do_not_tell_people_apart(one: str, other: str) -> None:
    assert normalize_name(one) == normalize_name(other)


@pytest.mark.parametrize(("one", "other"), [("jorg", "jörg"), ("ann", "ann "), ("ann", " ann"), ("a-b", "a_b")])
def test_accents_and_blanks_do(one: str, other: str) -> None:
    assert normalize_name(one) != normalize_name(other)


@given(NAMES)
def test_normalizing_twice_changes_nothing(name: str) -> None:
    assert normalize_name(normalize_name(name)) == normalize_name(name)


@given(st.lists(NAMES))
def test_many_names_at_once_are_normalized_like_each_alone(names: list[str]) -> None:
    assert normalize_names(names) == [normalize_name(name) for name in names]


def test_records_cannot_be_changed() -> None:
    user = User("hq", "1", "ann")

    with pytest.raises(AttributeError):
        user.username = "bob"  # type: ignore[misc]
    assert not hasattr(user, "__dict__")
