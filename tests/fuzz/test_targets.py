"""Every target of ``make fuzz``, on what it begins with."""

from __future__ import annotations

import pytest

from fuzz.target import NAMES, target


@pytest.mark.parametrize("name", NAMES)
def test_what_must_hold_holds_for_the_inputs_to_begin_with(name: str) -> None:
    found = target(name)
    with found.opened() as attempt:
        for number, seed in enumerate((b"", *found.seeds)):
            try:
                attempt(seed)
            except Exception as exc:
                raise AssertionError(f"{name}, seed {number}: {seed[:200]!r}") from exc
