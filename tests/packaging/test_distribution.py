"""What is built from the tree is complete, runs away from the tree, and holds nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[2]
#: What lies in a tree that was worked in: environments, caches, built things, the sample's own database.
_LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "*.db-*")
_TOP_LEFT_OUT = ("build", "dist", "data", "htmlcov")


def _left_out(folder: str, names: list[str]) -> set[str]:
    return _LEFT_OUT(folder, names) | ({*_TOP_LEFT_OUT} if Path(folder) == ROOT else set())


@dataclass(frozen=True, slots=True)
class Built:
    """The names in the source distribution (below its folder), those in the wheel, and the wheel."""

    source: frozenset[str]
    wheel: frozenset[str]
    wheel_file: Path
    tree: Path


def _build(tree: Path, kind: str, into: Path) -> Path:
    """Let setuptools build in its own process, as pip does, but with the setuptools that is installed."""
    into.mkdir(exist_ok=True)
    script = f"import sys, setuptools.build_meta as build; print(build.build_{kind}(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", script, into], cwd=tree, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return into / done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The source distribution of this tree, and the wheel that is built from that and nothing else."""
    folder = tmp_path_factory.mktemp("a distribution")
    shutil.copytree(ROOT, folder / "tree", ignore=_left_out)
    source_file = _build(folder / "tree", "sdist", folder / "sdist")
    with tarfile.open(source_file) as archive:
        # Python 3.11.2 (Debian 12) has no filters; from 3.12 on, extracting without one is deprecated.
        if hasattr(tarfile, "data_filter"):
            archive.extraction_filter = staticmethod(tarfile.data_filter)
        archive.extractall(folder / "unpacked")
        files = [PurePosixPath(member.name) for member in archive.getmembers() if member.isfile()]
    (unpacked,) = (folder / "unpacked").iterdir()
    wheel_file = _build(unpacked, "wheel", folder / "wheel")
    with zipfile.ZipFile(wheel_file) as archive:
        wheel = frozenset(name for name in archive.namelist() if not name.endswith("/"))
    return Built(frozenset(str(PurePosixPath(*file.parts[1:])) for file in files), wheel, wheel_file, folder / "tree")


def _files(folder: str) -> set[str]:
    """Every file below a folder of the tree that somebody wrote."""
    found = (file for file in (ROOT / folder).rglob("*") if file.is_file() and ".db-" not in file.name)
    return {file.relative_to(ROOT).as_posix() for file in found if "__pycache__" not in file.parts}


def _top_level(names: Iterable[str]) -> set[str]:
    return {name.split("/")[0] for name in names}


def _examples() -> set[str]:
    """The top-level folders that the wheel takes along, by the names they have there."""
    return {f"integration_server/examples/{name}" for folder in ("config.d", "plugins") for name in _files(folder)}


def test_the_wheel_holds_every_file_of_the_package_and_the_examples(built: Built) -> None:
    expected = _files("integration_server")
    assert {"integration_server/py.typed", "integration_server/store/migrations/script.py.mako"} < expected
    assert _examples() > {"integration_server/examples/plugins/htpasswd.py"}
    assert {name for name in built.wheel if not name.split("/")[0].endswith(".dist-info")} == expected | _examples()


def test_every_file_that_git_has_of_the_package_is_in_the_wheel(built: Built) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("this tree is no checkout")
    done = subprocess.run(
        ["git", "ls-files", "-z", "integration_server"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    known = {name for name in done.stdout.split("\0") if name}
    assert len(known) > 300
    assert known - built.wheel == set()


def _contents(wheel_file: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel_file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_wheel_of_the_tree_is_the_wheel_of_the_source_distribution(built: Built, tmp_path: Path) -> None:
    # Built twice in one folder: nothing is left from the first time that is not in the tree any more.
    tree = tmp_path / "tree"
    shutil.copytree(built.tree, tree)
    (tree / "plugins" / "given_up.py").write_text("", encoding="utf-8")
    assert "integration_server/examples/plugins/given_up.py" in _contents(_build(tree, "wheel", tmp_path / "first"))
    (tree / "plugins" / "given_up.py").unlink()
    assert _contents(_build(tree, "wheel", tmp_path / "second")) == _contents(built.wheel_file)


def test_the_source_distribution_holds_the_package_and_what_builds_it(built: Built) -> None:
    assert _files("integration_server") < built.source
    assert {"setup.py", "pyproject.toml", "MANIFEST.in", "LICENSE", "README.rst", "CHANGELOG.rst"} < built.source


def test_the_source_distribution_holds_the_examples_that_admins_copy(built: Built) -> None:
    for folder in ("config.d", "plugins"):
        expected = _files(folder)
        assert expected
        assert expected <= built.source


def test_neither_holds_the_tests(built: Built) -> None:
    assert (ROOT / "tests").is_dir()
    assert not _top_level(built.source) & {"tests", "bench", "fuzz", ".ci"}
    assert {name for name in _top_level(built.wheel) if not name.endswith(".dist-info")} == {"integration_server"}


def _run(command: list[str], folder: Path, packages: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": str(packages), "PYTHONSAFEPATH": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds nothing but the unpacked wheel."""
    folder = tmp_path_factory.mktemp("site packages")
    with zipfile.ZipFile(built.wheel_file) as archive:
        archive.extractall(folder)
    return folder


def test_the_package_runs_as_a_module_away_from_the_tree(installed: Path, tmp_path: Path) -> None:
    where = _run([sys.executable, "-c", "import integration_server as i; print(i.__file__)"], tmp_path, installed)
    assert Path(where.strip()).is_relative_to(installed)
    assert "serve" in _run([sys.executable, "-m", "integration_server", "--help"], tmp_path, installed)


def test_the_console_scripts_are_the_command_line_and_groupservers_program(built: Built) -> None:
    with zipfile.ZipFile(built.wheel_file) as archive:
        (name,) = (name for name in built.wheel if name.endswith(".dist-info/entry_points.txt"))
        scripts = archive.read(name).decode()
    assert "integration-server = integration_server.cli:main" in scripts
    assert "gs_auth_token_create = integration_server.cli.gs_auth_token_create:main" in scripts


def test_the_store_migrates_away_from_the_tree(installed: Path, tmp_path: Path) -> None:
    script = (
        "import pathlib\n"
        "from integration_server.store.engine import is_current, open_store\n"
        "engine = open_store('', pathlib.Path('data')); print(is_current(engine)); engine.dispose()"
    )
    assert _run([sys.executable, "-c", script], tmp_path, installed).strip() == "True"
