"""Hashes and salts as IPS Connect 4 knows them. Pure but for the random numbers of new ones.

A salt of 22 bytes belongs to bcrypt of cost 13, any other to the double MD5 of accounts that were carried over from
version 3. Slaves hash what people type and send the hash, so whoever has the hash can log in: it must not be shown.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
from collections.abc import Callable

import bcrypt

from integration_server.builtin.ips_connect.keys import is_same

COST = 13
SALT_LENGTH = 22
#: Bytes; nobody buys computing time with longer ones.
LONGEST_PASSWORD = 4096
#: bcrypt reads so many bytes. PHP cuts, the library refuses.
_READ_BYTES = 72
_BCRYPT_LETTERS = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_BCRYPT_SALT = re.compile(r"[./A-Za-z0-9]{22}", re.ASCII)
_DIGEST_LENGTH = 31
_HASH_LENGTH = 60
#: bcrypt writes 184 bits into 31 letters of 6, so two bits of the last are never set.
_NO_LAST_LETTERS = "".join(letter for number, letter in enumerate(_BCRYPT_LETTERS) if number % 4)
NEW_SALT_LETTERS = string.digits + string.ascii_letters
_SPENT_SALT = "." * SALT_LENGTH

#: In this order. ``<script`` alone is replaced in any case.
_ESCAPES = tuple(
    (re.compile(re.escape(plain), re.IGNORECASE if plain == "<script" else 0), escaped)
    for plain, escaped in (
        ("&", "&amp;"),
        ("<!--", "&#60;&#33;--"),
        ("-->", "--&#62;"),
        ("<script", "&#60;script"),
        (">", "&gt;"),
        ("<", "&lt;"),
        ('"', "&quot;"),
        ("\n", "<br />"),
        ("$", "&#036;"),
        ("!", "&#33;"),
        ("'", "&#39;"),
        ("\\", "&#092;"),
    )
)

Choose = Callable[[str], str]


def new_salt(choose: Choose = secrets.choice) -> str:
    """A salt for bcrypt: 22 characters, digits and letters. ``choose`` gives one character of a text."""
    return "".join(choose(NEW_SALT_LETTERS) for _ in range(SALT_LENGTH))


def unusable(choose: Choose = secrets.choice) -> tuple[str, str]:
    """A hash and a salt for somebody without a password: in the form of real ones, as receivers refuse empty ones, but
    the hash of nothing at all; see ``is_usable``."""
    salt = new_salt(choose)
    digest = "".join(choose(_BCRYPT_LETTERS) for _ in range(_DIGEST_LENGTH - 1))
    return _setting(salt) + digest + choose(_NO_LAST_LETTERS), salt


def is_usable(pass_hash: str) -> bool:
    """Whether a stored hash may be that of a password. Slaves have those of ``unusable`` as well, so that it is not
    enough that nobody finds a password for one."""
    return not (len(pass_hash) == _HASH_LENGTH and pass_hash.startswith("$2") and pass_hash[-1] in _NO_LAST_LETTERS)


def is_password(text: str) -> bool:
    """Whether ``hashed`` takes it."""
    return _secret(text) is not None


def is_bcrypt(salt: str) -> bool:
    """Whether the hashes of a salt are bcrypt's, by its length in bytes alone, as PHP counts."""
    return len(salt.encode("utf-8", "surrogatepass")) == SALT_LENGTH


def hashed(password: str, salt: str) -> str:
    """What a slave sends for a password: 60 characters of bcrypt (``$2a$13$...``), or 32 of the double MD5.

    Raises ValueError for a password that is empty, holds a NUL or half a surrogate pair, or is too long, and for a salt
    of 22 bytes that bcrypt cannot read (PHP's crypt gives ``*0``). Takes half a second with bcrypt.
    """
    secret = _secret(password)
    if secret is None:
        raise ValueError(f"no password: empty, not text, or more than {LONGEST_PASSWORD} bytes")
    if not is_bcrypt(salt):
        return _double_md5(password, salt)
    if not _BCRYPT_SALT.fullmatch(salt):
        raise ValueError("the salt has a character that is none of bcrypt's")
    return bcrypt.hashpw(secret[:_READ_BYTES], _setting(salt).encode()).decode()


def verify(password: str, pass_hash: str, pass_salt: str) -> bool:
    """Whether a password is the one behind a stored hash and salt. What cannot be a password or a salt is not, and
    raises nothing."""
    try:
        return is_same(pass_hash, hashed(password, pass_salt))
    except ValueError:
        return False


def spend(password: str) -> None:
    """Take as long as ``verify`` takes with bcrypt, for people who are not there or have other hashes."""
    verify(password, "", _SPENT_SALT)


def _secret(password: str) -> bytes | None:
    try:
        secret = password.encode()
    except UnicodeEncodeError:
        return None
    return secret if 0 < len(secret) <= LONGEST_PASSWORD and b"\0" not in secret else None


def _setting(salt: str) -> str:
    """What bcrypt starts from. Its 128 bits leave four of the last character unused: PHP ignores them, and the library
    refuses salts that have them set, as 15 of 16 random ones have."""
    last = _BCRYPT_LETTERS[_BCRYPT_LETTERS.index(salt[-1]) & 0b110000]
    return f"$2a${COST:02}${salt[:-1]}{last}"


def _double_md5(password: str, salt: str) -> str:
    return _md5(_md5(salt) + _md5(_escaped(password)))


def _escaped(password: str) -> str:
    """A password as version 3 got it out of its own input filter."""
    for pattern, escaped in _ESCAPES:
        password = pattern.sub(escaped, password)
    return password


def _md5(text: str) -> str:
    return hashlib.md5(text.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()
