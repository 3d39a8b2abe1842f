"""Deadlines, and the watchdog that ends what overruns them."""

from __future__ import annotations

import socket
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from integration_server import BackendTimeout, BackendUnavailable, Deadline, Watchdog


@pytest.fixture
def watchdog() -> Watchdog:
    return Watchdog()


class Call:
    """Something that waits until it is cancelled or let go, as a blocked read does."""

    def __init__(self) -> None:
        self.cancels = 0
        self._event = threading.Event()

    def cancel(self) -> None:
        self.cancels += 1
        self._event.set()

    def wait(self) -> None:
        assert self._event.wait(10)
        raise ConnectionError("cut off")


def test_a_deadline_counts_down_and_then_raises() -> None:
    deadline = Deadline(0.05)

    assert 0 < deadline.remaining() <= 0.05
    assert not deadline.is_over()
    time.sleep(0.06)
    assert deadline.is_over()
    with pytest.raises(BackendTimeout, match=r"0\.05 s"):
        deadline.remaining()


def test_the_sooner_of_two_deadlines_counts() -> None:
    deadline = Deadline(10)

    assert deadline.sooner(5).at < deadline.at
    assert deadline.sooner(20) is deadline


def test_an_overdue_call_is_cancelled_once_and_ends_as_a_timeout(watchdog: Watchdog) -> None:
    call = Call()

    with pytest.raises(BackendTimeout) as raised, watchdog.guard(Deadline(0.05), call.cancel):
        call.wait()
    time.sleep(0.05)

    assert call.cancels == 1
    assert isinstance(raised.value.__cause__, ConnectionError)


def test_what_is_done_meanwhile_does_not_count_against_the_answer(watchdog: Watchdog) -> None:
    """It came in time, and is read late."""
    cancelled = threading.Event()
    deadline = Deadline(0.1, lambda: time.sleep(0.4))

    with watchdog.guard(deadline, cancelled.set):
        deadline.wait_begins()
        time.sleep(0.05)

    assert not cancelled.is_set()
    assert deadline.remaining() <= 1.0


def test_an_answer_that_does_not_come_meanwhile_either_is_overdue(watchdog: Watchdog) -> None:
    call = Call()
    deadline = Deadline(0.1, lambda: time.sleep(0.2))

    def ask() -> None:
        deadline.wait_begins()
        call.wait()

    with pytest.raises(BackendTimeout), watchdog.guard(deadline, call.cancel):
        ask()

    assert call.cancels == 1


def test_a_blocked_read_ends_when_its_socket_is_shut_down(watchdog: Watchdog) -> None:
    ours, theirs = socket.socketpair()
    with (
        ours,
        theirs,
        pytest.raises(BackendTimeout),
        watchdog.guard(Deadline(0.05), lambda: ours.shutdown(socket.SHUT_RDWR)),
    ):
        ours.recv(1)


def test_a_cancelled_call_that_returns_all_the_same_is_a_timeout_too(watchdog: Watchdog) -> None:
    """Some libraries end a listing quietly when their socket is shut down: that is no whole answer."""
    cancelled = threading.Event()

    with pytest.raises(BackendTimeout), watchdog.guard(Deadline(0.02), cancelled.set):
        assert cancelled.wait(10)


def test_a_call_in_time_keeps_its_result_and_its_own_errors(watchdog: Watchdog) -> None:
    call = Call()

    with watchdog.guard(Deadline(0.1), call.cancel):
        pass
    with pytest.raises(KeyError), watchdog.guard(Deadline(0.1), call.cancel):
        raise KeyError("own")
    with pytest.raises(KeyboardInterrupt), watchdog.guard(Deadline(0.1), call.cancel):
        raise KeyboardInterrupt
    time.sleep(0.2)

    assert call.cancels == 0


def test_a_deadline_that_has_passed_already_cancels_at_once(watchdog: Watchdog) -> None:
    call = Call()

    with pytest.raises(BackendTimeout), watchdog.guard(Deadline(-1), call.cancel):
        call.wait()


def test_an_earlier_deadline_is_kept_while_a_later_one_runs(watchdog: Watchdog) -> None:
    late, soon = Call(), Call()

    with watchdog.guard(Deadline(30), late.cancel):
        with pytest.raises(BackendTimeout), watchdog.guard(Deadline(0.05), soon.cancel):
            soon.wait()
        assert late.cancels == 0


def test_a_cancel_that_fails_is_survived(watchdog: Watchdog, caplog: pytest.LogCaptureFixture) -> None:
    call = Call()

    def broken() -> None:
        call.cancel()
        raise OSError("no such socket")

    with pytest.raises(BackendTimeout), watchdog.guard(Deadline(0.02), broken):
        call.wait()
    other = Call()
    with pytest.raises(BackendTimeout), watchdog.guard(Deadline(0.02), other.cancel):
        other.wait()

    assert "could not cancel" in caplog.text


def test_a_limit_beyond_what_the_clock_can_wait_for_harms_nobody_else(watchdog: Watchdog) -> None:
    call = Call()

    with watchdog.guard(Deadline(1e300), call.cancel):
        time.sleep(0.05)
        with pytest.raises(BackendTimeout), watchdog.guard(Deadline(0.05), call.cancel):
            call.wait()


def watchdogs() -> int:
    return sum(thread.name == "watchdog" for thread in threading.enumerate())


def test_one_thread_serves_many_calls_at_once(watchdog: Watchdog) -> None:
    before = watchdogs()
    calls = [Call() for _ in range(200)]

    with ExitStack() as guards:
        for n, call in enumerate(calls):
            guards.enter_context(watchdog.guard(Deadline(0.05 if n % 2 else 60), call.cancel))
        assert watchdogs() == before + 1
        end = time.monotonic() + 10
        while any(call.cancels == 0 for call in calls[1::2]) and time.monotonic() < end:
            time.sleep(0.01)
        with pytest.raises(BackendUnavailable):
            guards.close()

    assert [call.cancels for call in calls] == [n % 2 for n in range(200)]
    assert watchdogs() == before + 1


def test_nothing_is_cancelled_after_its_call_has_ended(watchdog: Watchdog) -> None:
    """Once the body has left, its connection may serve somebody else: a late cancel would hit a stranger."""
    has_left: list[bool] = []
    late: list[str] = []

    def one() -> Iterator[None]:
        for n in range(300):
            state = {"left": False}

            def cancel(state: dict[str, bool] = state) -> None:
                if state["left"]:
                    late.append("cancelled after its end")

            try:
                # The call takes about as long as it may, so that ends and cancels meet.
                with watchdog.guard(Deadline(0.0005), cancel):
                    time.sleep(0.0005 if n % 2 else 0)
            except BackendTimeout:
                pass
            state["left"] = True
            has_left.append(True)
            yield

    threads = [threading.Thread(target=lambda: list(one())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    time.sleep(0.01)

    assert len(has_left) == 8 * 300
    assert late == []


def test_calls_that_are_over_do_not_pile_up(watchdog: Watchdog) -> None:
    held: list[weakref.ref[Call]] = []
    with watchdog.guard(Deadline(60), Call().cancel):
        for _ in range(2000):
            call = Call()
            held.append(weakref.ref(call))
            with watchdog.guard(Deadline(60), call.cancel):
                pass
    del call
    assert sum(ref() is not None for ref in held) == 0
    assert len(watchdog._heap) < 200
