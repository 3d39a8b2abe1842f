"""``throttle``: who is refused, until when, and the end of that."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from integration_server.server.installation import opened
from tests.cli.conftest import Place, Run

Ask = Callable[..., tuple[int, Any]]


def guess(ask: Ask, name: str, times: int) -> None:
    for n in range(times):
        assert ask(cmd="auth", user=name, **{"pass": f"wrong {n}"}) == (200, {"succeeded": False})


def test_nobody_is_said(place: Place, run: Run) -> None:
    assert run("throttle", "list", "-c", place.config).stdout == "no wrong passwords count at the moment\n"
    assert json.loads(run("throttle", "list", "--json", "-c", place.config).stdout) == []


def test_guesses_are_listed_with_the_end_of_the_pause(place: Place, run: Run, ask: Ask) -> None:
    guess(ask, "ada", 6)
    guess(ask, "Jörg", 1)
    jorg, ada = json.loads(run("throttle", "list", "--json", "-c", place.config).stdout)
    assert (ada["user"], ada["mount"], ada["caller"], ada["wrong_passwords"]) == ("ada", "archive", "127.0.0.1", 5)
    assert ada["refused_until"] > ada["last_at"]
    assert (jorg["user"], jorg["wrong_passwords"], jorg["refused_until"]) == ("jörg", 1, None)
    shown = run("throttle", "list", "-c", place.config).stdout
    assert "wrong 0" not in shown
    assert len(shown.splitlines()) == 3


def test_cleared_person_gets_in_at_once(place: Place, run: Run, ask: Ask) -> None:
    guess(ask, "ada", 5)
    right = {"cmd": "auth", "user": "ada", "pass": "demo"}
    assert ask(**right) == (200, {"succeeded": False})
    result = run("throttle", "clear", "ADA", "-c", place.config)
    assert (result.exit_code, result.stdout) == (0, "forgot 5 wrong passwords\n")
    assert ask(**right) == (200, {"succeeded": True})


def test_clearing_somebody_without_guesses_says_no(place: Place, run: Run, ask: Ask) -> None:
    guess(ask, "ada", 1)
    assert run("throttle", "clear", "nobody", "-c", place.config).exit_code == 1
    assert run("throttle", "clear", "--all", "-c", place.config).stdout == "forgot 1 wrong password\n"
    assert run("throttle", "clear", "--all", "-c", place.config).exit_code == 0


def test_clear_wants_a_name_or_all(place: Place, run: Run) -> None:
    assert run("throttle", "clear", "-c", place.config).exit_code == 2
    assert run("throttle", "clear", "ada", "--all", "-c", place.config).exit_code == 2


def test_clearing_is_audited(place: Place, run: Run, ask: Ask) -> None:
    ask(cmd="auth", user="ada", **{"pass": "wrong"})
    run("throttle", "clear", "ADA", "-c", place.config)
    with opened(place.config) as installation:
        (entry,) = installation.store.audit_log.page(None, 10)
    assert (entry.action, entry.subject, entry.actor) == ("throttle.cleared", "ada", "command line")
