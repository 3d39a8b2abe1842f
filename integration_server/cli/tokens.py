"""``integration-server token``: who may use the API, and the token of a frontend."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from integration_server.cli.exits import ExitCode
from integration_server.cli.frontend_tokens import rotate
from integration_server.cli.opening import ACTOR, audit_of, chosen, memory
from integration_server.cli.options import config_option, json_option
from integration_server.cli.output import moment, print_json, print_table, tell_once, utc

if TYPE_CHECKING:
    from integration_server.config import Config
    from integration_server.store.resources import Resource
    from integration_server.store.tokens import Scope, Token


@click.group()
def command() -> None:
    """Make, list and revoke the bearer tokens of the API; change the token of a GroupServer frontend."""


command.add_command(rotate)


def _checked_scopes(_ctx: click.Context, _param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    from integration_server.store.tokens import SCOPES

    for scope in value:
        if scope not in SCOPES:
            raise click.BadParameter(f"there is no scope {scope!r}; there are: {', '.join(SCOPES)}")
    return value


def _checked_expiry(_ctx: click.Context, _param: click.Parameter, value: str | None) -> float | None:
    """Unix seconds."""
    from integration_server.store.tokens import expiry

    if value is None:
        return None
    try:
        if not value.strip():
            raise ValueError("say when it ends")
        return expiry(value, time.time())
    except ValueError as exc:
        raise click.BadParameter(str(exc)) from None


@command.command()
@click.argument("name")
@config_option
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    callback=_checked_scopes,
    help="events:read, subscriptions:write or sync:admin; repeat it for several.",
)
@click.option("--backend", "backends", multiple=True, help="May see this backend only; repeat it for several.")
@click.option(
    "--group", "groups", multiple=True, metavar="BACKEND/GROUP", help="May see this group only; repeat it for several."
)
@click.option(
    "--expires",
    "expires_at",
    metavar="DAYS|DATE",
    callback=_checked_expiry,
    help="Ends after so many days, or at this date (ISO 8601; UTC where it names no zone). Else never.",
)
@json_option
@click.pass_obj
def create(
    is_debug: bool,
    name: str,
    folder: Path,
    scopes: tuple[str, ...],
    backends: tuple[str, ...],
    groups: tuple[str, ...],
    expires_at: float | None,
    is_json: bool,
) -> None:
    """Make a token and print it, this once: the store keeps a digest only.

    Without --backend and --group it may see everything.
    """
    with memory(folder, is_debug) as (config, store):
        resources = _resources(config, backends, groups)
        token, plain = store.tokens.create(name, cast("Sequence[Scope]", scopes), resources, expires_at)
        audit = audit_of(config, store)
        audit.tell("token.created", name, _as_json(token), ACTOR)

        def tell() -> None:
            if is_json:
                print_json({**_as_json(token), "token": plain})
            else:
                click.echo(plain)

        def take_back() -> None:
            store.tokens.revoke(name)
            audit.tell("token.revoked", name, _as_json(token), ACTOR)

        tell_once(tell, take_back, "nobody has seen the token, so it was revoked; make another")
    if not is_json:
        click.echo(f"the token {name}, shown this once; a caller sends it as 'Authorization: Bearer ...'", err=True)


def _resources(config: Config, backends: Sequence[str], groups: Sequence[str]) -> list[Resource]:
    from integration_server.store.resources import Resource

    known = list(config.backends)
    found = [Resource("backend", chosen(name, known, "backend", "--backend")) for name in backends]
    for text in groups:
        backend, slash, group = text.partition("/")
        if not slash or not group:
            raise click.UsageError(f"--group {text}: write BACKEND/GROUP")
        found.append(Resource("group", chosen(backend, known, "backend", "--group"), group))
    return found or [Resource("all")]


@command.command("list")
@config_option
@json_option
@click.pass_obj
def list_tokens(is_debug: bool, folder: Path, is_json: bool) -> None:
    """Every token, also those that are revoked or expired; never the token itself."""
    with memory(folder, is_debug) as (_, store):
        tokens = store.tokens.all()
    if is_json:
        print_json([_as_json(token) for token in tokens])
    elif tokens:
        print_table(["NAME", "STATE", "SCOPES", "MAY SEE", "CREATED", "EXPIRES", "LAST USED"], map(_row, tokens))
    else:
        click.echo("there is no token; 'integration-server token create' makes one")


@command.command()
@click.argument("name")
@config_option
@click.pass_context
def revoke(ctx: click.Context, name: str, folder: Path) -> None:
    """End the token NAME for good.

    Subscriptions that were made with it go on; 'subscriptions remove' ends them. Exit code 1: there is no such token.
    """
    with memory(folder, ctx.obj) as (config, store):
        token = store.tokens.revoke(name)
        if token is None:
            click.echo(f"error: there is no live token {name!r}", err=True)
            ctx.exit(ExitCode.NO)
        audit_of(config, store).tell("token.revoked", name, _as_json(token), ACTOR)
    click.echo(f"revoked: {name}")


def _state(token: Token) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "live" if token.is_live(time.time()) else "expired"


def _row(token: Token) -> Sequence[object]:
    times = (token.created_at, token.expires_at, token.used_at)
    seen = [str(resource) for resource in token.resources]
    return (token.name, _state(token), token.scopes, seen, *(at and moment(at) for at in times))


def _as_json(token: Token) -> dict[str, object]:
    times = {name: getattr(token, name) for name in ("created_at", "expires_at", "revoked_at", "used_at")}
    return {
        "id": token.id,
        "name": token.name,
        "state": _state(token),
        "scopes": list(token.scopes),
        "resources": [resource.as_json() for resource in token.resources],
        **{name: at and utc(at) for name, at in times.items()},
    }
