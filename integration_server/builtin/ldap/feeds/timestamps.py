"""The change feed that goes by modifyTimestamp (RFC 4512 §3.4.4), which servers keep for each entry."""

from __future__ import annotations

import datetime as dt
import re
import time
from collections.abc import Iterator
from typing import ClassVar

from integration_server import (
    BackendMisconfigured,
    Batch,
    Changes,
    ComparisonNeeded,
    Deadline,
    Finding,
    Overlap,
    values,
)
from integration_server.builtin.ldap.entries import Row
from integration_server.builtin.ldap.feeds.feed import Feed
from integration_server.builtin.ldap.feeds.positions import Kind, unreadable, written
from integration_server.builtin.ldap.messages import Search, at_least, both, present
from integration_server.builtin.ldap.people import add_groups, check_states
from integration_server.builtin.ldap.plan import Plan
from integration_server.builtin.ldap.pool import Pool
from integration_server.builtin.ldap.search import Referrals, listing, told_to_the_pool
from integration_server.builtin.ldap.wire import Wire

_ATTRIBUTE = "modifyTimestamp"
#: More entries than this mean a comparison.
_MOST = 5000
#: Where to look for the newest entry first: our clock is only a hint, what counts is what the server says.
_WINDOWS = (dt.timedelta(hours=1), dt.timedelta(days=1), dt.timedelta(days=31))
#: A server's clock that once was years ahead must not stop the feed for years.
_FUTURE = dt.timedelta(days=2)
_SECOND = dt.timedelta(seconds=1)
_FORMAT = "%Y%m%d%H%M%SZ"
_STAMP = re.compile(r"\d{14}Z", re.ASCII)
#: A look that takes longer than this, as one without an index does, is followed by a rest of so many times its length.
_SLOW_SECONDS = 1.0
_RESTS = 10


class ModifyTimestampFeed(Feed):
    """Reads the entries that were modified after the position, which is a time of the servers. Thread-safe.

    The position stays behind the newest time by what replication and clocks may take, until that is over: entries of
    that while are told again and again.
    """

    kind: ClassVar[Kind] = "modifyTimestamp"

    def __init__(self, plan: Plan, overlap_seconds: float) -> None:
        self._plan = plan
        self._behind = dt.timedelta(seconds=overlap_seconds)
        self._overlap: Overlap[dt.datetime] = Overlap(overlap_seconds)
        self._known: dt.datetime | None = None
        self._rests_until = 0.0

    def position(self, wire: Wire, deadline: Deadline) -> str:
        """Where the servers stand, by the newest time that an entry bears."""
        began = self._overlap.now()
        return _written(self._next(None, self._newest(wire, deadline), began))

    def _newest(self, wire: Wire, deadline: Deadline) -> dt.datetime | None:
        now = dt.datetime.now(dt.UTC)
        hints = [now - window for window in _WINDOWS]
        for since in (*([] if self._known is None else [self._known]), *hints, None):
            asked = self._filter(None if since is None else since - _SECOND)
            found = [_moment(row[0]) for rows in self._rows(wire, asked, (_ATTRIBUTE,), deadline) for row in rows]
            if newest := _latest(found):
                return newest
        return None

    def _next(self, since: dt.datetime | None, newest: dt.datetime | None, began: float) -> dt.datetime | None:
        """The position after a reading that began then."""
        safe = [since, self._overlap.settled(began)]
        if newest is not None:
            self._known = newest
            self._overlap.note(newest)
            safe.append(newest - self._behind)
        return max((one for one in safe if one is not None), default=None)

    def changes(self, pool: Pool, content: object, deadline: Deadline) -> Iterator[Changes]:
        """Entries modified after the position, and the new position.

        Raises ComparisonNeeded, also for more entries than one answer should hold: they have no order to go on by.
        """
        since = _read(content)
        deadline.remaining()
        if time.monotonic() < self._rests_until:
            return
        looked = time.monotonic()
        began = self._overlap.now()
        names = (*self._plan.asked, _ATTRIBUTE)
        rows = pool.run(lambda wire, until: self._few(wire, self._filter(since), names, until), deadline)
        self._rest(time.monotonic() - looked)
        after = _written(self._next(since, _latest([_moment(row[-1]) for row in rows]), began))
        if rows or after != _written(since):
            yield Changes(after, Batch(self._plan.attributes, [row[:-1] for row in rows]) if rows else None)

    def _rest(self, seconds: float) -> None:
        """A server that has no index for it must not be kept busy."""
        if seconds > _SLOW_SECONDS:
            self._rests_until = time.monotonic() + _RESTS * seconds

    def _few(self, wire: Wire, asked: bytes, names: tuple[str, ...], deadline: Deadline) -> list[Row]:
        found: list[Row] = []
        with told_to_the_pool():
            for rows in self._rows(wire, asked, names, deadline):
                found += rows
                if len(found) > _MOST:
                    # The rest is on its way, so this connection is good for nothing more: the exception closes it.
                    raise ComparisonNeeded(f"more than {_MOST} entries were modified at once")
        check_states(self._plan, found)
        add_groups(self._plan, wire, found, deadline)
        return found

    def _rows(self, wire: Wire, asked: bytes, names: tuple[str, ...], deadline: Deadline) -> Iterator[list[Row]]:
        for base in self._plan.bases:
            search = Search(base, self._plan.scope, asked)
            yield from listing(wire, search, names, self._plan.page_size, deadline, Referrals())

    def _filter(self, since: dt.datetime | None) -> bytes:
        """Who is a person and was modified later than this; LDAP knows no "later", but times are of whole seconds."""
        if since is None:
            return both(self._plan.filter, present(_ATTRIBUTE))
        return both(self._plan.filter, at_least(_ATTRIBUTE, _stamp(since + _SECOND).encode()))

    def check(self, wire: Wire, deadline: Deadline) -> Iterator[Finding]:
        """Whether the servers show the attribute and can search by it."""
        began = time.monotonic()
        newest = self._newest(wire, deadline)
        if newest is None:
            yield Finding(
                "warning",
                f"no change will be noticed by {_ATTRIBUTE}, as no entry shows it to the service account or can be "
                "found by it (Active Directory cannot)",
            )
            return
        yield Finding("ok", f"{_ATTRIBUTE} can be read, the newest is of {newest:%Y-%m-%d %H:%M:%S} UTC")
        if time.monotonic() - began > _SLOW_SECONDS:
            yield Finding("warning", f"searching by {_ATTRIBUTE} takes long, so it is done less often; index it")


def _latest(found: list[dt.datetime | None]) -> dt.datetime | None:
    limit = dt.datetime.now(dt.UTC) + _FUTURE
    return max((one for one in found if one is not None and one <= limit), default=None)


def _moment(value: object) -> dt.datetime | None:
    try:
        found = values.moment(values.text(value))
    except ValueError as exc:
        raise BackendMisconfigured(f"the server gives a {_ATTRIBUTE} that is no time: {exc}") from exc
    return None if found is None else found.astimezone(dt.UTC).replace(microsecond=0)


def _stamp(moment: dt.datetime) -> str:
    """Generalized time (RFC 4517 §3.3.13)."""
    return moment.strftime(_FORMAT).rjust(15, "0")


def _written(mark: dt.datetime | None) -> str:
    return written(ModifyTimestampFeed.kind, None if mark is None else _stamp(mark))


def _read(content: object) -> dt.datetime | None:
    """Raises ComparisonNeeded."""
    if content is None:
        return None
    if isinstance(content, str) and _STAMP.fullmatch(content):
        try:
            return dt.datetime.strptime(content, _FORMAT).replace(tzinfo=dt.UTC)
        except ValueError:
            pass
    raise unreadable()
