"""Who is woken, and when: each user agent at most every few seconds, and again later where it does not come."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from integration_server import Deadline, StoreUnavailable
from integration_server.builtin.push.waking import KickData, KickDriver, KickFailed, Sleeper, Waking

logger = logging.getLogger(__name__)

#: From a version to the wake-up: whoever is about to collect it needs none.
_GRACE_SECONDS = 0.5
#: A wake-up may be lost on its way; while something waits, another one follows after so many seconds.
_AGAIN_SECONDS = (60.0, 600.0, 3600.0)
_COMPLAIN_SECONDS = 60.0
_STORE_SECONDS = 5.0
#: Drivers that work, or hang, at one time.
_MOST_THREADS = 32
_IDLE_SECONDS = 5.0
_WAKE_SECONDS = 10.0
#: Looked up at once.
_AT_ONCE = 1000


Sleepers = Callable[[Sequence[str] | None], Iterable[Sleeper]]


@dataclass(slots=True)
class _Entry:
    due: float
    woken_at: float
    tries: int = 0
    is_under_way: bool = False


class Kicker(Waking):
    """Thread-safe. Between ``start`` and ``stop`` it wakes; before and after, it only checks kick data.

    ``pause_seconds`` is the least time from one wake-up of a user agent to the next.
    """

    def __init__(
        self,
        driver: KickDriver,
        pause_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._driver = driver
        self._pause = pause_seconds
        self._clock = clock
        self._condition = threading.Condition()
        self._entries: dict[str, _Entry] = {}
        self._work: deque[Sleeper] = deque()
        self._idle = self._threads = 0
        self._is_running = False
        self._thread: threading.Thread | None = None
        self._complain_at = 0.0
        self._failures = 0

    # -- what the post office tells ----------------------------------------------------------------------------------

    def check(self, kick: KickData) -> None:
        self._driver.check(kick)

    def register(self, uaid: str, kick: KickData) -> None:
        """It was here: what comes from now on is a new reason to wake it."""
        with self._condition:
            if (entry := self._entries.get(uaid)) is not None:
                entry.tries = 0

    def wake(self, uaid: str) -> None:
        with self._condition:
            if self._is_running:
                self._expect(uaid)
                self._condition.notify_all()

    def forget(self, uaid: str) -> None:
        with self._condition:
            self._entries.pop(uaid, None)

    # -- life --------------------------------------------------------------------------------------------------------

    def start(self, sleepers: Sleepers, is_connected: Callable[[str], bool]) -> None:
        """Begin, with everybody for whom something waits already: whoever ran this before may have been killed.

        ``sleepers`` says which of some user agents something waits for, and that have kick data; of all where it gets
        None. It raises StoreUnavailable. ``is_connected`` says whether one is reached without being woken.
        """
        with self._condition:
            self._is_running = True
            run = partial(self._run, sleepers, is_connected)
            self._thread = threading.Thread(target=run, name="push kicks", daemon=True)
            self._thread.start()

    def stop(self, timeout: float) -> None:
        """End; a driver that hangs is left behind."""
        with self._condition:
            self._is_running = False
            self._entries.clear()
            self._work.clear()
            self._condition.notify_all()
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(timeout)

    # -- within ------------------------------------------------------------------------------------------------------

    def _expect(self, uaid: str) -> None:
        """Wake soon; with the condition held."""
        now = self._clock()
        entry = self._entries.get(uaid)
        if entry is None:
            self._entries[uaid] = _Entry(now + _GRACE_SECONDS, float("-inf"))
        else:
            entry.due = min(entry.due, max(now + _GRACE_SECONDS, entry.woken_at + self._pause))
            entry.tries = 0

    def _run(self, sleepers: Sleepers, is_connected: Callable[[str], bool]) -> None:
        is_first = True
        while True:
            with self._condition:
                if not self._is_running:
                    return
                now = self._clock()
                due = [uaid for uaid, one in self._entries.items() if one.due <= now and not one.is_under_way]
                if not due and not is_first:
                    # Not to the very moment: what falls due together is looked up together.
                    self._condition.wait(_GRACE_SECONDS / 2 if self._entries else None)
                    continue
            try:
                asked = None if is_first else due[:_AT_ONCE]
                self._decide({one.uaid: one for one in sleepers(asked)}, asked, is_connected)
                is_first = False
            except StoreUnavailable as exc:
                self._complain(f"nobody can be woken: {exc}")
                with self._condition:
                    self._condition.wait_for(lambda: not self._is_running, _STORE_SECONDS)
            except Exception:
                logger.exception("waking failed and goes on")
                with self._condition:
                    self._condition.wait_for(lambda: not self._is_running, _STORE_SECONDS)

    def _decide(
        self, found: Mapping[str, Sleeper], asked: Sequence[str] | None, is_connected: Callable[[str], bool]
    ) -> None:
        with self._condition:
            now = self._clock()
            for uaid in (found if asked is None else asked) if self._is_running else ():
                self._decide_one(uaid, found.get(uaid), now, is_connected)

    def _decide_one(self, uaid: str, sleeper: Sleeper | None, now: float, is_connected: Callable[[str], bool]) -> None:
        entry = self._entries.setdefault(uaid, _Entry(now, float("-inf")))
        if sleeper is None:
            if now >= entry.woken_at + self._pause:
                del self._entries[uaid]
            else:
                # Remembered so long that a flood wakes no more often.
                entry.due = entry.woken_at + self._pause
        elif now < entry.woken_at + self._pause:
            entry.due = entry.woken_at + self._pause
        elif sleeper.is_in_flight or is_connected(uaid):
            # It gets it there; should that be the end of its connection, it is woken later.
            entry.due = now + _AGAIN_SECONDS[0]
        else:
            entry.woken_at, entry.is_under_way = now, True
            entry.due = now + _AGAIN_SECONDS[min(entry.tries, len(_AGAIN_SECONDS) - 1)]
            entry.tries += 1
            self._hand_out(sleeper)

    def _hand_out(self, sleeper: Sleeper) -> None:
        """With the condition held. A thread more where all are busy: one that hangs holds up nobody else."""
        self._work.append(sleeper)
        self._condition.notify_all()
        if self._idle < len(self._work) and self._threads < _MOST_THREADS:
            self._threads += 1
            threading.Thread(target=self._drive, name="push kick", daemon=True).start()

    def _drive(self) -> None:
        while (sleeper := self._next()) is not None:
            try:
                self._driver.wake(sleeper, Deadline(_WAKE_SECONDS))
            except KickFailed as exc:
                self._complain(str(exc))
            except Exception:
                logger.exception("a driver that wakes user agents failed")
            with self._condition:
                if (entry := self._entries.get(sleeper.uaid)) is not None:
                    entry.is_under_way = False

    def _next(self) -> Sleeper | None:
        with self._condition:
            self._idle += 1
            self._condition.wait_for(lambda: self._work or not self._is_running, _IDLE_SECONDS)
            self._idle -= 1
            if self._work:
                return self._work.popleft()
            self._threads -= 1
            return None

    def _complain(self, message: str) -> None:
        """Once in a while: whoever cannot be woken now cannot be for long."""
        with self._condition:
            self._failures += 1
            if self._clock() < self._complain_at:
                return
            self._complain_at = self._clock() + _COMPLAIN_SECONDS
            failures, self._failures = self._failures, 0
        logger.warning("push: %d failures to wake user agents in the last minute or so; %s", failures, message)
