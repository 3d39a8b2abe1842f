"""Passwords that people log in with elsewhere on this server, for the accounts that stand for them.

A hash takes half a second, so it is made in a thread of its own, one after another. What cannot wait is dropped: the
next login brings it again.
"""

from __future__ import annotations

import hmac
import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from integration_server import StoreUnavailable
from integration_server.builtin.ips_connect import passwords
from integration_server.builtin.ips_connect.account import Account
from integration_server.builtin.ips_connect.accounts import Accounts
from integration_server.builtin.ips_connect.people import People

logger = logging.getLogger(__name__)

#: People: a minute's work.
LONGEST_QUEUE = 64
#: Seconds after which a password that still waits, since the store does not answer, is forgotten.
_LONGEST_WAIT = 120.0
#: Of how many people it is remembered which password fits.
_REMEMBERED = 20_000
#: For so many seconds the store is not even asked whether it still does.
_BELIEVED_SECONDS = 60.0
#: A thread that had nothing to do for so long ends.
_IDLE_SECONDS = 10.0

#: A backend and the id of a person.
Who = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Login:
    """``at`` is in Unix seconds."""

    password: str = field(repr=False)
    at: float


@dataclass(frozen=True, slots=True)
class _Fit:
    """A password that fits an account, and what that has stored, both as digests. ``until`` is monotonic."""

    password: bytes
    stored: bytes
    until: float


class Learner:
    """Gives accounts the passwords of the people whom they stand for. Thread-safe."""

    def __init__(
        self,
        accounts: Accounts,
        people: People,
        sources: frozenset[str],
        clock: Callable[[], float] = time.time,
        key: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        """``sources`` are the backends whose people have accounts; ``key`` gives so many random bytes."""
        self._accounts = accounts
        self._people = people
        self._sources = sources
        self._clock = clock
        self._key = key(32)
        self._fits: OrderedDict[Who, _Fit] = OrderedDict()
        self._condition = threading.Condition()
        self._waiting: OrderedDict[Who, _Login] = OrderedDict()
        self._is_running = False
        self._is_busy = False

    def offer(self, source: str, person_id: str, password: str) -> None:
        """Somebody was let in with a password. Returns at once."""
        if source not in self._sources or not passwords.is_password(password):
            return
        who = source, person_id
        with self._condition:
            known = self._fits.get(who)
            if known is not None and time.monotonic() < known.until and known.password == self._digest(password):
                return
            if len(self._waiting) >= LONGEST_QUEUE and who not in self._waiting:
                logger.debug("many people log in, so the password of one of them is learned another time")
                return
            if not self._is_running:
                threading.Thread(target=self._run, name="learn passwords", daemon=True).start()
                self._is_running = True
            self._waiting[who] = _Login(password, self._clock())
            self._condition.notify()

    def _run(self) -> None:
        while (found := self._next()) is not None:
            who, login = found
            try:
                self._learn(who, login)
            except StoreUnavailable as exc:
                logger.warning("a password was not learned: %s", exc)
            except Exception as exc:
                # Neither its text nor a traceback, which may quote the password.
                logger.error("a password was not learned: %s", type(exc).__name__)
            # Not until the next one comes.
            del found, login

    def _next(self) -> tuple[Who, _Login] | None:
        """The next login, or None when the thread is to end."""
        with self._condition:
            self._is_busy = False
            if not self._waiting:
                self._condition.wait(_IDLE_SECONDS)
            if not self._waiting:
                self._is_running = False
                return None
            self._is_busy = True
            return self._waiting.popitem(last=False)

    def _learn(self, who: Who, login: _Login) -> None:
        if self._clock() - login.at > _LONGEST_WAIT:
            return
        account = self._people.account_of(*who)
        # What changed since the login may be a newer password.
        if account is None or account.changed_at > login.at:
            return
        fits = self._is_known(who, login.password, account) or passwords.verify(
            login.password, account.pass_hash, account.pass_salt
        )
        if not fits:
            account = self._teach(who, login.password, account)
        if account is not None:
            self._remember(who, login.password, account)

    def _teach(self, who: Who, password: str, account: Account) -> Account | None:
        """The account with its new password, or None where it was changed meanwhile."""
        salt = passwords.new_salt()
        pass_hash = passwords.hashed(password, salt)
        now = self._people.account_of(*who)
        if now is None or (now.id, now.changed_at) != (account.id, account.changed_at):
            return None
        self._accounts.change_password(account.id, pass_hash, salt)
        logger.info("account %d has learned the password of person %s of %s", account.id, who[1], who[0])
        return replace(now, pass_hash=pass_hash, pass_salt=salt)

    # -- what fits ---------------------------------------------------------------------------------------------------

    def _is_known(self, who: Who, password: str, account: Account) -> bool:
        known = self._fits.get(who)
        return known is not None and (known.password, known.stored) == (self._digest(password), self._stored(account))

    def _remember(self, who: Who, password: str, account: Account) -> None:
        fit = _Fit(self._digest(password), self._stored(account), time.monotonic() + _BELIEVED_SECONDS)
        with self._condition:
            self._fits[who] = fit
            self._fits.move_to_end(who)
            if len(self._fits) > _REMEMBERED:
                self._fits.popitem(last=False)

    def _stored(self, account: Account) -> bytes:
        return self._digest("\0".join((str(account.id), account.pass_salt, account.pass_hash)))

    def _digest(self, text: str) -> bytes:
        """Under a key that only this process has."""
        return hmac.digest(self._key, text.encode(), "sha256")
