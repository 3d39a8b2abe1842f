"""How faults of a configuration are told: each with its file and table, all of them in one message."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

from integration_server.config import Table
from integration_server.sdk.errors import BackendError, ConfigError

C = TypeVar("C")


def class_of(table: Table, known: Mapping[str, type[C]]) -> type[C]:
    """The plugin class that a table is for. Raises ConfigError."""
    if table.type not in known:
        there = ", ".join(sorted(known)) or "none"
        raise ConfigError(f"{table.file}: {table.path}.type: there is no {table.type!r}; there are: {there}")
    return known[table.type]


@contextmanager
def blamed(table: Table) -> Iterator[None]:
    """Put the file before a message, and the table where it does not begin with that."""
    try:
        yield
    except (ConfigError, BackendError) as exc:
        text = str(exc)
        is_named = text.removeprefix("[").startswith(table.path)
        raise ConfigError(f"{table.file}: {text if is_named else f'[{table.path}]: {text}'}") from exc


@contextmanager
def collected(faults: list[str]) -> Iterator[None]:
    """Go on after a fault: whoever mends a configuration wants to see all of them."""
    try:
        yield
    except ConfigError as exc:
        faults.append(str(exc))


def raise_all(faults: list[str]) -> None:
    """Raises ConfigError where there are any."""
    if faults:
        raise ConfigError("\n".join(faults))
