"""Waiting for what other threads and processes do."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")


def wait_for(
    is_so: Callable[[], _T], what: str | Callable[[], str] = "it", seconds: float = 40.0, pause: float = 0.02
) -> _T:
    """What ``is_so`` returns as soon as that is true; the test fails where that takes too long.

    The limit is generous: it only ends tests that fail, also on a machine that does much else.
    """
    give_up = time.monotonic() + seconds
    while not (found := is_so()):
        if time.monotonic() > give_up:
            raise AssertionError(f"not within {seconds:g} s: {what if isinstance(what, str) else what()}")
        time.sleep(pause)
    return found
