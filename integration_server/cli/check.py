"""``integration-server check``: everything that is wrong, as far as it can be seen from here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click

from integration_server.cli.exits import ExitCode
from integration_server.cli.findings import Line
from integration_server.cli.options import Span, config_argument, json_option
from integration_server.cli.output import number, print_finding, print_json


@click.command()
@config_argument
@click.option("--list", "is_listing", is_flag=True, help="Also walk every backend's whole listing.")
@click.option("--seconds", type=Span(0.1, 3600), default=20.0, show_default=True, help="Time limit for each backend.")
@click.option("--offline", is_flag=True, help="Read and open everything, and ask nobody: as far as a start does.")
@json_option
@click.pass_context
def command(ctx: click.Context, folder: Path, is_listing: bool, seconds: float, offline: bool, is_json: bool) -> None:
    """Check every file, plugin, backend and frontend, and the store; say what is wrong and where.

    Exit code 0: nothing is wrong (there may be warnings), 3: something is, 4: a backend is down, the rest is fine.
    """
    from integration_server.cli.inspection import inspect
    from integration_server.server import logs

    logs.configure_command(ctx.obj)
    if offline:
        if is_listing or is_json:
            raise click.UsageError("--offline goes with neither --list nor --json")
        _start(folder)
        return
    lines: list[Line] = []
    for line in inspect(folder, seconds, is_listing):
        lines.append(line)
        if not is_json:
            print_finding(line.where, line.level, line.message)
    if is_json:
        print_json([{"where": one.where, "level": one.level, "message": one.message} for one in lines])
    else:
        click.echo(_summary(lines))
    ctx.exit(exit_code_of(lines))


def _start(folder: Path) -> None:
    """What a start does before it listens. Raises ConfigError."""
    from integration_server.server.installation import opened

    with opened(folder) as installation:
        installation.app()
    click.echo("the configuration can be used")


def exit_code_of(lines: Sequence[Line]) -> ExitCode:
    levels = {line.level for line in lines}
    if "error" in levels:
        return ExitCode.CONFIG
    return ExitCode.UNAVAILABLE if "unavailable" in levels else ExitCode.OK


def _summary(lines: Sequence[Line]) -> str:
    counted = Counter(line.level for line in lines)
    words = (("error", "error", None), ("unavailable", "outage", None), ("warning", "warning", None))
    said = [number(counted[level], one, several) for level, one, several in words if counted[level]]
    return ", ".join(said) or "all is well"
