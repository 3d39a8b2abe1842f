"""yescrypt ``$y$`` (what Debian writes into /etc/shadow), its GOST variant ``$gy$``, and scrypt as ``$7$``.

No Python code computes yescrypt in bearable time. On Linux the system's libxcrypt does it (ctypes releases
the interpreter lock meanwhile); elsewhere the optional package pyescrypt. ``$7$`` is plain scrypt in crypt's
letters.
"""

from __future__ import annotations

import ctypes
import functools
import hmac
import importlib
import re
import sys
from collections.abc import Callable
from typing import Any

from integration_server.sdk.schemes.model import (
    MEMORY_LIMIT,
    Attempt,
    Scheme,
    UnknownScheme,
    limited,
    malformed,
)
from integration_server.sdk.schemes.stretched import scrypt_digest

_H64 = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CRYPT_DATA_SIZE = 32768  # sizeof(struct crypt_data) of libxcrypt

Crypt = Callable[[bytes, bytes], bytes | None]
"""(password, stored value) -> the value of that password with the same setting, None when it cannot be
computed.
"""


@functools.cache
def libxcrypt() -> Crypt | None:
    """The system's crypt(3), where it is libxcrypt; any other lacks crypt_rn."""
    if not sys.platform.startswith("linux"):
        return None
    for name in ("libcrypt.so.1", "libcrypt.so.2"):
        try:
            return _crypt_of(ctypes.CDLL(name).crypt_rn)
        except (OSError, AttributeError):
            continue
    return None


def _crypt_of(crypt_rn: Any) -> Crypt:
    crypt_rn.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int)
    crypt_rn.restype = ctypes.c_char_p

    def crypt(secret: bytes, stored: bytes) -> bytes | None:
        room = ctypes.create_string_buffer(_CRYPT_DATA_SIZE)
        made: bytes | None = crypt_rn(secret, stored, room, _CRYPT_DATA_SIZE)
        return made

    return crypt


@functools.cache
def pyescrypt() -> Crypt | None:
    """The package of that name, where it is installed. Its objects are not thread-safe: one for each call."""
    try:
        module = importlib.import_module("pyescrypt")
    except (ImportError, OSError):
        return None

    def crypt(secret: bytes, stored: bytes) -> bytes | None:
        try:
            made: bytes = module.Yescrypt(mode=module.Mode.MCF).digest(secret, settings=stored.rpartition(b"$")[0])
        except Exception:  # that package raises bare Exception for values that it cannot compute
            return None
        return made

    return crypt


def _number(letters: str, least: int) -> tuple[int, str]:
    """The first number of yescrypt's variable-length encoding, and the letters after it.

    The first letter tells the length: below 48 it is the number itself, the upper 16 values open two and more
    letters.
    """
    first = _H64.index(letters[0])
    start, end, more, number = 0, 47, 0, least
    while first > end:
        number += (end + 1 - start) << 6 * more
        start, end, more = end + 1, end + 1 + (62 - end) // 2, more + 1
    if len(letters) <= more:
        raise IndexError("cut off")
    number += (first - start) << 6 * more
    for place, letter in enumerate(reversed(letters[1 : 1 + more])):
        number += _H64.index(letter) << 6 * place
    return number, letters[1 + more :]


def _check_parameters(name: str, letters: str) -> None:
    try:
        _, rest = _number(letters, 0)
        n_log2, rest = _number(rest, 1)
        r, rest = _number(rest, 1)
    except IndexError:
        malformed(name, "its parameters cannot be read")
    if rest:
        malformed(name, "it has parameters beyond N and r, which no crypt(3) writes")
    limited(name, "memory in bytes", 128 * r << min(n_log2, 63), MEMORY_LIMIT)


def _compare_with(name: str, *engines: Callable[[], Crypt | None]) -> Callable[[re.Match[str], Attempt], bool]:
    def compare(match: re.Match[str], attempt: Attempt) -> bool:
        _check_parameters(name, match["parameters"])
        crypt = next((found for engine in engines if (found := engine())), None)
        if crypt is None:
            raise UnknownScheme(
                f"stored passwords of scheme {name} need libxcrypt (the libcrypt of current Linux systems)"
                + (" or the package pyescrypt: pip install pyescrypt" if name == "yescrypt" else "")
            )
        stored = match[0].encode()
        made = crypt(attempt.secret, stored)
        if made is None:
            malformed(name)
        return hmac.compare_digest(made, stored)

    return compare


def _compare_scrypt7(match: re.Match[str], attempt: Attempt) -> bool:
    n_log2 = limited("scrypt7", "cost", _H64.index(match["n"]), 30)
    r, p = (sum(_H64.index(c) << 6 * i for i, c in enumerate(match[group])) for group in ("r", "p"))
    made = scrypt_digest("scrypt7", attempt.secret, match["salt"].encode(), 1 << n_log2, r, p, 32)
    return hmac.compare_digest(_h64_bytes(match["digest"]), made)


def _h64_bytes(letters: str) -> bytes:
    number = sum(_H64.index(letter) << 6 * place for place, letter in enumerate(letters))
    return (number & (1 << 256) - 1).to_bytes(32, "little")


_TAIL = r"(?P<salt>[./0-9A-Za-z]{0,86})\$(?P<digest>[./0-9A-Za-z]{43})"

YESCRYPT = Scheme(
    "yescrypt",
    re.compile(rf"\$y\$(?P<parameters>[./0-9A-Za-z]{{3,12}})\${_TAIL}"),
    _compare_with("yescrypt", libxcrypt, pyescrypt),
    "$y$j9T$" + "." * 22 + "$" + "." * 43,
    fill=".",
    is_heavy=True,
)
GOST_YESCRYPT = Scheme(
    "gost_yescrypt",
    re.compile(rf"\$gy\$(?P<parameters>[./0-9A-Za-z]{{3,12}})\${_TAIL}"),
    _compare_with("gost_yescrypt", libxcrypt),
    "$gy$j9T$" + "." * 22 + "$" + "." * 43,
    fill=".",
    is_heavy=True,
)
SCRYPT7 = Scheme(
    "scrypt7",
    re.compile(rf"\$7\$(?P<n>[./0-9A-Za-z])(?P<r>[./0-9A-Za-z]{{5}})(?P<p>[./0-9A-Za-z]{{5}}){_TAIL}"),
    _compare_scrypt7,
    "$7$CU..../...." + "." * 22 + "$" + "." * 43,
    fill=".",
    is_heavy=True,
)
