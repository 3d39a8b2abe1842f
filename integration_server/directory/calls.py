"""Calls of one backend: what they raise is translated, and those about one person are counted and bounded."""

from __future__ import annotations

import logging
import threading
import time
from types import TracebackType
from typing import Literal

from integration_server.directory.breaker import Breaker
from integration_server.sdk.errors import (
    AmbiguousEntry,
    BackendError,
    BackendMisconfigured,
    BackendUnavailable,
    BadEntry,
    ConfigError,
)

logger = logging.getLogger(__name__)

#: Calls in flight that hear nothing for so long hang, and nobody waits for one of them to end.
_HANGING_SECONDS = 1.0

_Raised = type[BaseException] | None


class Translation:
    """``with`` it: names the backend in its errors, and turns a plugin's own mistakes into outages: they are no answer
    either. Raises BackendError. May be entered many times at once.

    A class, since a generator would take five times as long, and every login passes several.
    """

    __slots__ = ("_backend",)

    def __init__(self, backend: str) -> None:
        self._backend = backend

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: _Raised, exc: BaseException | None, traceback: TracebackType | None) -> Literal[False]:
        if isinstance(exc, Exception):
            self._translate(exc)
        return False

    def _translate(self, exc: Exception) -> None:
        if isinstance(exc, BackendError):
            if not str(exc).startswith(f"backend {self._backend}"):
                raise type(exc)(f"backend {self._backend}: {exc}") from exc
        elif isinstance(exc, ConfigError):
            raise BackendMisconfigured(f"backend {self._backend}: {exc}") from exc
        else:
            logger.error("backend %s failed in an unforeseen way", self._backend, exc_info=exc)
            raise BackendUnavailable(f"backend {self._backend} failed: {type(exc).__name__}") from exc


class Calls:
    """``with`` it: a call about one person, through the breaker, within the cap, its outcome counted and translated.

    Raises BackendError. Thread-safe. ``most`` bounds the calls in flight, so that a frozen backend cannot take every
    worker thread; ``seconds`` is what one may take.
    """

    def __init__(self, backend: str, breaker: Breaker, most: int, seconds: float) -> None:
        self._backend = backend
        self._breaker = breaker
        self._translation = Translation(backend)
        self._seconds = seconds
        # As many as there may be calls, each held by one: a list's pop and append are atomic, and a semaphore takes
        # ten calls for them.
        self._free = [None] * most
        self._waiting = 0
        self._is_free = threading.Condition()
        self._silence = min(_HANGING_SECONDS, seconds / 4)
        self._moved_at = time.monotonic()  # when a call began last, or was answered

    def __enter__(self) -> None:
        if self._breaker.has_failures:
            with self._translation:
                self._breaker.enter()
        if not self._takes_turn():
            self._wait_for_turn()
        self._moved_at = time.monotonic()

    def __exit__(self, kind: _Raised, exc: BaseException | None, traceback: TracebackType | None) -> Literal[False]:
        try:
            if exc is None:
                self._answered()
            else:
                self._count(kind, exc, traceback)
        finally:
            self._give_back()
        return False

    def _count(self, kind: _Raised, exc: BaseException, traceback: TracebackType | None) -> None:
        try:
            self._translation.__exit__(kind, exc, traceback)
            told = exc
        except BackendError as other:
            told = other
            raise
        finally:
            if isinstance(told, BackendUnavailable):
                self._breaker.failed()
            elif isinstance(told, AmbiguousEntry | BadEntry):
                self._answered()

    def _answered(self) -> None:
        self._moved_at = time.monotonic()
        if self._breaker.has_failures:
            self._breaker.succeeded()

    def _takes_turn(self) -> bool:
        try:
            self._free.pop()
        except IndexError:
            return False
        return True

    def _give_back(self) -> None:
        self._free.append(None)
        # Whoever begins to wait has said so before they looked once more.
        if self._waiting:
            with self._is_free:
                self._is_free.notify()

    def _wait_for_turn(self) -> None:
        """Wait until one of the calls in flight ends, as in a rush of logins; but not where all of them hang."""
        give_up = time.monotonic() + self._seconds
        with self._is_free:
            self._waiting += 1
            try:
                while not self._takes_turn():
                    left = min(self._moved_at + self._silence, give_up) - time.monotonic()
                    if left <= 0:
                        raise BackendUnavailable(f"backend {self._backend} has too many calls in flight")
                    self._is_free.wait(left)
            finally:
                self._waiting -= 1
