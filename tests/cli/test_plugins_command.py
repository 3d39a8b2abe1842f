"""``plugins``: what is loaded, and a new one that passes its conformance tests as it is."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import DROP_IN, ROOT, Place, Run, environment


def test_loaded_plugins_are_listed_with_what_they_bring(place: Place, run: Run) -> None:
    found = {one["name"]: one for one in json.loads(run("plugins", "--json", "-c", place.config).stdout)}
    assert found["roster"] == {
        "name": "roster",
        "origin": str(DROP_IN / "roster.py"),
        "backends": ["roster"],
        "frontends": [],
        "consumers": [],
        "hooks": ["register_backends"],
        "kind": "file",
        "version": None,
        "commands": [],
    }
    assert found["ips_connect"]["commands"] == ["ips"]
    assert found["mailstore"]["frontends"] == ["mailstore"]
    shown = run("plugins", "-c", place.config).stdout.splitlines()
    assert shown[0].split() == ["NAME", "BACKENDS", "FRONTENDS", "CONSUMERS", "COMMANDS", "HOOKS", "FROM"]
    assert any(line.split()[:3] == ["roster", "roster", "register_backends"] for line in shown)


def test_new_plugin_passes_its_conformance_tests(tmp_path: Path, run: Run) -> None:
    folder = tmp_path / "drop in"
    result = run("plugins", "new", "my_crm", "--dir", folder)
    assert result.exit_code == 0
    assert f"try it with: {shlex.join([sys.executable, '-m', 'pytest', str(folder / 'tests')])}\n" in result.stdout
    assert f'folder = "{folder}" in [plugins], type = "my_crm" in a [backends.NAME]' in result.stdout
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder / "tests")],
        capture_output=True,
        text=True,
        env=environment(),
        cwd=tmp_path,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
    assert not any(word in done.stdout for word in ("skipped", "failed", "warning"))


def test_new_plugin_serves_from_the_folder_that_holds_its_tests_too(place: Place, run: Run) -> None:
    folder = place.path / "plugins"
    run("plugins", "new", "my_crm", "--dir", folder)
    place.write("10-server.toml", "[plugins]\nfolder = '../plugins'\ndisabled = ['sql', 'ldap', 'csv_file']\n")
    place.write("20-hq.toml", '[backends.hq]\ntype = "my_crm"\npath = "../people.txt"\n')
    (place.path / "people.txt").write_text("7;ann;Ann Smith;ann@example.org;her password\nend\n")
    assert [user["username"] for user in json.loads(run("users", place.config, "--json").stdout)] == ["ann"]
    assert run("auth", "ann", place.config, "--password-stdin", input="her password\n").exit_code == 0
    (place.path / "people.txt").write_text("7;ann;Ann Smith;ann@example.org;her password\n")
    assert run("users", place.config).exit_code == 4


@pytest.mark.parametrize("tool", ["ruff", "mypy"])
def test_new_plugin_is_as_clean_as_the_server(tmp_path: Path, run: Run, tool: str) -> None:
    run("plugins", "new", "my_crm", "--dir", tmp_path)
    config = str(ROOT / "pyproject.toml")
    line = {
        "ruff": ["ruff", "check", "--config", config, str(tmp_path)],
        "mypy": ["mypy", "--config-file", config, str(tmp_path / "my_crm.py")],
    }
    done = subprocess.run(
        [sys.executable, "-m", *line[tool]], capture_output=True, text=True, cwd=ROOT, timeout=100, check=False
    )
    assert done.returncode == 0, done.stdout


def test_existing_plugin_is_not_overwritten(tmp_path: Path, run: Run) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text("# mine\n")
    result = run("plugins", "new", "mine", "--dir", tmp_path)
    assert result.exit_code == 3
    assert result.stderr == f"error: {mine} exists already; choose another name\n"
    assert mine.read_text() == "# mine\n"
    assert not (tmp_path / "tests").exists()


@pytest.mark.parametrize("name", ["csv", "csv_file", "mailstore"])
def test_name_of_a_shipped_plugin_or_type_is_refused_before_it_stops_the_server(
    tmp_path: Path, run: Run, name: str
) -> None:
    result = run("plugins", "new", name, "--dir", tmp_path)
    assert result.exit_code == 2
    assert f"{name!r} already; choose another name" in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["My", "1st", "a-b", "class", "../x", "a b", "é"])
def test_name_that_is_no_module_name_is_refused(tmp_path: Path, run: Run, name: str) -> None:
    result = run("plugins", "new", "--dir", tmp_path, "--", name)
    assert result.exit_code == 2
    assert not list(tmp_path.iterdir())


def test_examples_are_listed_each_with_what_it_does(run: Run) -> None:
    found = json.loads(run("plugins", "examples", "--json").stdout)
    assert [one["name"] for one in found] == sorted(file.stem for file in (ROOT / "plugins").glob("*.py"))
    assert all(one["title"] and "\n" not in one["title"] for one in found)
    shown = run("plugins", "examples").stdout
    assert all(one["name"] in shown for one in found)


def test_copied_example_is_loaded_and_never_written_over(place: Place, run: Run) -> None:
    folder = place.path / "drop in"
    made = run("plugins", "copy", "htpasswd", "--dir", folder)
    assert (made.exit_code, f'folder = "{folder}" in [plugins]' in made.stdout) == (0, True)
    place.write("10-server.toml", f"[plugins]\nfolder = {json.dumps(str(folder))}\n")
    place.write("20-hq.toml", "")
    place.write("30-archive.toml", "")
    assert "htpasswd" in {one["name"] for one in json.loads(run("plugins", "--json", "-c", place.config).stdout)}
    (folder / "htpasswd.py").write_text("# mine\n")
    again = run("plugins", "copy", "htpasswd", "--dir", folder)
    assert (again.exit_code, again.stderr) == (
        3,
        f"error: {folder / 'htpasswd.py'} exists already; it is not overwritten\n",
    )
    assert (folder / "htpasswd.py").read_text() == "# mine\n"


def test_example_that_is_not_there_is_told_with_those_that_are(tmp_path: Path, run: Run) -> None:
    result = run("plugins", "copy", "../htpasswd", "--dir", tmp_path)
    assert result.exit_code == 2
    assert "there is no example plugin '../htpasswd'; there are audit_log, " in result.stderr
