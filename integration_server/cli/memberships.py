"""``integration-server memberships``: what is kept beside directories that are not written to."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from integration_server.cli.exits import ExitCode
from integration_server.cli.opening import chosen, memory
from integration_server.cli.options import config_option, json_option
from integration_server.cli.output import moment, number, print_json, print_table, shown, utc


@click.group()
def command() -> None:
    """Show and forget memberships that are kept here (keep_memberships), beside what directories say."""


@command.command("list")
@click.option("--backend", metavar="NAME", help="Only of people of this backend.")
@config_option
@json_option
@click.pass_obj
def list_kept(is_debug: bool, backend: str | None, folder: Path, is_json: bool) -> None:
    """Every membership that is kept: who is in which group, or out of it, whatever the person's directory says."""
    with memory(folder, is_debug) as (config, store):
        if backend is not None:
            chosen(backend, list(config.backends), "backend", "--backend")
        kept = store.kept_memberships.all(backend)
    if is_json:
        print_json([asdict(one) | {"changed_at": utc(one.changed_at)} for one in kept])
    elif kept:
        print_table(
            ["BACKEND", "PERSON", "GROUP'S BACKEND", "GROUP", "IS", "SINCE"],
            [
                (
                    one.backend,
                    one.person_id,
                    one.group_backend,
                    one.group_id,
                    "in" if one.is_member else "out",
                    moment(one.changed_at),
                )
                for one in kept
            ],
        )
    else:
        click.echo("no membership is kept")


@command.command()
@click.argument("backend")
@click.argument("person_id", required=False)
@click.option("--all", "is_all", is_flag=True, help="Forget those of all its people.")
@config_option
@click.pass_context
def forget(ctx: click.Context, backend: str, person_id: str | None, is_all: bool, folder: Path) -> None:
    """Forget what is kept of the person PERSON_ID of BACKEND: then they are in the groups that the backend says.

    A running server compares the backend at once; its guard may hold what comes of it: see 'integration-server sync
    show'. BACKEND may be one that the configuration no longer has. Exit code 1 where nothing was kept.
    """
    if (person_id is None) != is_all:
        raise click.UsageError("give a PERSON_ID, as 'memberships list' shows it, or --all")
    with memory(folder, ctx.obj) as (config, store):
        removed = store.kept_memberships.forget(backend, person_id)
        if not removed and backend not in config.backends:
            known = ", ".join(sorted(config.backends)) or "none"
            raise click.UsageError(f"there is no backend {backend!r}; there are: {known}")
        if removed and backend in config.backends:
            store.watches.want_scan(backend)
    click.echo(f"forgot {number(removed, 'membership')} of {shown(person_id or backend)}")
    ctx.exit(ExitCode.OK if removed or is_all else ExitCode.NO)
