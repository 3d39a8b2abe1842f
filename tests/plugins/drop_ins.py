"""The files of the drop-in folder as modules, as the server loads them."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).parents[2] / "plugins"


def load_drop_in(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"{name}_under_test", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Where the type hints of its dataclasses are looked up.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
