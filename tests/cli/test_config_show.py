"""``config show``: every value in force with its file, and no secret."""

from __future__ import annotations

import json
from typing import Any

from tests.cli.conftest import BACKEND, FRONTEND, Place, Run


def settings(place: Place, run: Run, **extra: Any) -> dict[tuple[str, str], tuple[Any, str | None]]:
    found = json.loads(run("config", "show", place.config, "--json", **extra).stdout)
    return {(one["table"], one["key"]): (one["value"], one["file"]) for one in found}


def test_every_value_bears_its_file_or_counts_as_default(place: Place, run: Run) -> None:
    place.write("20-hq.toml", BACKEND + 'map.full_name = "{login} {no}"\nfilter.exclude = ["x*", "y*"]\n')
    found = settings(place, run)
    assert found["server", "port"] == (0, "10-server.toml")
    assert found["server", "threads"] == (32, None)
    assert found["backends.hq", "file"] == ("../people.json", "20-hq.toml")
    assert found["backends.hq", "filter.exclude"] == (["x*", "y*"], "20-hq.toml")
    assert found["backends.hq", "filter.include"] == ([], None)
    assert found["backends.hq", "map.full_name"] == ("{login} {no}", "20-hq.toml")
    assert found["backends.hq", "map.username"] == ("login", None)
    assert found["frontends.archive", "guard.small_list"] == (20, None)


def test_secrets_are_masked_wherever_they_come_from(place: Place, run: Run) -> None:
    place.write("11-store.toml", '[store]\nurl = "sqlite:////tmp/hidden-place.db"\n')
    (place.config / "pw").write_text("file-secret\n")
    plain = FRONTEND.replace("archive", "a").replace("/mailstore", "/a")
    by_env = (
        FRONTEND.replace("archive", "b")
        .replace("/mailstore", "/b")
        .replace('''"sample of '$HOME'"''', '{ env = "PW" }')
    )
    by_file = (
        FRONTEND.replace("archive", "c")
        .replace("/mailstore", "/c")
        .replace('''"sample of '$HOME'"''', '{ file = "pw" }')
    )
    place.write("30-archive.toml", plain + by_env + by_file)
    for form in ("--json", None):
        result = run("config", "show", place.config, *([form] if form else []), env={"PW": "env-secret"})
        assert result.exit_code == 0
        for secret in ("sample of", "env-secret", "file-secret", "hidden-place"):
            assert secret not in result.output
    found = settings(place, run, env={"PW": "env-secret"})
    assert found["frontends.a", "password"] == ("**********", "30-archive.toml")
    assert found["frontends.b", "password"] == ("********** (from env PW)", "30-archive.toml")
    assert found["frontends.c", "password"] == ("********** (from file pw)", "30-archive.toml")
    assert found["store", "url"] == ("**********", "11-store.toml")


def test_password_inside_a_url_that_is_no_secret_to_its_plugin_is_masked(place: Place, run: Run) -> None:
    place.write("20-hq.toml", '[backends.hq]\ntype = "roster"\nfile = "http://me:topsecret@example.org/"\n')
    assert settings(place, run)["backends.hq", "file"][0] == "http://me:**********@example.org/"


def test_table_reads_as_the_file_is_written(place: Place, run: Run) -> None:
    lines = [line.split() for line in run("config", "show", place.config).stdout.splitlines()]
    assert ["[server]", "host", '"127.0.0.1"', "default"] in lines
    assert ["[server]", "port", "0", "10-server.toml"] in lines
    assert ["[frontends.archive]", "demo_password", "true", "30-archive.toml"] in lines
    assert ["[frontends.archive]", "password", "**********", "30-archive.toml"] in lines


def test_faulty_configuration_is_told_as_everywhere(place: Place, run: Run) -> None:
    path = place.write("20-hq.toml", '[backends.hq]\ntype = "rooster"\n')
    result = run("config", "show", place.config)
    assert result.exit_code == 3
    assert result.stderr.startswith(f"error: {path}: backends.hq.type: there is no 'rooster'; there are: ")
