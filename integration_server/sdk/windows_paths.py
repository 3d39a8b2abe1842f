"""Paths of Windows in TOML: within double quotes a backslash begins another character, and people forget that."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

ADVICE = r"a path of Windows stands in single quotes: 'C:\folder\file'"
"""What to tell."""

_IN_DOUBLE_QUOTES = re.compile(r'"(sqlite:///)?[A-Za-z]:\\')
_BROKEN = re.compile(r"(sqlite:///)?[A-Za-z]:[\b\t\n\f\r]")


def has_double_quoted(text: str) -> bool:
    """Whether a path stands in double quotes somewhere in the text of a file."""
    return _IN_DOUBLE_QUOTES.search(text) is not None


def texts(value: Any, *keys: str) -> Iterator[tuple[str, str]]:
    """Every text in the values of a file, with its dotted key."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from texts(inner, *keys, key)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner, *keys)
    elif isinstance(value, str):
        yield ".".join(keys), value


def is_broken(text: str) -> bool:
    """Whether it was a path before ``\\t`` and the like in it were taken for characters."""
    return _BROKEN.match(text) is not None
