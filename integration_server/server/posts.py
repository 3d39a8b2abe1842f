"""A post: some work, the seat that it takes to do it, and a thread that waits for the seat."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from integration_server.sdk.errors import ConfigError, StoreUnavailable
from integration_server.server.election import Seat

logger = logging.getLogger(__name__)

#: From one look at the seat to the next: so long may pass until work goes on after its process was killed.
LOOK_SECONDS = 1.0
#: After work could not begin, or ended by itself.
PAUSE_SECONDS = 5.0
#: Less than what the supervisor of several processes leaves to one of them.
STOP_SECONDS = 10.0


class Work(Protocol):
    """Something that runs in threads of its own."""

    def start(self) -> None:
        """Begin, and return. Called once."""
        ...

    def stop(self, timeout: float) -> None:
        """End within ``timeout`` seconds. Called once, also where ``start`` failed."""
        ...


class Loop:
    """Work that is a function which runs until its event is set. Where it fails, it is begun again after a pause."""

    def __init__(self, name: str, run: Callable[[threading.Event], None]) -> None:
        self._run = run
        self._stop = threading.Event()
        # A daemon: a backend that hangs must not keep the process from ending.
        self._thread = threading.Thread(target=self._guarded, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float) -> None:
        self._stop.set()
        if self._thread.ident is None:
            return
        self._thread.join(timeout)
        if self._thread.is_alive():
            logger.warning("%s did not end within %g s and is left behind", self._thread.name, timeout)

    def _guarded(self) -> None:
        while not self._stop.is_set():
            try:
                self._run(self._stop)
            except Exception:
                logger.exception("%s failed and is begun again in %g s", self._thread.name, PAUSE_SECONDS)
            self._stop.wait(PAUSE_SECONDS)


class Duties:
    """The posts of one process, for whoever asks whether they still stand."""

    def __init__(self) -> None:
        self._posts: Sequence[Post] = ()

    def add(self, posts: Sequence[Post]) -> None:
        self._posts = (*self._posts, *posts)

    def ended(self) -> list[str]:
        """The names of those that ended although nobody asked them to."""
        return [post.name for post in self._posts if post.has_ended]


class Post:
    """Does work while it holds a seat. ``begin`` makes the work anew each time the seat is taken.

    Where ``is_stopping`` says so it ends by itself, so that this takes its time while the server's last requests do.
    """

    def __init__(
        self,
        name: str,
        seat: Seat,
        begin: Callable[[], Sequence[Work]],
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._name = name
        self._seat = seat
        self._begin = begin
        self._is_stopping = is_stopping
        self._stop = threading.Event()
        self._stop_by = 0.0
        self._is_waiting = False
        self._thread = threading.Thread(target=self._run, name=f"post {name}", daemon=True)

    @property
    def name(self) -> str:
        return self._name

    @property
    def has_ended(self) -> bool:
        """Whether it was started, is over, and nobody asked for that."""
        return self._thread.ident is not None and not self._thread.is_alive() and not self._stop.is_set()

    def start(self) -> None:
        self._thread.start()

    def ask_to_stop(self, timeout: float) -> None:
        """Say that it shall end within ``timeout`` seconds; ``join`` waits for that. The first call counts."""
        if not self._stop.is_set():
            self._stop_by = time.monotonic() + timeout
            self._stop.set()

    def join(self) -> None:
        self._thread.join(max(0.0, self._stop_by - time.monotonic()) + LOOK_SECONDS)

    def _is_over_after(self, seconds: float) -> bool:
        if not self._stop.wait(seconds) and self._is_stopping():
            self.ask_to_stop(STOP_SECONDS)
        return self._stop.is_set()

    def _run(self) -> None:
        while not self._is_over_after(0.0):
            pause = LOOK_SECONDS
            try:
                if self._seat.take():
                    self._is_waiting = False
                    pause = self._hold()
                elif not self._is_waiting:
                    self._is_waiting = True
                    logger.info("another process does %s; this one takes over when that ends", self._name)
            except StoreUnavailable as exc:
                logger.debug("nobody can say who does %s: %s", self._name, exc)
            if self._is_over_after(pause):
                return

    def _hold(self) -> float:
        """Work until told to stop, or the seat is lost. How long to wait before the next try."""
        work: Sequence[Work] = ()
        pause = LOOK_SECONDS
        try:
            work = self._begin()
            for one in work:
                one.start()
            logger.info("this process does %s", self._name)
            while not self._is_over_after(LOOK_SECONDS):
                if not self._seat.keep():
                    logger.warning("this process has lost %s and ends it", self._name)
                    break
        except Exception as exc:
            pause = PAUSE_SECONDS
            told = exc if isinstance(exc, StoreUnavailable | ConfigError) else None
            logger.error(
                "%s could not begin; tried again in %g s%s",
                self._name,
                pause,
                f": {told}" if told is not None else "",
                exc_info=told is None,
            )
        finally:
            self._end(work)
            self._seat.release()
        return pause

    def _end(self, work: Sequence[Work]) -> None:
        """All at once, so that one that takes its time leaves enough to the others."""
        left = self._stop_by - time.monotonic() if self._stop.is_set() else PAUSE_SECONDS
        enders = [threading.Thread(target=self._end_one, args=(one, max(0.1, left)), daemon=True) for one in work]
        for ender in enders:
            ender.start()
        for ender in enders:
            ender.join(left + LOOK_SECONDS)

    def _end_one(self, work: Work, seconds: float) -> None:
        try:
            work.stop(seconds)
        except Exception:
            logger.exception("%s did not end cleanly", self._name)
