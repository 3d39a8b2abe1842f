"""One refresh of RFC 4533 (§3.3.2): what has changed since a cookie, and the next cookie."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from integration_server import BackendError, BackendMisconfigured, ComparisonNeeded, Deadline
from integration_server.builtin.ldap import names
from integration_server.builtin.ldap.ber import Malformed
from integration_server.builtin.ldap.feeds.controls import (
    State,
    SyncInfo,
    parse_entry,
    sync_done,
    sync_info,
    sync_request,
    sync_state,
)
from integration_server.builtin.ldap.feeds.touched import Touched
from integration_server.builtin.ldap.messages import (
    SEARCH_DONE,
    SEARCH_ENTRY,
    Message,
    Result,
    Scope,
    Search,
    equality,
    parse_result,
    present,
)
from integration_server.builtin.ldap.results import SIZE_LIMIT, SUCCESS, ServerFailed, failure
from integration_server.builtin.ldap.wire import Wire

KEY = "entryUUID"
#: RFC 4533 §2.6: the server knows no more what has changed since the cookie.
_REFRESH_REQUIRED = 4096
_NOBODY = equality(KEY, b"00000000-0000-0000-0000-000000000000")
_ANYBODY = present("objectClass")
#: A change's number (CSN) names the server that made it between the second and the third mark.
_SERVER_ID = re.compile(rb"#([0-9a-fA-F]{3})#")


class PresentPhase(ComparisonNeeded):
    """The server names what is still there, as it does not know what was deleted.

    Such a list is not made use of: who is missing on one that was cut short would be deleted.
    """


def ask(wire: Wire, context: str, cookie: bytes, deadline: Deadline) -> int:
    """Start a refresh that goes on as a persistent search (§3.4); returns its message id."""
    asked = [sync_request(cookie, is_persistent=True)]
    return wire.ask(Search(context, Scope.SUBTREE, _ANYBODY), ["1.1"], deadline, controls=asked)


def ask_now(wire: Wire, context: str, deadline: Deadline) -> int:
    """Ask for the cookie of the present alone; returns the question's message id."""
    asked = [sync_request(None, is_persistent=False)]
    return wire.ask(Search(context, Scope.SUBTREE, _NOBODY), ["1.1"], deadline, controls=asked)


def cookie_now(wire: Wire, context: str, deadline: Deadline) -> bytes:
    """The cookie of the present, without being told of anything. Raises BackendError."""
    message_id = ask_now(wire, context, deadline)
    while (message := wire.next(deadline, message_id)).kind != SEARCH_DONE:
        pass
    return end_of_now(wire, context, message)


def end_of_now(wire: Wire, context: str, message: Message) -> bytes:
    """The cookie in the answer to ``ask_now``. Raises BackendError."""
    with understood(wire):
        result = parse_result(message.body)
        if result.code != SUCCESS:
            raise failed(wire, context, result)
        if not (cookie := sync_done(message).cookie):
            raise BackendMisconfigured(f"{wire.server}: syncrepl gives no cookie for {context!r}")
        return cookie


def refresh(wire: Wire, context: str, cookie: bytes, touched: Touched, deadline: Deadline) -> bytes:
    """Add what has changed since the cookie; returns the next one. Raises ComparisonNeeded, other BackendErrors.

    Everything of the naming context counts: what is renamed above people, and groups as well.
    """
    asked = Search(context, Scope.SUBTREE, _ANYBODY)
    message_id = wire.ask(asked, ["1.1"], deadline, controls=[sync_request(cookie, is_persistent=False)])
    after: bytes | None = None
    with understood(wire):
        while (message := wire.next(deadline, message_id)).kind != SEARCH_DONE:
            after = take(touched, message, context) or after
            touched.check_size()
        result = parse_result(message.body)
        if result.code == SUCCESS:
            info = sync_done(message)
            take_info(touched, info)
            return _next(cookie, after if info.cookie is None else info.cookie)
    raise unknown_cookie(wire, context, result, deadline)


def unknown_cookie(wire: Wire, context: str, result: Result, deadline: Deadline) -> BackendError:
    """The error for a refresh that ends with this result."""
    said = failed(wire, context, result)
    if result.code not in (_REFRESH_REQUIRED, SIZE_LIMIT):
        # Servers differ in what they say to a cookie that they do not know. They would not refuse to give one.
        cookie_now(wire, context, deadline)
    return ComparisonNeeded(f"the cookie is not accepted any more; {said}")


def _next(before: bytes, after: bytes | None) -> bytes:
    """The cookie to go on with; none is given where nothing has changed.

    slapd does not refuse a cookie that lacks one of the servers that write, but tells everything then, without what was
    deleted. Raises ComparisonNeeded.
    """
    if after is None:
        return before
    if not after or _writers(before) != _writers(after):
        raise ComparisonNeeded("the servers that write are others than before, or the cookie is not known")
    return after


def _writers(cookie: bytes) -> frozenset[bytes]:
    """The ids of servers in a cookie of slapd's; nothing in any other."""
    return frozenset(_SERVER_ID.findall(cookie))


def take(touched: Touched, message: Message, context: str) -> bytes | None:
    """Take one message before the end; the cookie in it, where there is one. Raises Malformed, ComparisonNeeded."""
    if message.kind != SEARCH_ENTRY:
        info = sync_info(message)
        return None if info is None else take_info(touched, info)
    state, key, cookie = sync_state(message)
    if state is State.PRESENT:
        raise _present()
    if state is State.DELETE:
        touched.delete(key)
        return cookie
    dn, _ = parse_entry(message.body)
    if _is_same(dn, context):
        # slapd answers a cookie that it does not know with all there is, as if that had changed, and this comes first.
        raise ComparisonNeeded(f"{context!r} itself was changed, or the server does not know the cookie")
    touched.change(key)
    return cookie


def take_info(touched: Touched, info: SyncInfo) -> bytes | None:
    """Take what is said of the refresh itself. Raises ComparisonNeeded."""
    if not info.is_deletes:
        raise _present()
    for key in info.keys:
        touched.delete(key)
    return info.cookie


def _present() -> PresentPhase:
    return PresentPhase("the server keeps no log of what was deleted since (slapd: syncprov-sessionlog)")


def _is_same(dn: str, other: str) -> bool:
    try:
        return names.parse(dn) == names.parse(other)
    except ValueError as exc:
        raise Malformed(str(exc)) from exc


def failed(wire: Wire, context: str, result: Result) -> BackendError:
    return failure(result, f"{wire.server}: syncrepl of {context!r}")


@contextmanager
def understood(wire: Wire) -> Iterator[None]:
    """The one translation of answers that break the protocol."""
    try:
        yield
    except Malformed as exc:
        raise ServerFailed(f"{wire.server}: the server's answer to syncrepl cannot be understood: {exc}") from exc
