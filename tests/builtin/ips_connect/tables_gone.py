"""An outage of the store, as the plugin sees it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from integration_server import Tables
from integration_server.store import Store

_NAMES = ("accounts", "counters", "changes", "keys", "gaps", "masters", "chains")


@contextmanager
def tables_gone(store: Store) -> Iterator[None]:
    """While it is open, there are no tables of IPS Connect; afterwards they are back as they were."""

    def rename(old: str, new: str) -> None:
        with store.storage(Tables("other", ())).writing() as connection:
            for name in _NAMES:
                connection.exec_driver_sql(f"ALTER TABLE {old}_{name} RENAME TO {new}_{name}")

    rename("ips_connect", "aside")
    try:
        yield
    finally:
        rename("aside", "ips_connect")
