"""``integration-server subscriptions``: who is told of changes."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from integration_server import ConfigError, DeliveryError, Signing
from integration_server.cli.exits import ExitCode
from integration_server.cli.opening import (
    NOBODY_WORKS,
    configured_subscriptions,
    installation,
    is_nobody_working,
    memory,
)
from integration_server.cli.options import Number, Span, config_option, json_option
from integration_server.cli.output import number, print_json, print_table, shown, tell_once
from integration_server.cli.prompts import confirmed
from integration_server.cli.serials import check_serial, serial_at
from integration_server.cli.subscriptions_shown import as_json, describe, ends, found_one, in_file, mount_of, row
from integration_server.sdk.events import EVENT_TYPES

if TYPE_CHECKING:
    from integration_server.config import Config, Table
    from integration_server.store import Store
    from integration_server.store.subscriptions import Subscription

#: The owner of what this command makes.
_OVERLAP_HOURS = 24.0


@click.group()
def command() -> None:
    """Show and change who is told of changes: those of the configuration, of the API, and of 'subscriptions add'.

    ID is a subscription's id or its name.
    """


@command.command("list")
@config_option
@json_option
@click.pass_obj
def list_subscriptions(is_debug: bool, folder: Path, is_json: bool) -> None:
    """Every subscription, how far it has come, and what waits."""
    with memory(folder, is_debug) as (config, store):
        found = store.subscriptions.all()
        counts = store.deliveries.counts()
        end_of = ends(store)
        names = _owner_names(store)
        is_idle = not is_json and is_nobody_working(config, store)
    begun = {one.uid for one in found if one.owner == "config"}
    waiting = [name for name in configured_subscriptions(config) if name not in begun]
    if is_json:
        print_json([as_json(one, counts.get(one.id, {}), end_of(one), names) for one in found])
        return
    if found:
        headers = ["ID", "NAME", "OWNER", "TYPE", "TELLS OF", "STATE", "BEHIND", "UNDELIVERED"]
        print_table(headers, [row(one, counts.get(one.id, {}), end_of(one), names) for one in found])
    else:
        click.echo("there is no subscription; 'integration-server subscriptions add' makes one")
    for name in waiting:
        click.echo(f"{in_file(name)} begins when the server starts")
    if is_idle and (found or waiting):
        click.echo(NOBODY_WORKS, err=True)


def _owner_names(store: Store) -> dict[str, str]:
    return {token.id: token.name for token in store.tokens.all()}


@command.command()
@click.argument("id")
@config_option
@json_option
@click.pass_obj
def show(is_debug: bool, id: str, folder: Path, is_json: bool) -> None:
    """One subscription: its settings, secrets masked, its state, and the latest tries."""
    from integration_server.forwarding.subscriptions import masked_settings
    from integration_server.server.installation import plugins_of

    with memory(folder, is_debug) as (config, store):
        one = found_one(store, id, lambda: configured_subscriptions(config))
        plugins = plugins_of(config)
        counts = store.deliveries.counts().get(one.id, {})
        attempts = store.deliveries.attempts(one.id, limit=10)
        last, names = ends(store)(one), _owner_names(store)
    settings = masked_settings(one, plugins.consumers, config.base_dir)
    if is_json:
        print_json({**as_json(one, counts, last, names, attempts), "settings": settings})
        return
    describe(one, counts, last, names, settings, attempts)


# -- making and ending -----------------------------------------------------------------------------------------------


@command.command()
@click.argument("name")
@config_option
@click.option("--type", "kind", default="webhook", show_default=True, help="The type of its consumer.")
@click.option("--url", help="Where a webhook is sent; short for --set url=URL.")
@click.option("--backend", help="Only changes in this backend.")
@click.option("--group", help="Only this group of the backend, and people who are or were in it.")
@click.option("--event", "events", multiple=True, help='Only this type, such as "user.*"; repeat it for several.')
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Any other setting of its type, as TOML.")
@click.option("--after", type=Number(0), metavar="SERIAL", help="Begin after this serial instead of now.")
@click.option("--everybody", is_flag=True, help="Begin with everybody as they are now.")
@json_option
@click.pass_obj
def add(
    is_debug: bool,
    name: str,
    folder: Path,
    kind: str,
    url: str | None,
    backend: str | None,
    group: str | None,
    events: tuple[str, ...],
    settings: tuple[str, ...],
    after: int | None,
    everybody: bool,
    is_json: bool,
) -> None:
    """Subscribe a receiver under NAME. A secret to verify signatures with is shown, this once.

    It is told of what changes from now on. A running server begins within a second.
    """
    from integration_server.store.subscriptions import COMMAND_OWNER

    if after is not None and everybody:
        raise click.UsageError("--after and --everybody exclude each other")
    values: dict[str, Any] = {"type": kind, "url": url, "backend": backend, "group": group, "events": list(events)}
    values = {key: value for key, value in values.items() if value not in (None, [])}
    for text in settings:
        _set(values, text)
    if kind == "webhook" and "url" not in values:
        raise click.UsageError("say where it is sent: give --url URL")
    with installation(folder, is_debug) as found:
        if name in found.config.subscriptions:
            raise click.UsageError(f"[subscriptions.{name}] stands in the configuration; take another name")
        made = found.forwarding.new_subscription(COMMAND_OWNER, name, values)
        if others := found.forwarding.others(made.subscription):
            raise click.UsageError(f"{shown(others[0].uid or others[0].id)} tells this receiver already")
        if after is not None:
            check_serial(found.store, after)
        found.store.subscriptions.add(made.subscription)
        if after is not None:
            found.store.subscriptions.replay_from(made.subscription.id, after)
        elif everybody:
            found.store.subscriptions.replay_snapshot(made.subscription.id)
    if is_json:
        print_json({"id": made.subscription.id, "name": name, "secret": made.new_secret})
        return
    click.echo(f"added: {name} has the id {made.subscription.id}")
    if made.new_secret is not None:
        click.echo(f"secret, shown this once: {made.new_secret}")
    if not found.forwarding.watched and any(map(made.subscription.wants_type, EVENT_TYPES)):
        click.echo("no backend has a [backends.NAME.sync] table yet, so it will not be told of anything", err=True)


def _set(values: dict[str, Any], text: str) -> None:
    """Put ``key=value`` where it belongs; ``a.b=c`` is for tables. Raises UsageError."""
    key, equals, value = text.partition("=")
    key, value = key.strip(), value.strip()
    if not equals or not key:
        raise click.UsageError(f"--set {text}: write KEY=VALUE")
    for candidate in (value, json.dumps(value)):
        try:
            found = tomllib.loads(f"{key} = {candidate}")
        except tomllib.TOMLDecodeError:
            continue
        _merge(values, found)
        return
    raise click.UsageError(f"--set {text}: {key} is no key")


def _merge(into: dict[str, Any], new: Mapping[str, Any]) -> None:
    for key, value in new.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


@command.command()
@click.argument("id")
@config_option
@click.option("--yes", "is_sure", is_flag=True, help="Do not ask.")
@click.pass_context
def remove(ctx: click.Context, id: str, folder: Path, is_sure: bool) -> None:
    """End a subscription for good; what is undelivered is cancelled."""
    with memory(folder, ctx.obj) as (config, store):
        one = found_one(store, id, lambda: configured_subscriptions(config))
        if (table := _table(config, one)) is not None:
            stands = (
                f"{table.path} asks for it; change that"
                if mount_of(one.uid)
                else f"[{table.path}] stands there; remove it"
            )
            raise ConfigError(f"{table.file}: {stands} there")
        undelivered = sum(store.deliveries.counts().get(one.id, {}).values())
        told = f"Remove {shown(one.uid or one.id)}, with {number(undelivered, 'undelivered event')}?"
        if not is_sure and not confirmed(told):
            ctx.exit(ExitCode.NO)
        store.subscriptions.remove(one.id)
    click.echo(f"removed: {shown(one.uid or one.id)}")


def _table(config: Config, one: Subscription) -> Table | None:
    """Where the configuration has it."""
    return configured_subscriptions(config).get(one.uid or "") if one.owner == "config" else None


# -- running ---------------------------------------------------------------------------------------------------------


@command.command()
@click.argument("id")
@config_option
@click.pass_obj
def pause(is_debug: bool, id: str, folder: Path) -> None:
    """Send it nothing until 'resume'; what happens meanwhile waits, and is kept for it."""
    _set_active(is_debug, id, folder, False, "paused")


@command.command()
@click.argument("id")
@config_option
@click.pass_obj
def resume(is_debug: bool, id: str, folder: Path) -> None:
    """Send to it again: after 'pause', and at once where it rests, is quarantined or was ended by its receiver."""
    _set_active(is_debug, id, folder, True, "resumed")


def _set_active(is_debug: bool, id: str, folder: Path, is_active: bool, said: str) -> None:
    from integration_server.server.installation import plugins_of

    with memory(folder, is_debug) as (config, store):
        one = found_one(store, id, lambda: configured_subscriptions(config))
        if is_active:
            consumer = plugins_of(config).consumers.get(one.type)
            store.subscriptions.resume(one.id, begins_anew=consumer is not None and consumer.ends_for_good)
        else:
            store.subscriptions.change(one.id, is_active=False)
    click.echo(f"{said}: {shown(one.uid or one.id)}")
    if (table := _table(config, one)) is not None:
        key = table.path if mount_of(one.uid) else "is_active"
        click.echo(f"{key} in {table.file} decides again when the server starts next", err=True)


@command.command()
@click.argument("id")
@config_option
@json_option
@click.pass_context
def test(ctx: click.Context, id: str, folder: Path, is_json: bool) -> None:
    """Send a test event to its receiver now, and say what it answered. Exit code 1 where it did not take it."""
    from integration_server.forwarding.delivery.engine import NOTHING_IS_SENT

    with installation(folder, ctx.obj) as found:
        if id in found.forwarding.settings:
            # No server may have started since its table was written.
            found.forwarding.bring_configured()
        one = found_one(found.store, id)
        if one.bound_to is not None:
            raise click.UsageError(NOTHING_IS_SENT)
        try:
            receipt = found.forwarding.engine().test(one.id)
            result = {"is_delivered": True, "status": receipt.status, "error": None, "response": receipt.response}
        except DeliveryError as exc:
            result = {"is_delivered": False, "status": exc.status, "error": str(exc), "response": exc.response}
    if is_json:
        print_json(result)
    elif result["is_delivered"]:
        status = f" with status {result['status']}" if result["status"] is not None else ""
        click.echo(f"delivered: {shown(one.uid or one.id)} answered{status}")
    else:
        click.echo(f"error: not delivered: {shown(result['error'])}", err=True)
        if result["response"]:
            click.echo(f"it answered: {shown(str(result['response'])[:1_000])}", err=True)
    ctx.exit(ExitCode.OK if result["is_delivered"] else ExitCode.NO)


@command.command("rotate-secret")
@click.argument("id")
@config_option
@click.option(
    "--overlap-hours",
    type=Span(0, 24 * 365),
    default=_OVERLAP_HOURS,
    show_default=True,
    help="How long what is sent is signed with the old secret, too.",
)
@json_option
@click.pass_obj
def rotate_secret(is_debug: bool, id: str, folder: Path, overlap_hours: float, is_json: bool) -> None:
    """Make a new secret and print it, this once."""
    from integration_server.server.installation import plugins_of

    _bring(id, folder, is_debug)
    with memory(folder, is_debug) as (config, store):
        one = found_one(store, id, lambda: configured_subscriptions(config))
        cls = plugins_of(config).consumers.get(one.type)
        if cls is None or not issubclass(cls, Signing):
            raise click.UsageError(f"receivers of type {one.type} have no secret to sign with")
        if one.settings.get("secret") is not None:
            raise ConfigError(f"the secret of {one.uid or one.id} stands in its settings; change it there")
        new = cls.new_secret()
        store.subscriptions.rotate_secret(one.id, new, overlap_hours * 3600)

        def tell() -> None:
            if is_json:
                print_json({"id": one.id, "secret": new})
            else:
                click.echo(new)

        def take_back() -> None:
            store.subscriptions.change(one.id, secrets=one.secrets)

        tell_once(tell, take_back, "nobody has seen the new secret, so the old one stays")
    if not is_json:
        click.echo(f"the new secret of {shown(one.uid or one.id)}, shown this once", err=True)


def _bring(name: str, folder: Path, is_debug: bool) -> None:
    """Bring a table of the configuration into the store where no server has started since it was written."""
    with memory(folder, is_debug) as (config, store):
        is_new = name in config.subscriptions and store.subscriptions.by_uid("config", name) is None
    if is_new:
        with installation(folder, is_debug) as found:
            found.forwarding.bring_configured()


@command.command()
@click.argument("id")
@config_option
@click.option("--after", type=Number(0), metavar="SERIAL", help="Everything after this serial, again.")
@click.option("--since", metavar="TIME", help="Everything noticed since then (ISO 8601; local where it names no zone).")
@click.option("--everybody", is_flag=True, help="Everybody as they are now, and then what changes.")
@click.pass_obj
def replay(is_debug: bool, id: str, folder: Path, after: int | None, since: str | None, everybody: bool) -> None:
    """Deliver again. Event ids stay the same, so that receivers can tell what they have seen.

    The holder of a push channel is told the latest serial once more, if something touched the resource after this one.
    """
    if [after is not None, since is not None, everybody].count(True) != 1:
        raise click.UsageError("say one of --after, --since and --everybody")
    with memory(folder, is_debug) as (config, store):
        one = found_one(store, id, lambda: configured_subscriptions(config))
        if everybody and one.bound_to is not None:
            raise click.UsageError("a channel is told a serial alone; say --after or --since")
        if everybody:
            store.subscriptions.replay_snapshot(one.id)
            told = "everybody as they are now"
        else:
            serial = after if after is not None else serial_at(store, since or "")
            check_serial(store, serial)
            store.subscriptions.replay_from(one.id, serial)
            told = f"everything after serial {serial}"
    click.echo(f"replaying to {shown(one.uid or one.id)}: {told}")
