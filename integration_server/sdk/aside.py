"""Work that is done beside the thread that a list is made in: reading what comes next, writing what is done.

That pays where the work lets go of the interpreter for most of its time, as SQLite does while it makes columns of a
slice, or a digest of a large block: two processors then work on one list.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from queue import SimpleQueue
from typing import Generic, Self, TypeVar

T = TypeVar("T")


class Aside(Generic[T]):
    """A thread that makes one call at a time, begun with the first one. Used by one thread, which has to ``end`` it, or
    uses it as a context manager."""

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[tuple[Callable[[], T], bool] | None] = SimpleQueue()
        self._outcomes: SimpleQueue[tuple[T] | BaseException] = SimpleQueue()
        self._taken = threading.Lock()
        self._taken.acquire()
        # Where the process ends in the middle of a call, nobody is left to end this.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        #: Whether a call has begun whose outcome nobody has asked for yet.
        self.is_busy = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.end()

    def begin(self, call: Callable[[], T], *, hands_over: bool = True) -> None:
        """Begin a call, the one before being done with. ``hands_over``: it soon lets go of the interpreter, which is
        handed over until it does. Whoever computes would hold it for milliseconds, in which nothing would begin."""
        if self._thread.ident is None:
            self._thread.start()
        self.is_busy = True
        self._calls.put((call, hands_over))
        if hands_over:
            self._taken.acquire()

    def outcome(self) -> T:
        """Wait for the call: what it returns. Raises what it raised."""
        found = self._outcomes.get()
        self.is_busy = False
        if isinstance(found, tuple):
            return found[0]
        try:
            raise found
        finally:
            # An exception that is known to a frame of its own traceback would keep alive what that frame holds.
            del found

    def end(self) -> None:
        """Wait until the call is over and the thread has ended."""
        if self._thread.ident is not None:
            self._calls.put(None)
            self._thread.join()

    def _run(self) -> None:
        while (todo := self._calls.get()) is not None:
            call, hands_over = todo
            if hands_over:
                self._taken.release()
            self._outcomes.put(_made(call))
            del call, todo


def _made(call: Callable[[], T]) -> tuple[T] | BaseException:
    try:
        return (call(),)
    except BaseException as exc:
        return exc


def read_ahead(found: Generator[T, None, None], cancel: Callable[[], object]) -> Generator[T, None, None]:
    """What ``found`` gives, and the exception it raises. Closes ``found``, which only one thread uses at a time.

    Of what it gives, one is read ahead and no more, from the third on: a short list needs no thread. Closing this early
    calls ``cancel``, which has to make a reading that is under way fail at once, from another thread.
    """
    aside: Aside[T | None] = Aside("read-ahead")
    try:
        one = next(found, None)
        if one is not None:
            yield one
            one = next(found, None)
        while one is not None:
            aside.begin(lambda: next(found, None))
            yield one
            one = aside.outcome()
    finally:
        if aside.is_busy:
            cancel()
        aside.end()
        found.close()
