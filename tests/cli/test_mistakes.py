"""What people mistype, and what they forget: a message that says so, never a fault in the program."""

from __future__ import annotations

import shlex
import subprocess
import sys

import pytest

from tests.cli.conftest import BACKEND, ROOT, Place, Run

SYNCED = BACKEND + "sync = {}\n"


@pytest.mark.parametrize(
    "command",
    [
        *("changes --after N", "changes --last N", "deliveries retry N", "deliveries skip N --reason r"),
        *("deliveries list --limit N", "deliveries list --limit 9223372036854775807"),
        *("db prune --before nan", "db prune --before inf", "subscriptions rotate-secret x --overlap-hours nan"),
        "check --seconds nan",
    ],
)
def test_numbers_that_nothing_can_hold_are_refused(place: Place, run: Run, command: str) -> None:
    folder = [place.config] if command.startswith(("db", "check")) else ["-c", place.config]
    result = run(*command.replace("N", str(10**20)).split(), *folder)
    assert result.exit_code == 2, result.output
    assert "Invalid value" in result.stderr


def test_json_for_nobody_is_no_fault(place: Place) -> None:
    line = [sys.executable, "-m", "integration_server", "subscriptions", "list", "--json", "-c", str(place.config)]
    command = f"exec {shlex.join(line)} >&-"
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_backend_that_is_gone_and_whose_people_are_kept_is_a_warning(place: Place, run: Run) -> None:
    place.write("20-hq.toml", SYNCED)
    assert run("sync", "scan", "-c", place.config).exit_code == 0
    assert "keep its" not in run("check", place.config).output
    place.write("20-hq.toml", BACKEND)
    assert "there is no [backends.hq.sync] any more" in run("check", place.config).output
    place.write("20-hq.toml", BACKEND.replace("hq", "head"))
    place.write("30-archive.toml", "")
    found = run("check", place.config).output
    assert "there is no [backends.hq] any more" in found
    assert "keep its 3 people" in found


def test_people_of_a_backend_can_be_reported_as_deleted_before_it_goes(place: Place, run: Run) -> None:
    """What docs/forwarding.rst says to do."""
    place.write("20-hq.toml", SYNCED)
    assert run("sync", "scan", "-c", place.config).exit_code == 0
    place.write("20-hq.toml", SYNCED + 'filter.exclude = "*"\n')
    run("sync", "scan", "-c", place.config)
    assert run("sync", "apply", "hq", "--yes", "-c", place.config).exit_code == 0
    assert run("changes", "-c", place.config).output.count("user.deleted") == 3
    place.write("20-hq.toml", BACKEND.replace("hq", "head"))
    place.write("30-archive.toml", "")
    assert "keep its" not in run("check", place.config).output


@pytest.mark.parametrize(("content", "told"), [(None, "cannot be read"), ("x", "holds no certificate in PEM")])
def test_authority_that_cannot_be_used_is_an_error(place: Place, run: Run, content: str | None, told: str) -> None:
    place.write("40.toml", '[subscriptions.wiki]\ntype = "webhook"\nurl = "https://x.example/"\nca_file = "own.pem"\n')
    if content is not None:
        place.write("own.pem", content)
    result = run("check", place.config)
    assert result.exit_code == 3
    assert f"ca_file: own.pem {told}" in result.output
