"""What is done aside: one call at a time, with the same outcome, and no thread left."""

from __future__ import annotations

import gc
import threading
import traceback
import weakref
from collections.abc import Generator, Iterator
from contextlib import closing
from operator import truediv

import pytest

from integration_server import Batch, read_ahead
from integration_server.sdk.aside import Aside
from tests.waiting import wait_for


def _threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name in ("read-ahead", "aside")]


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    assert not _threads()


@pytest.fixture
def aside() -> Iterator[Aside[object]]:
    made: Aside[object] = Aside("aside")
    yield made
    made.end()


def test_calls_are_made_one_after_another_in_one_other_thread(aside: Aside[object]) -> None:
    found = []
    for _ in range(3):
        aside.begin(threading.get_ident)
        found.append(aside.outcome())
    assert len(set(found)) == 1
    assert threading.get_ident() not in found


def test_what_a_call_raises_is_raised_where_its_outcome_is_asked_for(aside: Aside[object]) -> None:
    aside.begin(lambda: truediv(1, 0))
    assert aside.is_busy
    with pytest.raises(ZeroDivisionError, match=r"^division by zero$"):
        aside.outcome()
    assert not aside.is_busy
    aside.begin(lambda: "the next one is made all the same")
    assert aside.outcome() == "the next one is made all the same"


def test_an_exception_keeps_nothing_alive(aside: Aside[object]) -> None:
    class Cursor:
        pass

    def fail() -> None:
        cursor = Cursor()
        kept.append(weakref.ref(cursor))
        raise OSError

    kept: list[weakref.ref[Cursor]] = []
    gc.disable()
    try:
        aside.begin(fail)
        with pytest.raises(OSError, match=r"^$"):
            aside.outcome()
    finally:
        gc.enable()
    assert kept[0]() is None


def test_the_end_waits_for_the_call(aside: Aside[object]) -> None:
    is_free, done = threading.Event(), []

    def work() -> None:
        is_free.wait()
        done.append(True)

    aside.begin(work)
    threading.Timer(0.05, is_free.set).start()
    aside.end()
    assert done


def test_without_a_call_there_is_no_thread(aside: Aside[object]) -> None:
    before = threading.active_count()
    Aside("aside").end()
    assert threading.active_count() == before


# -- reading ahead ---------------------------------------------------------------------------------------------------


class _Shelf:
    """Batches, and what becomes of them. ``error`` comes after the last one; of number ``stuck`` reading lasts until it
    is cancelled."""

    def __init__(self, count: int, error: Exception | None = None, stuck: int | None = None) -> None:
        self.books = [Batch(("login",), [(f"u{i}",)]) for i in range(count)]
        self.read = 0
        self.is_closed = False
        self._error = error
        self._stuck = stuck
        self._is_cancelled = threading.Event()

    def batches(self) -> Generator[Batch, None, None]:
        try:
            for book in self.books:
                if self.read == self._stuck:
                    self._is_cancelled.wait()
                    raise OSError("cancelled")
                self.read += 1
                yield book
            if self._error is not None:
                raise self._error
        finally:
            self.is_closed = True

    def ahead(self) -> Generator[Batch, None, None]:
        return read_ahead(self.batches(), self._is_cancelled.set)

    @property
    def is_cancelled(self) -> bool:
        return self._is_cancelled.is_set()


@pytest.mark.parametrize("count", [0, 1, 2, 3, 10])
def test_all_batches_come_in_their_order(count: int) -> None:
    shelf = _Shelf(count)
    assert list(shelf.ahead()) == shelf.books
    assert shelf.is_closed
    assert not shelf.is_cancelled


def test_one_batch_is_read_ahead_and_no_more() -> None:
    shelf = _Shelf(6)
    for taken, _ in enumerate(shelf.ahead(), start=1):
        expected = 1 if taken == 1 else min(taken + 1, 6)
        wait_for(lambda expected=expected: shelf.read == expected)
    assert shelf.read == 6


def test_a_short_list_needs_no_thread() -> None:
    before = threading.active_count()
    for count in (1, 2):
        batches = _Shelf(count).ahead()
        next(batches)
        assert threading.active_count() == before
        assert len(list(batches)) == count - 1
    batches = _Shelf(3).ahead()
    next(batches)
    assert threading.active_count() == before
    next(batches)
    assert len(_threads()) == 1
    batches.close()


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4])
def test_an_error_comes_as_it_is_after_what_was_read_before(count: int) -> None:
    shelf = _Shelf(count, error=ValueError("no more"))
    found: list[Batch] = []
    with pytest.raises(ValueError, match=r"^no more$") as caught:
        found.extend(shelf.ahead())
    assert found == shelf.books
    assert "batches" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert shelf.is_closed
    assert not shelf.is_cancelled


@pytest.mark.parametrize("taken", [1, 2, 3])
def test_whoever_leaves_early_waits_for_no_batch(taken: int) -> None:
    shelf = _Shelf(9, stuck=taken)
    batches = shelf.ahead()
    for _ in range(taken):
        next(batches)
    batches.close()
    assert shelf.is_closed
    assert shelf.is_cancelled is (taken > 1)


def test_an_error_of_whoever_works_on_a_batch_ends_the_reading() -> None:
    shelf = _Shelf(9, stuck=4)

    def work() -> None:
        with closing(shelf.ahead()) as batches:
            for taken, _ in enumerate(batches, start=1):
                if taken == 4:
                    raise KeyError

    with pytest.raises(KeyError):
        work()
    assert shelf.is_closed
    assert shelf.is_cancelled
