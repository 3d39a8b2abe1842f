"""Who turns the loop, and who answers a request: mostly one thread, which does both.

A request that only computes gains nothing from a thread of its own, as Python runs one of them at a time; but to hand
it over, and to have the interpreter's lock go to and fro meanwhile, takes as long as half a login. So the thread that
turns the loop (the leader) answers quick requests itself, and a second one (the follower) stands by: where the leader
stays away for more than a moment, the follower takes the loop over, and the other stands by when it comes back. What is
not quick goes to the worker threads, and so does everything while nobody stands by.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Protocol

from integration_server.server.pace import Habit, Pace, Stopwatch

logger = logging.getLogger(__name__)

AWAY_SECONDS = 0.002
"""How long the leader may stay away from the loop before it is taken over. Others wait for twice that at most, and for
the interpreter's lock."""

AT_ONCE = 16
"""Requests that are answered before the loop has its turn again."""

SIGNAL_SECONDS = 1.0
"""On Windows no signal is heard while the main thread waits, so it wakes as often as that."""


class Task(Protocol):
    """A request that has come."""

    @property
    def path(self) -> str:
        """What is asked for."""
        ...

    def service(self) -> None:
        """Answer it."""
        ...


class Leading:
    """``turn`` has the loop turn once, and wait for what callers do where it is told to; it calls ``add`` for each
    request that has come. ``hand_over`` gives one to the worker threads. Both are called by one thread at a time.
    """

    def __init__(self, turn: Callable[[bool], None], hand_over: Callable[[Task], None], pace: Pace) -> None:
        self._turn = turn
        self._hand_over = hand_over
        self._pace = pace
        self._ready: deque[Task] = deque()
        self._role = threading.Lock()  # held by whoever turns the loop
        self._is_over = False
        self._over = threading.Lock()  # held until then: a signal handler may release it, but not set an event
        self._over.acquire()
        self._failure: BaseException | None = None
        self._threads = [
            threading.Thread(target=self._work, args=(is_leader,), name=f"loop-{number}", daemon=True)
            for number, is_leader in enumerate((True, False))
        ]
        # Those who stand by, of whom there may be two for a moment: one comes before the other has gone.
        self._followers: set[int] = set()
        self._is_watched = False
        self._watch = threading.Event()
        self._away = 0  # odd while the leader answers a request; counts up

    def add(self, task: Task) -> None:
        """Take a request. By the thread that turns the loop."""
        self._ready.append(task)

    def run(self) -> None:
        """Have the loop turned until ``stop`` is called; from then on whoever called this may turn it. Raises what
        ``turn`` raises."""
        self._role.acquire()
        for thread in self._threads:
            thread.start()
        while not self._over.acquire(timeout=SIGNAL_SECONDS):
            pass
        self._role.acquire()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """End ``run``. For any thread, and for signal handlers. The caller sees to it that ``turn`` returns."""
        if not self._is_over:
            self._is_over = True
            with suppress(RuntimeError):  # two may come here at once
                self._over.release()

    def hand_over_all(self) -> None:
        """Give the requests that have come to the workers. By the thread that turns the loop."""
        while self._ready:
            self._hand_over(self._ready.popleft())

    def close(self, timeout: float) -> None:
        """Wait for the threads for up to so many seconds, after ``stop``."""
        until = time.monotonic() + timeout
        self._watch.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, until - time.monotonic()))

    def _work(self, is_leader: bool) -> None:
        try:
            with closing(Stopwatch()) as stopwatch:
                while is_leader or not self._is_over:
                    if is_leader:
                        self._lead(stopwatch)
                    is_leader = self._follow()
        except BaseException as exc:
            self._failure = exc
            self.stop()

    def _lead(self, stopwatch: Stopwatch) -> None:
        """Turn the loop until all is over, or the other has taken it. Lets go of the role."""
        is_mine = True
        try:
            while is_mine and not self._is_over:
                self._turn(not self._ready)
                is_mine = self._answer_some(stopwatch)
        finally:
            if is_mine:
                self._role.release()

    def _answer_some(self, stopwatch: Stopwatch) -> bool:
        """Answer some of the requests that have come; whether the loop is still this thread's."""
        now = time.monotonic()
        for _ in range(min(len(self._ready), AT_ONCE)):
            task = self._ready.popleft()
            habit = self._pace.of(task.path)
            if not (self._followers and habit.is_quick(now)):
                self._hand_over(task)
            elif not self._answer(task, habit, None if habit.is_certain(now) else stopwatch):
                return False
        return True

    def _answer(self, task: Task, habit: Habit, stopwatch: Stopwatch | None) -> bool:
        """Answer a request, measured where a stopwatch is given; whether the loop is still this thread's."""
        if stopwatch is not None:
            stopwatch.start()
        self._away += 1
        # Looked at after it was said who is away: see _follow.
        if not self._is_watched:
            self._is_watched = True
            self._watch.set()
        self._role.release()
        try:
            task.service()
        except BaseException:
            logger.exception("a thread of the loop failed to answer a request")
        is_mine = self._role.acquire(blocking=False)
        if is_mine:  # by whoever turns the loop alone
            self._away += 1
        # The other one, where it has the loop now, looks at no habit as long as nobody stands by.
        if stopwatch is not None:
            habit.note(stopwatch.stop(), time.monotonic())
        elif not is_mine:
            habit.doubt()
        return is_mine

    def _follow(self) -> bool:
        """Watch the leader, until it stays away, and take its role. False when all is over."""
        me = threading.get_ident()
        self._followers.add(me)
        try:
            while not self._is_over:
                self._watch.wait()
                away = self._away
                _doze()
                if self._is_over or away != self._away:
                    continue
                if away % 2 == 0:
                    self._sleep_until_asked(away)
                elif self._role.acquire(blocking=False):
                    self._away += 1
                    return True
        finally:
            self._followers.discard(me)
        return False

    def _sleep_until_asked(self, away: int) -> None:
        """Nobody has asked anything meanwhile; the leader wakes this thread when it answers something again."""
        self._watch.clear()
        self._is_watched = False
        if self._away != away or self._is_over:
            self._is_watched = True
            self._watch.set()


def _doze() -> None:
    try:
        time.sleep(AWAY_SECONDS)
    except OSError:
        # Where somebody fakes the clock, as libfaketime does, a moment that has just passed is an invalid argument.
        threading.Event().wait(AWAY_SECONDS)
