"""Accounts as entries of a backend."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from integration_server import BackendMisconfigured, BackendUnavailable, Batch, StoreUnavailable
from integration_server.builtin.ips_connect.account import Account, State
from integration_server.builtin.ips_connect.calls import connect_id

COLUMNS = ("id", "name", "email", "full_name", "state", "is_disabled")
_UNIQUE = frozenset({"id", "name", "email"})


def row(account: Account) -> tuple[object, ...]:
    """A value for each of ``COLUMNS``; neither hash nor salt is among them."""
    state = account.state
    return account.id, account.name, account.email, account.full_name, state.value, state is not State.ACTIVE


def batch(found: Sequence[Account]) -> Batch:
    return Batch(COLUMNS, list(map(row, found)), _UNIQUE)


def number_of(value: str) -> int | None:
    """The connect id that a text is, letter for letter."""
    number = connect_id(value)
    return None if number is None or str(number) != value else number


def not_findable(attribute: str) -> BackendMisconfigured:
    return BackendMisconfigured(f"accounts of IPS Connect are found by id, name and email, not by {attribute!r}")


@contextmanager
def asking() -> Iterator[None]:
    """To those who ask, the store is a directory like any other."""
    try:
        yield
    except StoreUnavailable as exc:
        raise BackendUnavailable(str(exc)) from exc
