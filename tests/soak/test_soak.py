"""Everything at once for two minutes, or for as many as ``MINUTES`` says; nothing may grow, and nothing may be lost.

Two processes share the socket, as on a machine that has something to do; ``PROCESSES=1`` tries one. ``make soak`` lets
it run for an hour, and ``SOAK`` names the folder to which the samples and plots go.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.servers import Slapd
from tests.soak.drawing import report, write
from tests.soak.driver import soak
from tests.soak.house import house

MINUTES = float(os.environ.get("MINUTES", "2"))
PROCESSES = int(os.environ.get("PROCESSES", "2"))


@pytest.mark.long
@pytest.mark.timeout(480 + 60 * MINUTES)
def test_nothing_grows_and_nothing_is_lost(tmp_path: Path, new_slapd: Callable[..., Slapd]) -> None:
    with house(tmp_path, new_slapd(), PROCESSES) as everything:
        outcome = soak(everything, MINUTES * 60)
    print(report(outcome))
    write(outcome, Path(os.environ.get("SOAK", tmp_path)))
    assert not outcome.wrong, "\n".join(outcome.wrong)
    assert not outcome.grown, "\n".join(map(str, outcome.grown))
    idle = [name for name, tally in outcome.tallies.items() if not tally.done]
    assert not idle, f"these callers were never answered, and the run proved nothing about them: {idle}"
    assert any(one.name.startswith("memory of") for one in outcome.verdicts), "no life was long enough"
