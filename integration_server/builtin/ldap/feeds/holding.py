"""The searches that a feed holds, one for each naming context, and who takes what came when nobody looks."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

from integration_server import BackendError, BackendTimeout, BackendUnavailable, ComparisonNeeded, Deadline
from integration_server.builtin.ldap.feeds.held import HeldSearch
from integration_server.builtin.ldap.feeds.touched import Touched
from integration_server.builtin.ldap.servers import Servers

logger = logging.getLogger(__name__)

#: While everybody is compared nobody looks for minutes; what is not taken, a server has to keep.
_KEEP_SECONDS = 5.0


class HeldSearches:
    """Thread-safe. Where a search breaks all are let go: a refresh finds out what has changed since.

    Not looked at for ``idle_seconds``, they are let go as well. Whoever made it closes it.
    """

    def __init__(self, servers: Servers, idle_seconds: float) -> None:
        self._servers = servers
        self._idle_seconds = idle_seconds
        self._lock = threading.Lock()
        self._searches: dict[str, HeldSearch] = {}
        self._looked_at = 0.0
        self._keeper: threading.Thread | None = None
        self._stop = threading.Event()

    def newest(self, contexts: Collection[str], deadline: Deadline) -> dict[str, bytes] | None:
        """How far the searches of these contexts have come; None where they are not held.

        Raises BackendTimeout where the server does not answer.
        """
        with self._locked(deadline):
            if not self._look(contexts, deadline):
                return None
            return {context: search.cookie for context, search in self._searches.items()}

    def since(self, cookies: Mapping[str, bytes], deadline: Deadline) -> tuple[dict[str, bytes], Touched] | None:
        """What has come since these cookies, and the next ones; None where that is not known.

        Raises ComparisonNeeded, BackendTimeout where the server does not answer.
        """
        with self._locked(deadline):
            if not self._look(cookies, deadline):
                return None
            touched = Touched()
            if not all(search.since(cookies[context], touched) for context, search in self._searches.items()):
                return None
            return {context: search.cookie for context, search in self._searches.items()}, touched

    def hold(self, cookies: Mapping[str, bytes], deadline: Deadline) -> bool:
        """See to it that searches are held which know all that comes after these cookies; whether there are.

        There are none where the server cannot say what has changed since. Raises BackendError.
        """
        with self._locked(deadline):
            if self._stop.is_set():
                return False
            self._looked_at = time.monotonic()
            if self._knows(cookies):
                return True
            self._drop()
            try:
                for context, cookie in cookies.items():
                    self._searches[context] = HeldSearch(self._servers.open(deadline, as_service=True), context, cookie)
                    self._searches[context].start(deadline)
            except ComparisonNeeded:
                self._drop()
                return False
            except BaseException:
                self._drop()
                raise
            if self._keeper is None:
                self._keeper = threading.Thread(target=self._keep, name="ldap-held-searches", daemon=True)
                self._keeper.start()
            return True

    def _knows(self, cookies: Mapping[str, bytes]) -> bool:
        return set(self._searches) == set(cookies) and all(
            search.since(cookies[context], Touched()) for context, search in self._searches.items()
        )

    def _look(self, contexts: Collection[str], deadline: Deadline) -> bool:
        """Take what has come; False where these contexts are not held, or no longer."""
        if set(self._searches) != set(contexts):
            return False
        self._looked_at = time.monotonic()
        try:
            for search in self._searches.values():
                search.look(deadline)
        except (BackendTimeout, ComparisonNeeded):
            self._drop()
            raise
        except BackendUnavailable as exc:
            logger.info("a persistent search ended: %s", exc)
            self._drop()
            return False
        except BaseException:
            self._drop()
            raise
        return True

    def _drop(self) -> None:
        for search in self._searches.values():
            search.close()
        self._searches.clear()

    @contextmanager
    def _locked(self, deadline: Deadline) -> Iterator[None]:
        if not self._lock.acquire(timeout=deadline.remaining()):
            raise BackendTimeout("the persistent search was in use all the time")
        try:
            yield
        finally:
            self._lock.release()

    def _keep(self) -> None:
        """The thread's work; it ends with the searches."""
        while not self._stop.wait(_KEEP_SECONDS):
            with self._lock:
                idle = time.monotonic() - self._looked_at
                if idle > self._idle_seconds:
                    self._drop()
                elif self._searches and idle > _KEEP_SECONDS:
                    self._take(self._looked_at)
                if not self._searches:
                    self._keeper = None
                    return

    def _take(self, looked_at: float) -> None:
        try:
            self._look(tuple(self._searches), Deadline(_KEEP_SECONDS))
        except BackendError as exc:
            logger.info("a persistent search ended: %s", exc)
        self._looked_at = looked_at

    def close(self) -> None:
        """Let all go, and end the thread. May be called twice."""
        self._stop.set()
        with self._lock:
            self._drop()
            keeper = self._keeper
        if keeper is not None:
            keeper.join()
