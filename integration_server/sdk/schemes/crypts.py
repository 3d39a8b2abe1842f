"""Schemes of crypt(3) and of old databases that libpass computes."""

from __future__ import annotations

import importlib
import re
import threading
from typing import Protocol

from integration_server.sdk.schemes.model import Attempt, Compare, Scheme, limited, malformed

# Pure Python takes 1.5 microseconds a round.
_ROUNDS_LIMIT = 5_000_000


class _Handler(Protocol):
    def verify(self, secret: bytes, hash: str) -> bool: ...

    def hash(self, secret: bytes) -> str: ...

    def using(self, *, rounds: int) -> _Handler: ...


class LibpassGate:
    """The one way to libpass.

    libpass loads back ends and alphabets lazily and not under a lock: threads that meet a scheme for the
    first time at once got AssertionError or AttributeError out of it. So the first use of each scheme is made
    here, alone, and through the very object that is used later. That state is libpass's and the process's,
    hence so is the gate.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ready: dict[str, _Handler] = {}

    def handler(self, name: str) -> _Handler:
        """libpass's handler ``name``, safe to use from any thread."""
        return self._ready.get(name) or self._prepared(name)

    def _prepared(self, name: str) -> _Handler:
        with self._lock:
            if name not in self._ready:
                # Imported late: 60 ms that a directory of LDAP digests never needs.
                handler: _Handler = getattr(importlib.import_module("passlib.hash"), name)
                handler.verify(b"first use", _FIRST_USE[name])
                self._ready[name] = handler
            return self._ready[name]

    def warm_up(self) -> None:
        """Make every first use now (about 60 ms)."""
        for name in _FIRST_USE:
            self.handler(name)


_FIRST_USE = {
    "sha512_crypt": "$6$rounds=1000$" + "." * 16 + "$" + "." * 86,
    "sha256_crypt": "$5$rounds=1000$" + "." * 16 + "$" + "." * 43,
    "sha1_crypt": "$sha1$1$" + "." * 8 + "$" + "." * 28,
    "md5_crypt": "$1$" + "." * 8 + "$" + "." * 22,
    "apr_md5_crypt": "$apr1$" + "." * 8 + "$" + "." * 22,
    "des_crypt": "." * 13,
    "bigcrypt": "." * 24,
    "bsdi_crypt": "_/..." + "." * 15,
    "nthash": "0" * 32,
    "mysql323": "0" * 16,
}

LIBPASS = LibpassGate()


def _through_libpass(scheme: str, handler: str, group: str | int = 0) -> Compare:
    def compare(match: re.Match[str], attempt: Attempt) -> bool:
        rounds = match.groupdict().get("rounds")
        if rounds is not None:
            limited(scheme, "number of rounds", int(rounds), _ROUNDS_LIMIT)
        try:
            return LIBPASS.handler(handler).verify(attempt.secret, match[group])
        except ValueError:
            pass  # raised outside: what libpass says might quote the value
        malformed(scheme)

    return compare


def _crypt(name: str, form: str, usual: str, *, handler: str = "", is_weak: bool = False) -> Scheme:
    return Scheme(name, re.compile(form), _through_libpass(name, handler or name), usual, fill=".", is_weak=is_weak)


_H64 = "[./0-9A-Za-z]"

SHA512_CRYPT = _crypt(
    "sha512_crypt",
    rf"\$6\$(?:rounds=(?P<rounds>[0-9]{{1,9}})\$)?(?P<salt>[^$]{{0,16}})\$(?P<digest>{_H64}{{86}})",
    "$6$" + "." * 16 + "$" + "." * 86,
)
SHA256_CRYPT = _crypt(
    "sha256_crypt",
    rf"\$5\$(?:rounds=(?P<rounds>[0-9]{{1,9}})\$)?(?P<salt>[^$]{{0,16}})\$(?P<digest>{_H64}{{43}})",
    "$5$" + "." * 16 + "$" + "." * 43,
)
SHA1_CRYPT = _crypt(
    "sha1_crypt",
    rf"\$sha1\$(?P<rounds>[0-9]{{1,10}})\$(?P<salt>{_H64}{{0,64}})\$(?P<digest>{_H64}{{28}})",
    "$sha1$24680$" + "." * 8 + "$" + "." * 28,
)
MD5_CRYPT = _crypt(
    "md5_crypt",
    rf"\$1\$(?P<salt>[^$]{{0,8}})\$(?P<digest>{_H64}{{22}})",
    "$1$" + "." * 8 + "$" + "." * 22,
    is_weak=True,
)
APR1 = _crypt(
    "apr1",
    rf"\$apr1\$(?P<salt>[^$]{{0,8}})\$(?P<digest>{_H64}{{22}})",
    "$apr1$" + "." * 8 + "$" + "." * 22,
    handler="apr_md5_crypt",
    is_weak=True,
)
DES_CRYPT = _crypt("des_crypt", rf"(?P<digest>{_H64}{{13}})", "." * 13, is_weak=True)
# What crypt(3) of Debian gives for DES passwords over 8 letters when slapd asks with a long salt.
BIGCRYPT = _crypt("bigcrypt", rf"(?P<digest>{_H64}{{13}}(?:{_H64}{{11}})+)", "." * 24, is_weak=True)
BSDI_CRYPT = _crypt("bsdi_crypt", rf"_{_H64}{{4}}(?P<digest>{_H64}{{15}})", "_J9.." + "." * 15, is_weak=True)

NT = Scheme(
    "nt",
    re.compile(r"(?:\$3\$\$|\$NT\$)?(?P<hex>[0-9A-Fa-f]{32})"),
    _through_libpass("nt", "nthash", "hex"),
    usual="0" * 32,
    fill="0",
    is_weak=True,
    has_parameters=False,
)
MYSQL323 = Scheme(
    "mysql323",
    re.compile(r"(?P<hex>[0-9A-Fa-f]{16})"),
    _through_libpass("mysql323", "mysql323"),
    usual="0" * 16,
    fill="0",
    is_weak=True,
    has_parameters=False,
)
