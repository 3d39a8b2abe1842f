"""``integration-server guard``: lists that wait for a person's yes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from integration_server import FrontendSettings
from integration_server.cli.exits import ExitCode
from integration_server.cli.opening import chosen, store
from integration_server.cli.options import config_option, json_option
from integration_server.cli.output import moment, number, print_json, shown, utc
from integration_server.cli.prompts import confirmed

if TYPE_CHECKING:
    from integration_server.directory.guard import Held
    from integration_server.store.name_lists import NameLists, StoredList

_SHOWN_NAMES = 20
_ACCEPT_TRIES = 5


@click.group()
def command() -> None:
    """Show and accept the lists that the guard holds because they would lose too many people."""


@command.command()
@click.argument("mount", required=False)
@config_option
@click.option("--all", "is_all", is_flag=True, help=f"Name everybody, not only the first {_SHOWN_NAMES}.")
@json_option
@click.pass_obj
def show(is_debug: bool, mount: str | None, folder: Path, is_all: bool, is_json: bool) -> None:
    """Which lists are held, since when and why, and which names they lack or bring."""
    with _memory(folder, is_debug) as (frontends, lists):
        names = list(frontends) if mount is None else [chosen(mount, list(frontends), "frontend", "MOUNT")]
        found = {name: held for name in names if (held := _held(lists, name, frontends[name])) is not None}
    if is_json:
        print_json([_as_json(name, held) for name, held in found.items()])
        return
    for name, held in found.items():
        _describe(name, held, None if is_all else _SHOWN_NAMES)
    if not found:
        click.echo("no list is held")


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
    with _memory(folder, ctx.obj) as (frontends, lists):
        chosen(mount, list(frontends), "frontend", "MOUNT")
        held = _held(lists, mount, frontends[mount])
        if held is None:
            click.echo(f"no list is held on {mount}", err=True)
            ctx.exit(ExitCode.NO)
        if held_id is not None and held_id != _id(held):
            click.echo(f"error: another list is held now ({_id(held)}); look at it first", err=True)
            ctx.exit(ExitCode.NO)
        if not is_sure:
            _describe(mount, held, _SHOWN_NAMES)
            if not confirmed("Let it go out?"):
                ctx.exit(ExitCode.NO)
        if not _accept(lists, mount, held):
            click.echo("error: another list is held by now; look at it first", err=True)
            ctx.exit(ExitCode.NO)
    click.echo(f"accepted: the next list of {mount} may hold {number(held.stored.content.count, 'name')}")


@contextmanager
def _memory(folder: Path, is_debug: bool) -> Iterator[tuple[dict[str, FrontendSettings], NameLists]]:
    """The frontends' settings and the guard's memory. Raises ConfigError."""
    from integration_server.config import load
    from integration_server.server.installation import frontend_settings, plugins_of

    config = load(folder)
    frontends = frontend_settings(config, plugins_of(config))
    with store(config, is_debug) as found:
        yield frontends, found.name_lists


def _held(lists: NameLists, mount: str, settings: FrontendSettings) -> Held | None:
    from integration_server.directory import guard

    return guard.held(lists, mount, settings.guard, time.time())


def _accept(lists: NameLists, mount: str, held: Held) -> bool:
    """Accept what was looked at. Each request of a caller holds the list anew, in a row of its own."""
    current: StoredList | None = held.stored
    for _ in range(_ACCEPT_TRIES):
        if current is None or current.content.digest != held.stored.content.digest:
            return False
        if lists.accept(mount, current.id, time.time()):
            return True
        current = lists.held(mount)
    return False


def _id(held: Held) -> str:
    """What stands for a list: its names, so that it stays the same however often the same list is made."""
    return held.stored.content.digest[:12]


def _describe(mount: str, held: Held, most: int | None) -> None:
    stored = held.stored
    click.echo(f"{mount}: list {_id(held)} with {number(stored.content.count, 'name')}: {shown(stored.reason)}")
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
        "id": _id(held),
        "reason": stored.reason,
        "held_since": utc(stored.first_at),
        "last_made": utc(stored.last_at),
        "names": stored.content.count,
        **names,
    }
