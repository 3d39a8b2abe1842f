"""``[subscriptions.NAME]``: read as every other table, with all faults in one message, each with its file and key."""

from __future__ import annotations

import json

import pytest

from integration_server.server.installation import opened
from tests.cli.conftest import BACKEND, Place, Run

NOTES = """
[subscriptions.notes]
type = "notebook"
file = "../notes.jsonl"
key = "sample"
"""


def test_configured_receivers_are_read_with_their_own_settings(place: Place) -> None:
    place.write("40-notes.toml", NOTES + 'backend = "hq"\ngroup = "mail"\nevents = ["user.*"]\n')
    with opened(place.config) as installation:
        (settings,) = installation.forwarding.settings.values()
    assert (settings.type, settings.backend, settings.group, settings.events) == ("notebook", "hq", "mail", ("user.*",))


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ('type = "nothing"', "subscriptions.notes.type: there is no 'nothing'; there are: "),
        ("file = 'x'", "[subscriptions.notes] needs a type"),
        ('type = "notebook"\nfile = "x"\nbatchsize = 5', "batchsize: unknown key; did you mean 'batch_size'?"),
        ('type = "notebook"', "subscriptions.notes.file: is required"),
        ('type = "notebook"\nfile = "x"\nbackend = "lab"', "notes.backend: there is no [backends.lab]; there are: hq"),
        ('type = "notebook"\nfile = "x"\ngroup = "mail"', "subscriptions.notes.group: say which backend's group it is"),
        ('type = "notebook"\nfile = "x"\nevents = "user.made"', "notes.events: no type of event is 'user.made'"),
        ('type = "notebook"\nfile = "x"\nevents = []', "subscriptions.notes.events: names no event"),
        ('type = "notebook"\nfile = "x"\nmood_file = "x"', "[subscriptions.notes]: file and mood_file must be two"),
    ],
)
def test_receiver_that_cannot_work_is_named_with_file_and_key(place: Place, run: Run, lines: str, told: str) -> None:
    path = place.write("40-notes.toml", f"[subscriptions.notes]\n{lines}\n")
    result = run("serve", place.config)
    assert result.exit_code == 3
    assert result.stderr.startswith(f"error: {path}: ")
    assert told in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_faults_of_receivers_frontends_and_backends_are_told_together(place: Place, run: Run) -> None:
    place.write("20-hq.toml", BACKEND + "nonsense = 1\n")
    place.write("31-b.toml", '[frontends.b]\ntype = "mailstore"\npath = "/b"\nbackends = "lab"\n')
    place.write("40-notes.toml", NOTES + "nonsense = 2\n[subscriptions.more]\ntype = 'notebook'\n")
    told = run("serve", place.config).stderr
    for part in ("backends.hq.nonsense", "frontends.b.backends", "subscriptions.notes.nonsense", "more.file"):
        assert part in told
    assert len(told.splitlines()) == 4


def test_settings_of_receivers_are_shown_and_their_secrets_masked(place: Place, run: Run) -> None:
    place.write("40-notes.toml", NOTES)
    shown = run("config", "show", place.config, "--json")
    found = {(one["table"], one["key"]): one for one in json.loads(shown.stdout)}
    assert found["subscriptions.notes", "file"] == {
        "table": "subscriptions.notes",
        "key": "file",
        "value": "../notes.jsonl",
        "file": "40-notes.toml",
    }
    assert found["subscriptions.notes", "key"]["value"] == "**********"
    assert found["subscriptions.notes", "batch_size"]["value"] == 1
    assert found["subscriptions.notes", "batch_size"]["file"] is None
    assert "sample" not in run("config", "show", place.config).stdout.replace("sample of", "")


def test_plugins_shows_which_consumers_there_are(place: Place, run: Run) -> None:
    shown = run("plugins", "-c", place.config).stdout.splitlines()
    assert shown[0].split() == ["NAME", "BACKENDS", "FRONTENDS", "CONSUMERS", "COMMANDS", "HOOKS", "FROM"]
    assert any(line.split()[:3] == ["notebook", "notebook", "register_consumers"] for line in shown)
