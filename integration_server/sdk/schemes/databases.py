"""Passwords as database servers store them for their own accounts."""

from __future__ import annotations

import hashlib
import hmac
import importlib
import re

from integration_server.sdk.schemes.digests import md5, sha1
from integration_server.sdk.schemes.model import Attempt, Scheme, limited, malformed, unpadded_base64, utf8

_SCRAM_ROUNDS_LIMIT = 20_000_000
_BASE64 = "[A-Za-z0-9+/]"


def _spellings(secret: bytes) -> tuple[bytes, ...]:
    """The password after SASLprep (RFC 4013), and as typed.

    PostgreSQL prepares where it can and keeps the bytes where the profile forbids a character; Dovecot never
    prepares.
    """
    if secret.isascii():
        return (secret,)
    # Imported late: tens of milliseconds that ASCII passwords never need.
    saslprep = importlib.import_module("passlib.utils").saslprep
    try:
        prepared: bytes = saslprep(secret.decode()).encode()
    except ValueError:
        return (secret,)
    return (secret,) if prepared == secret else (prepared, secret)


def _scram(hash_name: str, mark: str) -> Scheme:
    """RFC 5802 and 7677; ``SCRAM-SHA-256$rounds:salt$stored:server`` (PostgreSQL) or, in Dovecot, all with
    commas.
    """
    name = f"scram_{hash_name}"
    letters = -(-hashlib.new(hash_name).digest_size * 4 // 3)

    def compare(match: re.Match[str], attempt: Attempt) -> bool:
        rounds = limited(name, "number of rounds", int(match["rounds"]), _SCRAM_ROUNDS_LIMIT)
        if rounds < 1:
            malformed(name)
        salt, stored = unpadded_base64(match["salt"], name), unpadded_base64(match["digest"], name)
        is_equal = False
        for secret in _spellings(attempt.secret):
            salted = hashlib.pbkdf2_hmac(hash_name, secret, salt, rounds)
            client_key = hmac.digest(salted, b"Client Key", hash_name)
            is_equal |= hmac.compare_digest(hashlib.new(hash_name, client_key).digest(), stored)
        return is_equal

    key = rf"{_BASE64}{{{letters}}}={{0,2}}"
    form = (
        rf"(?:{mark}\$)?(?P<rounds>[0-9]{{1,9}})[:,](?P<salt>{_BASE64}+={{0,2}})[$,](?P<digest>{key})"
        rf"[:,](?P<server>{key})"
    )
    usual = f"{mark}$4096:{'A' * 22}==${'A' * letters}=:{'A' * letters}="
    return Scheme(name, re.compile(form), compare, usual)


def _compare_postgres_md5(match: re.Match[str], attempt: Attempt) -> bool:
    if not attempt.username:
        malformed("postgres_md5", "that scheme mixes in the user name, and none was given")
    made = md5(attempt.secret + utf8(attempt.username, "postgres_md5"))
    return hmac.compare_digest(made.digest(), bytes.fromhex(match["hex"]))


def _compare_mysql41(match: re.Match[str], attempt: Attempt) -> bool:
    return hmac.compare_digest(sha1(sha1(attempt.secret).digest()).digest(), bytes.fromhex(match["hex"]))


SCRAM_SHA256 = _scram("sha256", "SCRAM-SHA-256")
SCRAM_SHA1 = _scram("sha1", "SCRAM-SHA-1")
POSTGRES_MD5 = Scheme(
    "postgres_md5",
    re.compile(r"(?:md5)?(?P<hex>[0-9A-Fa-f]{32})"),
    _compare_postgres_md5,
    "md5" + "0" * 32,
    is_weak=True,
    has_parameters=False,
)
MYSQL41 = Scheme(
    "mysql41",
    re.compile(r"\*?(?P<hex>[0-9A-Fa-f]{40})"),
    _compare_mysql41,
    "*" + "0" * 40,
    is_weak=True,
    has_parameters=False,
)
