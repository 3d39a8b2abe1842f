"""``token``: made once and shown once, listed without itself, revoked for good."""

from __future__ import annotations

import datetime as dt
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from integration_server.store import Store
from tests.builtin.csv_files import write_old
from tests.cli.conftest import Place, Run, command, environment

HOOK = """
from integration_server import hookimpl

@hookimpl
def audit(action, subject, details):
    with open({path!r}, "a") as file:
        file.write(repr((action, subject, dict(details))) + "\\n")
"""


def listed(place: Place, run: Run) -> list[dict[str, object]]:
    found = json.loads(run("token", "list", "--json", "-c", place.config).stdout)
    assert isinstance(found, list)
    return found


def test_token_is_printed_once_alone_on_standard_output_and_works(place: Place, run: Run) -> None:
    result = run("token", "create", "wiki", "--scope", "events:read", "-c", place.config)
    assert result.exit_code == 0
    assert re.fullmatch(r"ist_[\w-]{43}\n", result.stdout)
    plain = result.stdout.strip()
    store = Store("", place.data)
    token = store.tokens.find(plain)
    store.close()
    assert token is not None
    assert (token.name, token.scopes, [str(one) for one in token.resources]) == ("wiki", ("events:read",), ["all"])
    assert plain not in run("token", "list", "-c", place.config).output
    assert plain.encode() not in (place.data / "store.db").read_bytes()


def test_scopes_backends_groups_and_an_end_are_kept(place: Place, run: Run) -> None:
    wanted = ["--scope", "sync:admin", "--scope", "events:read", "--backend", "hq", "--group", "hq/staff/inner"]
    made = run("token", "create", "x", *wanted, "--expires", 30, "--json", "-c", place.config)
    found = json.loads(made.stdout)
    assert found["token"].startswith("ist_")
    assert found["scopes"] == ["events:read", "sync:admin"]
    assert found["resources"] == [
        {"kind": "backend", "backend": "hq"},
        {"kind": "group", "backend": "hq", "group": "staff/inner"},
    ]
    left = dt.datetime.fromisoformat(found["expires_at"]).timestamp() - time.time()
    assert left == pytest.approx(30 * 86400, abs=60)
    (one,) = listed(place, run)
    assert one == {key: value for key, value in found.items() if key != "token"}


def test_revoked_token_is_shown_as_such_and_cannot_be_revoked_again(place: Place, run: Run) -> None:
    run("token", "create", "wiki", "--scope", "events:read", "-c", place.config)
    result = run("token", "revoke", "wiki", "-c", place.config)
    assert (result.exit_code, result.stdout) == (0, "revoked: wiki\n")
    assert listed(place, run)[0]["state"] == "revoked"
    again = run("token", "revoke", "wiki", "-c", place.config)
    assert (again.exit_code, again.stderr) == (1, "error: there is no live token 'wiki'\n")


def test_audit_hooks_hear_of_tokens_but_never_the_token(place: Place, run: Run) -> None:
    folder = place.path / "hooks"
    folder.mkdir()
    heard = place.path / "heard"
    (folder / "listener.py").write_text(HOOK.format(path=str(heard)))
    place.write("10-server.toml", '[server]\ndata_dir = "../data"\n[plugins]\nfolder = "../hooks"\n')
    place.write("20-hq.toml", "")
    place.write("30-archive.toml", "")
    plain = run("token", "create", "wiki", "--scope", "events:read", "-c", place.config).stdout.strip()
    run("token", "revoke", "wiki", "-c", place.config)
    lines = heard.read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["('token.created'", "('token.revoked'"]
    assert "'wiki'" in lines[0]
    assert plain not in heard.read_text()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--scope", "everything"], "there is no scope 'everything'; there are: events:read"),
        ([], "Missing option '--scope'"),
        (["--scope", "events:read", "--backend", "lab"], "there is no backend 'lab'; there are: hq"),
        (["--scope", "events:read", "--group", "staff"], "--group staff: write BACKEND/GROUP"),
        (["--scope", "events:read", "--group", "hq/"], "write BACKEND/GROUP"),
        (["--scope", "events:read", "--expires", "0"], "a token that ends at once is of no use"),
        (["--scope", "events:read", "--expires", "soon"], "'soon' is neither a number of days nor a date"),
        (["--scope", "events:read", "--expires", "2001-01-01"], "has passed already"),
        (["--scope", "events:read", "--expires", "0001-01-01"], "has passed already"),
        (["--scope", "events:read", "--expires", "9" * 30], "is neither a number of days nor a date"),
    ],
)
def test_token_that_makes_no_sense_is_a_usage_error(place: Place, run: Run, options: list[str], told: str) -> None:
    result = run("token", "create", "x", *options, "-c", place.config)
    assert result.exit_code == 2, result.output
    assert told in " ".join(result.stderr.split())
    assert listed(place, run) == []


def test_name_that_is_taken_is_told(place: Place, run: Run) -> None:
    run("token", "create", "wiki", "--scope", "events:read", "-c", place.config)
    result = run("token", "create", "wiki", "--scope", "events:read", "-c", place.config)
    assert result.exit_code == 3
    assert "'wiki' exists" in result.stderr


def test_empty_list_says_how_to_make_one(place: Place, run: Run) -> None:
    assert "integration-server token create" in run("token", "list", "-c", place.config).stdout


@pytest.mark.parametrize("form", [[], ["--json"]])
@pytest.mark.parametrize("closed", [False, True])
def test_token_that_nobody_could_read_is_revoked(place: Place, run: Run, form: list[str], closed: bool) -> None:
    line = [*command("token", "create", "wiki", "--scope", "events:read", "-c", place.config), *form]
    shell = ["sh", "-c", '"$@" >&-' if closed else '"$@" >/dev/full', "sh", *line]
    done = subprocess.run(shell, env=environment(), capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("error: standard output cannot be written to (")
    assert "so it was revoked; make another" in done.stderr
    assert [one["state"] for one in listed(place, run)] == ["revoked"]


# -- tokens of frontends ---------------------------------------------------------------------------------------------


@pytest.fixture
def site(tmp_path: Path) -> Path:
    config = tmp_path / "site"
    config.mkdir()
    write_old(config / "people.csv", "username\nann\n")
    (config / "site.toml").write_text(
        '[server]\ndata_dir = "data"\nport = 0\n[backends.people]\ntype = "csv"\npath = "people.csv"\n'
        '[frontends.wiki]\ntype = "groupserver"\npath = "/"\nbackends = ["people"]\nsite_url = "https://wiki.example"\n'
        '[frontends.archive]\ntype = "mailstore"\npath = "/mailstore"\nbackends = ["people"]\n'
    )
    return config


def is_token(site: Path, token: str) -> bool:
    store = Store("", site / "data")
    try:
        return store.frontend_tokens.matches("wiki", token)
    finally:
        store.close()


def test_first_start_makes_the_token_and_shows_it_once(site: Path) -> None:
    shown = []
    for _ in range(2):
        command = [sys.executable, "-m", "integration_server", "serve", str(site)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(3)]
            process.terminate()
            lines += process.stdout.readlines()
        shown.append(re.findall("its token, shown this once: ([0-9A-Za-z]+)", "".join(lines)))
    assert [len(one) for one in shown] == [1, 0]
    assert is_token(site, shown[0][0])
