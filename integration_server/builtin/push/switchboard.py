"""The switchboard: which connection each user agent is behind, and the loop that serves them all in one thread."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import math
import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial

from integration_server.builtin.push import relayed
from integration_server.builtin.push.clerk import Clerk, Work
from integration_server.builtin.push.connection import Connection, Manners
from integration_server.builtin.push.letters import Registration
from integration_server.builtin.push.office import PostOffice
from integration_server.builtin.push.relayed import FirstApiSession
from integration_server.builtin.push.session import GOING_AWAY, Job, Removal, Result, Session
from integration_server.builtin.push.simplepush import SimplePushSession
from integration_server.builtin.push.versions import Update

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
#: So long an app server waits to hear whether its version was handed over.
_HAND_SECONDS = 0.5
_WARN_SECONDS = 60.0


class Switchboard:
    """Serves a listening socket, which it closes. ``hand`` is for any thread, what is not said so for the loop's.

    ``missed`` is told, in any thread, of user agents that something waits for and that are not connected.
    """

    def __init__(
        self,
        office: PostOffice,
        endpoint: Callable[[str], str],
        manners: Manners,
        most_clients: int,
        resend_seconds: float,
        takes_plain_tokens: bool = False,
        missed: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.manners = manners
        self.now = clock
        self._endpoint = endpoint
        self._most_clients = most_clients
        self._resend_seconds = resend_seconds
        self._takes_plain_tokens = takes_plain_tokens
        self._connections: set[Connection] = set()
        self._agents: dict[str, Connection] = {}
        self._warned_at = -_WARN_SECONDS
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: asyncio.Server | None = None
        self._thread: threading.Thread | None = None
        self._missed = missed
        self._clerk = Clerk[Connection](office, self._answer, self._tell, self.connected, missed is not None)
        self._registrar = self._clerk
        if office.is_slow:
            self._registrar = Clerk[Connection](office, self._answer, None, self.connected)

    # -- for other threads -------------------------------------------------------------------------------------------

    def start(self, listener: socket.socket | None) -> None:
        """Begin, once; without a listener only the clerk's other work is done."""
        if listener is not None:
            self._loop = asyncio.new_event_loop()
            ready = concurrent.futures.Future[None]()
            self._thread = threading.Thread(
                target=self._run, args=(self._loop, listener, ready), name="push sockets", daemon=True
            )
            self._thread.start()
            ready.result()
        self._clerk.start()
        if self._registrar is not self._clerk:
            self._registrar.start()

    def stop(self, timeout: float) -> None:
        """Tell clients that the server goes away, and end within ``timeout`` seconds."""
        ends = time.monotonic() + timeout
        if self._loop is not None and self._thread is not None:
            with suppress(RuntimeError):  # the loop has ended by itself
                asyncio.run_coroutine_threadsafe(self._end(timeout / 2), self._loop)
            self._thread.join(timeout)
        for clerk in {self._clerk, self._registrar}:
            clerk.stop(max(0.1, ends - time.monotonic()))

    def connected(self) -> Sequence[str]:
        """The user agents that are connected; for any thread."""
        return list(self._agents)

    def is_connected(self, uaid: str) -> bool:
        """Whether a user agent is; for any thread."""
        return uaid in self._agents

    def drop(self, uaids: Sequence[str]) -> None:
        """These are not known any more; for any thread."""
        if self._loop is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._drop, uaids)

    def hand(self, uaid: str, channel: str, version: int) -> bool:
        """Whether a version that was stored could be handed to its user agent; for any thread but the loop's."""
        if self._loop is None or uaid not in self._agents:
            return False
        done = concurrent.futures.Future[bool]()
        try:
            self._loop.call_soon_threadsafe(self._hand, uaid, channel, version, done)
            return done.result(_HAND_SECONDS)
        except (RuntimeError, TimeoutError):
            return False

    # -- what connections call ---------------------------------------------------------------------------------------

    def entered(self, connection: Connection) -> bool:
        if len(self._connections) >= self._most_clients:
            if self.now() - self._warned_at >= _WARN_SECONDS:
                self._warned_at = self.now()
                logger.warning("%d WebSocket clients are connected, more are turned away", len(self._connections))
            return False
        self._connections.add(connection)
        return True

    def left(self, connection: Connection) -> None:
        if connection.session is not None:
            for uaid in connection.session.uaids:
                if self._agents.get(uaid) is connection:
                    del self._agents[uaid]
                    if self._missed is not None and connection.session.due != math.inf:
                        self._missed(uaid)

    def gone(self, connection: Connection) -> None:
        self._connections.discard(connection)

    def session(self, subprotocol: str | None, is_private: bool) -> Session:
        kind = FirstApiSession if subprotocol == relayed.SUBPROTOCOL else SimplePushSession
        return kind(self._endpoint, self._resend_seconds, is_private or self._takes_plain_tokens)

    def ask(self, connection: Connection, job: Job) -> None:
        # Of one connection's work, these two keep their order among themselves.
        clerk = self._registrar if isinstance(job, Registration | Removal) else self._clerk
        clerk.take(Work(connection, job))

    def attach(self, connection: Connection, uaids: Iterable[str]) -> None:
        for uaid in uaids:
            before = self._agents.get(uaid)
            self._agents[uaid] = connection
            if before is not None and before is not connection and before.session is not None:
                before.perform(before.session.lost(uaid))

    # -- the clerk's thread ------------------------------------------------------------------------------------------

    def _answer(self, done: Sequence[tuple[Work[Connection], Result]]) -> None:
        if self._loop is not None and done:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._answered, done)

    def _tell(self, update: Update, is_again: bool) -> None:
        if self._missed is not None:
            for uaid in update:
                if uaid not in self._agents:
                    self._missed(uaid)
        if self._loop is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._told, update, is_again)

    # -- the loop's thread -------------------------------------------------------------------------------------------

    def _answered(self, done: Sequence[tuple[Work[Connection], Result]]) -> None:
        now = self.now()
        for work, result in done:
            work.connection.answered(work.job, result, now)

    def _told(self, update: Update, is_again: bool = False) -> None:
        now = self.now()
        for uaid, versions in update.items():
            connection = self._agents.get(uaid)
            if connection is not None and connection.session is not None:
                connection.perform(connection.session.news(uaid, versions, now, is_again=is_again))

    def _drop(self, uaids: Sequence[str]) -> None:
        for uaid in uaids:
            connection = self._agents.pop(uaid, None)
            if connection is not None and connection.session is not None:
                connection.perform(connection.session.forgotten(uaid))

    def _hand(self, uaid: str, channel: str, version: int, done: concurrent.futures.Future[bool]) -> None:
        connection = self._agents.get(uaid)
        if connection is None or connection.session is None:
            done.set_result(False)
            return
        connection.perform(connection.session.news(uaid, {channel: version}, self.now(), done.set_result))

    def _look(self) -> None:
        assert self._loop is not None
        now = self.now()
        for connection in list(self._connections):
            connection.look(now)
        self._loop.call_later(_LOOK_SECONDS, self._look)

    def _run(
        self, loop: asyncio.AbstractEventLoop, listener: socket.socket, ready: concurrent.futures.Future[None]
    ) -> None:
        asyncio.set_event_loop(loop)
        try:
            self._server = loop.run_until_complete(
                loop.create_server(partial(Connection, self), sock=listener, backlog=1024)
            )
            self._look()
        except BaseException as exc:
            listener.close()
            loop.close()
            ready.set_exception(exc)
            return
        ready.set_result(None)
        try:
            loop.run_forever()
        finally:
            loop.close()

    async def _end(self, seconds: float) -> None:
        assert self._loop is not None
        assert self._server is not None
        self._server.close()
        for connection in list(self._connections):
            connection.end(GOING_AWAY, "the server stops")
        ends = self._loop.time() + seconds
        while self._connections and self._loop.time() < ends:
            await asyncio.sleep(0.05)
        for connection in list(self._connections):
            connection.abort()
        await asyncio.sleep(0)
        self._loop.stop()
