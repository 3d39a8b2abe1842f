"""Which feed is used: the one that the settings name, or the best one that the server offers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from integration_server import (
    BackendMisconfigured,
    Changes,
    ComparisonNeeded,
    Deadline,
    Finding,
    MapSettings,
)
from integration_server.builtin.ldap.feeds import positions
from integration_server.builtin.ldap.feeds.dirsync import DirSyncFeed
from integration_server.builtin.ldap.feeds.feed import Feed
from integration_server.builtin.ldap.feeds.positions import Kind
from integration_server.builtin.ldap.feeds.root import RootEntry, read_root
from integration_server.builtin.ldap.feeds.scope import compile_scope
from integration_server.builtin.ldap.feeds.syncrepl import SyncreplFeed
from integration_server.builtin.ldap.feeds.timestamps import ModifyTimestampFeed
from integration_server.builtin.ldap.feeds.usn import UsnFeed
from integration_server.builtin.ldap.plan import Plan
from integration_server.builtin.ldap.pool import Pool
from integration_server.builtin.ldap.servers import Servers
from integration_server.builtin.ldap.settings import LdapSettings
from integration_server.builtin.ldap.wire import Wire

#: Beyond the longest comparison of everybody, during which nobody looks at the feed.
_IDLE_SECONDS = 300.0


class _NoFeed(Feed):
    """Stands in where ``auto`` finds nothing: comparisons of everybody go on, and nothing is noticed between them."""

    kind: ClassVar[Kind] = "none"

    def position(self, wire: Wire, deadline: Deadline) -> str:
        return positions.written(self.kind, None)

    def changes(self, pool: Pool, content: object, deadline: Deadline) -> Iterator[Changes]:
        if content is not None:
            raise positions.unreadable()
        yield from ()

    def check(self, wire: Wire, deadline: Deadline) -> Iterator[Finding]:
        yield Finding("warning", "changes are noticed by the next comparison only")


@dataclass(slots=True)
class _Choice:
    """The feed that the server offers, what it gave as a position, and why the better ones were passed over."""

    feed: Feed
    position: str
    why_not: dict[str, str] = field(default_factory=dict)


class Feeds:
    """The change feed of one backend. Thread-safe. Nothing is asked before somebody wants to know.

    With ``auto`` each position is taken of the best feed that the server can give one of at that time, and says of
    which it is; what follows it is read by that one.
    """

    def __init__(
        self, settings: LdapSettings, plan: Plan, default_map: MapSettings, pool: Pool, servers: Servers
    ) -> None:
        scope = compile_scope(settings, plan, default_map)
        idle_seconds = settings.list_seconds + _IDLE_SECONDS
        feeds = (
            DirSyncFeed(scope),
            UsnFeed(scope),
            SyncreplFeed(scope, servers, settings.syncrepl_mode, idle_seconds),
            ModifyTimestampFeed(plan, settings.overlap_seconds),
            _NoFeed(),
        )
        self._setting = settings.change_feed
        # Nobody looks at a feed without a sync table, and nobody asked for one who did not name it.
        self._is_told_of = settings.change_feed != "auto" or (
            settings.sync is not None and settings.sync.feed == "auto"
        )
        self._feeds: dict[Kind, Feed] = {feed.kind: feed for feed in feeds if self._setting in ("auto", feed.kind)}
        self._pool = pool
        self._lock = threading.Lock()
        self._chosen: Kind | None = None

    @property
    def name(self) -> str | None:
        """The feed, for people to read; None where the settings want none."""
        if self._setting == "off":
            return None
        with self._lock:
            return self._setting if self._chosen is None else f"{self._setting} ({self._chosen})"

    def position(self, deadline: Deadline) -> str:
        """Raises BackendMisconfigured where the feed that the settings name cannot be had, other BackendErrors."""
        self._check_is_on()
        return self._pool.run(lambda wire, until: self._choose(wire, until).position, deadline)

    def changes(self, position: str, deadline: Deadline) -> Iterator[Changes]:
        """Raises ComparisonNeeded, also for a position of another feed; other BackendErrors."""
        self._check_is_on()
        kind, content = positions.read(position)
        if (feed := self._feeds.get(kind)) is None:
            raise ComparisonNeeded(f"the position is one of {kind}, and change_feed is {self._setting!r}")
        try:
            yield from feed.changes(self._pool, content, deadline)
        except BackendMisconfigured as exc:
            if self._setting != "auto":
                raise
            # Another feed may do; which one, is decided with the next position.
            raise ComparisonNeeded(f"{kind} cannot be used any more: {exc}") from exc

    def check(self, deadline: Deadline) -> Iterator[Finding]:
        """What an admin should know: which feed is used, why no other, and what it will not notice."""
        if self._setting != "off" and self._is_told_of:
            yield from self._pool.run(lambda wire, until: list(self._findings(wire, until)), deadline)

    def _findings(self, wire: Wire, deadline: Deadline) -> Iterator[Finding]:
        try:
            choice = self._choose(wire, deadline)
            found = list(choice.feed.check(wire, deadline))
        except BackendMisconfigured as exc:
            yield Finding("error", f"change_feed = {self._setting!r} cannot be used: {exc}")
            return
        for finding in found:
            yield Finding(finding.level, f"change feed {self.name}: {finding.message}")
        for kind, why in choice.why_not.items():
            yield Finding("ok", f"change feed {self.name}: not {kind}, because {why}")

    def _choose(self, wire: Wire, deadline: Deadline) -> _Choice:
        """Raises BackendError."""
        if self._setting != "auto":
            feed = next(iter(self._feeds.values()))
            return _Choice(feed, feed.position(wire, deadline))
        kinds, why_not = _candidates(read_root(wire, deadline))
        for kind in kinds:
            feed = self._feeds[kind]
            try:
                choice = _Choice(feed, feed.position(wire, deadline), why_not)
            except BackendMisconfigured as exc:
                why_not[kind] = str(exc)
                continue
            with self._lock:
                self._chosen = kind
            return choice
        raise AssertionError("there is always one that does")

    def _check_is_on(self) -> None:
        if self._setting == "off":
            raise BackendMisconfigured("change_feed is off")

    def close(self) -> None:
        """Let go of what feeds hold open. May be called twice."""
        for feed in self._feeds.values():
            feed.close()


def _candidates(root: RootEntry) -> tuple[tuple[Kind, ...], dict[str, str]]:
    """The feeds that the server may offer, the best one first, and why others are not among them."""
    if root.is_active_directory:
        return ("dirsync", "usn", "none"), {}
    return ("syncrepl", "modifyTimestamp", "none"), {"dirsync or usn": "the server is no Active Directory"}
