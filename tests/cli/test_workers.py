"""``serve`` and ``work`` notice and deliver: in one process at a time, in the next one when that is killed."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from integration_server.server.election import FileSeat
from tests.cli.conftest import BACKEND, Place, Run, Serving
from tests.servers import PostgreSql
from tests.waiting import wait_for

Serve = Callable[..., Serving]
CROWD = [{"no": n, "login": f"user{n:02}", "name": f"User {n}"} for n in range(20)]
SYNC = "[backends.hq.sync]\nscan_seconds = 1.0\n"
NOTES = '[subscriptions.notes]\ntype = "notebook"\nfile = "../notes.jsonl"\nmood_file = "../mood"\n'
DOES = "this process does watching and delivering"


@pytest.fixture
def watched(place: Place) -> Place:
    place.write("20-hq.toml", BACKEND + SYNC)
    place.write("40-notes.toml", NOTES)
    place.people(CROWD)
    return place


def rename(place: Place, number: int, name: str) -> None:
    changed = [{**one, "name": name} if one["no"] == number else one for one in CROWD]
    # As an admin's script does it: nobody reads half a file.
    place.people(changed, "new.json")
    os.replace(place.path / "new.json", place.path / "people.json")


def notes(place: Place) -> list[dict[str, Any]]:
    path = place.path / "notes.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def told(place: Place) -> dict[str, int]:
    """Id -> serial. What was delivered a moment before a kill comes again, with the same id."""
    return {note["id"]: note["serial"] for note in notes(place)}


def has(serving: Serving, text: str) -> list[str]:
    return [line for line in list(serving.log) if text in line]


def baseline(serving: Serving) -> None:
    serving.wait_until(lambda: has(serving, "20 people are known from now on"), "the baseline")


def process_of(line: str) -> int:
    found = re.search(r"\[(\d+)\]", line)
    assert found is not None
    return int(found.group(1))


def test_server_notices_delivers_and_stops(watched: Place, serve: Serve) -> None:
    serving = serve(watched.config)
    baseline(serving)
    for line in ("watches hq: everybody is compared every 1 s", "tells notes (notebook) of changes in everything"):
        serving.wait_until(lambda line=line: line in serving.said, line)  # type: ignore[misc]
    rename(watched, 3, "Three")
    (note,) = wait_for(lambda: notes(watched), "the change")
    assert (note["type"], note["person"], note["backend"], note["serial"]) == ("user.updated", "3", "hq", 1)
    began = time.monotonic()
    assert serving.stop() == 0
    assert time.monotonic() - began < 10
    assert not has(serving, "Traceback")
    assert not has(serving, "ERROR")
    seat = FileSeat(watched.data / "workers.lock")
    assert seat.take(), "a stopped server holds on to the work"
    seat.release()


def test_what_changes_while_nobody_works_is_delivered_afterwards(watched: Place, serve: Serve) -> None:
    first = serve(watched.config, verb="work")
    baseline(first)
    assert first.stop() == 0
    rename(watched, 3, "Three")
    serve(watched.config, verb="work")
    assert [note["person"] for note in wait_for(lambda: notes(watched), "the change")] == ["3"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_work_ends_by_signal_with_exit_code_0(watched: Place, serve: Serve, number: int) -> None:
    working = serve(watched.config, verb="work")
    baseline(working)
    assert working.said[0].startswith("integration-server 0.")
    assert "watches hq: everybody is compared every 1 s" in working.said
    assert working.stop(number) == 0
    assert not has(working, "Traceback")
    assert not has(working, "ERROR")


def test_work_is_taken_over_from_a_killed_process_and_nothing_is_lost(watched: Place, serve: Serve) -> None:
    first = serve(watched.config, verb="work")
    baseline(first)
    second = serve(watched.config, verb="work")
    second.wait_until(lambda: has(second, "another process does watching and delivering"), "the second to wait")
    rename(watched, 1, "One")
    wait_for(lambda: len(notes(watched)) == 1, "the first change")
    first.process.send_signal(signal.SIGKILL)
    rename(watched, 2, "Two")
    second.wait_until(lambda: has(second, DOES), "the second to take over")
    # User 1 is as before again, and user 2 has a new name.
    wait_for(lambda: len(told(watched)) == 3, "what changed meanwhile")
    assert sorted(told(watched).values()) == [1, 2, 3]
    assert {note["person"] for note in notes(watched)} == {"1", "2"}
    assert second.stop() == 0


def test_one_of_two_server_processes_works_and_the_other_goes_on_when_that_is_killed(
    watched: Place, serve: Serve
) -> None:
    serving = serve(watched.config, "--processes", 2)
    baseline(serving)
    serving.wait_until(lambda: has(serving, "another process does watching and delivering"), "the other")
    (line,) = serving.wait_until(lambda: has(serving, DOES), "that one does the work")
    rename(watched, 1, "One")
    wait_for(lambda: len(notes(watched)) == 1, "the first change")
    os.kill(process_of(line), signal.SIGKILL)
    serving.wait_until(lambda: len(has(serving, DOES)) == 2, "the other to take over")
    assert process_of(has(serving, DOES)[1]) != process_of(line)
    rename(watched, 2, "Two")
    wait_for(lambda: len(told(watched)) == 3, "the second change")
    assert sorted(told(watched).values()) == [1, 2, 3], "two processes noticed one change"
    assert serving.stop() == 0
    assert len(has(serving, DOES)) == 2


def test_server_without_workers_leaves_the_work_to_another(watched: Place, serve: Serve) -> None:
    serving = serve(watched.config, "--no-workers", "--processes", 2)
    assert serving.url
    assert not any(line.startswith(("watches", "tells")) for line in serving.said)
    working = serve(watched.config, verb="work")
    baseline(working)
    working.wait_until(lambda: has(working, DOES), "that it does the work")
    assert serving.stop() == 0
    assert not has(serving, DOES)


def test_run_is_applied_by_the_server_that_runs(watched: Place, serve: Serve, run: Run) -> None:
    serving = serve(watched.config)
    baseline(serving)
    watched.people(CROWD[:3])
    serving.wait_until(lambda: has(serving, "a run is held"), "the held run")
    result = run("sync", "apply", "hq", "--yes", "-c", watched.config)
    assert "a running server applies it now" in result.stdout
    wait_for(lambda: len(notes(watched)) == 17, "the deletions")
    assert {note["type"] for note in notes(watched)} == {"user.deleted"}


def test_running_server_follows_what_commands_change(watched: Place, serve: Serve, run: Run) -> None:
    serving = serve(watched.config)
    baseline(serving)
    (watched.path / "mood").write_text("refused")
    rename(watched, 1, "One")

    def listed() -> Any:
        return json.loads(run("deliveries", "list", "--json", "-c", watched.config).stdout)

    (dead,) = wait_for(lambda: [one for one in listed() if one["state"] == "dead"], "the dead delivery")
    (watched.path / "mood").unlink()
    assert run("deliveries", "retry", dead["id"], "-c", watched.config).exit_code == 0
    wait_for(lambda: notes(watched), "the delivery")
    assert wait_for(lambda: not listed(), "the end of the list")
    run("subscriptions", "pause", "notes", "-c", watched.config)
    # The server looks for what was changed twice a second.
    time.sleep(2.5)
    rename(watched, 2, "Two")
    serving.wait_until(lambda: len(has(serving, "events:")) == 2, "the second change")
    assert len(notes(watched)) == 1
    run("subscriptions", "resume", "notes", "-c", watched.config)
    wait_for(lambda: len(notes(watched)) == 3, "what waited")


def test_table_that_is_removed_ends_its_subscription(watched: Place, serve: Serve, run: Run) -> None:
    first = serve(watched.config, verb="work")
    baseline(first)
    wait_for(lambda: json.loads(run("subscriptions", "list", "--json", "-c", watched.config).stdout), "it")
    assert first.stop() == 0
    (watched.config / "40-notes.toml").unlink()
    second = serve(watched.config, verb="work")
    second.wait_until(lambda: has(second, DOES), "the work")
    (one,) = json.loads(run("subscriptions", "list", "--json", "-c", watched.config).stdout)
    assert (one["state"], one["state_reason"]) == ("ended", "no longer in the configuration")
    assert run("subscriptions", "remove", "notes", "--yes", "-c", watched.config).exit_code == 0


def test_fault_of_the_configuration_ends_work_with_its_code(place: Place, run: Run) -> None:
    place.write("30-archive.toml", "[frontends.archive]\nnonsense = 1\n")
    assert run("work", place.config).exit_code == 3


def test_node_takes_over_from_another_that_ends(watched: Place, serve: Serve, postgresql: PostgreSql) -> None:
    watched.write("11-store.toml", f"[store]\nurl = {json.dumps(postgresql.create_database())}\n")
    first = serve(watched.config, verb="work")
    baseline(first)
    second = serve(watched.config, verb="work")
    second.wait_until(lambda: has(second, "another process does watching hq"), "the second to wait")
    rename(watched, 1, "One")
    wait_for(lambda: len(notes(watched)) == 1, "the first change")
    assert first.stop() == 0
    second.wait_until(lambda: has(second, "this process does watching hq"), "the second to take over")
    rename(watched, 2, "Two")
    wait_for(lambda: len(told(watched)) == 3, "the second change")
    assert sorted(told(watched).values()) == [1, 2, 3]
    assert second.stop() == 0
