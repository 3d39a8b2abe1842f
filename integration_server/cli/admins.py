"""``integration-server admin``: who may sign in to the dashboard."""

from __future__ import annotations

from pathlib import Path

import click

from integration_server import normalize_name
from integration_server.cli.exits import ExitCode
from integration_server.cli.opening import ACTOR, audit_of, memory
from integration_server.cli.options import config_option, json_option
from integration_server.cli.output import moment, print_json, print_table, utc
from integration_server.cli.prompts import confirmed, read_password

_SHORTEST = 10
_stdin_option = click.option(
    "--stdin", "is_piped", is_flag=True, help="Read the password from standard input (one line)."
)


@click.group()
def command() -> None:
    """Make, list and remove the administrators who may sign in to the dashboard; change their passwords."""


@command.command()
@click.argument("name")
@config_option
@_stdin_option
@click.pass_obj
def create(is_debug: bool, name: str, folder: Path, is_piped: bool) -> None:
    """Let NAME sign in to the dashboard, with a password that is asked for."""
    with memory(folder, is_debug) as (config, store):
        name = normalize_name(name)
        store.admins.check_name(name)
        store.admins.create(name, _hash(is_piped))
        audit_of(config, store).tell("admin.created", name, {}, ACTOR)
    click.echo(f"{name} may sign in to the dashboard")


@command.command("list")
@config_option
@json_option
@click.pass_obj
def list_admins(is_debug: bool, folder: Path, is_json: bool) -> None:
    """Who may sign in, and when each of them was last seen."""
    with memory(folder, is_debug) as (_, store):
        admins = store.admins.all()
        seen: dict[str, float] = {}
        for session in store.admins.sessions():
            seen.setdefault(session.admin, session.seen_at)
    if is_json:
        rows = [
            {
                "name": one.name,
                "created_at": utc(one.created_at),
                "password_changed_at": utc(one.changed_at),
                "seen_at": utc(seen[one.name]) if one.name in seen else None,
            }
            for one in admins
        ]
        print_json(rows)
    elif admins:
        shown = [
            (
                one.name,
                moment(one.created_at),
                moment(one.changed_at),
                moment(seen[one.name]) if one.name in seen else "",
            )
            for one in admins
        ]
        print_table(["NAME", "SINCE", "PASSWORD OF", "SIGNED IN, LAST SEEN"], shown)
    else:
        click.echo("nobody may sign in to the dashboard; 'integration-server admin create NAME' makes somebody")


@command.command()
@click.argument("name")
@config_option
@_stdin_option
@click.pass_context
def password(ctx: click.Context, name: str, folder: Path, is_piped: bool) -> None:
    """Give NAME another password, and end their sessions. Exit code 1: there is no such administrator."""
    with memory(folder, ctx.obj) as (config, store):
        name = normalize_name(name)
        if store.admins.get(name) is None:
            _nobody(ctx, name)
        store.admins.set_password(name, _hash(is_piped))
        audit_of(config, store).tell("admin.password_changed", name, {}, ACTOR)
    click.echo(f"the password of {name} is changed, and their sessions have ended")


@command.command()
@click.argument("name")
@config_option
@click.option("--yes", "is_sure", is_flag=True, help="Do not ask.")
@click.pass_context
def delete(ctx: click.Context, name: str, folder: Path, is_sure: bool) -> None:
    """Have NAME sign in no more, and end their sessions. Exit code 1: there is no such administrator."""
    with memory(folder, ctx.obj) as (config, store):
        name = normalize_name(name)
        if store.admins.get(name) is None:
            _nobody(ctx, name)
        if not is_sure and not confirmed(f"Remove the administrator {name}?"):
            ctx.exit(ExitCode.NO)
        store.admins.delete(name)
        audit_of(config, store).tell("admin.deleted", name, {}, ACTOR)
    click.echo(f"{name} may not sign in any more")


def _nobody(ctx: click.Context, name: str) -> None:
    click.echo(f"error: there is no administrator {name!r}", err=True)
    ctx.exit(ExitCode.NO)


def _hash(is_piped: bool) -> str:
    """The argon2 hash of a password that is asked for. Raises UsageError for one that is too short."""
    from integration_server.sdk.passwords import hash_password

    typed = read_password("Password", is_piped, "--stdin", is_new=True)
    if len(typed) < _SHORTEST:
        raise click.UsageError(f"the password must have {_SHORTEST} characters or more")
    try:
        return hash_password(typed, "argon2")
    except ValueError as exc:
        raise click.UsageError(str(exc)) from None
