"""At the end of a run of the whole matrix, what was found is shown as a table."""

from __future__ import annotations

import os
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from tests.faults.record import seen

_QUESTIONS = ("list", "login", "wrong login", "scan", "delivery")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if os.environ.get("FAULTS") != "all" or not seen:
        return
    table = Table("at", "fault", *_QUESTIONS, "deletions", "threads", "sockets", "recovered", title="Faults")
    rows = sorted((column, fault) for fault, cells in seen.items() for column in cells)
    for column, fault in rows:
        cell = seen[fault][column]
        answers = [_shown(cell["answers"].get(question)) for question in _QUESTIONS]
        left = [str(cell[name]) for name in ("deletions", "threads", "sockets")]
        table.add_row(column, fault, *answers, *left, f"{cell['recovery_seconds']} s")
    terminalreporter.line("")
    Console(width=150).print(table)


def _shown(answer: dict[str, Any] | None) -> str:
    return "" if answer is None else f"{answer['kind']} {answer['seconds']} s"
