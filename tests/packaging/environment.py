"""A virtual environment with what the package says that it needs, and with nothing else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement


def needed(requirements: list[str]) -> dict[str, metadata.Distribution]:
    """What these ask for, and what that asks for, as it is installed here, by name."""
    found: dict[str, metadata.Distribution] = {}
    waiting = [Requirement(text) for text in requirements]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        one = waiting.pop()
        key = (_normal(one.name), frozenset(one.extras))
        if key in seen or not _applies(one, {""}):
            continue
        seen.add(key)
        found[key[0]] = distribution = metadata.distribution(one.name)
        for text in distribution.requires or ():
            inner = Requirement(text)
            if _applies(inner, one.extras or {""}):
                inner.marker = None
                waiting.append(inner)
    return found


def _applies(one: Requirement, extras: set[str]) -> bool:
    return one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in {"", *extras})


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


class Environment:
    """A folder with an interpreter of its own. It needs no network: what ``wheel_file`` requires is linked from here,
    and pip finds it there or refuses."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs = folder / "bin"
        self.python = self.programs / "python"

    def create(self, wheel_file: Path) -> None:
        """Raises CalledProcessError where pip finds something missing."""
        venv.create(self.folder, symlinks=True)
        site = Path(sysconfig.get_path("purelib", vars={"base": str(self.folder), "platbase": str(self.folder)}))
        for distribution in needed(_requirements(wheel_file)).values():
            for name in _top_level(distribution):
                target = site / name
                if not target.exists():
                    target.symlink_to(Path(str(distribution.locate_file(name))).resolve())
        line = [sys.executable, "-m", "pip", "--python", str(self.python), "install", "--no-index", "--quiet"]
        # With a way back to the tree, pip would take the package for installed.
        kept = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        line += ["--disable-pip-version-check", str(wheel_file)]
        subprocess.run(line, check=True, capture_output=True, env=kept)


def _requirements(wheel_file: Path) -> list[str]:
    (found,) = metadata.distributions(name="integration-server", path=[str(wheel_file)])
    return [text for text in found.requires or () if _applies(Requirement(text), {""})]


def _top_level(distribution: metadata.Distribution) -> Iterator[str]:
    """What it put into site-packages."""
    names = {file.parts[0] for file in distribution.files or () if file.parts[0] not in ("..", "__pycache__")}
    yield from sorted(names)
