"""``integration-server sync``: how changes are noticed, and the runs that wait for a person's yes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from integration_server import StoreUnavailable
from integration_server.cli.exits import ExitCode
from integration_server.cli.opening import (
    ACTOR,
    NOBODY_WORKS,
    audit_of,
    chosen,
    installation,
    is_nobody_working,
    memory,
)
from integration_server.cli.options import config_option, json_option
from integration_server.cli.output import moment, number, print_json, print_table, shown, utc
from integration_server.cli.people_shown import differences, person
from integration_server.cli.prompts import confirmed

if TYPE_CHECKING:
    from integration_server.config import Config
    from integration_server.sdk.events import Document
    from integration_server.store import Store
    from integration_server.store.runs import HeldChange, HeldRun
    from integration_server.store.watches import Watch

F = TypeVar("F", bound=Callable[..., Any])

_SHOWN_PEOPLE = 20
_PAGE = 1_000
#: What a run does to somebody, for people to read.
_KINDS = {"create": "comes", "update": "changes", "delete": "is deleted", "vanish": "is missing"}


@click.group()
def command() -> None:
    """Show how changes are noticed, and decide about runs that would take too much away."""


@dataclass(frozen=True, slots=True)
class _Backend:
    """What is known of noticing one backend's changes."""

    watch: Watch
    held: HeldRun | None
    is_watched: bool

    @property
    def state(self) -> str:
        if not self.is_watched:
            return "not watched"
        if self.held is not None:
            return self.held.state
        if self.watch.failed_at is not None:
            return "failing"
        return "ok" if self.watch.baseline_at is not None else "no baseline yet"


@command.command()
@config_option
@json_option
@click.pass_obj
def status(is_debug: bool, folder: Path, is_json: bool) -> None:
    """Each backend whose changes are noticed: when everybody was compared, and what is wrong or held."""
    with memory(folder, is_debug) as (config, store):
        found = _backends(config, store)
        last_serial = store.journal.last_serial()
        lifts = [lift for lift in store.guard_lifts.all() if lift.kind == "backend"]
        is_idle = not is_json and is_nobody_working(config, store)
    if is_json:
        print_json([_status_json(one) for one in found])
        return
    if not found:
        click.echo("no backend has a [backends.NAME.sync] table, so no changes are noticed")
        return
    headers = ["BACKEND", "STATE", "PEOPLE", "COMPARED", "TOOK", "WHY"]
    print_table(headers, map(_status_row, found))
    for lift in lifts:
        click.echo(f"{lift.name}: the guard is lifted once, until {moment(lift.until)}, by {shown(lift.actor)}")
    click.echo(f"the last change has serial {last_serial}")
    if is_idle:
        click.echo(NOBODY_WORKS, err=True)


def _backends(config: Config, store: Store) -> list[_Backend]:
    from integration_server.server.receivers import is_watched
    from integration_server.store.watches import Watch

    watches = {watch.backend: watch for watch in store.watches.all()}
    held = {run.backend: run for run in store.runs.all()}
    watched = [name for name, table in config.backends.items() if is_watched(table)]
    names = [*watched, *sorted((watches.keys() | held.keys()) - set(watched))]
    return [_Backend(watches.get(name, Watch(name)), held.get(name), name in watched) for name in names]


def _status_row(one: _Backend) -> Sequence[object]:
    watch = one.watch
    why = one.held.reason if one.held is not None else watch.failure if watch.failed_at is not None else None
    took = f"{watch.scan_seconds:.1f} s" if watch.scan_seconds is not None else None
    return (watch.backend, one.state, watch.people_count, watch.scanned_at and moment(watch.scanned_at), took, why)


def _status_json(one: _Backend) -> dict[str, object]:
    watch = one.watch
    times = {name: getattr(watch, name) for name in ("baseline_at", "scanned_at", "failed_at", "approved_at")}
    return {
        "backend": watch.backend,
        "state": one.state,
        "is_watched": one.is_watched,
        "people": watch.people_count,
        **{name: at and utc(at) for name, at in times.items()},
        "scan_seconds": watch.scan_seconds,
        "failure": watch.failure if watch.failed_at is not None else None,
        "is_scan_wanted": watch.is_scan_wanted,
        "held": _run_json(one.held) if one.held is not None else None,
    }


def _run_json(run: HeldRun) -> dict[str, object]:
    return {
        "id": run.id,
        "state": run.state,
        "reason": run.reason,
        "held_since": utc(run.first_at),
        "last_made": utc(run.last_at),
        "counts": dict(run.counts),
    }


# -- what is held ----------------------------------------------------------------------------------------------------


@command.command()
@click.argument("backend", required=False)
@config_option
@click.option("--all", "is_all", is_flag=True, help=f"Name everybody, not only the first {_SHOWN_PEOPLE}.")
@json_option
@click.pass_obj
def show(is_debug: bool, backend: str | None, folder: Path, is_all: bool, is_json: bool) -> None:
    """Which runs are held, since when and why, and what they would do to whom."""
    with memory(folder, is_debug) as (config, store):
        if backend is not None:
            chosen(backend, list(config.backends), "backend", "BACKEND")
        runs = [run for run in store.runs.all() if backend in (None, run.backend)]
        if is_json:
            print_json([_whole_json(store, run) for run in runs])
            return
        for run in runs:
            _describe(store, run, None if is_all else _SHOWN_PEOPLE)
    if not runs:
        click.echo("no run is held")


def _whole_json(store: Store, run: HeldRun) -> dict[str, object]:
    people = [
        {
            "number": change.number,
            "kind": change.kind,
            "person_id": change.person_id,
            "before": before,
            "after": change.document,
        }
        for change, before in _changes(store, run)
    ]
    return {"backend": run.backend, **_run_json(run), "people": people}


def _changes(store: Store, run: HeldRun) -> Iterator[tuple[HeldChange, Document | None]]:
    """What a run does to each person, and the person as they are known now."""
    after = -1
    while page := store.runs.changes(run.id, after, _PAGE):
        known = store.people.documents_by_id(run.backend, [change.person_id for change in page])
        for change in page:
            yield change, known.get(change.person_id)
        after = page[-1].number


def _describe(store: Store, run: HeldRun, most: int | None) -> None:
    said = f"{run.backend}: run {run.id}: {shown(run.reason)}"
    click.echo(said if run.state == "held" else f"{said} (approved, being applied)")
    click.echo(f"  held since {moment(run.first_at)}, made again {moment(run.last_at)}")
    click.echo("  " + ", ".join(f"{name} {count}" for name, count in run.counts.items() if count))
    count = 0
    for count, (change, before) in enumerate(_changes(store, run), 1):
        if most is None or count <= most:
            click.echo(f"    {_change_line(change, before)}")
    if most is not None and count > most:
        click.echo(f"    ... and {count - most} more; --all names them")


def _change_line(change: HeldChange, before: Document | None) -> str:
    from integration_server.store.differences import drafts

    line = f"{person(change.person_id, change.document or before)} {_KINDS[change.kind]}"
    if change.kind != "update" or before is None or change.document is None:
        return line
    told = []
    for draft in drafts(before, change.document):
        if draft.group is not None:
            told.append(f"{'joins' if draft.type.endswith('added') else 'leaves'} {shown(draft.group)}")
        elif draft.changed:
            told.append(differences(draft.changed))
    return f"{line}: {'; '.join(told)}" if told else line


# -- decisions -------------------------------------------------------------------------------------------------------


def _decide(function: F) -> F:
    """BACKEND, --config, --id and --yes."""
    function = click.option("--yes", "is_sure", is_flag=True, help="Do not ask.")(function)
    function = click.option(
        "--id", "run_id", type=int, metavar="ID", help="Only the run that 'sync show' gives this id."
    )(function)
    return click.argument("backend")(config_option(function))


@command.command()
@_decide
@click.pass_context
def apply(ctx: click.Context, backend: str, folder: Path, run_id: int | None, is_sure: bool) -> None:
    """Say yes to the run that is held for BACKEND: these people are deleted or changed, and receivers are told.

    A running server does it within seconds; where none runs, this command does it itself. Exit code 1 where nothing is
    held.
    """
    with memory(folder, ctx.obj) as (config, store):
        run = _held(ctx, config, store, backend, run_id, None if is_sure else "Apply it?")
        if not store.runs.approve(backend, run.id):
            _no(ctx, "another run is held by now; look at it first")
        details = {"run": run.id, "counts": dict(run.counts)}
        audit_of(config, store).tell("sync.approved", backend, details, ACTOR)
    click.echo(f"approved: run {run.id} of {backend}")
    if _run_here(folder, ctx.obj, backend) is None:
        click.echo("a running server applies it now")
        return
    with memory(folder, ctx.obj) as (_, store):
        if store.runs.get(backend) is not None:
            raise StoreUnavailable("it could not be applied; 'integration-server sync status' says why")
    click.echo("applied")


@command.command()
@_decide
@click.pass_context
def discard(ctx: click.Context, backend: str, folder: Path, run_id: int | None, is_sure: bool) -> None:
    """Say no to the run that is held for BACKEND: it is forgotten, and the next one judged anew.

    While the directory stays as it is, the next one is held again. Exit code 1 where nothing is held.
    """
    with memory(folder, ctx.obj) as (config, store):
        run = _held(ctx, config, store, backend, run_id, None if is_sure else "Discard it?")
        if not store.runs.discard(backend, run.id):
            _no(ctx, "another run is held by now; look at it first")
        details = {"run": run.id, "counts": dict(run.counts)}
        audit_of(config, store).tell("sync.discarded", backend, details, ACTOR)
    click.echo(f"discarded: run {run.id} of {backend}")


@command.command("raise")
@click.argument("backend")
@config_option
@click.option("--cancel", "is_cancelled", is_flag=True, help="Put the guard back instead.")
@click.pass_context
def raise_(ctx: click.Context, backend: str, folder: Path, is_cancelled: bool) -> None:
    """Lift the guard of BACKEND once: the next run may take more away than the limits allow, whatever it is.

    It stands for 24 hours, unless a run uses it up. Where a run is held, everybody is compared anew at once. An empty
    directory, and what changed settings bring, are held all the same.
    """
    from integration_server.forwarding import raising
    from integration_server.server.receivers import is_watched

    with memory(folder, ctx.obj) as (config, store):
        watched = [name for name, table in config.backends.items() if is_watched(table)]
        chosen(backend, watched, "watched backend", "BACKEND")
        audit = audit_of(config, store)
        if is_cancelled:
            is_done = raising.lower(store, audit, "backend", backend, ACTOR)
            click.echo(f"the guard of {backend} {'is back' if is_done else 'was not lifted'}")
            ctx.exit(ExitCode.OK if is_done else ExitCode.NO)
        lift = raising.raise_once(store, audit, "backend", backend, ACTOR)
        is_held = store.runs.get(backend) is not None
    click.echo(f"raised: the next run of {backend} may exceed the limits, until {moment(lift.until)}")
    if is_held:
        is_here = _run_here(folder, ctx.obj, backend) is not None
        with memory(folder, ctx.obj) as (config, store):
            (one,) = (one for one in _backends(config, store) if one.watch.backend == backend)
        click.echo(_scan_line(one, is_here))


def _held(
    ctx: click.Context, config: Config, store: Store, backend: str, run_id: int | None, question: str | None
) -> HeldRun:
    """The run that is held, shown to whoever is asked about it. Ends the command where there is none, or another."""
    chosen(backend, list(config.backends), "backend", "BACKEND")
    run = store.runs.get(backend)
    if run is None or run.state != "held":
        _no(ctx, f"no run is held for {backend}")
    if run_id is not None and run_id != run.id:
        _no(ctx, f"another run is held now ({run.id}); look at it first")
    if question is not None:
        _describe(store, run, _SHOWN_PEOPLE)
        if not confirmed(question):
            ctx.exit(ExitCode.NO)
    return run


def _no(ctx: click.Context, message: str) -> NoReturn:
    click.echo(f"error: {message}", err=True)
    ctx.exit(ExitCode.NO)


@command.command()
@click.argument("backend", required=False)
@config_option
@json_option
@click.pass_obj
def scan(is_debug: bool, backend: str | None, folder: Path, is_json: bool) -> None:
    """Compare everybody of BACKEND, or of every watched backend, now.

    A running server does it within seconds; where none runs, this command does it itself. Exit code 4 where a backend
    could not be asked.
    """
    from integration_server.server.receivers import is_watched

    with memory(folder, is_debug) as (config, store):
        watched = [name for name, table in config.backends.items() if is_watched(table)]
        if backend is not None or not watched:
            watched = [chosen(backend, watched, "watched backend", "BACKEND")]
        for name in watched:
            store.watches.want_scan(name)
    done = {name: _run_here(folder, is_debug, name) for name in watched}
    with memory(folder, is_debug) as (config, store):
        found = [one for one in _backends(config, store) if one.watch.backend in watched]
    if is_json:
        print_json([{**_status_json(one), "is_done": done[one.watch.backend] is not None} for one in found])
    else:
        for one in found:
            click.echo(_scan_line(one, done[one.watch.backend] is not None))
    if any(done[one.watch.backend] is not None and one.state == "failing" for one in found):
        click.get_current_context().exit(ExitCode.UNAVAILABLE)


def _scan_line(one: _Backend, is_done: bool) -> str:
    name = one.watch.backend
    if not is_done:
        return f"{name}: a running server compares everybody now; see 'integration-server sync status'"
    if one.state == "failing":
        return f"{name}: failed: {shown(one.watch.failure)}"
    if one.held is not None:
        return f"{name}: run {one.held.id} is held: {shown(one.held.reason)}; see 'integration-server sync show'"
    return f"{name}: compared {number(one.watch.people_count, 'person', 'people')}"


def _run_here(folder: Path, is_debug: bool, backend: str) -> object | None:
    """Do a run in this process, as the server would; None where a server does such things already."""
    from integration_server.server.workers import run_once

    with installation(folder, is_debug) as found:
        return run_once(found, backend)
