"""A persistent search of RFC 4533 (§3.4), held open: changes and deletions come as they happen, logged or not.

Nobody waits for it. Each look takes what has come since the last one, up to the answer to a question that is put on the
same connection; so a server that hangs is noticed. What came is kept for a while by the cookies that came with it, and
a position is such a cookie: who asks again from an older one gets the same again, and when the connection breaks, the
cookie is where a refresh goes on.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass

from integration_server import Deadline
from integration_server.builtin.ldap.feeds import refresh
from integration_server.builtin.ldap.feeds.controls import sync_info
from integration_server.builtin.ldap.feeds.touched import MOST, Touched
from integration_server.builtin.ldap.messages import SEARCH_DONE, Message, parse_result
from integration_server.builtin.ldap.results import ServerFailed
from integration_server.builtin.ldap.wire import Wire

#: How long what came may lack behind what the server says is the present, until the search is thought dead.
_LAG_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class _Step:
    """What came before this cookie and after the one before."""

    cookie: bytes
    changed: tuple[str, ...]
    deleted: tuple[str, ...]


class HeldSearch:
    """One persistent search on a connection of its own. Used by one thread at a time; after an exception, close it."""

    def __init__(self, wire: Wire, context: str, cookie: bytes) -> None:
        self._wire = wire
        self._context = context
        self._message_id = 0
        self._first = cookie
        self._steps: deque[_Step] = deque()
        self._size = 0
        self._new = Touched()
        self._behind_since: float | None = None

    def start(self, deadline: Deadline) -> None:
        """Ask, and take what has changed since the cookie. Raises ComparisonNeeded, other BackendErrors."""
        self._message_id = refresh.ask(self._wire, self._context, self._first, deadline)
        while not (taken := self._take(self._wire.next(deadline, self._message_id), deadline))[0]:
            # Cookies before the end are of servers that tell in another order.
            pass
        if taken[1]:
            self._end_step(taken[1])

    @property
    def cookie(self) -> bytes:
        """How far it has come."""
        return self._steps[-1].cookie if self._steps else self._first

    def look(self, deadline: Deadline) -> bytes:
        """Take what has come; returns the cookie of the server's present, which this may still lack behind.

        Raises ServerFailed where it has been behind for too long, other BackendErrors.
        """
        question = refresh.ask_now(self._wire, self._context, deadline)
        while True:
            message = self._wire.next(deadline, self._message_id, question)
            if message.id == self._message_id:
                _, cookie = self._take(message, deadline)
                if cookie:
                    self._end_step(cookie)
            elif message.kind == SEARCH_DONE:
                break
        now = refresh.end_of_now(self._wire, self._context, message)
        if now == self.cookie:
            self._behind_since = None
        elif self._behind_since is None:
            self._behind_since = time.monotonic()
        elif time.monotonic() - self._behind_since > _LAG_SECONDS:
            raise ServerFailed(f"{self._wire.server}: the persistent search tells nothing any more")
        return now

    def since(self, cookie: bytes, touched: Touched) -> bool:
        """Add what has come since this cookie; False where it is not, or no longer, known."""
        is_known = cookie == self._first
        for step in self._steps:
            if is_known:
                for key in step.changed:
                    touched.change(key)
                for key in step.deleted:
                    touched.delete(key)
            is_known = is_known or step.cookie == cookie
        return is_known

    def _take(self, message: Message, deadline: Deadline) -> tuple[bool, bytes | None]:
        """Take a message; whether it ends the refresh, and the cookie in it."""
        with refresh.understood(self._wire):
            if message.kind == SEARCH_DONE:
                raise refresh.unknown_cookie(self._wire, self._context, parse_result(message.body), deadline)
            cookie = refresh.take(self._new, message, self._context)
            self._new.check_size()
            info = sync_info(message)
            return info is not None and info.is_end, cookie

    def _end_step(self, cookie: bytes) -> None:
        step = _Step(cookie, tuple(self._new.keys), tuple(self._new.gone))
        self._new = Touched()
        self._steps.append(step)
        self._size += len(step.changed) + len(step.deleted)
        while self._size > MOST and len(self._steps) > 1:
            oldest = self._steps.popleft()
            self._first = oldest.cookie
            self._size -= len(oldest.changed) + len(oldest.deleted)

    def close(self) -> None:
        """Close the connection. May be called twice."""
        self._wire.close()
