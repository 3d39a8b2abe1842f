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
    """Keep it for the end of the run, and in the file that FAULTS_RECORD names."""
    seen.setdefault(fault, {})[column] = found.as_json()
    target = os.environ.get("FAULTS_RECORD")
    if target:
        write(Path(target), seen)


def write(target: Path, cells: Cells) -> None:
    target.write_text(json.dumps(cells, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def recorded() -> Cells:
    found: Cells = json.loads(RECORDED.read_text(encoding="utf-8"))
    return found
