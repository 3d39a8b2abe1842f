"""What can be fuzzed: a name, some inputs to begin with, and what is to hold for every other one."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

#: Takes any bytes, and raises where something does not hold that must.
Harness = Callable[[bytes], None]
#: Each is a module of this package with a ``TARGET``.
NAMES = ("ldap", "csv_file", "mailstore", "groupserver", "ips_connect", "push", "api", "dashboard")


@dataclass(frozen=True, slots=True)
class Target:
    """``opened`` gives the harness for the time of a ``with`` block. ``words`` are put into inputs now and then;
    ``longest`` is the size of an input, in bytes."""

    opened: Callable[[], AbstractContextManager[Harness]]
    seeds: Sequence[bytes]
    words: Sequence[bytes] = ()
    longest: int = 2048


def target(name: str) -> Target:
    """Imports the target's module, and so what it is about."""
    found = importlib.import_module(f"fuzz.{name}").TARGET
    assert isinstance(found, Target)
    return found
