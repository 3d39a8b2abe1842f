"""``integration-server auth``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from integration_server.cli.exits import ExitCode
from integration_server.cli.opening import chosen_mount, installation
from integration_server.cli.options import config_argument, json_option
from integration_server.cli.output import print_json, print_table, shown
from integration_server.cli.prompts import read_password

if TYPE_CHECKING:
    from integration_server.directory.dispatch import Asked
    from integration_server.directory.mount import Mount


@click.command()
@click.argument("name")
@config_argument
@click.option("--mount", "mount_name", metavar="NAME", help="The frontend to log in at, where there are several.")
@click.option("--password-stdin", "is_piped", is_flag=True, help="Read the password from standard input (one line).")
@json_option
@click.pass_context
def command(ctx: click.Context, name: str, folder: Path, mount_name: str | None, is_piped: bool, is_json: bool) -> None:
    """Log NAME in as a frontend would, past its throttle, and show which backends were asked.

    Asks for the password. Exit code 0: accepted, 1: refused, 4: a backend that was needed is down.
    """
    from integration_server import DirectoryUnavailable, Verdict
    from integration_server.directory.dispatch import is_askable, told

    with installation(folder, ctx.obj) as found:
        mount = chosen_mount(found, mount_name)
        password = read_password(f"Password of {shown(name)}", is_piped, "--password-stdin")
        asked: list[Asked] = []
        verdict = Verdict.REJECTED
        if is_askable(name, password):
            try:
                verdict = found.directory.ask(mount, name, password, asked)
            except DirectoryUnavailable:
                # Who answered what is most wanted when somebody did not; the error itself is told on the way out.
                if not is_json:
                    print_table(["BACKEND", "OUTCOME", "SECONDS"], told(mount, name, asked))
                raise
        else:
            click.echo("warning: empty names and passwords, and such with NUL, are shown to no backend", err=True)
    if is_json:
        print_json(_answer(mount, name, verdict, asked))
    else:
        print_table(["BACKEND", "OUTCOME", "SECONDS"], told(mount, name, asked))
        is_accepted = verdict is Verdict.ACCEPTED
        click.echo(f"{shown(name)} on {mount.name}: {'accepted' if is_accepted else f'refused ({verdict.value})'}")
    ctx.exit(ExitCode.OK if verdict is Verdict.ACCEPTED else ExitCode.NO)


def _answer(mount: Mount, name: str, verdict: object, asked: Sequence[Asked]) -> dict[str, object]:
    from integration_server import Verdict

    assert isinstance(verdict, Verdict)
    return {
        "mount": mount.name,
        "user": name,
        "accepted": verdict is Verdict.ACCEPTED,
        "verdict": verdict.value,
        "asked": [{"backend": one.source, "outcome": one.outcome, "seconds": round(one.seconds, 6)} for one in asked],
    }
