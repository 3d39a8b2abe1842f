"""``auth``: the verdict, who gave it, and how long that took."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.conftest import BACKEND, FRONTEND, PEOPLE, Place, Run, in_terminal


def login(place: Place, run: Run, name: str, password: str, *options: object) -> tuple[int, dict[str, Any]]:
    result = run("auth", name, place.config, "--json", "--password-stdin", *options, input=password + "\n")
    return result.exit_code, json.loads(result.stdout)


def test_right_password_is_accepted_and_the_backend_named(place: Place, run: Run) -> None:
    code, answer = login(place, run, "ada", "demo")
    assert code == 0
    assert (answer["accepted"], answer["verdict"], answer["mount"]) == (True, "accepted", "archive")
    (asked,) = answer["asked"]
    assert (asked["backend"], asked["outcome"]) == ("hq", "accepted")
    assert 0 <= asked["seconds"] < 10


@pytest.mark.parametrize(
    ("name", "password", "verdict"),
    [("ada", "Demo", "rejected"), ("nobody", "demo", "unknown user"), ("leaver", "gone", "unknown user")],
)
def test_refusal_says_which_one_it_is(place: Place, run: Run, name: str, password: str, verdict: str) -> None:
    code, answer = login(place, run, name, password)
    assert (code, answer["accepted"]) == (1, False)
    assert answer["verdict"] in (verdict, "disabled")


def test_password_with_blanks_and_letters_beyond_ascii_is_taken_as_it_is(place: Place, run: Run) -> None:
    assert login(place, run, "jörg", "grüße aus köln")[0] == 0
    place.people([{**PEOPLE[0], "password": " blank "}])
    assert login(place, run, "ada", " blank ")[0] == 0
    assert login(place, run, "ada", "blank")[0] == 1


def test_empty_password_reaches_no_backend(place: Place, run: Run) -> None:
    (place.path / "people.json").unlink()
    code, answer = login(place, run, "ada", "")
    assert (code, answer["asked"]) == (1, [])


def test_backend_that_is_down_is_no_refusal(place: Place, run: Run) -> None:
    (place.path / "people.json").unlink()
    result = run("auth", "ada", place.config, "--password-stdin", input="demo\n")
    assert result.exit_code == 4
    assert "the roster is missing" in result.stderr
    assert result.stderr.splitlines()[-1] == "error: no answer from hq"
    assert "refused" not in result.stdout


def test_backends_that_were_not_asked_are_shown_with_the_reason(place: Place, run: Run) -> None:
    third = '[backends.third]\ntype = "roster"\nfile = "../people.json"\n'
    place.write(
        "20-hq.toml", BACKEND + '[backends.two]\ntype = "roster"\nfile = "../x.json"\ndomains = "x.org"\n' + third
    )
    place.write("30-archive.toml", FRONTEND.replace('["hq"]', '["two", "hq", "third"]'))
    result = run("auth", "ada", place.config, "--password-stdin", input="demo\n")
    lines = result.stdout.splitlines()
    assert lines[1] == "two      not asked: its domains or pattern exclude this name"
    assert lines[2].split()[:2] == ["hq", "accepted"]
    assert lines[3] == "third    not asked: an earlier answer was final"
    assert lines[4] == "ada on archive: accepted"


def test_wrong_passwords_here_lock_nobody_out(place: Place, run: Run) -> None:
    for n in range(7):
        assert login(place, run, "ada", f"wrong {n}")[0] == 1
    assert login(place, run, "ada", "demo")[0] == 0


def test_password_is_asked_for_and_not_shown(place: Place) -> None:
    code, shown = in_terminal([("Password of ada: ", "demo\n")], "auth", "ada", place.config)
    assert code == 0
    assert "ada on archive: accepted" in shown
    assert "demo" not in shown


def test_without_a_terminal_the_way_out_is_told(place: Place, run: Run) -> None:
    result = run("auth", "ada", place.config, input="demo\n")
    assert result.exit_code == 2
    assert "say --password-stdin" in result.stderr
