"""``changes``: the journal on a terminal, as it is and as it grows."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from integration_server.store import Store
from integration_server.store.journal import Change
from tests.cli.conftest import BACKEND, Place, Run, command, environment

ADA = {"id": "1", "username": "ada", "full_name": "Ada", "emails": [], "groups": ["mail"], "state": "active"}


def person(number: int, **fields: Any) -> Change:
    document = {**ADA, "id": str(number), "username": f"user{number}", "groups": [], **fields}
    return Change("update", str(number), bytes(15) + bytes([number]), document)


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    opened = Store("", place.data)
    yield opened
    opened.close()


@pytest.fixture
def journal(store: Store) -> Store:
    """Serials 1 to 30: users 1 to 30 of hq; 31 and 32: one of them renamed and put into a group; 33: gone; 34: lab."""
    store.journal.apply("hq", [person(number) for number in range(1, 31)], 0)
    renamed = person(7, username="seven", full_name=None, groups=["mail\x1b[31m"])
    store.journal.apply("hq", [renamed], 30)
    store.journal.apply("hq", [Change("delete", "8")], 32)
    store.journal.apply("lab", [person(7)], 33)
    return store


@pytest.mark.usefixtures("journal")
def test_latest_changes_are_shown_with_what_was_before_and_after(place: Place, run: Run) -> None:
    result = run("changes", "-c", place.config)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert len(lines) == 20
    assert re.fullmatch(
        r" +31  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d  user\.updated        hq  seven \(7\)  "
        r"username: user7 → seven; full_name: Ada → nothing",
        lines[-4],
    )
    assert lines[-3].endswith(r"membership.added    hq  seven (7)  mail\x1b[31m")
    assert lines[-2].endswith("user.deleted        hq  user8 (8)")
    assert lines[-1].endswith("user.created        lab  user7 (7)")


@pytest.mark.usefixtures("journal")
def test_changes_after_a_serial_are_all_shown(place: Place, run: Run) -> None:
    found = [
        json.loads(line) for line in run("changes", "--after", 3, "--json", "-c", place.config).stdout.splitlines()
    ]
    assert [one["serial"] for one in found] == list(range(4, 35))
    updated = found[31 - 4]
    assert updated["type"] == "user.updated"
    assert updated["changed"]["username"] == {"old": "user7", "new": "seven"}
    assert updated["object"]["username"] == "seven"
    assert found[32 - 4]["group"] == "mail\x1b[31m"
    assert found[33 - 4]["before"]["username"] == "user8"
    assert run("changes", "--after", 34, "-c", place.config).stdout == ""


@pytest.mark.usefixtures("journal")
def test_one_person_and_one_backend_are_told_from_the_others(place: Place, run: Run) -> None:
    place.write("21-lab.toml", BACKEND.replace("hq", "lab"))

    def serials(*options: object) -> list[int]:
        lines = run("changes", "--json", *options, "-c", place.config).stdout.splitlines()
        return [json.loads(line)["serial"] for line in lines]

    assert serials("--person", "7") == [7, 31, 32, 34]
    assert serials("--person", "seven") == [31, 32]
    assert serials("--person", "7", "--last", 2) == [32, 34]
    assert serials("--backend", "lab") == [34]
    assert serials("--backend", "hq", "--after", 30) == [31, 32, 33]
    assert serials("--last", 0) == []
    result = run("changes", "--backend", "nowhere", "-c", place.config)
    assert result.exit_code == 2
    assert "there is no backend 'nowhere'; there are: hq, lab" in result.stderr


def test_serial_that_never_was_is_told(place: Place, run: Run, journal: Store) -> None:
    last = journal.journal.last_serial()
    result = run("changes", "--after", last + 1, "-c", place.config)
    assert result.exit_code == 2
    assert f"there has never been a serial {last + 1}; the last one is {last}" in result.stderr
    assert run("changes", "--after", last, "-c", place.config).exit_code == 0


def test_serial_that_is_no_longer_kept_is_told(place: Place, run: Run, journal: Store) -> None:
    journal.journal.prune(1e12, 20)
    result = run("changes", "--after", 3, "-c", place.config)
    assert result.exit_code == 2
    assert "changes up to serial 20 are no longer kept; say --after 20" in result.stderr
    assert len(run("changes", "--last", 100, "-c", place.config).stdout.splitlines()) == 14


def test_what_excludes_each_other_is_a_usage_error(place: Place, run: Run) -> None:
    assert run("changes", "--after", 3, "--last", 3, "-c", place.config).exit_code == 2


def test_empty_journal_shows_nothing(place: Place, run: Run) -> None:
    result = run("changes", "-c", place.config)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.startswith("no change was noticed yet")


def test_followed_journal_shows_what_comes_until_ctrl_c(place: Place, journal: Store) -> None:
    process = subprocess.Popen(
        command("changes", "--follow", "--last", 1, "--backend", "hq", "--json", "-c", place.config),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        text=True,
    )
    killer = threading.Timer(30, process.kill)
    killer.start()
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["serial"] == 33
        journal.journal.apply("lab", [person(9)], 34)
        journal.journal.apply("hq", [person(31)], 35)
        assert json.loads(process.stdout.readline())["serial"] == 36
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        assert "Traceback" not in process.stderr.read()
    finally:
        killer.cancel()
        process.kill()
        process.wait(20)
