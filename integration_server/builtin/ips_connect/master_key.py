"""The key that slaves show: the configuration's, or one that is made once and kept in the store."""

from __future__ import annotations

import time
from collections.abc import Callable

import sqlalchemy as sa

from integration_server import Storage
from integration_server.builtin.ips_connect.keys import new_key
from integration_server.builtin.ips_connect.tables import keys

#: Seconds. A key that was rotated counts in every process after this at the latest.
_REMEMBERED = 1.0


class MasterKey:
    """The key of one network of accounts. Thread-safe; raises StoreUnavailable. Does no I/O when made."""

    def __init__(
        self, backend: str, storage: Storage, configured: str | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._backend = backend
        self._storage = storage
        self._configured = configured
        self._clock = clock
        self._read: tuple[float, str] | None = None

    @property
    def is_configured(self) -> bool:
        """Whether it stands in the configuration, where alone it can be changed."""
        return self._configured is not None

    def value(self) -> str:
        """The key. The first call of all makes one."""
        if self._configured is not None:
            return self._configured
        now = self._clock()
        if self._read is None or not 0 <= now - self._read[0] < _REMEMBERED:
            self._read = (now, self._stored() or self._made())
        return self._read[1]

    def rotate(self, key: str | None = None) -> str:
        """Another key, or the one that is given, from now on; slaves must be told of it. Not for a configured one."""
        made = key or new_key()
        with self._storage.writing() as connection:
            connection.execute(keys.delete().where(keys.c.backend == self._backend))
            connection.execute(keys.insert().values(backend=self._backend, master_key=made))
        self._read = None
        return made

    def _stored(self) -> str | None:
        with self._storage.reading() as connection:
            found: str | None = connection.scalar(sa.select(keys.c.master_key).where(keys.c.backend == self._backend))
        return found

    def _made(self) -> str:
        """Several processes may start at once; the first one's counts."""
        first = "INSERT INTO ips_connect_keys (backend, master_key) VALUES (:backend, :key) ON CONFLICT DO NOTHING"
        with self._storage.writing() as connection:
            connection.execute(sa.text(first), {"backend": self._backend, "key": new_key()})
        return self._stored() or ""
