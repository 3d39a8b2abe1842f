"""``gs_auth_token_create``: arguments, output and exit codes of GroupServer's program."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from integration_server.store import Store
from integration_server.store.groupserver_option import read_token
from tests.cli.conftest import environment
from tests.servers import PostgreSql
from tests.store.groupserver import make_option_table

SAID = re.compile(
    r"The token for the web hooks of GroupServer has been changed\. It is now\n"
    r"\n"
    r"    ([0-9A-Za-z]{28,32})\n"
    r"\n"
    r"Please update the configuration files [^\n]*\n[^\n]*\.\n"
)


def create(*arguments: object, shell: str = '"$@"') -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-m", "integration_server.cli.gs_auth_token_create"]
    line = ["sh", "-c", shell, "sh", *program, *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, timeout=60, check=False, env=environment())


@pytest.fixture
def dsn(postgresql: PostgreSql) -> str:
    return make_option_table(postgresql.create_database())


def test_token_of_a_groupserver_is_changed_and_shown(dsn: str) -> None:
    done = create(dsn)
    assert (done.returncode, done.stderr) == (0, "")
    found = SAID.fullmatch(done.stdout)
    assert found, done.stdout
    assert read_token(dsn) == found.group(1)


def test_token_of_a_store_is_changed_and_shown(tmp_path: Path) -> None:
    store = Store("", tmp_path)
    store.frontend_tokens.ensure("hooks")
    done = create(f"sqlite:///{tmp_path / 'store.db'}")
    assert done.returncode == 0, done.stderr
    found = SAID.fullmatch(done.stdout)
    assert found, done.stdout
    assert store.frontend_tokens.matches("hooks", found.group(1))
    store.close()


def test_dsn_that_cannot_be_used_is_exit_code_1(postgresql: PostgreSql, tmp_path: Path) -> None:
    store = Store("", tmp_path)
    store.frontend_tokens.ensure("hooks")
    store.frontend_tokens.ensure("branch")
    store.close()
    for dsn in ("nonsense", "mysql://h/x", postgresql.create_database(), f"sqlite:///{tmp_path / 'store.db'}"):
        done = create(dsn)
        assert (done.returncode, done.stdout) == (1, ""), dsn
        assert re.fullmatch(r"(gs_auth_token_create: [^\n]+\n)+", done.stderr), done.stderr
        assert postgresql.password not in done.stderr


def test_database_that_cannot_be_reached_is_exit_code_2(postgresql: PostgreSql, dsn: str, tmp_path: Path) -> None:
    unreachable = (
        "postgres://somebody:hush@127.0.0.1:1/groupserver",
        dsn.replace(postgresql.password, "hush"),
        f"{dsn}_which_there_is_not",
        f"sqlite:///{tmp_path / 'store.db'}",
    )
    for each in unreachable:
        done = create(each)
        assert (done.returncode, done.stdout) == (2, ""), each
        assert re.fullmatch(r"(gs_auth_token_create: [^\n]+\n)+", done.stderr), done.stderr
        assert "hush" not in done.stderr
    assert read_token(dsn) == "oldToken"


def test_what_is_typed_wrongly_is_exit_code_2_and_changes_nothing(dsn: str) -> None:
    for arguments in ([], [dsn, "more"], [dsn, "--verbose"], [dsn, "--config", "x"], ["--hel"]):
        done = create(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("usage: gs_auth_token_create [-h] DSN\n")
    for option in ("-h", "--help"):
        done = create(option)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("usage: gs_auth_token_create [-h] DSN\n")
    assert read_token(dsn) == "oldToken"


def test_token_that_nobody_could_read_is_told(dsn: str) -> None:
    done = create(dsn, shell='"$@" >/dev/full')
    assert done.returncode == 1
    assert done.stderr.startswith("gs_auth_token_create: standard output cannot be written to (")
    assert "the token was changed; change it again" in done.stderr
    assert read_token(dsn) != "oldToken"
