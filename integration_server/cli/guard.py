"""``integration-server guard``: lists that wait for a person's yes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from integration_server import FrontendSettings
from integration_server.cli.exits import ExitCode
from integration_server.cli.opening import ACTOR, chosen
from integration_server.cli.opening import store as opened_store
from integration_server.cli.options import config_option, json_option
from integration_server.cli.output import moment, number, print_json, shown, utc
from integration_server.cli.prompts import confirmed

if TYPE_CHECKING:
    from integration_server.directory.guard import Held
    from integration_server.forwarding.audit import Audit
    from integration_server.store import Store

_SHOWN_NAMES = 20


@click.group()
def command() -> None:
    """Show, accept and let through the lists that the guard holds because they would lose too many people."""


@command.command()
@click.argument("mount", required=False)
@config_option
@click.option("--all", "is_all", is_flag=True, help=f"Name everybody, not only the first {_SHOWN_NAMES}.")
@json_option
@click.pass_obj
def show(is_debug: bool, mount: str | None, folder: Path, is_all: bool, is_json: bool) -> None:
    """Which lists are held, since when and why, and which names they lack or bring."""
    with _memory(folder, is_debug) as known:
        names = list(known.frontends) if mount is None else [chosen(mount, list(known.frontends), "frontend", "MOUNT")]
        found = {name: held for name in names if (held := known.held(name)) is not None}
        lifts = [lift for lift in known.store.guard_lifts.all() if lift.kind == "frontend" and lift.name in names]
    if is_json:
        print_json([_as_json(name, held) for name, held in found.items()])
        return
    for name, held in found.items():
        _describe(name, held, None if is_all else _SHOWN_NAMES)
    if not found:
        click.echo("no list is held")
    for lift in lifts:
        click.echo(f"{lift.name}: the guard is lifted once, until {moment(lift.until)}, by {shown(lift.actor)}")


@command.command()
@click.argument("mount")
@config_option
@click.option("--id", "held_id", metavar="ID", help="Accept only the list that 'guard show' gives this id.")
@click.option("--yes", "is_sure", is_flag=True, help="Do not ask.")
@click.pass_context
def accept(ctx: click.Context, mount: str, folder: Path, held_id: str | None, is_sure: bool) -> None:
    """Let the list that is held on MOUNT go out from the next request on, and forget what it is compared with.

    Callers then remove the people who are missing. Exit code 1 where nothing is held.
    """
    with _memory(folder, ctx.obj) as known:
        chosen(mount, list(known.frontends), "frontend", "MOUNT")
        held = known.held(mount)
        if held is None:
            click.echo(f"no list is held on {mount}", err=True)
            ctx.exit(ExitCode.NO)
        if held_id is not None and held_id != held.id:
            click.echo(f"error: another list is held now ({held.id}); look at it first", err=True)
            ctx.exit(ExitCode.NO)
        if not is_sure:
            _describe(mount, held, _SHOWN_NAMES)
            if not confirmed("Let it go out?"):
                ctx.exit(ExitCode.NO)
        if not known.accept(mount, held):
            click.echo("error: another list is held by now; look at it first", err=True)
            ctx.exit(ExitCode.NO)
    click.echo(f"accepted: the next list of {mount} may hold {number(held.stored.content.count, 'name')}")


@command.command("raise")
@click.argument("mount")
@config_option
@click.option("--cancel", "is_cancelled", is_flag=True, help="Put the guard back instead.")
@click.pass_context
def raise_(ctx: click.Context, mount: str, folder: Path, is_cancelled: bool) -> None:
    """Lift the guard of MOUNT once: the next list that it would hold goes out, whoever is missing from it.

    It stands for 24 hours, unless a list uses it up. An empty list is held all the same.
    """
    from integration_server.forwarding import raising

    with _memory(folder, ctx.obj) as known:
        chosen(mount, list(known.frontends), "frontend", "MOUNT")
        if is_cancelled:
            is_done = raising.lower(known.store, known.audit, "frontend", mount, ACTOR)
            click.echo(f"the guard of {mount} {'is back' if is_done else 'was not lifted'}")
            ctx.exit(ExitCode.OK if is_done else ExitCode.NO)
        lift = raising.raise_once(known.store, known.audit, "frontend", mount, ACTOR)
    click.echo(f"raised: the next list of {mount} that the guard would hold goes out, until {moment(lift.until)}")


@dataclass(frozen=True, slots=True)
class _Memory:
    """The frontends' settings, the store, and who is told of what is done."""

    frontends: dict[str, FrontendSettings]
    store: Store
    audit: Audit

    def held(self, mount: str) -> Held | None:
        from integration_server.directory import guard

        return guard.held(self.store.name_lists, mount, self.frontends[mount].guard, time.time())

    def accept(self, mount: str, held: Held) -> bool:
        """Accept what was looked at."""
        from integration_server.directory import guard

        if not guard.accept(self.store.name_lists, mount, held.id, time.time()):
            return False
        self.audit.tell("list.accepted", mount, guard.accepted(held), ACTOR)
        return True


@contextmanager
def _memory(folder: Path, is_debug: bool) -> Iterator[_Memory]:
    """Raises ConfigError."""
    from integration_server.config import load
    from integration_server.forwarding.audit import Audit
    from integration_server.server.installation import frontend_settings, plugins_of

    config = load(folder)
    plugins = plugins_of(config)
    frontends = frontend_settings(config, plugins)
    with opened_store(config, is_debug) as found:
        yield _Memory(frontends, found, Audit(plugins.audits, found.audit_log))


def _describe(mount: str, held: Held, most: int | None) -> None:
    stored = held.stored
    click.echo(f"{mount}: list {held.id} with {number(stored.content.count, 'name')}: {shown(stored.reason)}")
    click.echo(f"  held since {moment(stored.first_at)}, made again {moment(stored.last_at)}")
    for title, names in (("missing", held.missing), ("new", held.new)):
        click.echo(f"  {title}: {len(names)}")
        for name in names[:most]:
            click.echo(f"    {shown(name)}")
        if most is not None and len(names) > most:
            click.echo(f"    ... and {len(names) - most} more; --all names them")


def _as_json(mount: str, held: Held) -> dict[str, object]:
    stored = held.stored
    names: dict[str, Sequence[str]] = {"missing": held.missing, "new": held.new}
    return {
        "mount": mount,
        "id": held.id,
        "reason": stored.reason,
        "held_since": utc(stored.first_at),
        "last_made": utc(stored.last_at),
        "names": stored.content.count,
        **names,
    }
