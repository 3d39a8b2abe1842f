"""What was measured, kept as JSON: one entry for each cell."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

from tests.faults.cell import Found

#: The run that docs/faults.rst tells of.
RECORDED: Final = Path(__file__).with_name("recorded.json")

Cells = dict[str, dict[str, dict[str, Any]]]
#: Of this run: by fault, by column.
seen: Cells = {}


def note(fault: str, column: str, found: Found) -> None:
    """Keep it for the end of the run, and in the file that FAULTS_RECORD names, beside what is there of other cells."""
    cell = found.as_json()
    seen.setdefault(fault, {})[column] = cell
    if target := os.environ.get("FAULTS_RECORD"):
        file = Path(target)
        cells: Cells = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        cells.setdefault(fault, {})[column] = cell
        file.write_text(json.dumps(cells, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def recorded() -> Cells:
    found: Cells = json.loads(RECORDED.read_text(encoding="utf-8"))
    return found
