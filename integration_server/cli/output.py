"""How commands print: tables for people, JSON for machines, nothing that a terminal would obey."""

from __future__ import annotations

import errno
import io
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, BinaryIO

import click

from integration_server.cli.exits import OutputLost

_LEVEL_COLOURS = {"ok": "green", "warning": "yellow", "error": "red", "unavailable": "red"}


def binary_output() -> BinaryIO:
    """Standard output for data. Data is UTF-8 wherever it goes; a code page would lose letters of names."""
    if sys.stdout is None:
        # It was closed before we began, and whoever did that wants to see nothing.
        return io.BytesIO()
    sys.stdout.flush()
    return sys.stdout.buffer


def print_json(value: Any) -> None:
    """One JSON value (RFC 8259), indented."""
    out = binary_output()
    out.write(json.dumps(value, ensure_ascii=False, indent=2).encode("utf-8", "replace") + b"\n")
    out.flush()


def tell_once(tell: Callable[[], None], take_back: Callable[[], None], lost: str) -> None:
    """Let ``tell`` print what is never shown again. Where that cannot be written, ``take_back`` is called; raises
    OutputLost, which says ``lost``."""
    try:
        if sys.stdout is None:
            raise OSError(errno.EBADF, "it is closed")
        tell()
        sys.stdout.flush()
    except (OSError, ValueError) as exc:
        # The interpreter must not try the rest again at its end.
        with suppress(OSError, ValueError, AttributeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        take_back()
        reason = exc.strerror if isinstance(exc, OSError) else None
        raise OutputLost(f"standard output cannot be written to ({reason or exc}): {lost}") from exc


def print_table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A small table: framed for a terminal's width, plain columns of any width where nobody looks."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    is_terminal = sys.stdout is not None and sys.stdout.isatty()
    table = Table(box=box.SIMPLE_HEAD if is_terminal else None, pad_edge=False, padding=(0, 2, 0, 0))
    for header in headers:
        table.add_column(Text(header), overflow="fold")
    for row in rows:
        # As Text, since a name may hold what rich takes for markup.
        table.add_row(*(Text(shown(cell)) for cell in row))
    # Where nobody looks there is no edge to wrap at.
    console = Console(file=sys.stdout, highlight=False, soft_wrap=False, width=None if is_terminal else 100_000)
    with console.capture() as capture:
        console.print(table)
    click.echo("\n".join(line.rstrip() for line in capture.get().splitlines()))


def print_finding(where: str, level: str, message: str) -> None:
    """One line of what was found."""
    label = click.style(f"{level:<11}", fg=_LEVEL_COLOURS.get(level))
    click.echo(f"{label} {shown(where)}: {shown(message)}")


def shown(value: object) -> str:
    """A value in a table's cell."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, list | tuple):
        return ", ".join(map(shown, value))
    # Late, since the server's room brings the HTTP server with it, which help has no use for.
    from integration_server.server.logs import visible

    return visible(str(value))


def moment(seconds: float) -> str:
    """Unix seconds as local time."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def utc(seconds: float) -> str:
    """Unix seconds for machines (RFC 3339)."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def number(count: int, one: str, several: str | None = None) -> str:
    """``1 user``, ``2 users``."""
    return f"{count} {one if count == 1 else several or one + 's'}"


def shell_line(words: Sequence[str]) -> str:
    """A command to paste into the platform's shell."""
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)
