"""Schemes of one quick digest: the LDAP forms (RFC 2307, OpenLDAP pw-sha2, Dovecot), bare hex columns, and
plain.

They cost microseconds, so they are compared right here with hashlib: a general password library would be most
of the time of a login.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import re
from collections.abc import Callable
from functools import partial
from typing import Protocol

from integration_server.sdk.schemes.model import Attempt, Scheme, malformed, utf8


class _Hash(Protocol):
    def digest(self) -> bytes: ...

    def hexdigest(self) -> str: ...


Digest = Callable[[bytes], _Hash]

# FIPS builds refuse these two unless told that nobody relies on them.
md5: Digest = partial(hashlib.md5, usedforsecurity=False)
sha1: Digest = partial(hashlib.sha1, usedforsecurity=False)

_DIGESTS: dict[str, tuple[Digest, int]] = {
    "md5": (md5, 16),
    "sha": (sha1, 20),
    "sha256": (hashlib.sha256, 32),
    "sha384": (hashlib.sha384, 48),
    "sha512": (hashlib.sha512, 64),
}


def _decoded(match: re.Match[str], scheme: str) -> bytes:
    digits = match["hex"]
    if digits is not None:
        return bytes.fromhex(digits)
    try:
        text = match["b64"]
        return binascii.a2b_base64(text + "=" * (-len(text) % 4), strict_mode=True)
    except binascii.Error:
        malformed(scheme, "its base64 part cannot be decoded; was it cut off?")


def _unsalted(name: str, digest: Digest, size: int) -> Scheme:
    def compare(match: re.Match[str], attempt: Attempt) -> bool:
        return hmac.compare_digest(_decoded(match, name), digest(attempt.secret).digest())

    letters = -(-size * 4 // 3)
    form = re.compile(rf"(?P<hex>[0-9A-Fa-f]{{{2 * size}}})|(?P<b64>[A-Za-z0-9+/]{{{letters}}}={{0,2}})")
    return Scheme(name, form, compare, usual="0" * 2 * size, is_weak=True, has_parameters=False)


def _salted(name: str, digest: Digest, size: int, *, is_weak: bool) -> Scheme:
    def compare(match: re.Match[str], attempt: Attempt) -> bool:
        stored = _decoded(match, name)
        if len(stored) < size:
            malformed(name)
        return hmac.compare_digest(stored[:size], digest(attempt.secret + stored[size:]).digest())

    # A base64 value of hex digits only does not happen: it takes over 20 letters at odds of 22 in 64 each.
    # Padding is demanded: it shows three of four cut-off values.
    hex_form = rf"(?P<hex>[0-9A-Fa-f]{{{2 * size}}}(?:[0-9A-Fa-f]{{2}})+)"
    quads = rf"(?:[A-Za-z0-9+/]{{4}}){{{size // 3},}}"
    form = re.compile(rf"{hex_form}|(?P<b64>{quads}(?:[A-Za-z0-9+/]{{2}}==|[A-Za-z0-9+/]{{3}}=)?)")
    return Scheme(name, form, compare, usual="0" * 2 * (size + 8), is_weak=is_weak, has_parameters=False)


def _bare_hex(name: str, digest: Digest, size: int) -> Scheme:
    def compare(match: re.Match[str], attempt: Attempt) -> bool:
        return hmac.compare_digest(bytes.fromhex(match["hex"]), digest(attempt.secret).digest())

    form = re.compile(rf"(?P<hex>[0-9A-Fa-f]{{{2 * size}}})")
    return Scheme(name, form, compare, usual="0" * 2 * size, is_weak=True, has_parameters=False)


def _compare_plain(match: re.Match[str], attempt: Attempt) -> bool:
    return hmac.compare_digest(utf8(match["plain"], "plain"), attempt.secret)


PLAIN = Scheme(
    "plain",
    re.compile(r"(?P<plain>.+)", re.S),
    _compare_plain,
    usual="A" * 10,
    is_weak=True,
    has_parameters=False,
)

UNSALTED = tuple(_unsalted(name, digest, size) for name, (digest, size) in _DIGESTS.items())

# RFC 2307 spells the salted forms {SMD5} and {SSHA}: "s" + "md5", "s" + "sha". SHA-2 with a salt is no stretched
# hash either, but the best that plain LDAP servers offer; hence only MD5 and SHA-1 are called weak.
SALTED = tuple(
    _salted(f"s{name}", digest, size, is_weak=name in ("md5", "sha")) for name, (digest, size) in _DIGESTS.items()
)

BARE_HEX = tuple(
    _bare_hex(f"{'sha1' if name == 'sha' else name}_hex", digest, size) for name, (digest, size) in _DIGESTS.items()
)
