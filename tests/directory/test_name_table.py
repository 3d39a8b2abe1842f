"""The table of taken names behaves like a set of names."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_server.directory import names as names_module
from integration_server.directory.names import NameTable

NAMES = st.lists(st.text(max_size=3), max_size=40)


@given(st.lists(NAMES, max_size=6), st.text(max_size=3), st.integers(0, 50))
def test_names_are_taken_once(batches: list[list[str]], probe: str, expected: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(names_module, "_FIRST_SIZE", 2)
        table, model = NameTable(expected), set[str]()
        for batch in batches:
            taken = []
            for position, name in enumerate(batch):
                if name in model:
                    taken.append(position)
                model.add(name)
            assert table.add(batch) == taken
            assert len(table) == len(model)
            assert all(name in table for name in model)
            assert (probe in table) == (probe in model)


def test_three_hundred_thousand_names_are_told_apart() -> None:
    names = [f"user{n}@example.com" for n in range(300_000)]
    random.Random(7).shuffle(names)
    table = NameTable()

    for first in range(0, len(names), 1000):
        assert table.add(names[first : first + 1000]) == []
    assert len(table) == 300_000
    assert all(name in table for name in names)
    assert sum(f"other{n}@example.com" in table for n in range(300_000)) == 0
    assert table.add(["new", *names[:3], "new"]) == [1, 2, 3, 4]
    assert len(table) == 300_001
