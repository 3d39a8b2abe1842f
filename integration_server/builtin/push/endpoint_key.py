"""The key that a mount's endpoints are made with. It is made once, at the first need of it, and kept in the store."""

from __future__ import annotations

import secrets

import sqlalchemy as sa

from integration_server import Storage, StoreUnavailable
from integration_server.builtin.push.endpoints import Endpoints
from integration_server.builtin.push.tables import mounts

_FIRST = "INSERT INTO push_mounts (mount, endpoint_key, last_change) VALUES (:mount, :key, 0) ON CONFLICT DO NOTHING"


class EndpointKey:
    """One mount's. Thread-safe; does no I/O when made."""

    def __init__(self, mount: str, storage: Storage) -> None:
        self._mount = mount
        self._storage = storage
        self._known: Endpoints | None = None

    def endpoints(self) -> Endpoints:
        """What makes and reads its endpoints. Raises StoreUnavailable."""
        if self._known is None:
            self._known = Endpoints(bytes.fromhex(self._kept() or self._made()))
        return self._known

    def _kept(self) -> str | None:
        with self._storage.reading() as connection:
            key: str | None = connection.scalar(sa.select(mounts.c.endpoint_key).where(mounts.c.mount == self._mount))
        return key

    def _made(self) -> str:
        """Several processes may start at once; the first one's counts."""
        with self._storage.writing() as connection:
            connection.execute(sa.text(_FIRST), {"mount": self._mount, "key": secrets.token_hex(32)})
        key = self._kept()
        if key is None:
            raise StoreUnavailable("the key of the endpoints was not kept")
        return key
