"""Serials as people name them to commands."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from integration_server.store import Store


def serial_at(store: Store, text: str) -> int:
    """The serial below the first event of a time (ISO 8601; local where it names no zone). Raises UsageError."""
    serial = store.journal.serial_at(_seconds(text))
    if serial is None:
        pruned = store.journal.pruned_serial()
        raise click.UsageError(f"events of that time may be gone; say --everybody, or --after {pruned}")
    return serial


def check_serial(store: Store, serial: int) -> None:
    """Raises UsageError for one that is no longer kept, or was not given out yet."""
    pruned, last = store.journal.pruned_serial(), store.journal.last_serial()
    if serial < pruned:
        raise click.UsageError(f"events up to serial {pruned} are no longer kept; say --everybody, or --after {pruned}")
    if serial > last:
        raise click.UsageError(f"the last serial is {last}")


def _seconds(text: str) -> float:
    try:
        return dt.datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        raise click.UsageError(f"--since {text}: write a date and time such as 2031-12-31T08:00") from None
