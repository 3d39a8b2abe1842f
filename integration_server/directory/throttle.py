"""The brake on guessing: by user name and caller, never by address alone, and never for good.

One MailStore relays everybody from one address, so an address says nothing; one mail client repeats one old password
all night, so only *distinct* wrong passwords count. A password is remembered as an HMAC under a key that is not in the
database, for the length of the window.
"""

from __future__ import annotations

import hmac
import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from integration_server.sdk.errors import StoreUnavailable, Throttled
from integration_server.store.failed_logins import FailedLogins, Failures, Who

logger = logging.getLogger(__name__)

_SUSPECTS_SECONDS = 1.0
#: Beyond this many (somebody guesses at every name there is) the store is asked each time.
_MOST_SUSPECTS = 10_000


@dataclass(frozen=True, slots=True)
class ThrottlePolicy:
    """``free_failures`` distinct wrong passwords within the window cost nothing; each further one doubles the pause."""

    free_failures: int = 5
    first_pause_seconds: float = 30.0
    longest_pause_seconds: float = 900.0
    window_seconds: float = 3600.0

    def blocked_until(self, failures: Failures) -> float:
        """Unix time until which the user is refused; 0 for not at all."""
        over = failures.count - self.free_failures
        if over < 0:
            return 0.0
        pause = min(self.first_pause_seconds * 2.0 ** min(over, 30), self.longest_pause_seconds)
        return failures.last_at + pause


class Throttle:
    """Counts in the store, which nodes share. Thread-safe.

    Nearly everybody who logs in has no failure, and a query for each login would cost as much as finding the person.
    So who has any is kept in memory for a second. A process's own failures are in there at once; what other processes
    noted may be a second late, and only for a name that had no failure before.
    """

    def __init__(
        self, failed: FailedLogins, key: bytes, policy: ThrottlePolicy, clock: Callable[[], float] = time.time
    ) -> None:
        self._failed = failed
        self._key = key
        self.policy = policy
        self._clock = clock
        self._suspects: frozenset[Who] | None = None
        # The passwords themselves, for as long as they are being checked: a MAC would be made for nothing.
        self._running: dict[Who, dict[str, int]] = {}
        self._looked_at = -math.inf
        self._lock = threading.Lock()

    def attempt(self, who: Who, password: str) -> Attempt:
        """Stands around the check of a password and the ``failure`` or ``success`` that follows.

        Different passwords that are being checked at the same moment count as failures until they are through:
        otherwise as many guesses as there are threads would pass a brake that has not heard of any of them. The same
        password, however often, is a mail client with several connections. Raises as ``check`` does.
        """
        return Attempt(self, who, password)

    def _begin(self, who: Who, password: str) -> Failures:
        with self._lock:
            running = self._running.setdefault(who, {})
            running[password] = running.get(password, 0) + 1
            others = len(running) - 1
        try:
            # Asked afterwards, so that whoever is not counted among the others is in the store.
            failures = self.check(who)
            if others and failures.count + others >= self.policy.free_failures:
                raise Throttled(f"{others} other passwords are being checked at this moment")
        except BaseException:
            self._end(who, password)
            raise
        return failures

    def _end(self, who: Who, password: str) -> None:
        with self._lock:
            running = self._running[who]
            running[password] -= 1
            if not running[password]:
                del running[password]
            if not running:
                del self._running[who]

    def check(self, who: Who) -> Failures:
        """What is held against ``who``. Raises Throttled while they are blocked, StoreUnavailable."""
        now = self._clock()
        # Without the store nobody counts guesses, so nobody gets to guess: StoreUnavailable passes through.
        if not self._is_suspect(who, now):
            return Failures(who, 0, 0.0)
        failures = self._failed.failures(who, now - self.policy.window_seconds)
        until = self.policy.blocked_until(failures)
        if until > now:
            raise Throttled(f"{failures.count} different wrong passwords; refused for {until - now:.0f} s more")
        return failures

    def failure(self, who: Who, password: str) -> None:
        """Note a wrong password (once, however often it is tried and by however many backends it is refused)."""
        now = self._clock()
        since = now - self.policy.window_seconds
        self._failed.add(who, self._mac(who, password), now, since)
        with self._lock:
            if self._suspects is not None:
                self._suspects |= {who}
        failures = self._failed.failures(who, since)
        if (until := self.policy.blocked_until(failures)) > now:
            logger.warning(
                "mount %s: %r is refused to %s for %.0f s, after %d different wrong passwords",
                *(who.mount, who.username, who.caller, until - now, failures.count),
            )

    def _mac(self, who: Who, password: str) -> str:
        message = f"{who.mount}\0{who.username}\0{password}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, message, "sha256").hex()

    def _is_suspect(self, who: Who, now: float) -> bool:
        """Whether the store must be asked about ``who``."""
        with self._lock:
            if not 0 <= now - self._looked_at < _SUSPECTS_SECONDS:
                self._suspects = self._failed.suspects(now - self.policy.window_seconds, _MOST_SUSPECTS)
                self._looked_at = now
            return self._suspects is None or who in self._suspects

    def success(self, who: Who, failures: Failures) -> None:
        """A right password wipes the slate; costs nothing where there is nothing on it. A store that cannot be written
        keeps nobody out who gave it: what stays on the slate makes guessing harder, not easier."""
        if not failures.count:
            return
        try:
            self._failed.clear(who)
        except StoreUnavailable:
            logger.warning("mount %s: what was held against %r stays in the store", who.mount, who.username)


class Attempt:
    """What ``Throttle.attempt`` gives: ``with`` it, or ``begin`` and then ``end``.

    A class, since a generator would take three times as long in every login.
    """

    __slots__ = ("_password", "_throttle", "failures", "who")

    def __init__(self, throttle: Throttle, who: Who, password: str) -> None:
        self._throttle = throttle
        self._password = password
        self.who = who
        self.failures: Failures

    def begin(self) -> Failures:
        """Raises Throttled, StoreUnavailable; then there is nothing to end."""
        self.failures = self._throttle._begin(self.who, self._password)
        return self.failures

    def end(self) -> None:
        self._throttle._end(self.who, self._password)

    def __enter__(self) -> Failures:
        return self.begin()

    def __exit__(self, *exc: object) -> Literal[False]:
        self.end()
        return False
