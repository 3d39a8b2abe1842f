"""``integration-server throttle``: who is refused for wrong passwords, and the end of that."""

from __future__ import annotations

import time
from pathlib import Path

import click

from integration_server import normalize_name
from integration_server.cli.exits import ExitCode
from integration_server.cli.opening import ACTOR, audit_of, store
from integration_server.cli.options import config_option, json_option
from integration_server.cli.output import moment, number, print_json, print_table, utc


@click.group()
def command() -> None:
    """Show and end the pauses that follow wrong passwords."""


@command.command("list")
@config_option
@json_option
@click.pass_obj
def list_failures(is_debug: bool, folder: Path, is_json: bool) -> None:
    """Everybody with wrong passwords that still count, and until when they are refused.

    "(caller) ..." is not a person but the service user name of a frontend's caller, as a digest.
    """
    from integration_server.config import load
    from integration_server.directory.throttle import ThrottlePolicy

    config = load(folder)
    policy = ThrottlePolicy(**config.core.throttle.model_dump())
    now = time.time()
    with store(config, is_debug) as found:
        failures = list(found.failed_logins.everybody(now - policy.window_seconds))
    until = [blocked if (blocked := policy.blocked_until(one)) > now else None for one in failures]
    if is_json:
        keys = ("mount", "user", "caller", "wrong_passwords", "last_at", "refused_until")
        rows = [
            (f.who.mount, f.who.username, f.who.caller, f.count, utc(f.last_at), end and utc(end))
            for f, end in zip(failures, until, strict=True)
        ]
        print_json([dict(zip(keys, row, strict=True)) for row in rows])
    elif failures:
        headers = ["FRONTEND", "USER", "CALLER", "WRONG PASSWORDS", "LAST", "REFUSED UNTIL"]
        print_table(
            headers,
            [
                (f.who.mount, f.who.username, f.who.caller, f.count, moment(f.last_at), end and moment(end))
                for f, end in zip(failures, until, strict=True)
            ],
        )
    else:
        click.echo("no wrong passwords count at the moment")


@command.command()
@click.argument("name", required=False)
@click.option("--all", "is_all", is_flag=True, help="Forget everybody's.")
@config_option
@click.pass_context
def clear(ctx: click.Context, name: str | None, is_all: bool, folder: Path) -> None:
    """Forget the wrong passwords of NAME on all frontends, so that the right one works at once."""
    from integration_server.config import load

    if (name is None) != is_all:
        raise click.UsageError("give a NAME, or --all")
    config = load(folder)
    with store(config, ctx.obj) as found:
        audit = audit_of(config, found)
        removed = found.failed_logins.forget(None if name is None else normalize_name(name))
        if removed:
            subject = "(everybody)" if name is None else normalize_name(name)
            audit.tell("throttle.cleared", subject, {"wrong_passwords": removed}, ACTOR)
    click.echo(f"forgot {number(removed, 'wrong password')}")
    ctx.exit(ExitCode.OK if removed or is_all else ExitCode.NO)
