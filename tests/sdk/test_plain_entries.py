"""What is mapped without columns is what the columns give."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from integration_server import BadEntry, Batch, Entry, MapSettings, User
from integration_server.sdk.mapping import Mapper
from integration_server.sdk.plain_entries import PlainEntries

TEXTS = st.text(alphabet="aAbBß \t\0\ud800é@,;", max_size=4)
PLAIN = st.none() | TEXTS | st.integers(-2, 3) | st.booleans() | st.floats(allow_nan=False) | st.binary(max_size=2)
VALUES = PLAIN | st.lists(PLAIN, max_size=3) | st.lists(TEXTS, max_size=3).map(tuple)
NAMES = ("login", "no", "cn", "mail", "alias", "team", "club")
RULES: dict[str, object] = {
    "username": "login",
    "id": "no",
    "full_name": ["cn", "login"],
    "emails": ["mail", "alias"],
    "groups": ["team", "club"],
}


def outcome(mapped: Any) -> list[User] | type[BadEntry]:
    try:
        return list(mapped().users())
    except BadEntry:
        return BadEntry


@settings(max_examples=400)
@given(st.fixed_dictionaries(dict.fromkeys(NAMES, VALUES)))
@example(
    {"login": "ann", "no": 1, "cn": None, "mail": ["a@b", "A@B"], "alias": "", "team": ("x", "X", "y"), "club": None}
)
@example({"login": "ann", "no": 1, "cn": "", "mail": [""], "alias": None, "team": [None], "club": 5})
@example({"login": "ann", "no": "", "cn": "", "mail": [], "alias": [["a"]], "team": [], "club": [True]})
def test_one_entry_is_mapped_as_in_a_list(attributes: dict[str, object]) -> None:
    mapper = Mapper("hq", MapSettings.model_validate(RULES))
    entry = Entry(attributes)
    batch = Batch(tuple(attributes), [tuple(attributes.values())])

    assert outcome(lambda: mapper.entry_page(entry)) == outcome(lambda: mapper.page(batch))


@pytest.mark.parametrize("team", ["x", ["x", "y"], ("x",), None, []])
def test_an_entry_with_groups_needs_no_columns(team: object) -> None:
    rules = Mapper("hq", MapSettings.model_validate({"username": "login", "groups": "team"})).rules
    plain = PlainEntries.of("hq", rules)

    assert plain is not None
    assert plain.page({"login": "ann", "team": team}) is not None
