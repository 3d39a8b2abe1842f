"""Failed logins, shared by all processes and nodes on one store. Written on failures only.

A failure is a *distinct* wrong password, so a mail client that repeats its old password for a night counts once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import sqlalchemy as sa

from integration_server.store.engine import reading, writing
from integration_server.store.schema import failed_logins as table

#: Whoever logs in waits for it, and writers hold SQLite's lock for moments.
_LOCKED_SECONDS = 3.0
_COUNT = sa.select(sa.func.count(), sa.func.max(table.c.failed_at)).where(
    table.c.mount == sa.bindparam("mount"),
    table.c.username == sa.bindparam("username"),
    table.c.caller == sa.bindparam("caller"),
    table.c.failed_at > sa.bindparam("since"),
)


class Who(NamedTuple):
    """One user, as one caller asks about them on one mount. ``username`` is normalised."""

    mount: str
    username: str
    caller: str

    def params(self) -> dict[str, object]:
        return {"mount": self.mount, "username": self.username, "caller": self.caller}


@dataclass(frozen=True, slots=True)
class Failures:
    """How many distinct wrong passwords, and the Unix time of the latest new one."""

    who: Who
    count: int
    last_at: float


class FailedLogins:
    """The table. Does not own the engine."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def failures(self, who: Who, since: float) -> Failures:
        """What is known about ``who`` after ``since`` (Unix seconds)."""
        with reading(self._engine) as connection:
            count, last_at = connection.execute(_COUNT, {**who.params(), "since": since}).one()
        return Failures(who, count, last_at or 0.0)

    def add(self, who: Who, password_mac: str, now: float, since: float) -> None:
        """Note a wrong password; one that is known already changes nothing. Forgets everything before ``since``."""
        with writing(self._engine, locked_seconds=_LOCKED_SECONDS) as connection:
            connection.execute(table.delete().where(table.c.failed_at <= since))
            row = {**who.params(), "password_mac": password_mac, "failed_at": now}
            insert = sa.insert(table).from_select(
                list(row),
                sa.select(*(sa.literal(value) for value in row.values())).where(
                    ~sa.exists().where(*(table.c[key] == row[key] for key in row if key != "failed_at"))
                ),
            )
            try:
                with connection.begin_nested():
                    connection.execute(insert)
            except sa.exc.IntegrityError:
                # Another process noted the same password between our look and our insert.
                pass

    def clear(self, who: Who) -> None:
        """Forget the failures of ``who``, after a right password."""
        with writing(self._engine, locked_seconds=_LOCKED_SECONDS) as connection:
            connection.execute(table.delete().where(*(table.c[k] == v for k, v in who.params().items())))

    def everybody(self, since: float) -> Iterator[Failures]:
        """All who failed after ``since``, the latest first."""
        c = table.c
        last = sa.func.max(c.failed_at)
        query = sa.select(c.mount, c.username, c.caller, sa.func.count(), last).where(c.failed_at > since)
        with reading(self._engine) as connection:
            rows = connection.execute(query.group_by(c.mount, c.username, c.caller).order_by(last.desc())).all()
        for mount, username, caller, count, last_at in rows:
            yield Failures(Who(mount, username, caller), count, last_at)

    def repeated(self, since: float, least: int, limit: int) -> list[Failures]:
        """Those who failed ``least`` times or more after ``since``, the latest first; ``limit`` of them."""
        c = table.c
        last, count = sa.func.max(c.failed_at), sa.func.count()
        query = sa.select(c.mount, c.username, c.caller, count, last).where(c.failed_at > since)
        query = query.group_by(c.mount, c.username, c.caller).having(count >= least).order_by(last.desc()).limit(limit)
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
        return [Failures(Who(mount, username, caller), number, at) for mount, username, caller, number, at in rows]

    def suspects(self, since: float, most: int) -> frozenset[Who] | None:
        """All who failed after ``since``, or None where they are more than ``most``."""
        c = table.c
        query = sa.select(c.mount, c.username, c.caller).where(c.failed_at > since).distinct().limit(most + 1)
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
        return frozenset(Who(*row) for row in rows) if len(rows) <= most else None

    def forget(self, username: str | None) -> int:
        """Remove the failures of a (normalised) user name on all mounts, or of everybody; returns rows removed."""
        delete = table.delete()
        if username is not None:
            delete = delete.where(table.c.username == username)
        with writing(self._engine) as connection:
            return connection.execute(delete).rowcount
