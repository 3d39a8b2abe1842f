"""The wheel, installed by pip into an environment of its own in a folder with blanks, is a server that works."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.packaging.environment import Environment
from tests.packaging.test_distribution import ROOT, Built, built
from tests.servers.server import free_port
from tests.waiting import wait_for

__all__ = ["built"]


@pytest.fixture(scope="module")
def environment(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    found = Environment(tmp_path_factory.mktemp("a place") / "an environment")
    found.create(built.wheel_file)
    return found


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a blank in its name, from which commands are run."""
    place = tmp_path / "some where"
    place.mkdir()
    return place


def variables() -> dict[str, str]:
    """Nothing that leads back to the tree."""
    dropped = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "INTEGRATION_SERVER_CONFIG")
    return {key: value for key, value in os.environ.items() if key not in dropped}


def run(environment: Environment, place: Path, *args: object, program: str = "integration-server") -> str:
    done = subprocess.run(
        [str(environment.programs / program), *map(str, args)],
        cwd=place,
        env=variables(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def serving(environment: Environment, place: Path, config: str) -> Iterator[str]:
    """The URL of a server that runs meanwhile."""
    port = free_port()
    process = subprocess.Popen(
        [environment.programs / "integration-server", "serve", config, "--port", str(port)],
        cwd=place,
        env=variables(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    said: list[str] = []
    assert process.stderr is not None
    reader = threading.Thread(target=said.extend, args=(process.stderr,), daemon=True)
    reader.start()
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(lambda: process.poll() is not None or _is_up(url), "the server")
        assert process.poll() is None, said
        yield url
    finally:
        process.terminate()
        assert process.wait(40) == 0, said
        reader.join(20)
        process.stderr.close()


def _is_up(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def mailstore(url: str, password: str, **fields: str) -> Any:
    basic = base64.b64encode(f"mailstore:{password}".encode()).decode()
    request = urllib.request.Request(url, urlencode(fields).encode(), {"Authorization": f"Basic {basic}"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def test_environment_has_what_the_package_requires_and_no_more(environment: Environment, place: Path) -> None:
    script = "import integration_server as i, importlib.util as u; print(i.__file__); print(u.find_spec('pytest'))"
    where, pytest_found = run(environment, place, "-c", script, program="python").splitlines()
    assert Path(where).is_relative_to(environment.folder)
    assert pytest_found == "None"


def test_configuration_of_init_serves_list_and_auth(environment: Environment, place: Path) -> None:
    shown = run(environment, place, "init", "my config", "--demo")
    assert "my config" in shown
    run(environment, place, "check", "my config", "--list")
    with serving(environment, place, "my config") as url:
        listed = mailstore(f"{url}/mailstore", "demo", cmd="list")
        assert [one["userName"] for one in listed] == ["ada", "grace", "jürgen"]
        for password, is_right in (("demo", True), ("wrong", False)):
            told = mailstore(f"{url}/mailstore", "demo", cmd="auth", user="jürgen", **{"pass": password})
            assert told == {"succeeded": is_right}


def test_sample_configuration_and_example_plugins_came_along(environment: Environment, place: Path) -> None:
    found = json.loads(run(environment, place, "plugins", "examples", "--json"))
    assert [one["name"] for one in found] == sorted(file.stem for file in (ROOT / "plugins").glob("*.py"))
    assert all(one["title"] for one in found)
    run(environment, place, "init", "sample", "--sample")
    assert "error" not in run(environment, place, "check", "sample", "--list")
    loaded = {one["name"] for one in json.loads(run(environment, place, "plugins", "--json", "-c", "sample"))}
    assert {one["name"] for one in found} - loaded == {"hide_service_accounts"}
    with serving(environment, place, "sample") as url:
        people = mailstore(f"{url}/mailstore", "demo", cmd="list")
        assert len(people) == 5
        assert mailstore(f"{url}/mailstore", "demo", cmd="auth", user=people[0]["userName"], **{"pass": "demo"})


def test_copied_example_is_the_file_of_the_tree(environment: Environment, place: Path) -> None:
    run(environment, place, "plugins", "copy", "htpasswd", "--dir", "drop in")
    copied = place / "drop in" / "htpasswd.py"
    assert copied.read_bytes() == (ROOT / "plugins" / "htpasswd.py").read_bytes()


def test_programs_run_by_their_names(environment: Environment, place: Path) -> None:
    assert run(environment, place, "--version").startswith("integration-server")
    assert "serve" in run(environment, place, "-m", "integration_server", "--help", program="python")
    assert "gs_auth_token_create" in run(environment, place, "--help", program="gs_auth_token_create")
