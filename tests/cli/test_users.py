"""``users``: the list as a frontend would send it, whole or not at all, and why somebody is on it or is not."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from typing import Any

import pytest

from tests.cli.conftest import (
    BACKEND,
    DROP_IN,
    FRONTEND,
    PEOPLE,
    Place,
    Run,
    command,
    environment,
    in_terminal,
    run_process,
)

OTHER = '[backends.other]\ntype = "roster"\nfile = "../other.json"\n'


def test_table_names_everybody_who_is_listed(place: Place, run: Run) -> None:
    result = run("users", place.config)
    assert result.exit_code == 0
    assert result.stdout == (
        "USER NAME  FULL NAME     ADDRESSES                        GROUPS  STATE   BACKEND\n"
        "ada        Ada Lovelace  ada@example.org, al@example.org  mail    active  hq\n"
        "Jörg       Jörg Müller   joerg@example.org                        active  hq\n"
    )
    assert result.stderr == "2 users\n"


def test_json_holds_every_field(place: Place, run: Run) -> None:
    ada, _ = json.loads(run("users", place.config, "--json").stdout)
    assert ada == {
        "backend": "hq",
        "id": "1",
        "username": "ada",
        "full_name": "Ada Lovelace",
        "distinguished_name": None,
        "emails": ["ada@example.org", "al@example.org"],
        "groups": ["mail"],
        "nickname": None,
        "biography": None,
        "tz": None,
        "state": "active",
    }


def test_csv_can_be_read_back_whatever_is_in_it(place: Place, run: Run) -> None:
    odd = 'semi;colon, "quoted"\nand broken'
    place.people([*PEOPLE, {"no": 4, "login": "odd", "name": odd}])
    rows = list(csv.DictReader(io.StringIO(run("users", place.config, "--format", "csv").stdout, newline="")))
    assert [row["username"] for row in rows] == ["ada", "Jörg", "odd"]
    assert rows[2]["full_name"] == odd
    assert rows[0]["emails"] == "ada@example.org;al@example.org"


def test_backend_alone_shows_those_whose_account_may_not_be_used(place: Place, run: Run) -> None:
    people = json.loads(run("users", place.config, "--backend", "hq", "--json").stdout)
    assert [(p["username"], p["state"]) for p in people] == [
        ("ada", "active"),
        ("Jörg", "active"),
        ("leaver", "disabled"),
    ]


def test_empty_list_is_an_empty_array(place: Place, run: Run) -> None:
    place.people([])
    result = run("users", place.config, "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (0, [])


@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_incomplete_list_prints_nobody(place: Place, run: Run, form: str) -> None:
    place.write("20-hq.toml", BACKEND + "breaks_after = 1\n")
    result = run("users", place.config, "--format", form)
    assert result.exit_code == 4
    assert result.stdout == ""
    assert result.stderr == "error: backend hq: the roster ends in the middle\n"


def test_unreadable_entry_beyond_the_allowance_is_an_error_that_names_it(place: Place, run: Run) -> None:
    place.people([*PEOPLE, {"no": 77, "login": None}])
    result = run("users", place.config)
    assert (result.exit_code, result.stdout) == (4, "")
    assert result.stderr == "error: backend hq: entry no='77': no user name\n"


def test_what_was_left_out_is_counted(place: Place, run: Run) -> None:
    place.write("20-hq.toml", BACKEND + "bad_rows_allowed = 1\n" + OTHER)
    place.write("30-archive.toml", FRONTEND.replace('["hq"]', '["hq", "other"]'))
    place.people([*PEOPLE, {"no": 77, "login": None}])
    place.people([{"no": 1, "login": "ADA"}, {"no": 2, "login": "zoe"}], "other.json")
    result = run("users", place.config)
    assert result.exit_code == 0
    assert result.stderr.splitlines()[-1] == "3 users, 1 name collision, 1 unreadable entry"
    assert "ADA" not in result.stdout


def test_looking_writes_no_name_index(place: Place, run: Run) -> None:
    place.write("20-hq.toml", BACKEND + 'username_index = true\nmap.username = "{no}{login}"\n')
    assert run("users", place.config).exit_code == 0
    result = run("users", place.config, "--why", "1ada")
    assert "the index of listed names, which the last list wrote, does not hold this name" in result.stdout


def test_which_frontend_is_meant_must_be_said_where_there_are_several(place: Place, run: Run) -> None:
    place.write("31-b.toml", '[frontends.b]\ntype = "mailstore"\npath = "/b"\nbackends = "hq"\nfilter.include = "a*"\n')
    result = run("users", place.config)
    assert result.exit_code == 2
    assert "say which frontend you mean: --mount archive or b" in result.stderr
    assert [p["username"] for p in json.loads(run("users", place.config, "--mount", "b", "--json").stdout)] == ["ada"]
    assert "there is no frontend 'c'; there are: archive, b" in run("users", place.config, "--mount", "c").stderr
    assert run("users", place.config, "--mount", "b", "--backend", "hq").exit_code == 2


def test_terminal_obeys_nothing_in_a_name(place: Place, run: Run) -> None:
    place.people([{"no": 1, "login": "esc\x1b]0;owned\x07", "name": "[red]two\nlines\x1f[/red]"}])
    shown = run("users", place.config).stdout
    assert len(shown.splitlines()) == 2
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "[red]two\\nlines\\x1f[/red]" in shown
    assert "\x1b" not in run("users", place.config, "--why", "esc\x1b]0;owned\x07").stdout


def test_progress_of_a_terminal_leaves_the_table_whole(place: Place) -> None:
    code, shown = in_terminal([], "users", place.config)
    assert code == 0
    assert "USER NAME  FULL NAME" in shown
    assert "Jörg       Jörg Müller   joerg@example.org" in shown


def test_code_page_without_the_letters_of_a_name_ends_nothing(place: Place) -> None:
    place.people([{"no": 1, "login": "李", "name": "Łukasz"}])
    extra: dict[str, Any] = {"env": {**environment(), "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}, "text": False}
    table: Any = run_process("users", place.config, **extra)
    assert table.returncode == 0
    assert b"?   " in table.stdout
    as_json: Any = run_process("users", place.config, "--json", **extra)
    assert json.loads(as_json.stdout.decode("utf-8"))[0]["username"] == "李"


# -- --why -----------------------------------------------------------------------------------------------------------


def why(place: Place, run: Run, name: str, *options: object) -> tuple[int, dict[str, Any]]:
    result = run("users", place.config, "--why", name, "--json", *options)
    return result.exit_code, json.loads(result.stdout)


def reason(place: Place, run: Run, name: str, backend: int = 0) -> str:
    """Why the backend does not list somebody; they must not be listed by the frontend either."""
    code, answer = why(place, run, name)
    assert (code, answer["listed_from"]) == (1, None)
    listed = json.loads(run("users", place.config, "--json").stdout)
    assert name.lower() not in [user["username"].lower() for user in listed]
    return str(answer["backends"][backend]["reason"])


def test_listed_person_is_explained_attribute_by_attribute(place: Place, run: Run) -> None:
    place.write("20-hq.toml", BACKEND + 'map.full_name = "{name} ({login})"\n')
    code, answer = why(place, run, "ADA")
    assert (code, answer["listed_from"]) == (0, "hq")
    fields = {field["field"]: field for field in answer["backends"][0]["fields"]}
    assert fields["full_name"] == {
        "field": "full_name",
        "value": "Ada Lovelace (ada)",
        "attributes": {"name": "Ada Lovelace", "login": "ada"},
        "default_rule": False,
        "changed_by_hook": False,
    }
    assert fields["emails"]["attributes"] == {"mail": "ada@example.org, al@example.org"}
    assert fields["emails"]["default_rule"]
    assert "demo" not in json.dumps(answer)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("unverified_emails", ["ada@example.org", "al@example.org"]),
        ("preferred_emails", ["ada@example.org", "al@example.org"]),
    ],
)
def test_fields_about_addresses_are_explained(place: Place, run: Run, field: str, value: list[str]) -> None:
    place.write("20-hq.toml", BACKEND + f'map.{field} = "mail"\n')
    code, answer = why(place, run, "ada")
    assert (code, answer["listed_from"]) == (0, "hq")
    fields = {each["field"]: each for each in answer["backends"][0]["fields"]}
    assert fields[field]["value"] == value
    assert fields[field]["attributes"] == {"mail": "ada@example.org, al@example.org"}


def test_explanation_reads_as_a_table(place: Place, run: Run) -> None:
    lines = run("users", place.config, "--why", "ada").stdout.splitlines()
    assert lines[0] == "ada is on the list of archive, from backend hq"
    assert "backend hq: listed" in lines
    made_of = "name = 'Ada Lovelace'; by the backend type's own mapping"
    assert any(" ".join(line.split()) == f"full_name Ada Lovelace {made_of}" for line in lines)


def test_disabled_account_is_the_reason(place: Place, run: Run) -> None:
    assert reason(place, run, "leaver") == "the account is disabled (list_disabled = true would list it)"


def test_filter_is_the_reason_and_named(place: Place, run: Run) -> None:
    place.write("20-hq.toml", BACKEND + 'filter.exclude = "j*"\n')
    place.write("30-archive.toml", FRONTEND + 'filter.groups = "vip"\n')
    assert reason(place, run, "jörg") == "backends.hq.filter: matches a pattern of exclude"
    assert reason(place, run, "ada") == "frontends.archive.filter: is in none of groups"


def test_earlier_backend_with_the_name_is_the_reason(place: Place, run: Run) -> None:
    place.write("21-other.toml", OTHER)
    place.write("30-archive.toml", FRONTEND.replace('["hq"]', '["hq", "other"]'))
    place.people([{"no": 9, "login": "Leaver"}], "other.json")
    # The disabled account of the first backend holds the name, as it does in the list.
    assert reason(place, run, "leaver", 1) == "the name is taken: backend hq comes earlier and has it, too"


def test_nobody_of_that_name_is_the_reason_in_each_backend(place: Place, run: Run) -> None:
    assert reason(place, run, "nobody") == "looking for login = 'nobody' finds nothing"
    result = run("users", place.config, "--why", "nobody")
    assert result.stdout.startswith("nobody is not on the list of archive\n")


def test_person_known_by_another_name_is_hinted_at(place: Place, run: Run) -> None:
    code, answer = why(place, run, "joerg@example.org")
    assert code == 1
    assert answer["backends"][0]["notes"] == ["the listing holds an entry with this mail; people know it as 'Jörg'"]


def test_unreadable_entry_is_the_reason(place: Place, run: Run) -> None:
    place.write("20-hq.toml", BACKEND + "bad_rows_allowed = 1\n")
    place.people([*PEOPLE, {"no": 5, "login": "odd", "off": "perhaps"}])
    assert reason(place, run, "odd") == ("backend hq: entry no='5', login='odd': 'perhaps' is neither yes nor no")


def test_listed_person_whom_logins_do_not_find_is_noted(place: Place, run: Run) -> None:
    place.people([{"no": 1, "login": "twin"}, {"no": 2, "login": "TWIN"}, {"no": 3, "login": " spacy"}])
    for name, missed in (
        ("twin", "two people answer to this name"),
        ("spacy", "looking for login = 'spacy' finds nothing"),
    ):
        code, answer = why(place, run, name)
        assert (code, answer["listed_from"]) == (0, "hq")
        assert answer["backends"][0]["notes"] == [f"logins do not find this entry: {missed}"]
    assert [user["username"] for user in json.loads(run("users", place.config, "--json").stdout)] == ["twin", "spacy"]


def test_hook_that_hides_is_the_reason_and_one_that_changes_is_named(place: Place, run: Run) -> None:
    folder = place.path / "drop in"
    folder.mkdir()
    (folder / "roster.py").write_text((DROP_IN / "roster.py").read_text())
    (folder / "vip.py").write_text(
        "from dataclasses import replace\n"
        "from integration_server import HIDDEN, hookimpl\n"
        "@hookimpl\n"
        "def transform_user(user):\n"
        "    return HIDDEN if user.username == 'ada' else replace(user, full_name='Somebody')\n"
    )
    core = place.config / "10-server.toml"
    core.write_text(core.read_text().replace(json.dumps(str(DROP_IN)), '"../drop in"'))
    assert reason(place, run, "ada") == "a transform_user hook hides this person"
    _, answer = why(place, run, "jörg")
    fields = {field["field"]: field for field in answer["backends"][0]["fields"]}
    assert (fields["full_name"]["value"], fields["full_name"]["changed_by_hook"]) == ("Somebody", True)
    assert not fields["username"]["changed_by_hook"]


def test_backend_that_is_down_leaves_the_question_open(place: Place, run: Run) -> None:
    place.write("21-other.toml", OTHER)
    place.write("30-archive.toml", FRONTEND.replace('["hq"]', '["other", "hq"]'))
    code, answer = why(place, run, "ada")
    assert (code, answer["listed_from"]) == (4, None)
    assert answer["backends"][0]["reason"] == "cannot be asked: the roster is missing"
    assert answer["backends"][1]["is_listed"]


def test_name_that_logins_do_not_take_to_this_backend_is_not_listed(place: Place, run: Run) -> None:
    place.write("20-hq.toml", BACKEND + 'domains = "example.org"\n')
    code, answer = why(place, run, "ada")
    assert code == 1
    assert answer["backends"][0]["reason"] == "backends.hq: domains or pattern exclude this name"
    assert answer["backends"][0]["notes"] == ["is not asked at logins with this name: domains or pattern exclude it"]


def test_reader_who_leaves_early_sees_no_traceback(place: Place) -> None:
    place.people([{"no": n, "login": f"user{n}", "name": "x" * 200} for n in range(2000)])
    line = " ".join(f"'{word}'" for word in command("users", place.config, "--json")) + " | head -c 10; true"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, env=environment(), timeout=60, check=True)
    assert done.stdout == '[\n{"backen'
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr
