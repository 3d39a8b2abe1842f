"""``guard``: a held list is shown name by name, and goes out once somebody says yes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.cli.conftest import BACKEND, Place, Run, in_terminal

Ask = Callable[..., tuple[int, Any]]
CROWD = [{"no": n, "login": f"user{n:02}"} for n in range(30)]


@pytest.fixture
def held(place: Place, ask: Ask) -> Place:
    """A list of 30 went out; one of 5 of them and a new one is held."""
    place.people(CROWD)
    assert ask(cmd="list")[0] == 200
    place.people([*CROWD[:5], {"no": 99, "login": "newcomer"}])
    assert ask(cmd="list")[0] == 503
    return place


def test_nothing_held_is_said(place: Place, run: Run) -> None:
    result = run("guard", "show", "-c", place.config)
    assert (result.exit_code, result.stdout) == (0, "no list is held\n")
    assert json.loads(run("guard", "show", "--json", "-c", place.config).stdout) == []
    assert run("guard", "accept", "archive", "--yes", "-c", place.config).exit_code == 1


def test_held_list_is_shown_with_reason_and_names(held: Place, run: Run) -> None:
    (found,) = json.loads(run("guard", "show", "archive", "--json", "-c", held.config).stdout)
    assert found["reason"] == "25 of 30 names that were listed before are missing"
    assert found["missing"] == [f"user{n:02}" for n in range(5, 30)]
    assert found["new"] == ["newcomer"]
    assert found["names"] == 6
    shown = run("guard", "show", "-c", held.config).stdout
    assert "25 of 30 names that were listed before are missing" in shown
    assert "... and 5 more; --all names them" in shown
    assert "user29" not in shown
    assert "user29" in run("guard", "show", "--all", "-c", held.config).stdout


def test_accepted_list_goes_out(held: Place, run: Run, ask: Ask) -> None:
    result = run("guard", "accept", "archive", "--yes", "-c", held.config)
    assert (result.exit_code, result.stdout) == (0, "accepted: the next list of archive may hold 6 names\n")
    status, users = ask(cmd="list")
    assert (status, len(users)) == (200, 6)
    assert run("guard", "show", "-c", held.config).stdout == "no list is held\n"


def test_only_the_list_that_was_looked_at_is_accepted(held: Place, run: Run, ask: Ask) -> None:
    (found,) = json.loads(run("guard", "show", "--json", "-c", held.config).stdout)
    held.people(CROWD[:4])
    assert ask(cmd="list")[0] == 503
    result = run("guard", "accept", "archive", "--id", found["id"], "--yes", "-c", held.config)
    assert result.exit_code == 1
    assert "another list is held now" in result.stderr
    assert ask(cmd="list")[0] == 503
    (found,) = json.loads(run("guard", "show", "--json", "-c", held.config).stdout)
    assert run("guard", "accept", "archive", "--id", found["id"], "--yes", "-c", held.config).exit_code == 0


def test_nobody_is_asked_where_there_is_no_terminal(held: Place, run: Run, ask: Ask) -> None:
    result = run("guard", "accept", "archive", "-c", held.config, input="y\n")
    assert result.exit_code == 2
    assert "say --yes" in result.stderr
    assert ask(cmd="list")[0] == 503


@pytest.mark.parametrize(("typed", "code"), [("y\n", 0), ("n\n", 1)])
def test_yes_is_asked_for(held: Place, ask: Ask, typed: str, code: int) -> None:
    got, shown = in_terminal([("Let it go out? [y/N]: ", typed)], "guard", "accept", "archive", "-c", held.config)
    assert got == code
    assert "missing: 25" in shown
    assert ask(cmd="list")[0] == (503 if code else 200)


def test_guard_works_while_a_backend_is_misconfigured(held: Place, run: Run) -> None:
    held.write("20-hq.toml", BACKEND + "nonsense = 1\n")
    assert "user05" in run("guard", "show", "-c", held.config).stdout


def test_unknown_frontend_is_a_usage_error(place: Place, run: Run) -> None:
    result = run("guard", "show", "nobody", "-c", place.config)
    assert result.exit_code == 2
    assert "there is no frontend 'nobody'; there are: archive" in result.stderr


def test_raised_guard_lets_the_next_list_through_once(held: Place, run: Run, ask: Ask) -> None:
    result = run("guard", "raise", "archive", "-c", held.config)
    assert result.exit_code == 0
    assert result.stdout.startswith("raised: the next list of archive that the guard would hold goes out, until ")
    assert "archive: the guard is lifted once, until" in run("guard", "show", "-c", held.config).stdout
    held.people(CROWD[:3])
    status, users = ask(cmd="list")
    assert (status, len(users)) == (200, 3)
    held.people(CROWD[:1])
    assert ask(cmd="list")[0] == 503


def test_raised_guard_can_be_put_back(held: Place, run: Run, ask: Ask) -> None:
    run("guard", "raise", "archive", "-c", held.config)
    result = run("guard", "raise", "archive", "--cancel", "-c", held.config)
    assert (result.exit_code, result.stdout) == (0, "the guard of archive is back\n")
    assert ask(cmd="list")[0] == 503
    result = run("guard", "raise", "archive", "--cancel", "-c", held.config)
    assert (result.exit_code, result.stdout) == (1, "the guard of archive was not lifted\n")
