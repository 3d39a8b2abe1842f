"""What several threads want written at one time is one transaction."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from integration_server import StoreUnavailable

T = TypeVar("T")

#: Seconds: less than a commit takes on most disks, and enough for who is under way already.
_MOMENT = 0.002


class _Entry(Generic[T]):
    """``gate`` opens when the item is written, or when its thread is the next to write."""

    __slots__ = ("error", "gate", "is_done", "item")

    def __init__(self, item: T) -> None:
        self.item = item
        self.is_done = False
        self.error: BaseException | None = None
        self.gate = threading.Lock()
        self.gate.acquire()


class Together(Generic[T]):
    """Thread-safe. ``write`` is called by one thread at a time, with everything that came meanwhile.

    While several threads want something written, whoever is next waits a moment for the others; who is alone does not.
    """

    def __init__(self, write: Callable[[Sequence[T]], None]) -> None:
        self._write = write
        self._lock = threading.Lock()
        self._waiting: list[_Entry[T]] = []
        self._is_busy = False
        self._is_shared = False

    def add(self, item: T) -> None:
        """Returns when it is written. Raises StoreUnavailable where ``write`` did."""
        entry = _Entry(item)
        with self._lock:
            self._waiting.append(entry)
            is_first, self._is_busy = not self._is_busy, True
        if not is_first:
            entry.gate.acquire()
        if not entry.is_done:
            self._write_all(entry)
        if isinstance(entry.error, StoreUnavailable):
            raise StoreUnavailable(str(entry.error)) from entry.error
        if entry.error is not None:
            raise RuntimeError("what was to be written along with others was not") from entry.error

    def _write_all(self, own: _Entry[T]) -> None:
        if self._is_shared:
            time.sleep(_MOMENT)
        with self._lock:
            batch, self._waiting = self._waiting, []
        error: BaseException | None = None
        try:
            self._write([entry.item for entry in batch])
        except BaseException as exc:
            error = exc
            if not isinstance(exc, Exception):
                raise
        finally:
            with self._lock:
                following = self._waiting[0] if self._waiting else None
                self._is_busy = following is not None
            self._is_shared = len(batch) > 1 or following is not None
            for entry in batch:
                entry.error, entry.is_done = error, True
                if entry is not own:
                    entry.gate.release()
            if following is not None:
                following.gate.release()
