"""``integration-server db``: the server's own store."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from integration_server.cli.exits import ExitCode
from integration_server.cli.opening import memory
from integration_server.cli.options import Span, config_argument, json_option
from integration_server.cli.output import number, print_json, print_table, shown

if TYPE_CHECKING:
    from integration_server.config import Config
    from integration_server.store.upkeep import StoreReport

_UNITS = ("bytes", "kB", "MB", "GB", "TB")


@click.group()
def command() -> None:
    """Look after the server's own store."""


@command.command()
@config_argument
@json_option
@click.pass_obj
def upgrade(is_debug: bool, folder: Path, is_json: bool) -> None:
    """Bring the store's schema to this version's. The server does the same when it starts."""
    from integration_server.store.upkeep import upgrade_store

    config = _config(folder, is_debug)
    before, after = upgrade_store(store_url(config), config.data_dir)
    if is_json:
        print_json({"before": before or None, "after": after})
    elif before == after:
        click.echo(f"the schema is this version's already ({after})")
    else:
        click.echo(f"the schema was {before or 'not there'} and is {after} now")


@command.command()
@config_argument
@json_option
@click.pass_context
def check(ctx: click.Context, folder: Path, is_json: bool) -> None:
    """Say whether the store is there, current, sound and writable, and how much is in it. Changes nothing in it.

    Exit code 3 where something is wrong.
    """
    from integration_server.store.upkeep import inspect_store

    config = _config(folder, ctx.obj)
    report = inspect_store(store_url(config), config.data_dir)
    if is_json:
        print_json({**asdict(report), "is_current": report.is_current})
    else:
        _describe(report)
    ctx.exit(ExitCode.CONFIG if report.faults else ExitCode.OK)


@command.command()
@config_argument
@click.option(
    "--before", "days", type=Span(0, 36500), metavar="DAYS", help="Older than this; else [forwarding] keep_days."
)
@json_option
@click.pass_obj
def prune(is_debug: bool, folder: Path, days: float | None, is_json: bool) -> None:
    """Remove old events from the journal, but none that a subscription has not got yet.

    The server does the same by itself, several times a day.
    """
    from integration_server.server.pruning import prune as prune_store

    with memory(folder, is_debug) as (config, store):
        days = config.core.forwarding.keep_days if days is None else days
        pruned = prune_store(store, days, time.time())
        names = {one.id: f"{one.uid} ({one.id})" if one.uid else one.id for one in store.subscriptions.delivered()}
    if is_json:
        print_json(asdict(pruned))
        return
    click.echo(f"removed {number(pruned.events, 'event')}; the journal begins with serial {pruned.pruned_serial + 1}")
    if pruned.holders:
        held = ", ".join(shown(names[id]) for id in pruned.holders)
        verb = "has" if len(pruned.holders) == 1 else "have"
        click.echo(f"events from serial {pruned.kept_from} on are as old, but kept: {held} {verb} not got them yet")
        click.echo("see 'integration-server subscriptions show ID' and 'integration-server deliveries list'")


def _describe(report: StoreReport) -> None:
    click.echo(f"store   {shown(report.url)}")
    click.echo(f"schema  {report.schema or 'none'}{' (this version)' if report.is_current else ''}")
    if report.size_bytes is not None:
        click.echo(f"size    {size(report.size_bytes)}")
    if report.rows:
        print_table(["TABLE", "ROWS"], sorted(report.rows.items()))
    for fault in report.faults:
        click.echo(f"error: {shown(fault)}", err=True)
    if not report.faults:
        click.echo("all is well")


def store_url(config: Config) -> str:
    """The configured URL of the store, or nothing for the one in data_dir."""
    url = config.core.store.url
    return url.get_secret_value() if url is not None else ""


def size(count: int) -> str:
    """Bytes for people to read."""
    value = float(count)
    for unit in _UNITS:
        if value < 1000 or unit == _UNITS[-1]:
            return number(count, "byte") if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError


def _config(folder: Path, is_debug: bool) -> Config:
    from integration_server.config import load
    from integration_server.server import logs

    logs.configure_command(is_debug)
    return load(folder)
