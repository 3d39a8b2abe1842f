"""Passwords as Django writes them (``django.contrib.auth.hashers``): ``algorithm$...$salt$digest``."""

from __future__ import annotations

import hashlib
import hmac
import re

from integration_server.sdk.schemes.digests import Digest, md5, sha1
from integration_server.sdk.schemes.model import Attempt, Scheme, unpadded_base64, utf8
from integration_server.sdk.schemes.stretched import (
    ARGON2,
    BCRYPT,
    BCRYPT_TAIL,
    bcrypt_matches,
    pbkdf2_matches,
    scrypt_digest,
)

_BASE64 = "[A-Za-z0-9+/]"


def _pbkdf2(mark: str, hash_name: str, digest_letters: int) -> Scheme:
    name = f"django_{mark}"

    def compare(match: re.Match[str], attempt: Attempt) -> bool:
        salt, digest = utf8(match["salt"], name), unpadded_base64(match["digest"], name)
        return pbkdf2_matches(name, attempt.secret, salt, match["rounds"], digest, hash_name)

    form = rf"{mark}\$(?P<rounds>[0-9]{{1,9}})\$(?P<salt>[^$]+)\$(?P<digest>{_BASE64}{{{digest_letters}}}={{0,2}})"
    return Scheme(name, re.compile(form), compare, f"{mark}$600000${'A' * 22}${'A' * digest_letters}")


def _salted(mark: str, digest: Digest, size: int) -> Scheme:
    name = f"django_{mark}"

    def compare(match: re.Match[str], attempt: Attempt) -> bool:
        made = digest(utf8(match["salt"], name) + attempt.secret).digest()
        return hmac.compare_digest(made, bytes.fromhex(match["digest"]))

    form = rf"{mark}\$(?P<salt>[^$]*)\$(?P<digest>[0-9A-Fa-f]{{{2 * size}}})"
    usual = f"{mark}${'A' * 22}${'0' * 2 * size}"
    return Scheme(name, re.compile(form), compare, usual, is_weak=True, has_parameters=False)


def _compare_bcrypt_sha256(match: re.Match[str], attempt: Attempt) -> bool:
    inner = hashlib.sha256(attempt.secret).hexdigest().encode()
    return bcrypt_matches("django_bcrypt_sha256", inner, match["cost"], match["salt"], match["digest"])


def _compare_scrypt(match: re.Match[str], attempt: Attempt) -> bool:
    name = "django_scrypt"
    digest, salt = unpadded_base64(match["digest"], name), utf8(match["salt"], name)
    n, r, p = int(match["n"]), int(match["r"]), int(match["p"])
    return hmac.compare_digest(scrypt_digest(name, attempt.secret, salt, n, r, p, len(digest)), digest)


PBKDF2_SHA256 = _pbkdf2("pbkdf2_sha256", "sha256", 43)
PBKDF2_SHA1 = _pbkdf2("pbkdf2_sha1", "sha1", 27)
SALTED_SHA1 = _salted("sha1", sha1, 20)
SALTED_MD5 = _salted("md5", md5, 16)
DJANGO_BCRYPT = Scheme(
    "django_bcrypt",
    re.compile(r"bcrypt\$" + BCRYPT.form.pattern),
    BCRYPT.compare,
    "bcrypt$$2b$12$" + "." * 53,
    fill=".",
    is_heavy=True,
)
BCRYPT_SHA256 = Scheme(
    "django_bcrypt_sha256",
    re.compile(rf"bcrypt_sha256\$\$2[aby]\$(?P<cost>[0-9]{{2}})\${BCRYPT_TAIL}"),
    _compare_bcrypt_sha256,
    "bcrypt_sha256$$2b$12$" + "." * 53,
    fill=".",
    is_heavy=True,
)
DJANGO_ARGON2 = Scheme(
    "django_argon2",
    re.compile("argon2" + ARGON2.form.pattern),
    ARGON2.compare,
    "argon2$argon2id$v=19$m=102400,t=2,p=8$" + "A" * 30 + "$" + "A" * 43,
    is_heavy=True,
)
SCRYPT = Scheme(
    "django_scrypt",
    re.compile(
        r"scrypt\$(?P<n>[0-9]{1,10})\$(?P<salt>[^$]+)\$(?P<r>[0-9]{1,6})\$(?P<p>[0-9]{1,6})"
        rf"\$(?P<digest>{_BASE64}{{86}}={{0,2}})"
    ),
    _compare_scrypt,
    f"scrypt$16384${'A' * 22}$8$5${'A' * 86}",
    is_heavy=True,
)
