"""The change feed that goes by RFC 4533, content synchronization: OpenLDAP's syncrepl."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal

from integration_server import BackendMisconfigured, Changes, Deadline, Finding
from integration_server.builtin.ldap.feeds.controls import SYNC_REQUEST
from integration_server.builtin.ldap.feeds.feed import Feed
from integration_server.builtin.ldap.feeds.holding import HeldSearches
from integration_server.builtin.ldap.feeds.positions import Kind, cookies_read, cookies_written, written
from integration_server.builtin.ldap.feeds.refresh import KEY, PresentPhase, cookie_now, refresh
from integration_server.builtin.ldap.feeds.root import read_root
from integration_server.builtin.ldap.feeds.scope import FeedScope
from integration_server.builtin.ldap.feeds.touched import KnownGroups, Reading, Touched
from integration_server.builtin.ldap.messages import Scope, Search, present
from integration_server.builtin.ldap.pool import Pool
from integration_server.builtin.ldap.results import SUCCESS, failure
from integration_server.builtin.ldap.search import Referrals, few
from integration_server.builtin.ldap.servers import Servers
from integration_server.builtin.ldap.wire import Wire

logger = logging.getLogger(__name__)

Mode = Literal["auto", "refreshOnly", "refreshAndPersist"]

#: How often a search is started from the present, where in between something changes and the server does not log it.
_TRIES = 5


_DELETIONS: dict[Mode, str] = {
    "auto": "where the server turns out to keep no log of deletions (syncprov-sessionlog), a search is held open",
    "refreshOnly": "each change takes a comparison of everybody where the server keeps no log of deletions "
    "(syncprov-sessionlog)",
    "refreshAndPersist": "a search is held open, in which deletions are told whether the server logs them or not",
}


class SyncreplFeed(Feed):
    """Asks for what has changed in the naming contexts that hold the bases, and reads that again.

    Each look is a refresh (refreshOnly), or one at what a held search has brought (refreshAndPersist), which falls back
    on a refresh. With ``auto`` searches are held from the moment on that the server turns out to keep no log of
    deletions. ``idle_seconds`` is how long they are held without a look.
    """

    kind: ClassVar[Kind] = "syncrepl"

    def __init__(self, scope: FeedScope, servers: Servers, mode: Mode, idle_seconds: float) -> None:
        self._scope = scope
        self._groups = KnownGroups()
        self._mode = mode
        self._holds = mode == "refreshAndPersist"
        self._held = HeldSearches(servers, idle_seconds)

    def position(self, wire: Wire, deadline: Deadline) -> str:
        root = read_root(wire, deadline)
        if root.controls and SYNC_REQUEST not in root.controls:
            raise BackendMisconfigured(f"{wire.server}: the server does not offer syncrepl (slapd: overlay syncprov)")
        contexts = root.contexts_of(self._scope.bases)
        self._check_keys(wire, deadline)
        Reading(self._scope, KEY, contexts, self._groups, wire, deadline).note_groups()
        held = self._held_now(wire, contexts, deadline) if self._holds else None
        return _written(held or self._now(wire, contexts, deadline))

    def _now(self, wire: Wire, contexts: tuple[str, ...], deadline: Deadline) -> dict[str, bytes]:
        return {context: cookie_now(wire, context, deadline) for context in contexts}

    def _held_now(self, wire: Wire, contexts: tuple[str, ...], deadline: Deadline) -> dict[str, bytes] | None:
        """How far held searches have come; None where none can be started."""
        if (held := self._held.newest(contexts, deadline)) is not None:
            return held
        for _ in range(_TRIES):
            cookies = self._now(wire, contexts, deadline)
            if self._held.hold(cookies, deadline):
                return cookies
        return None

    def _check_keys(self, wire: Wire, deadline: Deadline) -> None:
        """Raises BackendMisconfigured where entries cannot be read by what the server calls them in its answers."""
        for base in self._scope.plan.bases:
            rows, result = few(wire, Search(base, Scope.BASE, present(KEY)), [KEY], deadline, Referrals())
            if result.code != SUCCESS:
                raise failure(result, f"{wire.server}: reading {base!r}")
            if not rows:
                raise BackendMisconfigured(f"{wire.server}: the server does not show the {KEY} of {base!r}")

    def changes(self, pool: Pool, content: object, deadline: Deadline) -> Iterator[Changes]:
        cookies = cookies_read(content, self._scope.bases)
        deadline.remaining()
        found = self._held.since(cookies, deadline) if self._holds else None
        yield from pool.run(lambda wire, until: self._changes(wire, cookies, found, until), deadline)

    def _changes(
        self,
        wire: Wire,
        before: Mapping[str, bytes],
        found: tuple[dict[str, bytes], Touched] | None,
        deadline: Deadline,
    ) -> list[Changes]:
        cookies, touched = found or self._refreshed(wire, before, deadline)
        if cookies == before and not touched.count:
            return []
        entries, gone = Reading(self._scope, KEY, tuple(before), self._groups, wire, deadline).told(touched)
        return [Changes(_written(cookies), entries, gone)]

    def _refreshed(
        self, wire: Wire, before: Mapping[str, bytes], deadline: Deadline
    ) -> tuple[dict[str, bytes], Touched]:
        touched = Touched()
        try:
            cookies = {one: refresh(wire, one, cookie, touched, deadline) for one, cookie in before.items()}
        except PresentPhase:
            if self._mode == "auto" and not self._holds:
                logger.info("%s keeps no log of deletions: a persistent search is held from now on", wire.server)
                self._holds = True
            raise
        if self._holds:
            self._held.hold(cookies, deadline)
        return cookies, touched

    def check(self, wire: Wire, deadline: Deadline) -> Iterator[Finding]:
        for context in read_root(wire, deadline).contexts_of(self._scope.bases):
            yield Finding("ok", f"syncrepl of {context!r} is used; {_DELETIONS[self._mode]}")
        if not self._scope.is_id(KEY):
            yield Finding(
                "warning",
                f"[map] id is not {KEY}: each deletion of anything takes a comparison of everybody to be told",
            )
        if self._scope.has_groups:
            yield Finding("ok", "a change of a group takes a comparison of everybody to be told")

    def close(self) -> None:
        self._held.close()


def _written(cookies: Mapping[str, bytes]) -> str:
    return written(SyncreplFeed.kind, cookies_written(cookies))
