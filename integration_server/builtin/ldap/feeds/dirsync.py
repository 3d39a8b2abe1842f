"""The change feed that goes by Active Directory's DirSync (MS-ADTS §3.1.1.3.4.1.3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from integration_server import BackendError, BackendMisconfigured, Changes, ComparisonNeeded, Deadline, Finding
from integration_server.builtin.ldap.ber import Malformed
from integration_server.builtin.ldap.feeds.controls import (
    DIRSYNC,
    dirsync_request,
    dirsync_response,
    parse_entry,
    show_deleted,
)
from integration_server.builtin.ldap.feeds.feed import Feed
from integration_server.builtin.ldap.feeds.positions import Kind, cookies_read, cookies_written, unreadable, written
from integration_server.builtin.ldap.feeds.root import RootEntry, read_invocation, read_root
from integration_server.builtin.ldap.feeds.scope import FeedScope
from integration_server.builtin.ldap.feeds.touched import KnownGroups, Reading, Touched
from integration_server.builtin.ldap.messages import (
    SEARCH_DONE,
    SEARCH_ENTRY,
    Result,
    Scope,
    Search,
    equality,
    parse_result,
    present,
)
from integration_server.builtin.ldap.pool import Pool
from integration_server.builtin.ldap.results import INSUFFICIENT_RIGHTS, NO_SUCH_OBJECT, SUCCESS, ServerFailed, failure
from integration_server.builtin.ldap.search import Referrals, few
from integration_server.builtin.ldap.values import guid_text, text_of
from integration_server.builtin.ldap.wire import Wire

KEY = "objectGUID"
#: An entry that nobody has: the cookie moves on to the present although nothing is told.
_NOBODY = equality(KEY, bytes(16))
_ANYBODY = present("objectClass")
#: What comes with each entry and says nothing of a change.
_ALWAYS = frozenset({"objectguid", "instancetype", "parentguid"})
_LINK = "member;range="
#: The well-known container of deleted entries (MS-ADTS §6.1.1.4.2).
_DELETED_OBJECTS = "18E2EA80684F11D2B9AA00C04F79F805"


class _Refused(Exception):
    """The server gives no answer to a DirSync search but this."""

    def __init__(self, result: Result) -> None:
        self.result = result


class DirSyncFeed(Feed):
    """Asks for what has changed in the naming contexts that hold the bases, and reads that again.

    A cookie is good for other domain controllers, too; that is Microsoft's promise. Of the one that gave it the highest
    update sequence number is kept: it goes back only where an old database was put back, which a cookie does not show.
    """

    kind: ClassVar[Kind] = "dirsync"

    def __init__(self, scope: FeedScope) -> None:
        self._scope = scope
        self._groups = KnownGroups()
        self._attributes = scope.attributes()
        #: Whether the account may replicate changes; else it is told of what it may read. Tried at each position.
        self._is_full_view = True

    def position(self, wire: Wire, deadline: Deadline) -> str:
        root = read_root(wire, deadline)
        if DIRSYNC not in root.controls:
            raise BackendMisconfigured(f"{wire.server}: the server does not offer DirSync")
        contexts = root.contexts_of(self._scope.bases)
        Reading(self._scope, KEY, contexts, self._groups, wire, deadline).note_groups()
        server = _identity(wire, root, deadline)
        self._is_full_view = True
        return _written(server, {context: self._now(wire, context, deadline) for context in contexts})

    def _now(self, wire: Wire, context: str, deadline: Deadline) -> bytes:
        """The cookie of the present."""
        nothing = Touched()
        try:
            return self._read(wire, Search(context, Scope.SUBTREE, _NOBODY), b"", nothing, deadline)
        except _Refused as exc:
            error = _failed(wire, context, exc.result)
            # It works for everybody or for nobody; waiting does not help.
            raise error if isinstance(error, ServerFailed) else BackendMisconfigured(str(error)) from exc

    def changes(self, pool: Pool, content: object, deadline: Deadline) -> Iterator[Changes]:
        seen, cookies = self._understood(content)
        found = pool.run(lambda wire, until: self._changes(wire, seen, cookies, until), deadline)
        if found is not None:
            yield found

    def _understood(self, content: object) -> tuple[tuple[str, int], dict[str, bytes]]:
        match content:
            case {"invocation": str(invocation), "usn": int(usn), "cookies": cookies, **rest} if not rest:
                return (invocation, usn), cookies_read(cookies, self._scope.bases)
        raise unreadable()

    def _changes(
        self, wire: Wire, seen: tuple[str, int], cookies: dict[str, bytes], deadline: Deadline
    ) -> Changes | None:
        server = _identity(wire, read_root(wire, deadline), deadline)
        if server == seen:
            return None
        if server[0] == seen[0] and server[1] < seen[1]:
            raise ComparisonNeeded(f"{wire.server}: the server has gone back to an older state of its database")
        touched = Touched()
        after = {context: self._since(wire, context, cookie, touched, deadline) for context, cookie in cookies.items()}
        reading = Reading(self._scope, KEY, tuple(cookies), self._groups, wire, deadline)
        entries, gone = reading.told(touched)
        return Changes(_written(server, after), entries, gone)

    def _since(self, wire: Wire, context: str, cookie: bytes, touched: Touched, deadline: Deadline) -> bytes:
        """Add what has changed since the cookie; returns the next one."""
        try:
            return self._read(wire, Search(context, Scope.SUBTREE, _ANYBODY), cookie, touched, deadline)
        except _Refused as exc:
            # Servers differ in what they say to a cookie that they do not know. They would not refuse to give one.
            self._now(wire, context, deadline)
            said = _failed(wire, context, exc.result)
            raise ComparisonNeeded(f"the cookie is not accepted any more; {said}") from exc

    def _read(self, wire: Wire, search: Search, cookie: bytes, touched: Touched, deadline: Deadline) -> bytes:
        """All rounds until there is no more for now. Raises _Refused, ComparisonNeeded."""
        while True:
            count = touched.count
            has_more, after = self._round(wire, search, cookie, touched, deadline)
            if not has_more:
                return after
            if after == cookie and count == touched.count:
                raise ServerFailed(f"{wire.server}: DirSync gives the same answer again and again")
            cookie = after

    def _round(
        self, wire: Wire, search: Search, cookie: bytes, touched: Touched, deadline: Deadline
    ) -> tuple[bool, bytes]:
        asked = [dirsync_request(cookie, is_full_view=self._is_full_view)]
        message_id = wire.ask(search, self._attributes, deadline, controls=asked)
        try:
            while (message := wire.next(deadline, message_id)).kind != SEARCH_DONE:
                if message.kind == SEARCH_ENTRY:
                    _take(touched, *parse_entry(message.body))
                    touched.check_size()
            result = parse_result(message.body)
            if result.code == SUCCESS:
                return dirsync_response(message)
        except Malformed as exc:
            raise ServerFailed(f"{wire.server}: the server's answer to DirSync cannot be understood: {exc}") from exc
        if result.code == INSUFFICIENT_RIGHTS and self._is_full_view:
            self._is_full_view = False
            return self._round(wire, search, cookie, touched, deadline)
        raise _Refused(result)

    def check(self, wire: Wire, deadline: Deadline) -> Iterator[Finding]:
        root = read_root(wire, deadline)
        contexts = root.contexts_of(self._scope.bases)
        sees_deleted = all(sees_deleted_objects(wire, context, deadline) for context in contexts)
        if self._is_full_view:
            yield Finding("ok", "DirSync is used with the right 'Replicating Directory Changes'")
        else:
            yield Finding(
                "ok",
                "DirSync is used for what the service account may read; it lacks the right "
                "'Replicating Directory Changes'",
            )
        if sees_deleted:
            yield Finding("ok", "the service account sees what is deleted")
        elif not self._is_full_view or root.is_samba:
            # Microsoft's servers show all that is deleted to whom they allow to replicate.
            yield blind_to_deletions()
        if not self._scope.is_id(KEY):
            yield Finding("ok", f"[map] id is not {KEY}, so some deletions take a comparison of everybody to be told")


def blind_to_deletions() -> Finding:
    """For an account that may not look into the container of deleted objects."""
    return Finding(
        "warning",
        "who is deleted is noticed by the next comparison only, as the service account may not see it: let it list and "
        'read CN=Deleted Objects (dsacls "CN=Deleted Objects,DC=..." /takeownership, then /G "DOMAIN\\account:LCRP")',
    )


def sees_deleted_objects(wire: Wire, context: str, deadline: Deadline) -> bool:
    """Whether the account may look into the container of what is deleted."""
    search = Search(f"<WKGUID={_DELETED_OBJECTS},{context}>", Scope.BASE, _ANYBODY)
    # Who may not see into it is shown that it is there, and nothing of it.
    rows, result = few(wire, search, ["objectClass"], deadline, Referrals(), [show_deleted()])
    if result.code not in (SUCCESS, NO_SUCH_OBJECT, INSUFFICIENT_RIGHTS):
        raise failure(result, f"{wire.server}: searching the container of deleted entries")
    return any(row[0] is not None for row in rows)


def _take(touched: Touched, dn: str, attributes: dict[str, list[bytes]]) -> None:
    """Take one entry of an answer: it has the attributes that changed, without values where they lost all."""
    found = attributes.get("objectguid") or [b""]
    key = guid_text(found[0])
    if not isinstance(key, str):
        raise Malformed(f"{dn[:100]!r} comes without an objectGUID")
    if text_of((attributes.get("isdeleted") or [b""])[0]).upper() == "TRUE":
        touched.delete(key)
        return
    links = [name for name in attributes if name.startswith(_LINK)]
    for name in links:
        touched.members |= dict.fromkeys(map(text_of, attributes[name]))
    touched.change(
        key,
        is_new=bool(attributes.get("objectclass")),
        is_moved="name" in attributes,
        is_altered=bool(set(attributes) - _ALWAYS - set(links)),
    )


def _identity(wire: Wire, root: RootEntry, deadline: Deadline) -> tuple[str, int]:
    """Which database this is, and how far it has come."""
    return read_invocation(wire, root, deadline), root.update_number(wire.server)


def _failed(wire: Wire, context: str, result: Result) -> BackendError:
    return failure(result, f"{wire.server}: DirSync of {context!r}")


def _written(server: tuple[str, int], cookies: dict[str, bytes]) -> str:
    content = {"invocation": server[0], "usn": server[1], "cookies": cookies_written(cookies)}
    return written(DirSyncFeed.kind, content)
