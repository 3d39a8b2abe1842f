"""The master's own browser session: a signed cookie that says who is logged in here. Nothing of it is stored.

It has nothing to do with the sign-in of administrators: another cookie, another key, another path.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from integration_server.builtin.ips_connect.account import Account, State
from integration_server.builtin.ips_connect.accounts import Accounts
from integration_server.builtin.ips_connect.seals import Seal

_DAY = 86_400.0
#: Seconds by which the clocks of two machines may differ.
CLOCK_SKEW = 60.0


class Sessions:
    """Sessions of one mount. Thread-safe.

    One ends with ``days``, when the account gets another password or address, when it is banned or must be confirmed,
    and when it is deleted or merged into another.
    """

    def __init__(
        self, mount: str, accounts: Accounts, key: bytes, days: float, clock: Callable[[], float] = time.time
    ) -> None:
        self.cookie = f"ips_connect_{mount}"
        self._accounts = accounts
        self._seal = Seal(key)
        self._seconds = days * _DAY
        self._clock = clock

    @property
    def max_age(self) -> int:
        """Seconds that a browser may keep the cookie."""
        return int(self._seconds)

    def begin(self, account: Account) -> str | None:
        """The cookie of somebody who logs in now; None for who may not."""
        if account.state is not State.ACTIVE:
            return None
        return self._seal.write([account.id, int(self._clock()), self._fingerprint(account)])

    def account(self, cookie: str | None) -> Account | None:
        """Who is logged in, by the value of the cookie that a browser sent. Raises StoreUnavailable."""
        found = None if not cookie else self._seal.read(cookie)
        if found is None:
            return None
        id, at, fingerprint = found
        if not -CLOCK_SKEW <= self._clock() - at <= self._seconds:
            return None
        account = self._accounts.find(id)
        if account is None or account.state is not State.ACTIVE or self._fingerprint(account) != fingerprint:
            return None
        return account

    def _fingerprint(self, account: Account) -> str:
        """Of what ends a session when it changes. Without the key nothing can be learned from it about the hash."""
        return self._seal.digest("\0".join((str(account.id), account.pass_hash, account.pass_salt, account.email)))
