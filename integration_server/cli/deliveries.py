"""``integration-server deliveries``: events that are not simply done."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from integration_server.cli.exits import ExitCode
from integration_server.cli.opening import memory
from integration_server.cli.options import Number, config_option, json_option
from integration_server.cli.output import moment, number, print_json, print_table, utc
from integration_server.cli.subscriptions_shown import backlog, found_one

if TYPE_CHECKING:
    from integration_server.store import Store
    from integration_server.store.deliveries import DeliveryRow

_STATES = ("parked", "held", "dead")
_LIMIT = 100


@click.group()
def command() -> None:
    """Show the events that a receiver did not take, try them again, or skip them.

    parked: waits for its next try; held: waits behind another one about the same person; dead: its tries are used up.
    """


@command.command("list")
@config_option
@click.option("--subscription", metavar="ID", help="Only of this subscription, by id or name.")
@click.option("--state", type=click.Choice(_STATES), help="Only these.")
@click.option("--backend", help="Only people of this backend.")
@click.option("--person", metavar="ID", help="Only this person.")
@click.option("--limit", type=Number(1), default=_LIMIT, show_default=True, help="So many at most.")
@json_option
@click.pass_obj
def list_deliveries(
    is_debug: bool,
    folder: Path,
    subscription: str | None,
    state: str | None,
    backend: str | None,
    person: str | None,
    limit: int,
    is_json: bool,
) -> None:
    """What is not delivered yet, oldest first."""
    with memory(folder, is_debug) as (_, store):
        ids = None if subscription is None else [found_one(store, subscription).id]
        rows = store.deliveries.find(ids, state, backend, person, limit=limit + 1)
        everyone = store.subscriptions.delivered()
        last = store.journal.last_serial()
    names = {one.id: one.uid or one.id for one in everyone}
    # What a resting receiver has not been asked to take has no row of its own.
    lines = [line for one in everyone if ids is None or one.id in ids if (line := backlog(one, last)) is not None]
    is_more = len(rows) > limit
    rows = rows[:limit]
    if is_json:
        print_json([_as_json(one, names) for one in rows])
        return
    _show(rows, names, limit if is_more else None)
    for line in lines:
        click.echo(line)
    if not rows and not lines:
        is_narrow = state is not None or backend is not None or person is not None
        click.echo("no such delivery is stuck" if is_narrow else "nothing is stuck")


def _show(rows: Sequence[DeliveryRow], names: dict[str, str], limit: int | None) -> None:
    """A table; ``limit`` where it was cut."""
    headers = ["ID", "SUBSCRIPTION", "STATE", "SERIAL", "TYPE", "BACKEND", "PERSON", "TRIES", "NEXT TRY", "ERROR"]
    if rows:
        print_table(headers, [_row(one, names) for one in rows])
    if limit is not None:
        click.echo(f"... and more than these {number(limit, 'delivery', 'deliveries')}; --limit shows them")


def _row(one: DeliveryRow, names: dict[str, str]) -> Sequence[object]:
    return (
        one.id,
        names.get(one.subscription_id, one.subscription_id),
        one.state,
        one.serial,
        one.event_type,
        one.backend,
        one.person_id,
        one.attempts,
        one.next_at and moment(one.next_at),
        one.error,
    )


def _as_json(one: DeliveryRow, names: dict[str, str]) -> dict[str, object]:
    return {
        "id": one.id,
        "subscription": one.subscription_id,
        "subscription_name": names.get(one.subscription_id),
        "state": one.state,
        "serial": one.serial,
        "event": one.event_id,
        "type": one.event_type,
        "backend": one.backend,
        "person_id": one.person_id,
        "attempts": one.attempts,
        "next_at": one.next_at and utc(one.next_at),
        "error": one.error,
        "status": one.status,
        "created_at": utc(one.created_at),
    }


@command.command()
@click.argument("id", type=Number(1), required=False)
@config_option
@click.option("--all", "is_all", is_flag=True, help="All dead ones, or those of --state.")
@click.option("--subscription", metavar="ID", help="With --all: only of this subscription, by id or name.")
@click.option("--state", type=click.Choice(("dead", "parked")), default="dead", show_default=True, help="With --all.")
@click.pass_context
def retry(ctx: click.Context, id: int | None, folder: Path, is_all: bool, subscription: str | None, state: str) -> None:
    """Try the delivery with this ID again now, with all its tries before it. Exit code 1: there is no such one."""
    if (id is None) != is_all:
        raise click.UsageError("give an ID, or --all")
    if subscription is not None and not is_all:
        raise click.UsageError("--subscription goes with --all")
    with memory(folder, ctx.obj) as (_, store):
        if id is not None:
            count = int(store.deliveries.retry(id))
        else:
            count = sum(store.deliveries.retry_all(one, state) for one in _chosen(store, subscription))
    if id is not None and not count:
        click.echo(f"error: no parked or dead delivery has the id {id}", err=True)
        ctx.exit(ExitCode.NO)
    click.echo(f"tried again: {number(count, 'delivery', 'deliveries')}")


def _chosen(store: Store, subscription: str | None) -> list[str]:
    if subscription is not None:
        return [found_one(store, subscription).id]
    return [one.id for one in store.subscriptions.delivered()]


@command.command()
@click.argument("id", type=Number(1))
@config_option
@click.option("--reason", required=True, help="Why; it is kept in the log of tries.")
@click.pass_context
def skip(ctx: click.Context, id: int, folder: Path, reason: str) -> None:
    """Give up the delivery with this ID: its receiver is never told of it, and what follows it goes on.

    Exit code 1: there is no such one, or another must be skipped before it.
    """
    if not reason.strip():
        raise click.UsageError("--reason: say why")
    with memory(folder, ctx.obj) as (_, store):
        is_done = store.deliveries.skip(id, reason.strip())
    if not is_done:
        click.echo(f"error: no delivery that is not done has the id {id}", err=True)
        ctx.exit(ExitCode.NO)
    click.echo(f"skipped: {id}")
