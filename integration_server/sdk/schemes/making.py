"""Making stored values: for files and tables that an admin keeps by hand."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable
from types import MappingProxyType

import bcrypt
from argon2.low_level import Type, hash_secret

from integration_server.sdk.schemes.crypts import LIBPASS
from integration_server.sdk.schemes.model import UnknownScheme
from integration_server.sdk.schemes.stretched import scrypt_digest

_SHA_CRYPT_ROUNDS = 100_000
_BCRYPT_COST = 12
_PASSWORD_LIMIT = 4096


def _argon2(secret: bytes) -> str:
    return hash_secret(secret, os.urandom(16), 2, 19 * 1024, 1, 32, Type.ID).decode()


def _bcrypt(secret: bytes) -> str:
    if len(secret) > 72:
        raise ValueError("bcrypt reads only the first 72 bytes of a password; choose argon2 for longer ones")
    return bcrypt.hashpw(secret, bcrypt.gensalt(_BCRYPT_COST)).decode()


def _scrypt(secret: bytes) -> str:
    salt = os.urandom(16)
    digest = scrypt_digest("scrypt", secret, salt, 1 << 15, 8, 3, 32)
    return f"$scrypt$ln=15,r=8,p=3${_bare64(salt)}${_bare64(digest)}"


def _pbkdf2(hash_name: str, rounds: int) -> Callable[[bytes], str]:
    def make(secret: bytes) -> str:
        salt = os.urandom(16)
        digest = hashlib.pbkdf2_hmac(hash_name, secret, salt, rounds)
        return "$".join(
            ("", f"pbkdf2-{hash_name}", str(rounds), *(_bare64(p).replace("+", ".") for p in (salt, digest)))
        )

    return make


def _salted(hash_name: str) -> Callable[[bytes], str]:
    def make(secret: bytes) -> str:
        salt = os.urandom(8)
        digest = hashlib.new(hash_name, secret + salt).digest()
        return f"{{S{hash_name.upper()}}}{base64.b64encode(digest + salt).decode()}"

    return make


def _sha_crypt(handler: str) -> Callable[[bytes], str]:
    def make(secret: bytes) -> str:
        return LIBPASS.handler(handler).using(rounds=_SHA_CRYPT_ROUNDS).hash(secret)

    return make


def _bare64(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")


_MAKERS = MappingProxyType(
    {
        "argon2": _argon2,
        "bcrypt": _bcrypt,
        "scrypt": _scrypt,
        "pbkdf2_sha256": _pbkdf2("sha256", 600_000),
        "pbkdf2_sha512": _pbkdf2("sha512", 210_000),
        "sha512_crypt": _sha_crypt("sha512_crypt"),
        "sha256_crypt": _sha_crypt("sha256_crypt"),
        "ssha512": _salted("sha512"),
        "ssha256": _salted("sha256"),
    }
)


def schemes() -> tuple[str, ...]:
    """The schemes that ``hash_password`` makes, the recommended one first."""
    return tuple(_MAKERS)


def hash_password(password: str, scheme: str = "argon2") -> str:
    """A stored value for ``password``, with its mark, that ``PasswordChecker`` reads without being told the
    scheme.

    argon2 takes 19 MiB, 2 passes and 1 lane (OWASP's smallest advice). Raises UnknownScheme for a scheme that
    is not among ``schemes()``, ValueError for a password that no checker would accept: empty, with a NUL, or
    too long.
    """
    make = _MAKERS.get(scheme)
    if make is None:
        raise UnknownScheme(f"passwords of scheme {scheme!r} are not made here; choose one of {', '.join(_MAKERS)}")
    if not password or "\0" in password:
        raise ValueError("a password must not be empty nor hold a NUL character")
    try:
        secret = password.encode()
    except UnicodeEncodeError:
        secret = b""
    if not 0 < len(secret) <= _PASSWORD_LIMIT:
        raise ValueError(f"a password must be valid text of at most {_PASSWORD_LIMIT} bytes")
    return make(secret)
