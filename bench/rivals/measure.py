"""``--only rivals``: lists and logins of every source, ours beside the others."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from bench.measured import Measured
from bench.rivals import lists, logins, sources


def measure(folder: Path, count: int, rounds: int, requests: int) -> list[Measured]:
    """Lists of ``count`` people, and rounds of ``requests`` logins."""
    measured: list[Measured] = []
    kinds: tuple[AbstractContextManager[sources.Source], ...] = (
        nullcontext(sources.sqlite(folder, count)),
        sources.postgresql(folder, count),
        sources.ldap(folder, count),
    )
    for kind in kinds:
        with kind as source:
            measured += lists.measure(folder, source, rounds)
            measured += logins.measure(folder, source, rounds, requests)
    return measured
