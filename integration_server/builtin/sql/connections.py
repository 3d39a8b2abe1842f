"""A backend's connections: kept for the next login, cancelled when they overrun, replaced when they went stale.

SQLAlchemy's own pool notices a server that was restarted by a ping before each use, or by a login that fails; and it
knows no deadline. Here a login on a connection that turns out to be gone is asked once more, on a new one.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import TypeVar

from integration_server import BackendError, BackendTimeout, Deadline, Watchdog
from integration_server.builtin.sql.driver import Driver, Session
from integration_server.builtin.sql.errors import translate

T = TypeVar("T")

_IDLE_CONNECTIONS = 12
#: Firewalls and servers forget quiet connections without a word, and a login that meets one would time out.
_IDLE_SECONDS = 60.0
#: Within so long a kept connection shows that there still is somebody at its other end, before a list depends on it.
_BEGIN_SECONDS = 5.0


class Connections:
    """Thread-safe. ``seconds`` is what one statement may take."""

    def __init__(self, driver: Driver, watchdog: Watchdog, shown_url: str, seconds: float) -> None:
        self._driver = driver
        self._watchdog = watchdog
        self._shown_url = shown_url
        self._seconds = seconds
        self._idle: deque[tuple[float, Session]] = deque()
        self._is_closed = False

    def ask(self, deadline: Deadline, work: Callable[[Session], T], *, is_secret: bool = False) -> T:
        """What ``work`` makes of a session. Raises BackendError; what the driver raises is translated.

        ``work`` only reads, so that it may be called twice. ``is_secret``: its parameters must not be shown.
        """
        deadline.remaining()
        try:
            session = self._take(deadline)
            if session is not None:
                try:
                    return self._run(session, deadline, work)
                except self._driver.errors:
                    if not session.was_lost:
                        raise
                    # Those beside it will be gone, too.
                    self.clear()
            return self._run(self._driver.connect(deadline, self._seconds), deadline, work)
        except self._driver.errors as exc:
            raise translate(exc, self._shown_url, is_secret=is_secret) from exc

    def begun(self, deadline: Deadline) -> Session:
        """A session in a transaction that sees the database as it is now, for the caller alone, who hands it to
        ``end``, or closes it. Raises BackendError, and what the driver raises."""
        share = deadline.sooner(min(_BEGIN_SECONDS, deadline.remaining() / 2))
        session = self._take(deadline)
        if session is not None:
            gone: tuple[type[Exception], ...] = (*self._driver.errors, BackendTimeout)
            try:
                return self._begin(session, share)
            except gone:
                # Gone while nobody used it, and those beside it, too.
                self.clear()
        return self._begin(self._driver.connect(deadline, self._seconds), deadline)

    def end(self, session: Session, deadline: Deadline) -> None:
        """End such a transaction, and keep the session where that is worth while. Never fails."""
        if not session.is_costly:
            session.close()
            return
        try:
            with self._watchdog.guard(deadline, session.cancel):
                session.end()
        except Exception:
            session.close()
        else:
            self._give_back(session)

    def _begin(self, session: Session, deadline: Deadline) -> Session:
        try:
            with self._watchdog.guard(deadline, session.cancel):
                session.begin()
        except BaseException:
            session.close()
            raise
        return session

    def _run(self, session: Session, deadline: Deadline, work: Callable[[Session], T]) -> T:
        try:
            with self._watchdog.guard(deadline, session.cancel):
                answer = work(session)
        except BackendError:
            self._give_back(session)
            raise
        except BaseException:
            session.was_lost = session.is_lost and not session.is_cancelled
            session.close()
            raise
        self._give_back(session)
        return answer

    def _take(self, deadline: Deadline) -> Session | None:
        oldest = time.monotonic() - _IDLE_SECONDS
        while self._idle:
            try:
                since, session = self._idle.pop()
            except IndexError:
                return None
            if since > oldest and self._is_fresh(session, deadline):
                return session
            session.close()
        return None

    def _is_fresh(self, session: Session, deadline: Deadline) -> bool:
        try:
            return session.is_fresh(deadline)
        except BaseException:
            session.close()
            raise

    def _give_back(self, session: Session) -> None:
        # Cancelled after its work was done, it is shut down nevertheless.
        if self._is_closed or session.is_cancelled or session.is_lost or len(self._idle) >= _IDLE_CONNECTIONS:
            session.close()
            return
        self._idle.append((time.monotonic(), session))
        if self._is_closed:
            self.clear()

    def clear(self) -> None:
        """Close every connection that waits for work."""
        while self._idle:
            try:
                self._idle.pop()[1].close()
            except IndexError:
                return

    def close(self) -> None:
        """Close them, and those in use when their work is done."""
        self._is_closed = True
        self.clear()
