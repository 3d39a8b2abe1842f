"""Is this the password that belongs to that stored value?

One ``PasswordChecker`` for each backend. It reads what directories really hold (LDAP and Dovecot ``{SCHEME}``
forms, crypt(3), PHP, Django, forums, database accounts), says so when it cannot read a value instead of
answering "no", and makes a login of an unknown person cost what a known one costs.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from re import Match

from integration_server.sdk.schemes.crypts import LIBPASS
from integration_server.sdk.schemes.digests import PLAIN
from integration_server.sdk.schemes.making import hash_password, schemes
from integration_server.sdk.schemes.model import Attempt, MalformedHash, Scheme, UnknownScheme
from integration_server.sdk.schemes.registry import SCHEMES, Recognised, recognise, scheme_named
from integration_server.sdk.schemes.stretched import BCRYPT

__all__ = [
    "MalformedHash",
    "PasswordChecker",
    "UnknownScheme",
    "declarable_schemes",
    "hash_password",
    "is_weak",
    "schemes",
]

CORES = os.cpu_count() or 2
PASSWORD_LIMIT = 4096
"""Bytes; longer passwords are refused unread, so that nobody buys computing time with them."""

_KINDS_KEPT = 64


def declarable_schemes() -> tuple[str, ...]:
    """Every name that ``PasswordChecker(declared=...)`` takes (it takes usual synonyms, too)."""
    return tuple(SCHEMES)


def is_weak(scheme: str) -> bool:
    """Whether a stolen table of this scheme is soon a table of passwords: plain, unsalted, DES, or one MD5,
    MD4 or SHA-1. Salted SHA-2 is not called weak: it is quick to guess as well, but plain LDAP servers offer
    nothing better.

    Raises UnknownScheme for a name that is no scheme.
    """
    return scheme_named(scheme).is_weak


class _Kind:
    """Values of one cost: how often they were met, and a value of the same cost that is nobody's."""

    __slots__ = ("count", "nobody", "scheme")

    def __init__(self, scheme: Scheme, nobody: Match[str]) -> None:
        self.scheme, self.nobody, self.count = scheme, nobody, 0


class PasswordChecker:
    """Compares passwords with stored values; safe to call from many threads.

    ``declared`` names the scheme of values that bear no mark of their own (``md5_hex``, ``ssha``, ``nt``,
    ``ipb_md5``, ``plain`` ...); values with a mark are always read by it, so that a column may hold both.
    None: only marked values can be read. ``allow_plain`` admits values marked ``{PLAIN}`` and
    ``{CLEARTEXT}``; ``declared="plain"`` does so, too, and takes unmarked values literally. At most
    ``max_concurrent`` checks of schemes that are heavy on memory or processor run at once; further ones wait.
    ``on_weak`` is called with the name of a weak scheme when a value of it is first met, once for each
    scheme.

    Raises UnknownScheme when ``declared`` is no scheme.
    """

    is_weak = staticmethod(is_weak)

    def __init__(
        self,
        declared: str | None = None,
        *,
        allow_plain: bool = False,
        max_concurrent: int = CORES,
        on_weak: Callable[[str], None] | None = None,
    ) -> None:
        self._declared = None if declared is None else scheme_named(declared)
        self._is_plain_allowed = allow_plain or self._declared is PLAIN
        self._on_weak = on_weak
        self._weak_seen: set[str] = set()
        self._heavy = threading.BoundedSemaphore(max_concurrent)
        self._lock = threading.Lock()
        self._kinds: dict[tuple[str, str | int], _Kind] = {}
        first = self._declared or BCRYPT
        self._commonest = _kind_of(first, first.usual)

    def verify(self, stored: str | bytes | None, password: str, *, username: str = "", salt: str = "") -> bool:
        """Whether ``password`` belongs to ``stored``.

        ``username`` is needed by PostgreSQL's md5, ``salt`` by forum hashes whose salt has a column of its
        own. False for an account without usable password (None, empty, ``!``, ``*``, ``x`` and the like),
        after the time of a usual check; and for a password that is empty, holds a NUL or half a surrogate
        pair, or is longer than 4096 bytes. bcrypt reads the first 72 bytes only, as everywhere.

        Raises UnknownScheme, or its subclass MalformedHash, when ``stored`` cannot be read. Never a hash in
        the text.
        """
        recognised = self._recognise(stored)
        secret = _acceptable(password)
        if secret is None:
            return False
        if recognised is None:
            self._spend(secret)
            return False
        scheme, match = recognised
        is_right = self._compare(scheme, match, Attempt(secret, username, salt))
        self._remember(scheme, match)
        return is_right

    def verify_nobody(self, password: str) -> None:
        """Spend what a check of the kind (scheme and cost) most often seen here costs: for users that do not
        exist.

        Before any was seen: the declared scheme's usual cost, without one bcrypt of cost 10. Raises nothing.
        """
        secret = _acceptable(password)
        if secret is not None:
            self._spend(secret)

    def observe(self, stored: str | bytes | None) -> None:
        """Count a stored value as seen without comparing it; a backend that lists its people can so teach
        ``verify_nobody`` before the first login. Values that cannot be read are passed over."""
        try:
            recognised = self._recognise(stored)
        except UnknownScheme:
            return
        if recognised is not None:
            self._remember(*recognised)

    def scheme_of(self, stored: str | bytes | None) -> str | None:
        """The name of a stored value's scheme; None for an account without usable password.

        Raises UnknownScheme like ``verify``. For ``check``: whoever cannot log in is told before they try.
        """
        recognised = self._recognise(stored)
        return None if recognised is None else recognised[0].name

    def warm_up(self) -> None:
        """Load what would otherwise be loaded by the first logins (under a lock, so this is for speed alone)."""
        LIBPASS.warm_up()

    def _recognise(self, stored: str | bytes | None) -> Recognised | None:
        if stored is None:
            return None
        if not isinstance(stored, str):
            try:
                stored = bytes(stored).decode()
            except UnicodeDecodeError:
                stored = None
            if stored is None:  # raised outside: the exception holds the value
                raise MalformedHash("a stored password is not UTF-8 text")
        return recognise(stored, self._declared, is_plain_allowed=self._is_plain_allowed)

    def _spend(self, secret: bytes) -> None:
        attempt = Attempt(secret, "nobody", "AAAAA")
        try:
            self._compare(self._commonest.scheme, self._commonest.nobody, attempt)
        except UnknownScheme:
            # Only observed, never computed: a cost beyond the limits, or a scheme whose library is missing.
            self._compare(BCRYPT, _kind_of(BCRYPT, BCRYPT.usual).nobody, attempt)

    def _compare(self, scheme: Scheme, match: Match[str], attempt: Attempt) -> bool:
        if not scheme.is_heavy:
            return scheme.compare(match, attempt)
        with self._heavy:
            return scheme.compare(match, attempt)

    def _remember(self, scheme: Scheme, match: Match[str]) -> None:
        key = scheme.cost_key(match)
        with self._lock:
            kind = self._kinds.get(key)
            if kind is None:
                if len(self._kinds) >= _KINDS_KEPT:
                    del self._kinds[min(self._kinds, key=lambda key: self._kinds[key].count)]
                kind = self._kinds[key] = _kind_of(scheme, scheme.anonymous(match))
            kind.count += 1
            if kind.count > self._commonest.count:
                self._commonest = kind
            is_news = scheme.is_weak and scheme.name not in self._weak_seen
            if is_news:
                self._weak_seen.add(scheme.name)
        if is_news and self._on_weak is not None:
            self._on_weak(scheme.name)


def _kind_of(scheme: Scheme, nobody: str) -> _Kind:
    match = scheme.form.fullmatch(nobody)
    assert match is not None, scheme.name  # the tests hold every scheme to it
    return _Kind(scheme, match)


def _acceptable(password: str) -> bytes | None:
    if not password or "\0" in password:
        return None
    try:
        secret = password.encode()
    except UnicodeEncodeError:
        return None
    return secret if len(secret) <= PASSWORD_LIMIT else None
