"""Slow work that many callers need at once is done by one thread, and no caller waits longer than it may."""

from __future__ import annotations

import concurrent.futures
import queue
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, TypeVar

from integration_server import BackendError, BackendTimeout, Deadline

T = TypeVar("T")

_IDLE_SECONDS = 10.0

_Task = tuple[Hashable, Callable[[], Any], "Future[Any]"]


class SharedWork:
    """Runs work in threads of its own, so that a network share that hangs holds no caller.

    A caller who comes while the same work is under way waits for its result; work whose callers have all given up
    is still finished. Threads end by themselves when nothing was asked for a while.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._running: dict[Hashable, Future[Any]] = {}
        self._tasks: queue.SimpleQueue[_Task] = queue.SimpleQueue()
        self._idle = 0

    def result(self, key: Hashable, work: Callable[[], T], deadline: Deadline) -> T:
        """What ``work`` returns or raises. Raises BackendTimeout when ``deadline`` passes first."""
        deadline.remaining()
        with self._lock:
            future = self._running.get(key)
            if future is None:
                future = self._running[key] = Future()
                self._tasks.put((key, work, future))
                if self._idle:
                    self._idle -= 1
                else:
                    threading.Thread(target=self._serve, name=self._name, daemon=True).start()
        done, _ = concurrent.futures.wait([future], deadline.remaining())
        if not done:
            raise BackendTimeout(f"{self._name}: no answer within the time limit")
        try:
            return future.result()  # type: ignore[no-any-return]
        except BackendError as exc:
            # Each caller gets an exception of its own: raising changes the one that is raised.
            raise type(exc)(str(exc)) from exc

    def _serve(self) -> None:
        while True:
            try:
                key, work, future = self._tasks.get(timeout=_IDLE_SECONDS)
            except queue.Empty:
                with self._lock:
                    if self._idle:
                        self._idle -= 1
                        return
                # A task was put a moment ago in the belief that this thread would take it.
                continue
            self._run(key, work, future)
            # Else the last work's result would stay in memory until the next one comes.
            del work, future

    def _run(self, key: Hashable, work: Callable[[], Any], future: Future[Any]) -> None:
        try:
            result = work()
        except BaseException as exc:
            self._finish(key)
            future.set_exception(exc)
        else:
            self._finish(key)
            future.set_result(result)

    def _finish(self, key: Hashable) -> None:
        with self._lock:
            del self._running[key]
            self._idle += 1
