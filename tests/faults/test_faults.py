"""Every fault at every directory and receiver: by none of them is anybody left out of a list, refused or reported as
deleted; nothing is left open, and nothing must be started again.

The whole table is ``make faults``; of it, the rest of the suite runs the cells of ``matrix.SAMPLE``. ``FAULTS_RECORD``
of the environment names a file for what was measured.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.faults.cell import Found, meet, tell
from tests.faults.directories import Directory, SambaDirectory
from tests.faults.faults import Fault, Killed
from tests.faults.matrix import CELLS, EXPECTED, SAMPLE, Column
from tests.faults.receivers import Telling
from tests.faults.record import note
from tests.faults.scene import Scene
from tests.faults.served import FAKETIME, Open

IS_WHOLE = os.environ.get("FAULTS") == "all"
#: A cell has its faults' time limits several times over.
pytestmark = pytest.mark.timeout(240)


class Scenes:
    """One scene at a time: cells come column by column."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._request = request
        self._stack = ExitStack()
        self._column: Column | None = None
        self._scene: Scene | Telling | None = None

    def of(self, column: Column) -> Scene | Telling:
        if column is not self._column:
            self.close()
            self._column, self._scene = column, self._stack.enter_context(self._opened(column))
        assert self._scene is not None
        return self._scene

    def close(self) -> None:
        self._column = None
        self._stack.close()

    @contextmanager
    def _opened(self, column: Column) -> Iterator[Scene | Telling]:
        with tempfile.TemporaryDirectory(dir=os.environ.get("PYTEST_DEBUG_TEMPROOT")) as place:
            folder = Path(place) / "config"
            folder.mkdir()
            if issubclass(column, Telling):
                with column(folder) as telling:
                    yield telling
                return
            with self._directory(column, folder) as directory:
                scene = Scene(directory)
                try:
                    yield scene
                finally:
                    scene.close()

    def _directory(self, column: type[Directory], folder: Path) -> Directory:
        if issubclass(column, SambaDirectory):
            return column(folder, self._request.getfixturevalue("samba"))
        return column(folder)


@pytest.fixture(scope="module")
def scenes(request: pytest.FixtureRequest) -> Iterator[Scenes]:
    scenes = Scenes(request)
    yield scenes
    scenes.close()


@pytest.mark.parametrize(
    ("fault", "column"),
    CELLS if IS_WHOLE else SAMPLE,
    ids=lambda value: value.name.replace(" ", "_"),
)
def test_what_a_fault_must_not_do_it_does_not(fault: type[Fault], column: Column, scenes: Scenes) -> None:
    if fault.needs_clock and FAKETIME is None:
        pytest.skip("libfaketime is not installed")
    scene = scenes.of(column)
    try:
        found = _met(scene, fault)
        if any(found.left):
            scene.take_for_calm()
            found = _met(scene, fault)
    except BaseException:
        # Whatever it is that went wrong, the next cell begins with something new.
        scenes.close()
        raise
    _check_kinds(found, fault, column)
    assert found.deletions == 0
    assert found.left == Open(0, 0, 0), found.left
    note(fault.name, column.name, found)


def _met(scene: Scene | Telling, fault: type[Fault]) -> Found:
    return meet(scene, fault()) if isinstance(scene, Scene) else tell(scene, fault())


def _check_kinds(found: Found, fault: type[Fault], column: Column) -> None:
    expected = EXPECTED[fault][column]
    wanted = {"list": expected.list, "login": expected.login, "scan": expected.scan, "delivery": expected.delivery}
    for name, answer in found.answers.items():
        if name == "wrong login":
            # "No" is right where the other one is, and an outage is as right for both.
            assert answer.kind in ("right", "503", "none"), answer
        elif fault is Killed:
            # Of what was quicker than the end, the answer is whole.
            assert answer.kind in ("none", "right", "503", "again", "waits", "fails"), answer
        else:
            assert answer.kind == wanted[name], f"{name}: {answer}"
