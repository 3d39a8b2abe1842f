"""The one token that all callers of a frontend share, as GroupServer has it. The store holds SHA-256 digests only."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable

import sqlalchemy as sa

from integration_server.store.engine import reading, writing
from integration_server.store.identities import base62
from integration_server.store.schema import frontend_tokens as table
from integration_server.store.standing_query import StandingConnection, StandingQuery

_LIMIT = 62**32
#: One statement each: of two writers the second waits for the first, and neither fails.
_INSERT = "INSERT INTO frontend_tokens (mount, digest, created_at) VALUES (:mount, :digest, :created_at)"
_FIRST = f"{_INSERT} ON CONFLICT (mount) DO NOTHING"
_REPLACE = f"{_INSERT} ON CONFLICT (mount) DO UPDATE SET digest = excluded.digest, created_at = excluded.created_at"


def new_token() -> str:
    """A token as GroupServer makes them: a random number below 62^32 in base 62, so mostly 32 characters."""
    return base62(secrets.randbelow(_LIMIT))


class FrontendTokens:
    """The table. Does not own the engine. Its methods raise StoreUnavailable.

    ``mount`` is the name of a frontend. Every method asks the database, so a change is in force at once, in all
    processes.
    """

    def __init__(self, engine: sa.Engine, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._clock = clock
        # Every request passes here.
        self._stored = StandingQuery(StandingConnection(engine), "SELECT digest FROM frontend_tokens WHERE mount = ?")

    def ensure(self, mount: str) -> str | None:
        """The first token of a frontend that has none, which nobody can ever ask for again; None where there is one.

        Of several processes that call it at once, one gets the token.
        """
        with reading(self._engine) as connection:
            if connection.scalar(sa.select(table.c.mount).where(table.c.mount == mount)) is not None:
                return None
        return self._write(_FIRST, mount)

    def rotate(self, mount: str) -> str:
        """A new token in the place of the old one, if there is one: that is refused from now on."""
        token = self._write(_REPLACE, mount)
        assert token is not None
        return token

    def _write(self, statement: str, mount: str) -> str | None:
        token = new_token()
        row = {"mount": mount, "digest": _digest(token), "created_at": self._clock()}
        # Durable: a power cut must not bring an old token back to life.
        with writing(self._engine, is_durable=True) as connection:
            return token if connection.execute(sa.text(statement), row).rowcount == 1 else None

    def matches(self, mount: str, token: str) -> bool:
        """Whether this is the frontend's token. Takes the same time for every wrong one."""
        row = self._stored.first((mount,))
        return row is not None and hmac.compare_digest(_digest(token), row[0])

    def ages(self) -> dict[str, float]:
        """When the token of each frontend was made (Unix seconds)."""
        with reading(self._engine) as connection:
            return {
                row.mount: row.created_at for row in connection.execute(sa.select(table.c.mount, table.c.created_at))
            }

    def mounts(self) -> list[str]:
        """The frontends that have a token, by name."""
        with reading(self._engine) as connection:
            return list(connection.scalars(sa.select(table.c.mount).order_by(table.c.mount)))


def _digest(token: str) -> str:
    # A form may hold anything, half of a surrogate pair included.
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
