"""Bearer tokens of the API. The store holds SHA-256 digests only: the tokens are random, so no slow hash is needed."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import sqlalchemy as sa

from integration_server.sdk.errors import ConfigError
from integration_server.store.bound_channels import end_orphans
from integration_server.store.engine import reading, writing
from integration_server.store.resources import Resource
from integration_server.store.schema import tokens as table

Scope = Literal["events:read", "subscriptions:write", "sync:admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)

_PLAIN = re.compile(r"ist_[A-Za-z0-9_-]{43}", re.ASCII)
_LONGEST_NAME = 200
_DAY_SECONDS = 86400.0
_LONGEST_LIFE_SECONDS = 100_000 * _DAY_SECONDS
#: The time of last use is for people to read; a write for each request would make readers wait for writers.
_USE_NOTED_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Token:
    """What a token may do. Times are Unix seconds; ``resources`` are what it may see."""

    id: str
    name: str
    scopes: tuple[Scope, ...]
    resources: tuple[Resource, ...]
    created_at: float
    expires_at: float | None
    revoked_at: float | None
    used_at: float | None

    def is_live(self, now: float) -> bool:
        """Whether it is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def may_see(self, resource: Resource) -> bool:
        """Whether everything in ``resource`` is open to this token."""
        return any(mine.covers(resource) for mine in self.resources)


class Tokens:
    """The table. Does not own the engine."""

    def __init__(self, engine: sa.Engine, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._clock = clock

    def create(
        self, name: str, scopes: Sequence[Scope], resources: Sequence[Resource], expires_at: float | None = None
    ) -> tuple[Token, str]:
        """A new token and its plain text, which nobody can ever ask for again. Raises ConfigError."""
        _check(name, scopes, resources)
        plain = f"ist_{secrets.token_urlsafe(32)}"
        token = Token(
            f"tok_{secrets.token_hex(12)}",
            name,
            tuple(scope for scope in SCOPES if scope in scopes),
            tuple(dict.fromkeys(resources)),
            self._clock(),
            expires_at,
            None,
            None,
        )
        with writing(self._engine) as connection:
            try:
                with connection.begin_nested():
                    connection.execute(table.insert().values(**_row(token), digest=_digest(plain)))
            except sa.exc.IntegrityError:
                told = f"a token named {name!r} exists, or existed and was revoked; take another name"
                raise ConfigError(told) from None
        return token, plain

    def find(self, plain: str) -> Token | None:
        """The live token with this plain text, whose use is noted; None for any other text."""
        if _PLAIN.fullmatch(plain) is None:
            return None
        with reading(self._engine) as connection:
            row = connection.execute(sa.select(table).where(table.c.digest == _digest(plain))).first()
        now = self._clock()
        token = _token(row) if row is not None else None
        if token is None or not token.is_live(now):
            return None
        if token.used_at is None or not 0 <= now - token.used_at < _USE_NOTED_SECONDS:
            with writing(self._engine) as connection:
                connection.execute(table.update().where(table.c.id == token.id).values(used_at=now))
        return token

    def get(self, token_id: str) -> Token | None:
        """The token with this id, whatever its state."""
        with reading(self._engine) as connection:
            row = connection.execute(sa.select(table).where(table.c.id == token_id)).first()
        return _token(row) if row is not None else None

    def all(self) -> list[Token]:
        """Every token by name, also those that are revoked or expired."""
        with reading(self._engine) as connection:
            return [_token(row) for row in connection.execute(sa.select(table).order_by(table.c.name))]

    def page(self, after: str, limit: int) -> list[Token]:
        """The next by name, whatever their state."""
        query = sa.select(table).where(table.c.name > after).order_by(table.c.name).limit(limit)
        with reading(self._engine) as connection:
            return [_token(row) for row in connection.execute(query)]

    def revoke(self, name: str) -> Token | None:
        """End a token for good, and the channels that it bound; it stays on the list. None where no live or expired
        token has this name."""
        c = table.c
        now = self._clock()
        with writing(self._engine) as connection:
            update = table.update().where(c.name == name, c.revoked_at.is_(None)).values(revoked_at=now)
            row = connection.execute(update.returning(*c)).first()
            if row is not None:
                end_orphans(connection, now)
        return _token(row) if row is not None else None


def expiry(text: str, now: float) -> float | None:
    """When a token ends, in Unix seconds: after so many days, or at a date (ISO 8601; UTC where it names no zone); None
    for nothing. Raises ValueError, whose text is for people."""
    text = text.strip()
    if not text:
        return None
    if text.isascii() and text.isdigit() and len(text) < 6:
        if not int(text):
            raise ValueError("a token that ends at once is of no use; say 1 day or more")
        return now + int(text) * _DAY_SECONDS
    try:
        when = dt.datetime.fromisoformat(text)
        at = (when if when.tzinfo is not None else when.replace(tzinfo=dt.UTC)).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is neither a number of days nor a date such as 2031-12-31") from None
    if at <= now:
        raise ValueError(f"{text} has passed already")
    if at > now + _LONGEST_LIFE_SECONDS:
        raise ValueError(f"{text} is too far off; leave it out for a token that never ends")
    return at


def _check(name: str, scopes: Sequence[str], resources: Sequence[Resource]) -> None:
    if not name or len(name) > _LONGEST_NAME or not name.isprintable() or name != name.strip():
        raise ConfigError(f"a token's name is 1 to {_LONGEST_NAME} printable characters, without blanks around it")
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        told = f"there is no scope {', '.join(unknown)}" if unknown else "a token needs a scope"
        raise ConfigError(f"{told}; there are: {', '.join(SCOPES)}")
    if not resources:
        raise ConfigError("a token needs something that it may see: everything, a backend or a group")


def _digest(plain: str) -> str:
    return hashlib.sha256(plain.encode("ascii")).hexdigest()


def _row(token: Token) -> dict[str, object]:
    return {
        "id": token.id,
        "name": token.name,
        "scopes": json.dumps(token.scopes),
        "resources": json.dumps([resource.as_json() for resource in token.resources]),
        "created_at": token.created_at,
        "expires_at": token.expires_at,
    }


def _token(row: sa.Row[Any]) -> Token:
    return Token(
        row.id,
        row.name,
        tuple(json.loads(row.scopes)),
        tuple(Resource.from_json(resource) for resource in json.loads(row.resources)),
        row.created_at,
        row.expires_at,
        row.revoked_at,
        row.used_at,
    )
