"""``integration-server changes``: the journal, for people to read."""

from __future__ import annotations

import itertools
import json
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from integration_server import Event
from integration_server.cli.opening import memory
from integration_server.cli.options import Number, config_option, json_option
from integration_server.cli.output import binary_output, moment, shown, utc
from integration_server.cli.people_shown import differences, person

if TYPE_CHECKING:
    from integration_server.store.journal import Journal

_LATEST = 20
_PAGE = 1_000
_POLL_SECONDS = 0.5
_TYPE_WIDTH = len("membership.removed")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events are shown."""

    backend: str | None
    who: str | None

    def holds(self, event: Event) -> bool:
        if self.backend is not None and event.backend != self.backend:
            return False
        return self.who is None or self.who in (event.person_id, *_usernames(event))


@click.command()
@config_option
@click.option("-f", "--follow", is_flag=True, help="Go on showing what comes, until Ctrl-C.")
@click.option("--after", type=Number(0), metavar="SERIAL", help="Everything after this serial.")
@click.option("--last", type=Number(0), metavar="N", help=f"The latest N; {_LATEST} without --after.")
@click.option("--backend", help="Only changes in this backend.")
@click.option("--person", "who", metavar="ID", help="Only this person, by id or by user name.")
@json_option
@click.pass_obj
def command(
    is_debug: bool,
    folder: Path,
    follow: bool,
    after: int | None,
    last: int | None,
    backend: str | None,
    who: str | None,
    is_json: bool,
) -> None:
    """Show what changed: serial, time, type, backend, person and what was before and after.

    Each line of --json is one JSON object.
    """
    if after is not None and last is not None:
        raise click.UsageError("--after and --last exclude each other")
    wanted = Wanted(backend, who)
    with memory(folder, is_debug) as (config, store):
        if backend is not None and backend not in config.backends:
            raise click.UsageError(f"there is no backend {backend!r}; there are: {', '.join(sorted(config.backends))}")
        shown_up_to, latest = (
            _latest(store.journal, wanted, _LATEST if last is None else last)
            if after is None
            else (_checked_start(store.journal, after), ())
        )
        later = _above(store.journal, shown_up_to, is_endless=follow) if follow or after is not None else ()
        for event in itertools.chain(latest, filter(wanted.holds, later)):
            _print(event, is_json)
        if not store.journal.last_serial():
            click.echo("no change was noticed yet; see 'integration-server sync status'", err=True)


def _latest(journal: Journal, wanted: Wanted, count: int) -> tuple[int, Sequence[Event]]:
    """The last serial, and the latest events up to it."""
    end, start = journal.last_serial(), journal.pruned_serial()
    if wanted == Wanted(None, None):
        start = max(start, end - count)
    upto = itertools.takewhile(lambda event: event.serial <= end, _above(journal, start))
    return end, deque(filter(wanted.holds, upto), maxlen=count)


def _checked_start(journal: Journal, after: int) -> int:
    """Raises UsageError where some of what follows is no longer kept."""
    pruned = journal.pruned_serial()
    if after < pruned:
        raise click.UsageError(f"changes up to serial {pruned} are no longer kept; say --after {pruned}")
    if after > (last := journal.last_serial()):
        raise click.UsageError(f"there has never been a serial {after}; the last one is {last}")
    return after


def _above(journal: Journal, serial: int, is_endless: bool = False) -> Iterator[Event]:
    """Every event above a serial; then, where ``is_endless``, what is written from now on."""
    while True:
        page = journal.events(serial, _PAGE)
        for event in page:
            serial = event.serial
            yield event
        if not page:
            if not is_endless:
                return
            time.sleep(_POLL_SECONDS)


def _usernames(event: Event) -> Iterator[object]:
    for document in (event.after, event.before):
        if document is not None:
            yield document.get("username")


# -- one event -------------------------------------------------------------------------------------------------------


def _print(event: Event, is_json: bool) -> None:
    if is_json:
        out = binary_output()
        out.write(json.dumps(as_json(event), ensure_ascii=False).encode("utf-8", "replace") + b"\n")
        out.flush()
    else:
        click.echo(line(event))


def line(event: Event) -> str:
    """One event on one line."""
    parts = [f"{event.serial:>7}", moment(event.noticed_at), f"{event.type:<{_TYPE_WIDTH}}", shown(event.backend)]
    parts.append(person(event.person_id, event.after or event.before))
    if event.group is not None:
        parts.append(shown(event.group))
    if event.changed:
        parts.append(differences(event.changed))
    return "  ".join(parts)


def as_json(event: Event) -> dict[str, object]:
    """One event for machines."""
    found: dict[str, object] = {
        "serial": event.serial,
        "id": event.id,
        "time": utc(event.noticed_at),
        "type": event.type,
        "backend": event.backend,
        "person_id": event.person_id,
        "group": event.group,
        "object": event.after,
        "before": event.before,
    }
    if event.changed is not None:
        found["changed"] = {name: {"old": old, "new": new} for name, (old, new) in event.changed.items()}
    return found
