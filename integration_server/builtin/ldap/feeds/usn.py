"""The change feed that goes by update sequence numbers (uSNChanged, MS-ADTS §3.1.1.1.9) of a domain controller."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from integration_server import BackendMisconfigured, Changes, ComparisonNeeded, Deadline, Finding
from integration_server.builtin.ldap.feeds.controls import show_deleted
from integration_server.builtin.ldap.feeds.dirsync import KEY, blind_to_deletions, sees_deleted_objects
from integration_server.builtin.ldap.feeds.feed import Feed
from integration_server.builtin.ldap.feeds.positions import Kind, unreadable, written
from integration_server.builtin.ldap.feeds.root import RootEntry, read_invocation, read_root
from integration_server.builtin.ldap.feeds.scope import FeedScope
from integration_server.builtin.ldap.feeds.touched import KnownGroups, Reading, Touched
from integration_server.builtin.ldap.messages import Scope, Search, at_least
from integration_server.builtin.ldap.pool import Pool
from integration_server.builtin.ldap.search import Referrals, listing, told_to_the_pool
from integration_server.builtin.ldap.values import text_of
from integration_server.builtin.ldap.wire import Wire


@dataclass(frozen=True, slots=True)
class _Stand:
    """How far one database of one domain controller has come. Another one counts its changes by itself."""

    host: str
    service: str
    invocation: str
    usn: int

    @property
    def is_of(self) -> tuple[str, str, str]:
        return self.host, self.service, self.invocation


class UsnFeed(Feed):
    """Asks for everything with a later number in the naming contexts that hold the bases, and reads that again."""

    kind: ClassVar[Kind] = "usn"

    def __init__(self, scope: FeedScope) -> None:
        self._scope = scope
        self._groups = KnownGroups()

    def position(self, wire: Wire, deadline: Deadline) -> str:
        root = read_root(wire, deadline)
        if not root.is_active_directory:
            raise BackendMisconfigured(f"{wire.server}: the server is no Active Directory")
        contexts = root.contexts_of(self._scope.bases)
        self._reading(contexts, wire, deadline).note_groups()
        return _written(_stand(wire, root, deadline))

    def _reading(self, contexts: tuple[str, ...], wire: Wire, deadline: Deadline) -> Reading:
        return Reading(self._scope, KEY, contexts, self._groups, wire, deadline)

    def changes(self, pool: Pool, content: object, deadline: Deadline) -> Iterator[Changes]:
        match content:
            case [str(host), str(service), str(invocation), int(usn)]:
                seen = _Stand(host, service, invocation, usn)
            case _:
                raise unreadable()
        found = pool.run(lambda wire, until: self._changes(wire, seen, until), deadline)
        if found is not None:
            yield found

    def _changes(self, wire: Wire, seen: _Stand, deadline: Deadline) -> Changes | None:
        # Before the search: what is committed meanwhile is told again, and not never.
        root = read_root(wire, deadline)
        now = _stand(wire, root, deadline)
        if now == seen:
            return None
        if now.is_of != seen.is_of:
            raise ComparisonNeeded(
                f"{wire.server}: the numbers are those of {seen.host or 'another server'} (invocationId "
                f"{seen.invocation}), and this is {now.host or 'one without a name'} ({now.invocation})"
            )
        if now.usn < seen.usn:
            raise ComparisonNeeded(f"{wire.server}: the server has gone back to an older state of its database")
        contexts = root.contexts_of(self._scope.bases)
        touched = self._touched(contexts, wire, seen.usn, deadline)
        entries, gone = self._reading(contexts, wire, deadline).told(touched)
        return Changes(_written(now), entries, gone)

    def _touched(self, contexts: tuple[str, ...], wire: Wire, usn: int, deadline: Deadline) -> Touched:
        touched = Touched()
        condition = at_least("uSNChanged", str(usn + 1).encode())
        asked = (KEY, "isDeleted", "uSNCreated", self._scope.id_attribute or KEY)
        for context in contexts:
            search = Search(context, Scope.SUBTREE, condition)
            with told_to_the_pool():
                for rows in listing(
                    wire, search, asked, self._scope.plan.page_size, deadline, Referrals(), [show_deleted()]
                ):
                    for row in rows:
                        _take(touched, row, usn)
                    touched.check_size()
        return touched

    def check(self, wire: Wire, deadline: Deadline) -> Iterator[Finding]:
        root = read_root(wire, deadline)
        yield Finding("ok", f"uSNChanged of {root.host or wire.server} is used, which stands at {root.usn}")
        if not all(sees_deleted_objects(wire, one, deadline) for one in root.contexts_of(self._scope.bases)):
            yield blind_to_deletions()
        if self._scope.has_groups:
            yield Finding("ok", "a change of a group takes a comparison of everybody; DirSync tells whom it concerns")


def _take(touched: Touched, row: list[object], usn: int) -> None:
    key, is_deleted, created, person_id = row
    if not isinstance(key, str):
        # Nobody could be read by it; and what the account may not see does not concern it.
        return
    if text_of(is_deleted or "").upper() == "TRUE":
        touched.delete(key, person_id if isinstance(person_id, str) else None)
        return
    text = text_of(created or "")
    touched.change(key, is_new=text.isdecimal() and int(text) > usn)


def _stand(wire: Wire, root: RootEntry, deadline: Deadline) -> _Stand:
    return _Stand(root.host, root.service, read_invocation(wire, root, deadline), root.update_number(wire.server))


def _written(stand: _Stand) -> str:
    return written(UsnFeed.kind, [stand.host, stand.service, stand.invocation, stand.usn])
