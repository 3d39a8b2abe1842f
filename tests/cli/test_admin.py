"""``admin create``, ``list``, ``password`` and ``delete``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from integration_server.cli import main
from integration_server.store import Store

PASSWORD = "correct horse battery"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.d").mkdir()
    (tmp_path / "config.d" / "all.toml").write_text("[server]\ndata_dir = '../data'\n", encoding="utf-8")
    return tmp_path


def run(folder: Path, *args: str, typed: str = "") -> Result:
    words = ["admin", args[0], "--config", str(folder / "config.d"), *args[1:]]
    return CliRunner().invoke(main, words, input=typed)


def test_administrator_comes_changes_the_password_and_goes(folder: Path) -> None:
    assert "admin create NAME" in run(folder, "list").output
    made = run(folder, "create", "Ann", "--stdin", typed=PASSWORD + "\n")
    assert (made.exit_code, made.output) == (0, "ann may sign in to the dashboard\n")
    store = Store("", folder / "data")
    first = store.admins.get("ann")
    assert first is not None
    assert first.password_hash.startswith("$argon2id$")
    store.admins.begin(first, 3600)
    (row,) = json.loads(run(folder, "list", "--json").output)
    assert (row["name"], row["seen_at"] is not None) == ("ann", True)
    assert run(folder, "password", "ann", "--stdin", typed="another long one\n").exit_code == 0
    second = store.admins.get("ann")
    assert second is not None
    assert second.password_hash != first.password_hash
    assert store.admins.sessions() == []
    assert run(folder, "delete", "ann", "--yes").exit_code == 0
    assert store.admins.all() == []
    told = [(entry.action, entry.subject, entry.actor) for entry in store.audit_log.page(None, 10)]
    actions = ["admin.deleted", "admin.password_changed", "admin.created"]
    assert told == [(action, "ann", "command line") for action in actions]
    store.close()


@pytest.mark.parametrize("name", ["", " ", "Ann Lee", "ann/x", "-ann", "ä", "a" * 101])
def test_name_that_nobody_can_have_is_told_before_a_password_is_asked_for(folder: Path, name: str) -> None:
    result = run(folder, "create", "--stdin", "--", name)
    assert result.exit_code == 3
    assert "small letters" in result.output


@pytest.mark.parametrize(
    ("typed", "told"), [("short", "10 characters"), ("x" * 5000, "4096 bytes"), ("", "10 characters")]
)
def test_password_that_cannot_be_used_is_refused(folder: Path, typed: str, told: str) -> None:
    result = run(folder, "create", "ann", "--stdin", typed=typed + "\n")
    assert result.exit_code == 2
    assert told in result.output
    assert "nobody may sign in" in run(folder, "list").output


def test_second_administrator_of_one_name_is_refused(folder: Path) -> None:
    run(folder, "create", "ann", "--stdin", typed=PASSWORD)
    result = run(folder, "create", "ANN", "--stdin", typed=PASSWORD)
    assert result.exit_code == 3
    assert "already" in result.output


@pytest.mark.parametrize("args", [("password", "bob", "--stdin"), ("delete", "bob", "--yes")])
def test_nobody_of_that_name_is_a_no(folder: Path, args: tuple[str, ...]) -> None:
    result = run(folder, *args, typed=PASSWORD)
    assert result.exit_code == 1
    assert "there is no administrator 'bob'" in result.output
