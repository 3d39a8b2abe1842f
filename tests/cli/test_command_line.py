"""The command line as a whole: errors become a line and an exit code, and help comes without the heavy parts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import click
import pytest

from integration_server import (
    BackendUnavailable,
    ConfigError,
    DirectoryUnavailable,
    IntegrationError,
    ListingHeld,
    StoreUnavailable,
)
from integration_server.cli.exits import exit_code_of
from integration_server.cli.group import COMMANDS, cli
from tests.cli.conftest import Place, Run, environment, run_process

HEAVY = ("sqlalchemy", "alembic", "flask", "waitress", "ldap3", "rich", "passlib")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError(), 3),
        (BackendUnavailable(), 4),
        (DirectoryUnavailable(), 4),
        (StoreUnavailable(), 4),
        (ListingHeld(), 1),
        (IntegrationError(), 1),
    ],
)
def test_error_has_its_exit_code(error: IntegrationError, code: int) -> None:
    assert exit_code_of(error) == code


def boom(*_: Any) -> None:
    raise RuntimeError("something nobody thought of")


def test_unforeseen_error_is_a_line_of_its_own_code(place: Place, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("integration_server.config.load", boom)
    result = run("config", "show", place.config)
    assert result.exit_code == 70
    assert result.stderr.startswith("error: RuntimeError: something nobody thought of\n")
    assert "Traceback" not in result.stderr


def test_debug_shows_where_it_happened(place: Place, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("integration_server.config.load", boom)
    result = run("--debug", "config", "show", place.config)
    assert result.exit_code == 70
    assert "in boom" in result.stderr


def test_unknown_command_is_a_usage_error(run: Run) -> None:
    assert run("nonsense").exit_code == 2


def everything(command: click.Command) -> Iterator[click.Command]:
    yield command
    if isinstance(command, click.Group):
        for one in command.commands.values():
            yield from everything(one)


@pytest.mark.parametrize("name", [*COMMANDS, "ips"])
def test_every_command_says_what_it_does(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    for one in everything(command):
        assert one.get_short_help_str(200).strip()
        for option in one.params:
            assert isinstance(option, click.Argument) or option.help, f"{name} {option.name} has no help"


def test_help_loads_nothing_heavy() -> None:
    line = (
        "import sys; from integration_server.cli import main\n"
        "try: main()\nexcept SystemExit: print([m for m in sys.modules if m in " + repr(HEAVY) + "], file=sys.stderr)"
    )
    # What all commands are, only plugins know.
    for words in (["users", "--help"], ["--version"]):
        done = subprocess.run(
            [sys.executable, "-c", line, *words],
            capture_output=True,
            text=True,
            env=environment(),
            timeout=60,
            check=True,
        )
        assert done.stdout.startswith(("Usage: ", "integration-server "))
        assert done.stderr.strip() == "[]"


def test_module_runs_as_the_command_does() -> None:
    done = run_process("--version")
    assert (done.returncode, done.stdout[:20]) == (0, "integration-server 0")
