"""``sync``: what is held is shown person by person, and done only after a yes, with and without a server."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from integration_server.server.election import FileSeat
from tests.cli.conftest import BACKEND, Place, Run, in_terminal

CROWD = [
    {"no": n, "login": f"user{n:02}", "name": f"User {n}", "groups": ["staff"], "mail": [f"u{n}@example.org"]}
    for n in range(30)
]
SYNC = "[backends.hq.sync]\nscan_seconds = 3600.0\n"


@pytest.fixture
def watched(place: Place, run: Run) -> Place:
    """30 people are known."""
    place.write("20-hq.toml", BACKEND + SYNC)
    place.people(CROWD)
    assert run("sync", "scan", "-c", place.config).exit_code == 0
    return place


@pytest.fixture
def held(watched: Place, run: Run) -> Place:
    """25 of them are gone, one has another name, another one has left a group, a new one has come."""
    renamed = {**CROWD[0], "name": "Somebody Else"}
    left = {**CROWD[1], "groups": []}
    watched.people([renamed, left, *CROWD[2:5], {"no": 99, "login": "newcomer"}])
    assert run("sync", "scan", "-c", watched.config).exit_code == 0
    return watched


def shown(place: Place, run: Run) -> list[dict[str, Any]]:
    found = json.loads(run("sync", "show", "--json", "-c", place.config).stdout)
    assert isinstance(found, list)
    return found


def changes(place: Place, run: Run) -> list[str]:
    lines = run("changes", "--after", 0, "--json", "-c", place.config).stdout.splitlines()
    return [json.loads(line)["type"] for line in lines]


def status(place: Place, run: Run) -> dict[str, Any]:
    (found,) = json.loads(run("sync", "status", "--json", "-c", place.config).stdout)
    assert isinstance(found, dict)
    return found


def test_nothing_is_watched_without_a_table_for_it(place: Place, run: Run) -> None:
    assert "no backend has a [backends.NAME.sync] table" in run("sync", "status", "-c", place.config).stdout
    result = run("sync", "scan", "-c", place.config)
    assert result.exit_code == 3
    assert "the configuration has no watched backend" in result.stderr


def test_first_scan_is_a_baseline_and_the_next_one_tells_changes(watched: Place, run: Run) -> None:
    assert changes(watched, run) == []
    assert (status(watched, run)["state"], status(watched, run)["people"]) == ("ok", 30)
    watched.people([*CROWD, {"no": 99, "login": "newcomer"}])
    result = run("sync", "scan", "hq", "-c", watched.config)
    assert (result.exit_code, result.stdout) == (0, "hq: compared 31 people\n")
    assert changes(watched, run) == ["user.created"]


def test_status_names_every_watched_backend(watched: Place, run: Run) -> None:
    watched.write("21-lab.toml", BACKEND.replace("hq", "lab") + "sync = {}\n")
    lines = run("sync", "status", "-c", watched.config).stdout.splitlines()
    assert lines[0].split() == ["BACKEND", "STATE", "PEOPLE", "COMPARED", "TOOK", "WHY"]
    assert lines[1].split()[:3] == ["hq", "ok", "30"]
    assert lines[2].split() == ["lab", "no", "baseline", "yet", "0"]
    assert lines[3] == "the last change has serial 0"


def test_backend_that_cannot_be_asked_is_an_outage_and_changes_nothing(watched: Place, run: Run) -> None:
    (watched.path / "people.json").unlink()
    result = run("sync", "scan", "-c", watched.config)
    assert result.exit_code == 4
    assert "the roster is missing" in result.output
    found = status(watched, run)
    assert found["state"] == "failing"
    assert "the roster is missing" in found["failure"]
    assert changes(watched, run) == []
    assert "the roster is missing" in run("check", watched.config).stdout


def test_held_run_is_shown_with_reason_and_everybody(held: Place, run: Run) -> None:
    (found,) = shown(held, run)
    assert found["backend"] == "hq"
    assert found["state"] == "held"
    assert "25" in found["reason"]
    people = {one["person_id"]: one for one in found["people"]}
    assert len(people) == 28
    assert people["5"]["kind"] == "delete"
    assert people["5"]["before"]["username"] == "user05"
    assert people["99"]["after"]["username"] == "newcomer"
    text = run("sync", "show", "hq", "--all", "-c", held.config).stdout
    assert f"hq: run {found['id']}: {found['reason']}" in text
    assert "user29 (29) is deleted" in text
    assert "user00 (0) changes: full_name: User 0 → Somebody Else" in text
    assert "user01 (1) changes: leaves staff" in text
    assert "newcomer (99) comes" in text
    assert "... and 8 more; --all names them" in run("sync", "show", "-c", held.config).stdout
    assert changes(held, run) == []
    assert "a run is held since" in run("check", held.config).stdout
    assert "held" in run("sync", "status", "-c", held.config).stdout


def test_applied_run_is_done_by_the_command_where_no_server_runs(held: Place, run: Run) -> None:
    (found,) = shown(held, run)
    result = run("sync", "apply", "hq", "--id", found["id"], "--yes", "-c", held.config)
    assert (result.exit_code, result.stdout) == (0, f"approved: run {found['id']} of hq\napplied\n")
    told = changes(held, run)
    assert told.count("user.deleted") == 25
    assert told.count("user.created") == 1
    assert told.count("user.updated") == 1
    assert run("sync", "show", "-c", held.config).stdout == "no run is held\n"


def test_applied_run_is_left_to_the_server_that_runs(held: Place, run: Run) -> None:
    seat = FileSeat(held.data / "workers.lock")
    assert seat.take()
    result = run("sync", "apply", "hq", "--yes", "-c", held.config)
    assert result.exit_code == 0
    assert "a running server applies it now" in result.stdout
    assert shown(held, run)[0]["state"] == "approved"
    assert changes(held, run) == []
    assert "a running server compares everybody now" in run("sync", "scan", "-c", held.config).stdout
    assert status(held, run)["is_scan_wanted"] is True
    seat.release()


def test_discarded_run_is_forgotten_until_the_next_scan(held: Place, run: Run) -> None:
    result = run("sync", "discard", "hq", "--yes", "-c", held.config)
    assert result.exit_code == 0
    assert shown(held, run) == []
    assert changes(held, run) == []
    assert "is held" in run("sync", "scan", "-c", held.config).stdout
    assert len(shown(held, run)) == 1


@pytest.mark.parametrize("verb", ["apply", "discard"])
def test_only_the_run_that_was_looked_at_is_decided_on(held: Place, run: Run, verb: str) -> None:
    (found,) = shown(held, run)
    held.people(CROWD[:4])
    run("sync", "scan", "-c", held.config)
    result = run("sync", verb, "hq", "--id", found["id"], "--yes", "-c", held.config)
    assert result.exit_code == 1
    assert "another run is held now" in result.stderr
    assert changes(held, run) == []


@pytest.mark.parametrize("verb", ["apply", "discard"])
def test_nothing_held_is_a_no(watched: Place, run: Run, verb: str) -> None:
    result = run("sync", verb, "hq", "--yes", "-c", watched.config)
    assert (result.exit_code, result.stderr) == (1, "error: no run is held for hq\n")


def test_nobody_is_asked_where_there_is_no_terminal(held: Place, run: Run) -> None:
    result = run("sync", "apply", "hq", "-c", held.config, input="y\n")
    assert result.exit_code == 2
    assert "say --yes" in result.stderr
    assert changes(held, run) == []


@pytest.mark.parametrize(("typed", "code"), [("y\n", 0), ("n\n", 1)])
def test_yes_is_asked_for(held: Place, run: Run, typed: str, code: int) -> None:
    got, text = in_terminal([("Apply it? [y/N]: ", typed)], "sync", "apply", "hq", "-c", held.config)
    assert got == code
    assert "user05 (5) is deleted" in text
    assert bool(changes(held, run)) == (code == 0)


def test_run_is_shown_and_decided_on_while_a_backend_is_misconfigured(held: Place, run: Run) -> None:
    held.write("20-hq.toml", BACKEND + "nonsense = 1\n" + SYNC)
    assert "user05" in run("sync", "show", "-c", held.config).stdout
    assert run("sync", "discard", "hq", "--yes", "-c", held.config).exit_code == 0


def test_unknown_backend_is_a_usage_error(watched: Place, run: Run) -> None:
    for verb in ("show", "apply", "discard", "scan"):
        result = run("sync", verb, "lab", "-c", watched.config)
        assert result.exit_code == 2
        assert "'lab'; there are: hq" in result.stderr


def test_scan_says_when_it_was(watched: Place, run: Run) -> None:
    found = json.loads(run("sync", "scan", "--json", "-c", watched.config).stdout)
    assert [(one["backend"], one["state"], one["is_done"], one["people"]) for one in found] == [("hq", "ok", True, 30)]
    assert found[0]["scanned_at"] >= time.strftime("%Y-%m-%dT", time.gmtime(time.time() - 60))


def test_raised_guard_lets_the_next_run_through_once(held: Place, run: Run) -> None:
    held.people(CROWD[:4])
    result = run("sync", "raise", "hq", "-c", held.config)
    assert result.exit_code == 0
    assert result.stdout.startswith("raised: the next run of hq may exceed the limits, until ")
    assert result.stdout.endswith("hq: compared 4 people\n"), "nobody else does it here"
    assert changes(held, run).count("user.deleted") == 26
    held.people(CROWD[:1])
    assert "is held" in run("sync", "scan", "-c", held.config).stdout


def test_raised_guard_waits_where_nothing_is_held(watched: Place, run: Run) -> None:
    assert len(run("sync", "raise", "hq", "-c", watched.config).stdout.splitlines()) == 1
    assert "hq: the guard is lifted once, until" in run("sync", "status", "-c", watched.config).stdout
    watched.people(CROWD[:3])
    assert run("sync", "scan", "-c", watched.config).stdout == "hq: compared 3 people\n"


def test_raised_guard_can_be_put_back(watched: Place, run: Run) -> None:
    run("sync", "raise", "hq", "-c", watched.config)
    assert run("sync", "raise", "hq", "--cancel", "-c", watched.config).stdout == "the guard of hq is back\n"
    assert run("sync", "raise", "hq", "--cancel", "-c", watched.config).exit_code == 1
    watched.people(CROWD[:3])
    assert "is held" in run("sync", "scan", "-c", watched.config).stdout


def test_guard_of_a_backend_that_nobody_watches_cannot_be_raised(place: Place, run: Run) -> None:
    assert run("sync", "raise", "hq", "-c", place.config).exit_code == 2
