"""Searches on one connection: whole listings, page by page, with the proof that nothing is missing; and small ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from integration_server import BackendError, BackendMisconfigured, Deadline, IncompleteListing
from integration_server.builtin.ldap import messages, ranges
from integration_server.builtin.ldap.ber import Malformed
from integration_server.builtin.ldap.entries import EntryDecoder, Row
from integration_server.builtin.ldap.messages import Message, Result, Scope, Search
from integration_server.builtin.ldap.results import (
    ADMIN_LIMIT,
    SIZE_LIMIT,
    SUCCESS,
    TIME_LIMIT,
    UNAVAILABLE_EXTENSION,
    ServerFailed,
    failure,
)
from integration_server.builtin.ldap.wire import Wire

_BATCH_ROWS = 1000
_MOST_REFERRALS = 20


@dataclass(slots=True)
class Referrals:
    """References to other servers that a search met; they are never followed. ``urls`` holds the first few."""

    count: int = 0
    urls: list[str] = field(default_factory=list)

    def note(self, message: Message) -> None:
        """Count one reference. Raises Malformed for a message that is none."""
        if message.kind != messages.SEARCH_REFERENCE:
            raise Malformed(f"a search is answered by a message of type {message.kind:#04x}")
        self.count += 1
        if len(self.urls) < _MOST_REFERRALS:
            self.urls.extend(messages.parse_references(message.body)[:1])


@contextmanager
def told_to_the_pool() -> Iterator[None]:
    """Where a listing fails because its connection broke, say so, for the pool to try another one."""
    try:
        yield
    except IncompleteListing as exc:
        if isinstance(exc.__cause__, ServerFailed):
            raise exc.__cause__ from exc.__cause__.__cause__
        raise


@contextmanager
def _understood(doing: str) -> Iterator[None]:
    """The one translation of answers that break the protocol."""
    try:
        yield
    except Malformed as exc:
        raise _broken(doing, exc) from exc


def _broken(doing: str, exc: Malformed) -> ServerFailed:
    return ServerFailed(f"{doing}: the server's answer cannot be understood: {exc}")


def few(
    wire: Wire,
    search: Search,
    names: Sequence[str],
    deadline: Deadline,
    referrals: Referrals,
    controls: Sequence[bytes] = (),
) -> tuple[list[Row], Result]:
    """The rows of a search without pages, and its result whatever that is."""
    decoder = EntryDecoder(names)
    with _understood(f"{wire.server}: searching {search.base!r}"):
        message_id = wire.ask(search, decoder.wanted, deadline, controls=controls)
        return _answers(wire, message_id, decoder, deadline, referrals)


def _answers(
    wire: Wire, message_id: int, decoder: EntryDecoder, deadline: Deadline, referrals: Referrals
) -> tuple[list[Row], Result]:
    rows: list[Row] = []
    while True:
        message = wire.read(message_id, decoder, rows, deadline)
        if message is None:
            continue
        if message.kind == messages.SEARCH_DONE:
            if decoder.portions:
                ranges.complete(wire, decoder.portions, deadline)
            return rows, messages.parse_result(message.body)
        referrals.note(message)


class Question:
    """A small search that is made again and again, for what this or that filter says. Thread-safe.

    What is the same each time is worked out once, and the spellings of the server are learnt once.
    """

    def __init__(self, base: str, scope: Scope, size_limit: int, names: Sequence[str]) -> None:
        self.base = base
        self._decoder = EntryDecoder(names)
        self._inquiry = messages.Inquiry(base, scope, size_limit, self._decoder.wanted)

    def few(self, wire: Wire, asked: bytes, deadline: Deadline) -> tuple[list[Row], Result]:
        """As ``few``; references to other servers are not counted."""
        try:
            message_id = wire.put(self._inquiry, asked, deadline)
            return _answers(wire, message_id, self._decoder.again(), deadline, Referrals())
        except Malformed as exc:
            raise _broken(f"{wire.server}: searching {self.base!r}", exc) from exc


def listing(
    wire: Wire,
    search: Search,
    names: Sequence[str],
    page_size: int,
    deadline: Deadline,
    referrals: Referrals,
    controls: Sequence[bytes] = (),
) -> Iterator[list[Row]]:
    """All rows, about a page at a time; ending normally proves that the server gave everything.

    ``page_size`` 0 asks for no pages. Raises IncompleteListing, BackendMisconfigured, BackendTimeout.
    """
    doing = f"{wire.server}: listing {search.base!r}"
    decoder, pages = EntryDecoder(names), _Pages(doing, page_size)
    rows: list[Row] = []
    try:
        with _understood(doing):
            message_id = wire.ask(search, decoder.wanted, deadline, pages.request, controls)
            while True:
                message = wire.read(message_id, decoder, rows, deadline)
                if message is None:
                    # Only a server that makes no pages gives as much before it says that it is done.
                    # What comes in portions is completed after that, for there is one question at a time.
                    if len(rows) > max(page_size, _BATCH_ROWS) and not decoder.portions:
                        pages.count += len(rows)
                        yield rows
                        rows = []
                    continue
                if message.kind != messages.SEARCH_DONE:
                    referrals.note(message)
                    continue
                pages.count += len(rows)
                is_last = pages.end(message, decoder.last_dn)
                ranges.complete(wire, decoder.portions, deadline)
                decoder.portions.clear()
                if not is_last:
                    # Asked for before this page is used, so that the server works on it meanwhile.
                    message_id = wire.ask(search, decoder.wanted, deadline, pages.request, controls)
                if rows:
                    yield rows
                if is_last:
                    return
                rows = []
    except ServerFailed as exc:
        raise IncompleteListing(str(exc)) from exc


class _Pages:
    """Where a paged search stands (RFC 2696 §3), and whether its end may be believed."""

    def __init__(self, doing: str, page_size: int) -> None:
        #: How many entries the current page has brought.
        self.count = 0
        self._doing = doing
        self._page_size = page_size
        self._cookie = b""
        self._last_dn: bytes | None = None

    @property
    def request(self) -> tuple[int, bytes] | None:
        """The size and cookie to send, None where no pages are wanted."""
        return (self._page_size, self._cookie) if self._page_size else None

    def end(self, message: Message, last_dn: bytes) -> bool:
        """Take the page's end; True when it was the last one. Raises unless the server says that all went well."""
        result = messages.parse_result(message.body)
        if result.code != SUCCESS:
            raise self._failure(result)
        if not self._page_size:
            return True
        cookie = messages.parse_cookie(message.controls)
        if cookie is None and self.count == self._page_size:
            raise IncompleteListing(
                f"{self._doing}: the server gave a full page and does not say whether there are more; "
                f"set page_size = 0 where it cannot page"
            )
        if not cookie:
            return True
        # Some servers use one cookie for all pages (389 DS), so only without progress does it mean a circle.
        if cookie == self._cookie and (not self.count or last_dn == self._last_dn):
            raise IncompleteListing(f"{self._doing}: the server gives the same page again and again")
        self._cookie, self._last_dn, self.count = cookie, last_dn, 0
        return False

    def _failure(self, result: Result) -> BackendError:
        error = failure(result, self._doing)
        hint = ""
        if self._cookie and isinstance(error, BackendMisconfigured):
            # The same question was answered before, so it is the cookie: the server was restarted, or is another one.
            return IncompleteListing(f"{error}; so it ends a list after pages that it gave")
        if result.code == UNAVAILABLE_EXTENSION and self._page_size:
            return BackendMisconfigured(f"{error} (it does not page: set page_size = 0)")
        if result.code in (SIZE_LIMIT, ADMIN_LIMIT, TIME_LIMIT):
            hint = "; raise the server's limits for the service account"
            if result.code == SIZE_LIMIT and not self._page_size:
                hint += ", or set page_size"
        return error if isinstance(error, BackendMisconfigured) else IncompleteListing(f"{error}{hint}")
