"""The token of each frontend that has one. Only its SHA-256 is stored: it is random, so no slow hash is needed."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable

import sqlalchemy as sa

from integration_server.store.engine import reading, writing
from integration_server.store.identities import base62, or_nothing
from integration_server.store.schema import frontend_tokens as table

#: The range of GroupServer's own tokens.
_TOKENS = 62**32


def new_token() -> str:
    """A fresh token: digits and letters, 32 of them as a rule."""
    return base62(secrets.randbelow(_TOKENS))


class FrontendTokens:
    """The table. Thread-safe; does not own the engine. Its methods raise StoreUnavailable."""

    def __init__(self, engine: sa.Engine, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._clock = clock
        self._digest = sa.select(table.c.digest).where(table.c.mount == sa.bindparam("mount"))

    def ensure(self, mount: str) -> str | None:
        """Make the first token of a mount, and return it, this once; None where there is one already."""
        token = new_token()
        with writing(self._engine, is_durable=True) as connection:
            made = connection.execute(or_nothing(self._engine, table).values(**self._row(mount, token)))
            return token if made.rowcount else None

    def rotate(self, mount: str) -> str:
        """Put a new token in the place of the old one, which is refused from now on."""
        token = new_token()
        with writing(self._engine, is_durable=True) as connection:
            connection.execute(table.delete().where(table.c.mount == mount))
            connection.execute(table.insert().values(**self._row(mount, token)))
        return token

    def matches(self, mount: str, token: str) -> bool:
        """Whether this is the mount's token now. The database is asked each time, and all bytes are compared."""
        with reading(self._engine) as connection:
            stored = connection.scalar(self._digest, {"mount": mount})
        return stored is not None and hmac.compare_digest(str(stored), _digest(token))

    def _row(self, mount: str, token: str) -> dict[str, object]:
        return {"mount": mount, "digest": _digest(token), "created_at": self._clock()}


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
