"""Subscriptions that a frontend asks for: shown with where they come from, and changed where they stand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from integration_server.server.installation import opened
from tests.cli.conftest import BACKEND, Place, Run

COMMUNITY = """
[backends.forum]
type = "ips_connect"
[frontends.community]
type = "ips_connect"
path = "/ips"
backends = ["forum"]
propagate = ["hq"]
"""
ASKED = "community/hq"


@pytest.fixture
def begun(place: Place) -> Place:
    """As after a first start."""
    place.write("20-hq.toml", BACKEND + "sync = {}\n")
    place.write("50-community.toml", COMMUNITY)
    start(place)
    return place


def start(place: Place) -> None:
    with opened(place.config) as installation:
        installation.forwarding.bring_configured()


def listed(place: Place, run: Run) -> list[dict[str, Any]]:
    found = json.loads(run("subscriptions", "list", "--json", "-c", place.config).stdout)
    assert isinstance(found, list)
    return found


def test_list_and_show_say_which_frontend_asks_for_it(begun: Place, run: Run) -> None:
    (one,) = listed(begun, run)
    assert (one["id"], one["name"]) == ("sub_config_community.hq", ASKED)
    assert (one["owner"], one["frontend"]) == ("config", "community")
    assert one["resource"] == {"kind": "backend", "backend": "hq"}
    assert "config (frontends.community)" in run("subscriptions", "list", "-c", begun.config).stdout
    shown = run("subscriptions", "show", ASKED, "-c", begun.config).stdout
    assert "owner         config (frontends.community)" in shown
    assert "accounts      forum" in shown


def test_one_that_has_not_begun_is_told_of(place: Place, run: Run) -> None:
    place.write("50-community.toml", COMMUNITY)
    assert f"{ASKED} begins when the server starts\n" in run("subscriptions", "list", "-c", place.config).stdout
    result = run("subscriptions", "replay", ASKED, "--everybody", "-c", place.config)
    assert result.exit_code == 2
    assert f"{ASKED} begins when the server starts; there is nothing of it yet" in result.stderr


def test_everybody_is_replayed_by_its_name(begun: Place, run: Run) -> None:
    result = run("subscriptions", "replay", ASKED, "--everybody", "-c", begun.config)
    assert (result.exit_code, result.stdout) == (0, f"replaying to {ASKED}: everybody as they are now\n")
    assert listed(begun, run)[0]["is_replaying"]


def test_test_event_reaches_the_accounts_also_before_the_first_start(place: Place, run: Run) -> None:
    place.write("50-community.toml", COMMUNITY)
    result = run("subscriptions", "test", ASKED, "-c", place.config)
    assert (result.exit_code, result.stdout) == (0, f"delivered: {ASKED} answered\n")


def test_it_is_removed_where_it_is_asked_for_and_then_here(begun: Place, run: Run) -> None:
    file = begun.config / "50-community.toml"
    result = run("subscriptions", "remove", ASKED, "--yes", "-c", begun.config)
    assert result.exit_code == 3
    assert f"{file}: frontends.community.propagate asks for it; change that there" in result.stderr
    begun.write("50-community.toml", COMMUNITY.replace('["hq"]', "[]"))
    start(begun)
    assert listed(begun, run)[0]["state"] == "ended"
    assert run("subscriptions", "remove", ASKED, "--yes", "-c", begun.config).exit_code == 0
    assert listed(begun, run) == []


def test_who_pauses_it_is_told_what_the_next_start_does(begun: Place, run: Run) -> None:
    result = run("subscriptions", "pause", ASKED, "-c", begun.config)
    assert result.stdout == f"paused: {ASKED}\n"
    file = begun.config / "50-community.toml"
    assert f"frontends.community.propagate in {file} decides again when the server starts next" in result.stderr
    assert not listed(begun, run)[0]["is_active"]


def test_a_subscription_of_the_same_name_that_somebody_added_is_theirs(begun: Place, run: Run) -> None:
    added = run(
        *("subscriptions", "add", ASKED, "--type", "notebook", "--set", "file=../w.jsonl", "--set", "key=sample"),
        *("-c", begun.config),
    )
    assert added.exit_code == 0, added.output
    of_cli = next(one for one in listed(begun, run) if one["owner"] == "cli")
    assert of_cli["frontend"] is None
    assert run("subscriptions", "remove", of_cli["id"], "--yes", "-c", begun.config).exit_code == 0


@pytest.mark.parametrize("fault", ["plugin", "frontend"])
def test_list_works_while_plugins_or_frontends_do_not(begun: Place, run: Run, fault: str) -> None:
    begun.write("40-wiki.toml", '[subscriptions.wiki]\ntype = "webhook"\nurl = "https://wiki.example/"\n')
    if fault == "plugin":
        text = (begun.config / "10-server.toml").read_text().replace("csv_file", "nonesuch")
        begun.write("10-server.toml", text)
    else:
        begun.write("50-community.toml", COMMUNITY + "nonsense = 1\n")
    result = run("subscriptions", "list", "-c", begun.config)
    assert result.exit_code == 0, result.output
    assert ASKED in result.stdout
    assert "[subscriptions.wiki] begins when the server starts" in result.stdout


def test_check_names_the_frontend_and_what_it_never_hears_of(begun: Place, run: Run) -> None:
    said = run("check", begun.config).stdout
    assert "ok          [frontends.community.propagate]: ips_connect_people, hq, events: user.*\n" in said
    begun.write("20-hq.toml", BACKEND)
    said = run("check", begun.config).stdout
    where = "warning     [frontends.community.propagate]: "
    assert f"{where}is never told of changes in hq: there is no [backends.hq.sync]\n" in said


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ('["lab"]', "[frontends.community.propagate]: {file}: frontends.community.propagate: backend: there is no"),
        (
            '["forum"]',
            "[frontends.community]: {file}: [frontends.community]: propagate: forum is where the accounts are",
        ),
    ],
)
def test_check_names_what_is_wrong_beside_other_faults(begun: Place, run: Run, names: str, told: str) -> None:
    file = begun.write("50-community.toml", COMMUNITY.replace('["hq"]', names))
    begun.write("40-notes.toml", '[subscriptions.notes]\ntype = "notebook"\n')
    result = run("check", begun.config)
    assert result.exit_code == 3
    assert f"error       {told.format(file=file)}" in result.stdout
    assert "subscriptions.notes.file: is required" in result.stdout


def test_name_that_is_too_long_for_the_store_is_told(begun: Place, run: Run) -> None:
    mount = "c" * 99
    begun.write("50-community.toml", COMMUNITY.replace("frontends.community", f"frontends.{mount}"))
    result = run("check", begun.config)
    assert f"propagate: its subscription would be called {mount}/hq; take shorter names" in result.stdout


def test_config_show_has_the_frontends_keys_and_no_table_that_is_not_there(begun: Place, run: Run) -> None:
    shown = json.loads(run("config", "show", begun.config, "--json").stdout)
    assert ["hq"] in [one["value"] for one in shown if one["key"] == "propagate"]
    assert not [one for one in shown if one["table"].startswith("subscriptions")]


def test_nobody_but_a_frontend_can_ask_for_what_is_implied(begun: Place, run: Run) -> None:
    begun.write(
        "40-own.toml", '[subscriptions.own]\ntype = "ips_connect_people"\naccounts = "forum"\nsources = ["hq"]\n'
    )
    said = run("check", begun.config).stdout
    assert "settings of frontends ask for such receivers" in said
    assert "error       [subscriptions.own]: " in said
    begun.write("40-own.toml", "")
    settings = ("--set", "accounts=forum", "--set", "sources=hq", "--backend", "hq")
    added = run("subscriptions", "add", "own", "--type", "ips_connect_people", *settings, "-c", begun.config)
    assert added.exit_code == 3
    assert "settings of frontends ask for such receivers" in added.stderr
