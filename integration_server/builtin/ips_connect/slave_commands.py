"""``ips slaves``: who is told of the accounts of a network, and what became of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from integration_server import Backlog, ConfigError, Desk, FrontendDesk, Receiver, Receivers
from integration_server.builtin.ips_connect.settings import SlaveSettings

TYPE = "ips_connect"

F = TypeVar("F", bound=Callable[..., Any])


def mount_option(function: F) -> F:
    """``--mount NAME``, as ``mount``."""
    return click.option("--mount", metavar="NAME", help="The gateway, where there are several.")(function)


def _sure_option(function: F) -> F:
    return click.option("--yes", "is_sure", is_flag=True, help="Do not ask.")(function)


def own_backend(desk: FrontendDesk) -> str:
    """The backend whose accounts a gateway serves. Raises ConfigError."""
    own = [name for name, type in desk.gateway.backend_types.items() if type == TYPE]
    if len(own) != 1:
        raise ConfigError(f'{desk.where}.backends: name one backend with type = "{TYPE}"')
    return own[0]


def slaves_of(desk: FrontendDesk) -> list[Receiver]:
    """The slaves of a gateway, registered and configured. Raises StoreUnavailable."""
    backend = own_backend(desk)
    return [one for one in _receivers(desk).all() if _settings(one).backend == backend]


def slaves_command(desk: Desk) -> click.Group:
    @click.group(invoke_without_command=True)
    @desk.config_option
    @mount_option
    @desk.json_option
    @click.pass_context
    def slaves(ctx: click.Context, folder: Path, mount: str | None, is_json: bool) -> None:
        """List the slaves of a gateway: who is told of every change, who takes nothing and why, and how much waits.

        A slave registers itself. One that never asks, but wants to be told, is a table of the configuration.
        """
        if ctx.invoked_subcommand is not None:
            return
        with desk.frontend(folder, TYPE, mount) as opened:
            found = [(one, opened.backlog(one.id)) for one in slaves_of(opened)]
        if is_json:
            desk.print_json([_as_json(one, backlog) for one, backlog in found])
        else:
            _show(desk, found)

    slaves.add_command(_set_command(desk))
    slaves.add_command(_remove_command(desk))
    slaves.add_command(_resume_command(desk))
    return slaves


def _set_command(desk: Desk) -> click.Command:
    @click.command("set")
    @click.argument("url")
    @desk.config_option
    @mount_option
    @click.option(
        "--accept-empty/--no-accept-empty", default=None, help="Take an empty answer with status 200 for a success."
    )
    def set_(url: str, folder: Path, mount: str | None, accept_empty: bool | None) -> None:
        """Change how the slave with this URL is told. What waits for it is tried again at once."""
        if accept_empty is None:
            raise click.UsageError("say what to set: --accept-empty or --no-accept-empty")
        with desk.frontend(folder, TYPE, mount) as opened:
            one = _found(desk, opened, url)
            if one.is_configured:
                value = str(accept_empty).lower()
                raise ConfigError(
                    f"[subscriptions.{one.name}] stands in the configuration; set accept_empty = {value} there"
                )
            if not one.is_registered:
                raise click.UsageError(
                    f"a person added it; take it away with {_line(f'subscriptions remove {one.name}')}, and add it "
                    f"again with --set accept_empty={str(accept_empty).lower()}"
                )
            if not one.is_told:
                raise click.UsageError(f"{desk.shown(url)} is told nothing; 'ips slaves resume' it first")
            settings = _settings(one)
            values = settings.model_dump(exclude_unset=True)
            values |= {"key": settings.key.get_secret_value(), "accept_empty": accept_empty}
            _receivers(opened).register(one.name, values)
        click.echo(f"{desk.shown(url)}: an empty answer is {'a success' if accept_empty else 'no success'}")

    return set_


def _remove_command(desk: Desk) -> click.Command:
    @click.command()
    @click.argument("url")
    @desk.config_option
    @mount_option
    @_sure_option
    @click.pass_context
    def remove(ctx: click.Context, url: str, folder: Path, mount: str | None, is_sure: bool) -> None:
        """Forget the slave with this URL, and the changes that wait for it. It may register again."""
        with desk.frontend(folder, TYPE, mount) as opened:
            one = _found(desk, opened, url)
            if one.is_configured:
                raise ConfigError(f"[subscriptions.{one.name}] stands in the configuration; remove it there")
            if not one.is_registered:
                raise click.UsageError(f"a person added it: {_line(f'subscriptions remove {one.name}')} takes it away")
            waiting = opened.backlog(one.id).waiting
            question = f"Forget {desk.shown(url)}, with {_changes(waiting)} that it was not told of?"
            if not is_sure and not desk.confirmed(question):
                ctx.exit(1)
            _receivers(opened).remove(one.id)
        click.echo(f"removed: {desk.shown(url)}")

    return remove


def _resume_command(desk: Desk) -> click.Command:
    @click.command()
    @click.argument("url")
    @desk.config_option
    @mount_option
    def resume(url: str, folder: Path, mount: str | None) -> None:
        """Tell the slave with this URL again: at once where it rests, and where it was paused, or wanted no more."""
        with desk.frontend(folder, TYPE, mount) as opened:
            one = _found(desk, opened, url)
            _receivers(opened).resume(one.id)
        click.echo(f"resumed: {desk.shown(url)}")
        if one.state == "ended":
            told = _line(f"subscriptions replay {one.id} --everybody")
            click.echo(f"what it missed is not sent; {told} tells it of everybody", err=True)

    return resume


# -- looking ---------------------------------------------------------------------------------------------------------


def _receivers(desk: FrontendDesk) -> Receivers:
    return desk.gateway.receivers(TYPE)


def _settings(one: Receiver) -> SlaveSettings:
    assert isinstance(one.settings, SlaveSettings)
    return one.settings


def _found(desk: Desk, opened: FrontendDesk, url: str) -> Receiver:
    """The slave with this URL, name or id. Raises UsageError."""
    everybody = slaves_of(opened)
    for one in everybody:
        if url in (_settings(one).url, one.name, one.id):
            return one
    known = ", ".join(desk.shown(_settings(one).url) for one in everybody) or "none"
    raise click.UsageError(f"there is no slave {desk.shown(url)}; there are: {known}")


def _state(one: Receiver) -> str:
    return one.state if one.is_active or one.state == "ended" else "paused"


def _show(desk: Desk, found: Sequence[tuple[Receiver, Backlog]]) -> None:
    if not found:
        click.echo("no slave has registered; those of the configuration begin when the server starts")
        return
    rows = [
        (
            _settings(one).url,
            one.name if one.is_configured else None,
            _state(one),
            backlog.failing_since and _moment(backlog.failing_since),
            backlog.waiting,
            _settings(one).accept_empty,
            one.reason,
        )
        for one, backlog in found
    ]
    desk.print_table(["URL", "CONFIGURED AS", "STATE", "SINCE", "WAITING", "EMPTY IS SUCCESS", "WHY"], rows)
    for one, backlog in found:
        _hint(desk, one, backlog)


def _hint(desk: Desk, one: Receiver, backlog: Backlog) -> None:
    """What a person may do about a slave that takes nothing."""
    if one.is_up and not backlog.parked and not backlog.dead:
        return
    told = [
        ("its latest tries", f"subscriptions show {one.id}"),
        ("try it now", f"subscriptions resume {one.id}"),
    ]
    if backlog.parked or backlog.dead:
        told += [
            ("what waits", f"deliveries list --subscription {one.id}"),
            ("try what waits", f"deliveries retry --all --state parked --subscription {one.id}"),
            ("give one up", "deliveries skip ID --reason WHY"),
        ]
    click.echo(f"\n{desk.shown(_settings(one).url)}:", err=True)
    for what, command in told:
        click.echo(f"  {what + ':':<18}{_line(command)}", err=True)


def _line(command: str) -> str:
    return f"integration-server {command}"


def _as_json(one: Receiver, backlog: Backlog) -> dict[str, object]:
    since = backlog.failing_since
    return {
        "id": one.id,
        "url": _settings(one).url,
        "name": one.name,
        "is_configured": one.is_configured,
        "state": _state(one),
        "state_reason": one.reason,
        "failing_since": since and dt.datetime.fromtimestamp(since, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "accept_empty": _settings(one).accept_empty,
        "waiting": backlog.waiting,
        "parked": backlog.parked,
        "held": backlog.held,
        "dead": backlog.dead,
        "unread": backlog.unread,
    }


def _moment(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _changes(count: int) -> str:
    return f"{count} change{'' if count == 1 else 's'}"
