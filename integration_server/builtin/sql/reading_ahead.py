"""The next batch of a list is read in a thread of its own, while the last one is worked on.

That pays where reading lets go of the interpreter for most of its time, as SQLite does while it makes columns of a
slice: two processors then work on one list.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from queue import SimpleQueue

from integration_server import Batch


def read_ahead(batches: Generator[Batch, None, None], cancel: Callable[[], object]) -> Generator[Batch, None, None]:
    """The same batches, and the same exception. Closes ``batches``, which only one thread uses at a time.

    One batch is read ahead and no more, from the third on: a short list needs no thread. Closing this early calls
    ``cancel``, which has to make a read that is under way fail at once, from another thread; then the thread has ended.
    """
    reader: _Reader | None = None
    try:
        batch = next(batches, None)
        if batch is not None:
            yield batch
            batch = next(batches, None)
        while batch is not None:
            reader = reader or _Reader(batches)
            reader.ask()
            yield batch
            batch = reader.answer()
    finally:
        if reader is not None:
            reader.end(cancel)
        batches.close()


class _Reader:
    """A thread that reads one batch whenever it is asked to."""

    def __init__(self, batches: Generator[Batch, None, None]) -> None:
        self._batches = batches
        self._asked: SimpleQueue[bool] = SimpleQueue()
        self._read: SimpleQueue[Batch | BaseException | None] = SimpleQueue()
        self._is_asked = False
        # Where the process ends in the middle of a list, nobody is left to end this.
        self._thread = threading.Thread(target=self._run, name="read-ahead", daemon=True)
        self._thread.start()

    def ask(self) -> None:
        self._is_asked = True
        self._asked.put(True)

    def answer(self) -> Batch | None:
        """What was asked for; None behind the last batch. Raises what reading it raised."""
        found = self._read.get()
        self._is_asked = False
        if not isinstance(found, BaseException):
            return found
        try:
            raise found
        finally:
            # An exception that is known to a frame of its own traceback would keep cursors alive.
            del found

    def end(self, cancel: Callable[[], object]) -> None:
        if self._is_asked:
            cancel()
        self._asked.put(False)
        self._thread.join()

    def _run(self) -> None:
        while self._asked.get():
            self._read.put(self._next())

    def _next(self) -> Batch | BaseException | None:
        try:
            return next(self._batches, None)
        except BaseException as exc:
            return exc
