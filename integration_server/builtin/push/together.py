"""What several threads want written at one time is one transaction."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from integration_server import StoreUnavailable

T = TypeVar("T")


class _Entry(Generic[T]):
    __slots__ = ("error", "is_done", "item")

    def __init__(self, item: T) -> None:
        self.item = item
        self.is_done = False
        self.error: Exception | None = None


class Together(Generic[T]):
    """Thread-safe. ``write`` is called by one thread at a time, with everything that came meanwhile."""

    def __init__(self, write: Callable[[Sequence[T]], None]) -> None:
        self._write = write
        self._turn = threading.Lock()
        self._lock = threading.Lock()
        self._waiting: list[_Entry[T]] = []

    def add(self, item: T) -> None:
        """Returns when it is written. Raises what ``write`` raised; StoreUnavailable to those who came along."""
        entry = _Entry(item)
        with self._lock:
            self._waiting.append(entry)
        with self._turn:
            if not entry.is_done:
                self._take_turn(entry)
        if entry.error is not None:
            raise StoreUnavailable(str(entry.error)) from entry.error

    def _take_turn(self, own: _Entry[T]) -> None:
        with self._lock:
            batch, self._waiting = self._waiting, []
        try:
            self._write([entry.item for entry in batch])
        except Exception as exc:
            for entry in batch:
                entry.error = exc
            own.error = None
            raise
        finally:
            for entry in batch:
                entry.is_done = True
