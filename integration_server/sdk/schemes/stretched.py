"""Deliberately slow schemes: argon2, bcrypt, scrypt and PBKDF2, as passlib, PHP, LDAP servers and Dovecot
write them.

Work and memory limits are wide; they stop a broken cost field, not a careful admin.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

import bcrypt
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError
from argon2.low_level import Type, verify_secret

from integration_server.sdk.schemes.model import (
    MEMORY_LIMIT,
    Attempt,
    MalformedHash,
    Scheme,
    limited,
    malformed,
    unpadded_base64,
)

_BCRYPT_LETTERS = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_BCRYPT_COST_LIMIT = 18
_PBKDF2_ROUNDS_LIMIT = 20_000_000
_SCRYPT_WORK_LIMIT = 4 * MEMORY_LIMIT
_ARGON2_WORK_LIMIT = 16 * MEMORY_LIMIT
_ARGON2_LANES_LIMIT = 255
# Letters of 16, 20, 24, 28, 32, 48, 64 and 128 bytes; other lengths are cut-off values.
_ARGON2_DIGEST = "|".join(f"[A-Za-z0-9+/]{{{letters}}}" for letters in (22, 27, 32, 38, 43, 64, 86, 171))
_ARGON2_TYPES = {"id": Type.ID, "i": Type.I, "d": Type.D}
_BASE64 = "[A-Za-z0-9+/.]"

BCRYPT_TAIL = r"(?P<salt>[./A-Za-z0-9]{22})(?P<digest>[./A-Za-z0-9]{31})"


def bcrypt_matches(scheme: str, secret: bytes, cost: str, salt: str, digest: str) -> bool:
    """Compare the digest (31 letters) with the bcrypt of ``secret``.

    bcrypt reads 72 bytes; the library refuses longer ones where PHP and libcrypt cut, so the cut is made
    here. A salt of 22 letters holds 4 bits too many: foreign software leaves them set, the library refuses
    them, and the result is the same without (IPS stores such salts).
    """
    if limited(scheme, "cost", int(cost), _BCRYPT_COST_LIMIT) < 4:
        malformed(scheme, "its cost is below 4")
    canonical = salt[:-1] + _BCRYPT_LETTERS[_BCRYPT_LETTERS.index(salt[-1]) & 0b110000]
    made = bcrypt.hashpw(secret[:72], f"$2b${int(cost):02}${canonical}".encode())
    return hmac.compare_digest(made[-31:], digest.encode())


def _compare_bcrypt(match: re.Match[str], attempt: Attempt) -> bool:
    return bcrypt_matches("bcrypt", attempt.secret, match["cost"], match["salt"], match["digest"])


def _compare_bcrypt_sha256(match: re.Match[str], attempt: Attempt) -> bool:
    """passlib's bcrypt_sha256: version 2 keys the inner digest with the salt, version 1 does not."""
    if match["cost"] is not None:
        inner = hmac.digest(match["salt"].encode(), attempt.secret, "sha256")
    else:
        inner = hashlib.sha256(attempt.secret).digest()
    cost = match["cost"] or match["cost1"]
    return bcrypt_matches("bcrypt_sha256", base64.b64encode(inner), cost, match["salt"], match["digest"])


def _compare_argon2(match: re.Match[str], attempt: Attempt) -> bool:
    memory, passes = int(match["memory"]) * 1024, int(match["passes"])
    limited("argon2", "memory in bytes", memory, MEMORY_LIMIT)
    limited("argon2", "memory in bytes times passes", memory * passes, _ARGON2_WORK_LIMIT)
    limited("argon2", "number of lanes", int(match["lanes"]), _ARGON2_LANES_LIMIT)  # each is a thread
    try:
        return verify_secret(match["encoded"].encode(), attempt.secret, _ARGON2_TYPES[match["type"]])
    except VerifyMismatchError:
        return False
    except (InvalidHashError, VerificationError) as exc:
        raise MalformedHash(f"a stored password of scheme argon2 cannot be computed ({exc})") from exc


def scrypt_digest(scheme: str, secret: bytes, salt: bytes, n: int, r: int, p: int, size: int) -> bytes:
    """RFC 7914; MalformedHash for parameters that are impossible or beyond the limits."""
    memory = 128 * n * r
    limited(scheme, "memory in bytes", memory, MEMORY_LIMIT)
    limited(scheme, "memory in bytes times lanes", memory * p, _SCRYPT_WORK_LIMIT)
    try:
        room = 2 * memory + 256 * r * p + (1 << 20)
        return hashlib.scrypt(secret, salt=salt, n=n, r=r, p=p, maxmem=min(room, 2**31 - 1), dklen=size)
    except ValueError:
        malformed(scheme, "its cost parameters are impossible")


def _compare_scrypt(match: re.Match[str], attempt: Attempt) -> bool:
    digest = unpadded_base64(match["digest"], "scrypt")
    salt = unpadded_base64(match["salt"], "scrypt")
    n = 1 << limited("scrypt", "cost", int(match["ln"]), 30)
    made = scrypt_digest("scrypt", attempt.secret, salt, n, int(match["r"]), int(match["p"]), len(digest))
    return hmac.compare_digest(made, digest)


def pbkdf2_matches(scheme: str, secret: bytes, salt: bytes, rounds: str, digest: bytes, hash_name: str) -> bool:
    """Compare ``digest``, of any length, with PBKDF2-HMAC (RFC 8018)."""
    count = limited(scheme, "number of rounds", int(rounds), _PBKDF2_ROUNDS_LIMIT)
    if count < 1 or not digest:
        malformed(scheme)
    return hmac.compare_digest(hashlib.pbkdf2_hmac(hash_name, secret, salt, count, len(digest)), digest)


def _pbkdf2(hash_name: str, mark: str, rounds: int, letters: int) -> Scheme:
    """``$pbkdf2-sha256$rounds$salt$digest`` of passlib; LDAP's ``{PBKDF2-SHA256}`` is the same without the
    mark.
    """
    name = f"pbkdf2_{hash_name}"

    def compare(match: re.Match[str], attempt: Attempt) -> bool:
        salt, digest = unpadded_base64(match["salt"], name), unpadded_base64(match["digest"], name)
        return pbkdf2_matches(name, attempt.secret, salt, match["rounds"], digest, hash_name)

    form = (
        rf"(?:\${mark}\$)?(?P<rounds>[0-9]{{1,9}})\$(?P<salt>{_BASE64}*={{0,2}})"
        rf"\$(?P<digest>{_BASE64}{{{letters}}}={{0,2}})"
    )
    return Scheme(name, re.compile(form), compare, f"${mark}${rounds}${'A' * 22}${'A' * letters}")


def _compare_dovecot_pbkdf2(match: re.Match[str], attempt: Attempt) -> bool:
    salt, digest = match["salt"].encode(), bytes.fromhex(match["digest"])
    return pbkdf2_matches("dovecot_pbkdf2", attempt.secret, salt, match["rounds"], digest, "sha1")


def _compare_atlassian(match: re.Match[str], attempt: Attempt) -> bool:
    raw = unpadded_base64(match["b64"], "atlassian_pbkdf2")
    return pbkdf2_matches("atlassian_pbkdf2", attempt.secret, raw[:16], "10000", raw[16:], "sha1")


BCRYPT = Scheme(
    "bcrypt",
    re.compile(rf"\$2[aby]\$(?P<cost>[0-9]{{2}})\${BCRYPT_TAIL}"),
    _compare_bcrypt,
    "$2b$10$" + "." * 53,
    fill=".",
    is_heavy=True,
)
BCRYPT_SHA256 = Scheme(
    "bcrypt_sha256",
    re.compile(
        r"\$bcrypt-sha256\$(?:v=2,t=2b,r=(?P<cost>[0-9]{1,2})|2[aby],(?P<cost1>[0-9]{1,2}))"
        r"\$(?P<salt>[./A-Za-z0-9]{22})\$(?P<digest>[./A-Za-z0-9]{31})"
    ),
    _compare_bcrypt_sha256,
    "$bcrypt-sha256$v=2,t=2b,r=12$" + "." * 22 + "$" + "." * 31,
    fill=".",
    is_heavy=True,
)
ARGON2 = Scheme(
    "argon2",
    re.compile(
        r"(?P<encoded>\$argon2(?P<type>id|i|d)\$(?:v=[0-9]{1,3}\$)?"
        r"m=(?P<memory>[0-9]{1,10}),t=(?P<passes>[0-9]{1,10}),p=(?P<lanes>[0-9]{1,8})"
        r"(?:,(?:keyid|data)=[A-Za-z0-9+/]*)*\$(?P<salt>[A-Za-z0-9+/]+)\$(?P<digest>" + _ARGON2_DIGEST + r"))"
    ),
    _compare_argon2,
    "$argon2id$v=19$m=19456,t=2,p=1$" + "A" * 22 + "$" + "A" * 43,
    is_heavy=True,
)
SCRYPT = Scheme(
    "scrypt",
    re.compile(
        r"\$scrypt\$ln=(?P<ln>[0-9]{1,2}),r=(?P<r>[0-9]{1,6}),p=(?P<p>[0-9]{1,6})"
        rf"\$(?P<salt>{_BASE64}*={{0,2}})\$(?P<digest>{_BASE64}{{43}}={{0,2}})"
    ),
    _compare_scrypt,
    "$scrypt$ln=14,r=8,p=1$" + "A" * 22 + "$" + "A" * 43,
    is_heavy=True,
)
PBKDF2 = (
    _pbkdf2("sha1", "pbkdf2", 131000, 27),
    _pbkdf2("sha256", "pbkdf2-sha256", 29000, 43),
    _pbkdf2("sha512", "pbkdf2-sha512", 25000, 86),
)
DOVECOT_PBKDF2 = Scheme(
    "dovecot_pbkdf2",
    re.compile(r"\$1\$(?P<salt>[^$]{1,64})\$(?P<rounds>[0-9]{1,9})\$(?P<digest>[0-9A-Fa-f]{40})"),
    _compare_dovecot_pbkdf2,
    "$1$" + "A" * 16 + "$5000$" + "0" * 40,
)
ATLASSIAN_PBKDF2 = Scheme(
    "atlassian_pbkdf2",
    re.compile(r"(?P<b64>[A-Za-z0-9+/]{64})"),
    _compare_atlassian,
    "A" * 64,
    has_parameters=False,
)
