"""``subscriptions``: made, shown without secrets, tried, paused, replayed and ended from the command line."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from typing import Any

import flask
import pytest

from integration_server.server.election import FileSeat
from integration_server.server.installation import opened
from integration_server.store import Store
from integration_server.store.journal import Change
from integration_server.store.subscriptions import StoredSecret
from tests.cli.conftest import BACKEND, Place, Run, command, environment, in_terminal, subscription

NOTES = '[subscriptions.notes]\ntype = "notebook"\nfile = "../notes.jsonl"\nkey = "sample"\nmood_file = "../mood"\n'


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    found = Store("", place.data)
    yield found
    found.close()


def listed(place: Place, run: Run) -> list[dict[str, Any]]:
    found = json.loads(run("subscriptions", "list", "--json", "-c", place.config).stdout)
    assert isinstance(found, list)
    return found


def add(place: Place, run: Run, *options: object, name: str = "wiki") -> Any:
    return run(
        "subscriptions", "add", name, "--type", "notebook", "--set", "file=../w.jsonl", *options, "-c", place.config
    )


def test_name_that_the_configuration_has_cannot_be_added(place: Place, run: Run) -> None:
    place.write("60-wiki.toml", '[subscriptions.wiki]\ntype = "webhook"\nurl = "https://wiki.example/"\n')
    result = run("subscriptions", "add", "wiki", "--url", "https://other.example/", "-c", place.config)
    assert result.exit_code == 2
    assert "[subscriptions.wiki] stands in the configuration" in result.stderr


def test_added_subscription_is_listed_with_its_secret_shown_once(place: Place, run: Run) -> None:
    place.write("20-hq.toml", BACKEND + "sync = {}\n")
    result = add(place, run, "--backend", "hq", "--group", "mail", "--event", "user.*", "--set", "batch_size=5")
    assert result.exit_code == 0, result.output
    (one,) = listed(place, run)
    assert result.stdout.splitlines() == [
        f"added: wiki has the id {one['id']}",
        "secret, shown this once: note_aaaaaaaaaaaaaaaaaaaaaaaa",
    ]
    assert one["name"] == "wiki"
    assert one["owner"] == "cli"
    assert one["resource"] == {"kind": "group", "backend": "hq", "group": "mail"}
    assert (one["events"], one["batch_size"], one["secrets"], one["state"]) == (["user.*"], 5, 1, "ok")
    shown = run("subscriptions", "list", "-c", place.config).stdout
    assert "hq/mail" in shown
    assert "note_a" not in shown + run("subscriptions", "show", "wiki", "-c", place.config).stdout


def test_settings_are_toml_or_text_and_tables_go_by_dots(place: Place, run: Run) -> None:
    result = run(
        *("subscriptions", "add", "hook", "--url", "https://example.org/x?key=topsecret", "--json"),
        *(
            "--set",
            "headers.Authorization=Bearer abc",
            "--set",
            "timeout_seconds=5",
            "--set",
            'events=["user.created"]',
        ),
        *("-c", place.config),
    )
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["secret"].startswith("whsec_")
    shown = json.loads(run("subscriptions", "show", "hook", "--json", "-c", place.config).stdout)
    assert shown["events"] == ["user.created"]
    assert shown["settings"]["timeout_seconds"] == 5
    assert list(shown["settings"]["headers"]) == ["Authorization"]
    for form in (["--json"], []):
        text = run("subscriptions", "show", "hook", *form, "-c", place.config).stdout
        assert "example.org/x" in text
        assert "topsecret" not in text
        assert "abc" not in text


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (["--type", "nothing"], 3, "there is no 'nothing'; there are: "),
        (["--set", "files=x"], 3, "subscriptions.wiki.files: unknown key; did you mean 'file'?"),
        (["--backend", "lab"], 3, "subscriptions.wiki.backend: there is no [backends.lab]; there are: hq"),
        (["--group", "x"], 3, "subscriptions.wiki.group: say which backend's group it is"),
        (["--event", "x"], 3, "no type of event is 'x'"),
        (["--set", "mood_file=../w.jsonl"], 3, "file and mood_file must be two"),
        (["--set", "nonsense"], 2, "--set nonsense: write KEY=VALUE"),
        (["--set", "a b=c"], 2, "a b is no key"),
        (["--after", 1], 2, "the last serial is 0"),
        (["--after", 0, "--everybody"], 2, "exclude each other"),
    ],
)
def test_subscription_that_cannot_work_is_not_made(
    place: Place, run: Run, options: list[object], code: int, told: str
) -> None:
    result = add(place, run, *options)
    assert result.exit_code == code, result.output
    assert told in " ".join(result.stderr.split())
    assert listed(place, run) == []


def test_name_that_is_taken_is_told(place: Place, run: Run) -> None:
    add(place, run)
    result = add(place, run)
    assert result.exit_code == 1
    assert "'wiki' already" in result.stderr
    assert len(listed(place, run)) == 1


def test_whoever_is_told_of_nothing_is_told_so(place: Place, run: Run) -> None:
    assert "no backend has a [backends.NAME.sync] table yet" in add(place, run).stderr


def test_where_a_subscription_begins_is_ones_choice(place: Place, run: Run, store: Store) -> None:
    _events(store, 5)
    beginnings: dict[str, list[object]] = {"now": [], "past": ["--after", 2], "all": ["--everybody"]}
    for name, options in beginnings.items():
        assert add(place, run, *options, name=name).exit_code == 0
    found = {one["name"]: (one["serial"], one["is_replaying"]) for one in listed(place, run)}
    assert found == {"now": (5, False), "past": (2, False), "all": (5, True)}
    store.journal.prune(1e12, 3)
    result = add(place, run, "--after", 2, name="late")
    assert result.exit_code == 2
    assert "events up to serial 3 are no longer kept; say --everybody, or --after 3" in result.stderr


def test_test_event_is_sent_without_a_server(place: Place, run: Run) -> None:
    add(place, run)
    result = run("subscriptions", "test", "wiki", "-c", place.config)
    assert (result.exit_code, result.stdout) == (0, "delivered: wiki answered with status 200\n")
    (line,) = (place.path / "w.jsonl").read_text().splitlines()
    assert json.loads(line)["secrets"] == ["note_aaaaaaaaaaaaaaaaaaaaaaaa"]


@pytest.mark.parametrize("mood", ["failed", "unavailable", "refused", "gone"])
def test_test_event_that_is_not_taken_is_a_no_with_the_reason(place: Place, run: Run, mood: str) -> None:
    place.write("40-notes.toml", NOTES)
    (place.path / "mood").write_text(mood)
    result = run("subscriptions", "test", "notes", "-c", place.config)
    assert result.exit_code == 1
    assert f"error: not delivered: the notebook is {mood}" in result.stderr
    found = json.loads(run("subscriptions", "test", "notes", "--json", "-c", place.config).stdout)
    assert found == {"is_delivered": False, "status": 500, "error": f"the notebook is {mood}", "response": None}


def test_configured_subscription_is_shown_but_ended_in_its_file_only(place: Place, run: Run) -> None:
    path = place.write("40-notes.toml", NOTES)
    assert (
        "[subscriptions.notes] begins when the server starts" in run("subscriptions", "list", "-c", place.config).stdout
    )
    run("subscriptions", "test", "notes", "-c", place.config)
    (one,) = listed(place, run)
    assert (one["id"], one["owner"], one["name"]) == ("sub_config_notes", "config", "notes")
    text = run("subscriptions", "show", "notes", "-c", place.config).stdout
    assert "../notes.jsonl" in text
    assert "sample" not in text
    result = run("subscriptions", "remove", "notes", "--yes", "-c", place.config)
    assert result.exit_code == 3
    assert f"{path}: [subscriptions.notes] stands there" in result.stderr
    paused = run("subscriptions", "pause", "notes", "-c", place.config)
    assert paused.exit_code == 0
    assert f"is_active in {path} decides again" in paused.stderr


def test_paused_subscription_is_resumed(place: Place, run: Run, store: Store) -> None:
    store.subscriptions.add(subscription("wiki", state="quarantined", state_reason="it is down"))
    assert run("subscriptions", "pause", "wiki", "-c", place.config).stdout == "paused: wiki\n"
    assert "paused" in run("subscriptions", "list", "-c", place.config).stdout
    assert run("subscriptions", "resume", "sub_wiki", "-c", place.config).stdout == "resumed: wiki\n"
    (one,) = listed(place, run)
    assert (one["is_active"], one["state"], one["state_reason"]) == (True, "ok", None)


def test_removed_subscription_is_gone_with_what_waited(place: Place, run: Run, store: Store) -> None:
    store.subscriptions.add(subscription("wiki"))
    result = run("subscriptions", "remove", "wiki", "-c", place.config)
    assert result.exit_code == 2
    assert "say --yes" in result.stderr
    question = "Remove wiki, with 0 undelivered events? [y/N]: "
    assert in_terminal([(question, "n\n")], "subscriptions", "remove", "wiki", "-c", place.config)[0] == 1
    assert len(listed(place, run)) == 1
    assert run("subscriptions", "remove", "wiki", "--yes", "-c", place.config).stdout == "removed: wiki\n"
    assert listed(place, run) == []


def test_rotated_secret_is_printed_once_and_the_old_one_signs_on_for_a_while(
    place: Place, run: Run, store: Store
) -> None:
    store.subscriptions.add(subscription("wiki", secrets=(StoredSecret("note_old"),)))
    result = run("subscriptions", "rotate-secret", "wiki", "-c", place.config)
    assert (result.exit_code, result.stdout) == (0, "note_aaaaaaaaaaaaaaaaaaaaaaaa\n")
    found = store.subscriptions.get("sub_wiki")
    assert found is not None
    new, old = found.secrets
    assert (new.secret, new.until, old.secret) == ("note_aaaaaaaaaaaaaaaaaaaaaaaa", None, "note_old")
    assert old.until is not None
    run("subscriptions", "rotate-secret", "wiki", "--overlap-hours", 0, "-c", place.config)
    assert listed(place, run)[0]["secrets"] == 1


def test_secret_that_stands_in_the_configuration_is_rotated_there(place: Place, run: Run) -> None:
    secret = "whsec_" + "A" * 40
    place.write("40-hook.toml", f'[subscriptions.hook]\ntype = "webhook"\nurl = "http://x.test"\nsecret = "{secret}"\n')
    with opened(place.config) as installation:
        installation.forwarding.bring_configured()
    result = run("subscriptions", "rotate-secret", "hook", "-c", place.config)
    assert result.exit_code == 3
    assert "stands in its settings" in result.stderr


def test_replay_begins_at_a_serial_a_time_or_with_everybody(place: Place, run: Run, store: Store) -> None:
    _events(store, 5)
    store.subscriptions.add(subscription("wiki", cursor=5))

    def replay(*options: object) -> tuple[int, Any, Any]:
        result = run("subscriptions", "replay", "wiki", *options, "-c", place.config)
        (one,) = listed(place, run)
        return result.exit_code, one["serial"], one["is_replaying"]

    assert replay("--after", 2) == (0, 2, False)
    assert replay("--since", "2031-01-01T00:00:00+00:00") == (0, 5, False)
    assert replay("--since", "2001-01-01") == (0, 0, False)
    assert replay("--everybody") == (0, 5, True)
    for wrong in ([], ["--after", 2, "--everybody"], ["--after", 9], ["--since", "soon"]):
        assert replay(*wrong)[0] == 2
    store.journal.prune(1e12, 3)
    assert replay("--since", "2001-01-01")[0] == 2
    assert replay("--after", 1) == (2, 5, True)


@pytest.mark.parametrize(
    "verb",
    [["show"], ["remove", "--yes"], ["pause"], ["resume"], ["test"], ["rotate-secret"], ["replay", "--everybody"]],
)
def test_unknown_subscription_is_a_usage_error(place: Place, run: Run, store: Store, verb: list[str]) -> None:
    store.subscriptions.add(subscription("wiki"))
    result = run("subscriptions", verb[0], "wika", *verb[1:], "-c", place.config)
    assert result.exit_code == 2
    assert "there is no subscription 'wika'; there are: wiki" in result.stderr


def test_subscription_of_the_api_is_tried_there_without_workers_and_shown_here_with_its_tokens_name(
    place: Place, run: Run
) -> None:
    place.write("11-forwarding.toml", '[forwarding]\nallow_networks = ["127.0.0.1"]\n')
    made = run("token", "create", "zap", "--scope", "subscriptions:write", "-c", place.config)
    headers = {"Authorization": f"Bearer {made.stdout.strip()}"}
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/?key=topsecret"
    with opened(place.config) as installation:
        app = installation.app()
        assert isinstance(app, flask.Flask)
        caller = app.test_client()
        new = caller.post("/api/v1/subscriptions", json={"url": url}, headers=headers).get_json()
        tried = caller.post(f"/api/v1/subscriptions/{new['id']}/test", headers=headers)
    assert (tried.status_code, tried.get_json()["delivered"]) == (200, False)
    (one,) = listed(place, run)
    assert (one["id"], one["owner"], one["type"]) == (new["id"], "zap", "webhook")
    text = run("subscriptions", "show", new["id"], "-c", place.config).stdout
    assert "127.0.0.1" in text
    assert "topsecret" not in text


def test_name_of_two_subscriptions_wants_an_id(place: Place, run: Run, store: Store) -> None:
    store.subscriptions.add(subscription("wiki"))
    store.subscriptions.add(subscription("wiki", id="sub_2", owner="tok_1"))
    result = run("subscriptions", "pause", "wiki", "-c", place.config)
    assert result.exit_code == 2
    assert "several have the name 'wiki'; say which id: sub_2, sub_wiki" in result.stderr
    assert run("subscriptions", "pause", "sub_2", "-c", place.config).exit_code == 0


def _events(store: Store, count: int) -> None:
    for number in range(count):
        document = {"id": str(number), "username": f"u{number}", "groups": []}
        store.journal.apply("hq", [Change("create", str(number), bytes(16), document)], 0)


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_secret_that_nobody_could_read_leaves_the_old_one(
    place: Place, run: Run, store: Store, form: list[str]
) -> None:
    store.subscriptions.add(subscription("wiki", secrets=(StoredSecret("note_old"),)))
    line = command("subscriptions", "rotate-secret", "wiki", "-c", place.config, *form)
    done = subprocess.run(
        ["sh", "-c", '"$@" >/dev/full', "sh", *line], env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "so the old one stays" in done.stderr
    (one,) = store.subscriptions.all()
    assert one.secrets == (StoredSecret("note_old"),)


def test_webhook_without_a_url_is_told_what_to_give(place: Place, run: Run) -> None:
    result = run("subscriptions", "add", "x", "-c", place.config)
    assert result.exit_code == 2
    assert "give --url URL" in result.stderr


def test_list_says_when_nobody_delivers(place: Place, run: Run, store: Store) -> None:
    store.subscriptions.add(subscription("wiki"))
    seat = FileSeat(place.data / "workers.lock")
    assert seat.take()
    assert run("subscriptions", "list", "-c", place.config).stderr == ""
    seat.release()
    told = "no process notices changes or delivers now; start 'integration-server serve' or 'work'\n"
    assert run("subscriptions", "list", "-c", place.config).stderr == told
    place.write("20-hq.toml", BACKEND + "sync = {}\n")
    assert run("sync", "status", "-c", place.config).stderr == told


def test_what_turns_the_direction_of_writing_is_shown_escaped(place: Place, run: Run, store: Store) -> None:
    store.subscriptions.add(subscription("wi\u202eki\x9b2J\u2066"))
    said = run("subscriptions", "list", "-c", place.config).stdout
    assert "wi\\u202eki\\x9b2J\\u2066" in said
