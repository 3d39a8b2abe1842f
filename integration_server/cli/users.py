"""``integration-server users``: the list that a frontend would send, for people to read."""

from __future__ import annotations

import csv
import io
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click
import orjson

from integration_server import User
from integration_server.cli.opening import backend_mount, chosen_mount, installation
from integration_server.cli.options import config_argument, json_option
from integration_server.cli.output import binary_output, number, shown

if TYPE_CHECKING:
    from integration_server.directory.listing import Course
    from integration_server.directory.mount import Mount
    from integration_server.server.installation import Installation

_HEADERS = ("USER NAME", "FULL NAME", "ADDRESSES", "GROUPS", "STATE", "BACKEND")
#: Longer cells push the next column aside instead of widening it for everybody.
_WIDEST = 60
_CSV_COLUMNS = ("backend", "id", "username", "full_name", "distinguished_name", "emails", "groups", "state")
_CELL, _BLOCK = "\x1f", 1 << 18


@click.command()
@config_argument
@click.option("--mount", "mount_name", metavar="NAME", help="The frontend whose list it is, where there are several.")
@click.option("--backend", "backend_name", metavar="NAME", help="Instead: everybody of one backend, within its filter.")
@click.option(
    "--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", help="csv and json are UTF-8."
)
@json_option
@click.option(
    "--why", "wanted", metavar="NAME", help="Why NAME is or is not on the list, and where each field is from."
)
@click.pass_context
def command(
    ctx: click.Context,
    folder: Path,
    mount_name: str | None,
    backend_name: str | None,
    form: str,
    is_json: bool,
    wanted: str | None,
) -> None:
    """List everybody whom a frontend would list, without its guard: the whole list, or an error and nothing.

    In csv, several addresses or groups of a person are joined by ";".
    """
    if mount_name is not None and backend_name is not None:
        raise click.UsageError("give --mount or --backend, not both")
    form = "json" if is_json else form
    with installation(folder, ctx.obj) as found:
        mount = chosen_mount(found, mount_name) if backend_name is None else backend_mount(found, backend_name)
        if wanted is not None:
            from integration_server.cli import why

            ctx.exit(why.print_findings(mount, wanted, is_json=form == "json"))
        # Nothing is printed before the list has proved to be whole: a part of it must not look like all of it.
        with tempfile.TemporaryFile(prefix="integration-server-") as spool:
            write = {"table": _Columns, "json": _JsonArray, "csv": _CsvLines}[form](spool)
            course = _spool(found, mount, write.add)
            write.print()
    notes = course.notes
    parts = [number(write.count, "user")]
    parts += [number(notes.collisions, "name collision")] if notes.collisions else []
    parts += [number(notes.bad_rows, "unreadable entry", "unreadable entries")] if notes.bad_rows else []
    click.echo(", ".join(parts), err=True)


def _spool(found: Installation, mount: Mount, add: Callable[[User], None]) -> Course:
    """Hand everybody on the mount to ``add``. Raises BackendError where that is not everybody."""
    from integration_server.directory.listing import Course, walk
    from integration_server.directory.unindexed import Unindexed

    course = Course()
    last = found.store.name_lists.latest(mount.name)
    with _progress(last.content.count if last is not None else None) as advance:
        for page, _ in walk(mount, Unindexed(), time.time, course):
            for user in page.users():
                add(user)
            advance(len(page))
    return course


@contextmanager
def _progress(expected: int | None) -> Iterator[Callable[[int], None]]:
    """A bar on standard error where that is a terminal. ``expected`` is a guess."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda more: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("listing"), BarColumn(), TextColumn("{task.completed:,.0f} users"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("listing", total=expected)
        yield lambda more: progress.advance(task, more)


class _Spooled:
    """What is printed at the end, in a temporary file until then."""

    def __init__(self, spool: IO[bytes]) -> None:
        self._spool = spool
        self.count = 0

    def _write(self, text: str) -> None:
        self._spool.write(text.encode("utf-8"))

    def add(self, user: User) -> None:
        raise NotImplementedError

    def print(self) -> None:
        """Copy the file to standard output."""
        self._spool.seek(0)
        out = binary_output()
        shutil.copyfileobj(self._spool, out, _BLOCK)
        out.flush()


class _JsonArray(_Spooled):
    """One JSON array with an object, on a line of its own, for each user."""

    def add(self, user: User) -> None:
        self._spool.write((b"[\n" if not self.count else b",\n") + orjson.dumps(as_data(user)))
        self.count += 1

    def print(self) -> None:
        self._write("\n]\n" if self.count else "[]\n")
        super().print()


class _CsvLines(_Spooled):
    """CSV with a header (RFC 4180)."""

    def __init__(self, spool: IO[bytes]) -> None:
        super().__init__(spool)
        self._line(_CSV_COLUMNS)

    def _line(self, cells: Sequence[str]) -> None:
        line = io.StringIO(newline="")
        csv.writer(line).writerow(cells)
        self._write(line.getvalue())

    def add(self, user: User) -> None:
        data = as_data(user)
        self._line([";".join(v) if isinstance(v := data[name], list) else str(v or "") for name in _CSV_COLUMNS])
        self.count += 1


class _Columns(_Spooled):
    """Columns as wide as their content, which is known at the end only."""

    def __init__(self, spool: IO[bytes]) -> None:
        super().__init__(spool)
        self._widths = [0] * len(_HEADERS)

    def add(self, user: User) -> None:
        addresses = [email.address for email in user.emails]
        values = (user.username, user.full_name, addresses, user.groups, user.state.value, user.backend)
        cells = [shown(value) for value in values]
        self._widths = [max(w, min(_width(c), _WIDEST)) for w, c in zip(self._widths, cells, strict=True)]
        self._write(_CELL.join(cells) + "\n")
        self.count += 1

    def print(self) -> None:
        # A column that is empty for everybody says nothing.
        used = [i for i, width in enumerate(self._widths) if width]
        if not self.count:
            return
        widths = [max(self._widths[i], len(_HEADERS[i])) for i in used]
        click.echo(_aligned([_HEADERS[i] for i in used], widths))
        self._spool.seek(0)
        for line in io.TextIOWrapper(self._spool, "utf-8", newline="\n"):
            cells = line.rstrip("\n").split(_CELL)
            sys.stdout.write(_aligned([cells[i] for i in used], widths) + "\n")


def _width(text: str) -> int:
    """How many columns of a terminal a text takes; letters of East Asia take two."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell + " " * max(0, width - _width(cell)) for cell, width in zip(cells, widths, strict=True)]
    return "  ".join(padded).rstrip()


def as_data(user: User) -> dict[str, object]:
    """A user as JSON has it, with the words of the mapping."""
    return {
        "backend": user.backend,
        "id": user.id,
        "username": user.username,
        "full_name": user.full_name,
        "distinguished_name": user.distinguished_name,
        "emails": [email.address for email in user.emails],
        "groups": list(user.groups),
        "nickname": user.nickname,
        "biography": user.biography,
        "tz": user.tz,
        "state": user.state.value,
    }
