"""Administrators of the dashboard, and their sessions. The store holds a slow hash of each password, and SHA-256
digests of sessions' tokens, which are random."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from integration_server.sdk.errors import ConfigError
from integration_server.store.engine import reading, writing
from integration_server.store.schema import admin_sessions as sessions
from integration_server.store.schema import admins as table

_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,99}", re.ASCII)
#: The time of last use is written so often at most: a write for each page would make readers wait for writers.
_SEEN_NOTED_SECONDS = 60.0


def is_name(name: str) -> bool:
    """Whether an administrator can have this name."""
    return _NAME.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class Admin:
    """Who may sign in. Times are Unix seconds."""

    name: str
    password_hash: str = field(repr=False)
    created_at: float
    changed_at: float


@dataclass(frozen=True, slots=True)
class AdminSession:
    """Somebody who has signed in. ``form_token`` is what every form of the session must hold; ``notice`` is what
    the next page says."""

    digest: str
    admin: str
    form_token: str = field(repr=False)
    created_at: float
    seen_at: float
    notice: str | None


class Admins:
    """The tables ``admins`` and ``admin_sessions``. Does not own the engine. Its methods raise StoreUnavailable."""

    def __init__(self, engine: sa.Engine, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._clock = clock

    # -- administrators ----------------------------------------------------------------------------------------------

    def create(self, name: str, password_hash: str) -> None:
        """Raises ConfigError for a name that is taken, or is none."""
        self.check_name(name)
        now = self._clock()
        row = {"name": name, "password_hash": password_hash, "created_at": now, "changed_at": now}
        with writing(self._engine, is_durable=True) as connection:
            try:
                with connection.begin_nested():
                    connection.execute(table.insert().values(**row))
            except sa.exc.IntegrityError:
                raise ConfigError(f"there is an administrator {name!r} already") from None

    def check_name(self, name: str) -> None:
        """Raise ConfigError for a name that nobody can have, or that somebody has."""
        if not is_name(name):
            raise ConfigError(
                "an administrator's name is 1 to 100 small letters, digits and . _ - @ +, with a letter or digit first"
            )
        if self.get(name) is not None:
            raise ConfigError(f"there is an administrator {name!r} already")

    def get(self, name: str) -> Admin | None:
        """The administrator of that name."""
        with reading(self._engine) as connection:
            row = connection.execute(sa.select(table).where(table.c.name == name)).first()
        return Admin(*row) if row is not None else None

    def all(self) -> list[Admin]:
        """Everybody who may sign in, by name."""
        with reading(self._engine) as connection:
            return [Admin(*row) for row in connection.execute(sa.select(table).order_by(table.c.name))]

    def set_password(self, name: str, password_hash: str) -> bool:
        """Whether there is somebody of that name, whose sessions end."""
        with writing(self._engine, is_durable=True) as connection:
            values = {"password_hash": password_hash, "changed_at": self._clock()}
            is_there = connection.execute(table.update().where(table.c.name == name).values(**values)).rowcount == 1
            connection.execute(sessions.delete().where(sessions.c.admin == name))
        return is_there

    def delete(self, name: str) -> bool:
        """Whether there was somebody of that name, whose sessions end."""
        with writing(self._engine, is_durable=True) as connection:
            # Their sessions go with them: those, too, that begin while this waits.
            return connection.execute(table.delete().where(table.c.name == name)).rowcount == 1

    # -- sessions ----------------------------------------------------------------------------------------------------

    def begin(self, admin: Admin, longest_seconds: float) -> str | None:
        """A session of an administrator; its token, which the store does not hold. None where they were deleted or have
        another password by now. Sessions of anybody that are older than ``longest_seconds`` are forgotten."""
        token, now = secrets.token_urlsafe(32), self._clock()
        row = {
            "digest": _digest(token),
            "admin": admin.name,
            "form_token": secrets.token_urlsafe(32),
            "created_at": now,
            "seen_at": now,
        }
        same = sa.select(table.c.name).where(table.c.name == admin.name, table.c.password_hash == admin.password_hash)
        with writing(self._engine) as connection:
            connection.execute(sessions.delete().where(sessions.c.created_at < now - longest_seconds))
            # Whoever changes or deletes them at this moment waits, and finds the session.
            if connection.execute(same.with_for_update(read=True)).first() is None:
                return None
            connection.execute(sessions.insert().values(**row))
        return token

    def session(self, token: str, longest_seconds: float, idle_seconds: float) -> AdminSession | None:
        """The session with this token, if it is younger than ``longest_seconds`` and used within ``idle_seconds``."""
        c = sessions.c
        with reading(self._engine) as connection:
            row = connection.execute(sa.select(sessions).where(c.digest == _digest(token))).first()
        found = _session(row) if row is not None else None
        now = self._clock()
        if found is None or now - found.created_at >= longest_seconds or now - found.seen_at >= idle_seconds:
            return None
        return found

    def seen(self, session: AdminSession) -> None:
        """Note that a session is used."""
        now = self._clock()
        if not 0 <= now - session.seen_at < _SEEN_NOTED_SECONDS:
            with writing(self._engine) as connection:
                mine = sessions.update().where(sessions.c.digest == session.digest)
                connection.execute(mine.values(seen_at=now))

    def notice(self, session: AdminSession, text: str | None) -> None:
        """What the next page of the session says; None once it was said."""
        with writing(self._engine) as connection:
            connection.execute(sessions.update().where(sessions.c.digest == session.digest).values(notice=text))

    def sessions(self) -> list[AdminSession]:
        """Every session there is, the latest use first; some may be over by their age."""
        with reading(self._engine) as connection:
            rows = connection.execute(sa.select(sessions).order_by(sessions.c.seen_at.desc()))
            return [_session(row) for row in rows]

    def end(self, digest: str) -> bool:
        """End a session; whether there was one."""
        with writing(self._engine) as connection:
            return connection.execute(sessions.delete().where(sessions.c.digest == digest)).rowcount == 1


def _digest(token: str) -> str:
    # A cookie may hold anything.
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _session(row: sa.Row[Any]) -> AdminSession:
    return AdminSession(row.digest, row.admin, row.form_token, row.created_at, row.seen_at, row.notice)
