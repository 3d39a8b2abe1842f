"""``deliveries``: what a receiver did not take is shown, tried again, or skipped for a reason."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import pytest

from integration_server.store import Store
from tests.cli.conftest import Place, Run, subscription


@pytest.fixture
def undelivered(place: Place) -> Place:
    """Three subscriptions; of wiki: 1 dead (ada), 2 held behind it, 3 parked (bob); of crm: 4 dead (bob)."""
    store = Store("", place.data)
    for uid in ("wiki", "crm", "fine"):
        store.subscriptions.add(subscription(uid, cursor=9))
    store.close()
    rows = [
        ("sub_wiki", 1, "hq", "ada", "dead", 10, None, "status 500 \x1b[31m"),
        ("sub_wiki", 2, "hq", "ada", "held", 0, None, None),
        ("sub_wiki", 3, "lab", "bob", "parked", 2, 2e9, "timed out"),
        ("sub_crm", 1, "hq", "bob", "dead", 10, None, "refused"),
    ]
    with sqlite3.connect(place.data / "store.db") as connection:
        for owner, serial, backend, person, state, tries, next_at, error in rows:
            event = f"evt_{owner}_{serial}"
            columns = "subscription_id,serial,lane,event_id,event_type,backend,person_id,state,attempts,next_at,error"
            values = (
                owner,
                serial,
                f"{backend}/{person}",
                event,
                "user.updated",
                backend,
                person,
                state,
                tries,
                next_at,
            )
            connection.execute(
                f"INSERT INTO deliveries ({columns},created_at,changed_at) VALUES ({'?,' * 11}1,1)", (*values, error)
            )
    connection.close()
    return place


def listed(place: Place, run: Run, *options: object) -> list[dict[str, Any]]:
    found = json.loads(run("deliveries", "list", *options, "--json", "-c", place.config).stdout)
    assert isinstance(found, list)
    return found


def states(place: Place, run: Run) -> dict[int, str]:
    return {one["id"]: one["state"] for one in listed(place, run)}


def test_nothing_undelivered_is_said(place: Place, run: Run) -> None:
    assert run("deliveries", "list", "-c", place.config).stdout == "nothing is stuck\n"
    assert listed(place, run) == []


def test_a_resting_receiver_is_told_of_although_nothing_of_it_has_failed(place: Place, run: Run) -> None:
    store = Store("", place.data)
    resting = subscription("wiki", cursor=9, state="resting", state_reason="connection refused", failing_since=2e9)
    store.subscriptions.add(resting)
    store.subscriptions.add(subscription("crm", cursor=12, state="resting"))
    store.close()
    with sqlite3.connect(place.data / "store.db") as connection:
        connection.execute("UPDATE journal_state SET last_serial = 12")
    connection.close()
    told = run("deliveries", "list", "-c", place.config).stdout
    assert told == "wiki is resting since 2033-05-18 03:33:20, 3 serials behind: connection refused\n"
    assert run("deliveries", "list", "--subscription", "crm", "-c", place.config).stdout == "nothing is stuck\n"
    assert run("deliveries", "list", "--state", "dead", "--subscription", "crm", "-c", place.config).stdout == (
        "no such delivery is stuck\n"
    )


def test_undelivered_events_are_listed_and_narrowed_down(undelivered: Place, run: Run) -> None:
    found = listed(undelivered, run)
    assert [one["id"] for one in found] == [1, 2, 3, 4]
    assert found[0]["subscription_name"] == "wiki"
    assert found[2]["next_at"] == "2033-05-18T03:33:20Z"
    narrow = {
        ("--subscription", "wiki"): [1, 2, 3],
        ("--subscription", "sub_crm"): [4],
        ("--state", "dead"): [1, 4],
        ("--person", "bob"): [3, 4],
        ("--backend", "lab"): [3],
        ("--limit", "2"): [1, 2],
        ("--state", "dead", "--person", "bob"): [4],
    }
    for options, ids in narrow.items():
        assert [one["id"] for one in listed(undelivered, run, *options)] == ids, options
    text = run("deliveries", "list", "--limit", 2, "-c", undelivered.config).stdout
    assert text.splitlines()[0].split()[:4] == ["ID", "SUBSCRIPTION", "STATE", "SERIAL"]
    assert r"status 500 \x1b[31m" in text
    assert "... and more than these 2 deliveries; --limit shows them" in text


def test_dead_delivery_is_tried_again(undelivered: Place, run: Run) -> None:
    result = run("deliveries", "retry", 1, "-c", undelivered.config)
    assert (result.exit_code, result.stdout) == (0, "tried again: 1 delivery\n")
    assert states(undelivered, run) == {1: "parked", 2: "held", 3: "parked", 4: "dead"}
    assert listed(undelivered, run)[0]["attempts"] == 0


@pytest.mark.parametrize(
    ("options", "told", "after"),
    [
        ([], "2 deliveries", {1: "parked", 2: "held", 3: "parked", 4: "parked"}),
        (["--subscription", "crm"], "1 delivery", {1: "dead", 2: "held", 3: "parked", 4: "parked"}),
        (["--state", "parked"], "1 delivery", {1: "dead", 2: "held", 3: "parked", 4: "dead"}),
        (["--subscription", "fine"], "0 deliveries", {1: "dead", 2: "held", 3: "parked", 4: "dead"}),
    ],
)
def test_all_dead_ones_are_tried_again(
    undelivered: Place, run: Run, options: list[str], told: str, after: dict[int, str]
) -> None:
    result = run("deliveries", "retry", "--all", *options, "-c", undelivered.config)
    assert (result.exit_code, result.stdout) == (0, f"tried again: {told}\n")
    assert states(undelivered, run) == after


@pytest.mark.parametrize("id", [2, 99])
def test_delivery_that_waits_for_another_or_is_not_there_cannot_be_tried(undelivered: Place, run: Run, id: int) -> None:
    result = run("deliveries", "retry", id, "-c", undelivered.config)
    assert (result.exit_code, result.stderr) == (1, f"error: no parked or dead delivery has the id {id}\n")


def test_skipped_delivery_is_gone_and_the_reason_kept(undelivered: Place, run: Run) -> None:
    result = run("deliveries", "skip", 1, "--reason", "Ada has left long ago", "-c", undelivered.config)
    assert (result.exit_code, result.stdout) == (0, "skipped: 1\n")
    assert 1 not in states(undelivered, run)
    shown = json.loads(run("subscriptions", "show", "wiki", "--json", "-c", undelivered.config).stdout)
    assert shown["attempts"][0]["error"] == "skipped: Ada has left long ago"
    assert shown["undelivered"] == {"held": 1, "parked": 1}
    again = run("deliveries", "skip", 1, "--reason", "x", "-c", undelivered.config)
    assert (again.exit_code, again.stderr) == (1, "error: no delivery that is not done has the id 1\n")


def test_update_that_becomes_one_with_earlier_ones_is_not_skipped_before_them(undelivered: Place, run: Run) -> None:
    with sqlite3.connect(undelivered.data / "store.db") as connection:
        connection.execute("UPDATE subscriptions SET is_coalescing = 1")
    connection.close()
    result = run("deliveries", "skip", 2, "--reason", "x", "-c", undelivered.config)
    assert result.exit_code == 1
    assert "skip the earlier ones first" in result.stderr
    assert states(undelivered, run) == {1: "dead", 2: "held", 3: "parked", 4: "dead"}


@pytest.mark.parametrize(
    "line",
    [
        ["retry"],
        ["retry", "1", "--all"],
        ["retry", "1", "--subscription", "wiki"],
        ["retry", "--all", "--state", "held"],
        ["retry", "--all", "--subscription", "nobody"],
        ["retry", "x"],
        ["skip", "1"],
        ["skip", "1", "--reason", " "],
        ["list", "--state", "settled"],
        ["list", "--subscription", "nobody"],
        ["list", "--limit", "0"],
    ],
)
def test_what_makes_no_sense_is_a_usage_error_and_changes_nothing(
    undelivered: Place, run: Run, line: list[str]
) -> None:
    before = states(undelivered, run)
    assert run("deliveries", *line, "-c", undelivered.config).exit_code == 2
    assert states(undelivered, run) == before
