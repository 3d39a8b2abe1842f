"""docs/faults.rst is the matrix, and what was measured of it."""

from __future__ import annotations

from tests.faults.faults import FAULTS, Killed
from tests.faults.matrix import CELLS, COLUMNS, EXPECTED, SAMPLE
from tests.faults.page import PAGE, rendered
from tests.faults.record import recorded


def test_every_fault_meets_every_directory_and_receiver_or_there_is_a_reason() -> None:
    assert set(EXPECTED) == set(FAULTS)
    for fault in FAULTS:
        assert set(EXPECTED[fault]) == set(COLUMNS), fault.name
    assert set(SAMPLE) <= set(CELLS)


def test_every_cell_was_measured_and_right() -> None:
    cells = recorded()
    assert {(fault, column) for fault, row in cells.items() for column in row} == {
        (fault.name, column.name) for fault, column in CELLS
    }
    for fault, column in CELLS:
        cell, expected = cells[fault.name][column.name], EXPECTED[fault][column]
        assert (cell["deletions"], cell["threads"], cell["sockets"]) == (0, 0, 0), (fault.name, column.name)
        for question in ("list", "login", "scan", "delivery"):
            if question in cell["answers"] and fault is not Killed:
                kind = cell["answers"][question]["kind"]
                assert kind == getattr(expected, question), (fault.name, column.name, question)


def test_the_page_is_what_was_measured() -> None:
    assert PAGE.read_text(encoding="utf-8") == rendered(recorded()), "run: .venv/bin/python -m tests.faults.page"
