"""Which scheme a stored value is of: found by its mark in a dictionary, not by trying every scheme in turn."""

from __future__ import annotations

import re
from types import MappingProxyType

from integration_server.sdk.schemes import crypts, databases, digests, django, forums, stretched, yescrypt
from integration_server.sdk.schemes.digests import PLAIN
from integration_server.sdk.schemes.model import Scheme, UnknownScheme, malformed

Recognised = tuple[Scheme, re.Match[str]]

_ALL = (
    *digests.UNSALTED,
    *digests.SALTED,
    *digests.BARE_HEX,
    digests.PLAIN,
    crypts.SHA512_CRYPT,
    crypts.SHA256_CRYPT,
    crypts.SHA1_CRYPT,
    crypts.MD5_CRYPT,
    crypts.APR1,
    crypts.DES_CRYPT,
    crypts.BIGCRYPT,
    crypts.BSDI_CRYPT,
    crypts.NT,
    crypts.MYSQL323,
    stretched.BCRYPT,
    stretched.BCRYPT_SHA256,
    stretched.ARGON2,
    stretched.SCRYPT,
    *stretched.PBKDF2,
    stretched.DOVECOT_PBKDF2,
    stretched.ATLASSIAN_PBKDF2,
    django.PBKDF2_SHA256,
    django.PBKDF2_SHA1,
    django.SALTED_SHA1,
    django.SALTED_MD5,
    django.DJANGO_BCRYPT,
    django.BCRYPT_SHA256,
    django.DJANGO_ARGON2,
    django.SCRYPT,
    databases.SCRAM_SHA256,
    databases.SCRAM_SHA1,
    databases.POSTGRES_MD5,
    databases.MYSQL41,
    forums.IPB_MD5,
    forums.VB_MD5,
    forums.PHPASS,
    forums.WORDPRESS,
    yescrypt.YESCRYPT,
    yescrypt.GOST_YESCRYPT,
    yescrypt.SCRYPT7,
)

SCHEMES = MappingProxyType({scheme.name: scheme for scheme in _ALL})
"""Every scheme by its name."""

_OTHER_NAMES = {
    "sha1": "sha",
    "ssha1": "ssha",
    "sha_hex": "sha1_hex",
    "plaintext": "plain",
    "cleartext": "plain",
    "clear": "plain",
    "nthash": "nt",
    "ntlm": "nt",
    "apr_md5_crypt": "apr1",
    "crypt": "des_crypt",
    "mysql": "mysql41",
    "mysql_native_password": "mysql41",
    "vbulletin": "vb_md5",
    "ipb": "ipb_md5",
    "blf_crypt": "bcrypt",
    "argon2i": "argon2",
    "argon2id": "argon2",
    "scram_sha_1": "scram_sha1",
    "scram_sha_256": "scram_sha256",
    "plain_md5": "md5",
    "ldap_md5": "md5",
}

_BY_DOLLAR = {
    "1": crypts.MD5_CRYPT,
    "2a": stretched.BCRYPT,
    "2b": stretched.BCRYPT,
    "2y": stretched.BCRYPT,
    "3": crypts.NT,
    "5": crypts.SHA256_CRYPT,
    "6": crypts.SHA512_CRYPT,
    "7": yescrypt.SCRYPT7,
    "H": forums.PHPASS,
    "NT": crypts.NT,
    "P": forums.PHPASS,
    "apr1": crypts.APR1,
    "argon2d": stretched.ARGON2,
    "argon2i": stretched.ARGON2,
    "argon2id": stretched.ARGON2,
    "bcrypt-sha256": stretched.BCRYPT_SHA256,
    "gy": yescrypt.GOST_YESCRYPT,
    "pbkdf2": SCHEMES["pbkdf2_sha1"],
    "pbkdf2-sha256": SCHEMES["pbkdf2_sha256"],
    "pbkdf2-sha512": SCHEMES["pbkdf2_sha512"],
    "scrypt": stretched.SCRYPT,
    "sha1": crypts.SHA1_CRYPT,
    "wp": forums.WORDPRESS,
    "y": yescrypt.YESCRYPT,
}

_BY_WORD = {
    "SCRAM-SHA-1": databases.SCRAM_SHA1,
    "SCRAM-SHA-256": databases.SCRAM_SHA256,
    "argon2": django.DJANGO_ARGON2,
    "bcrypt": django.DJANGO_BCRYPT,
    "bcrypt_sha256": django.BCRYPT_SHA256,
    "md5": django.SALTED_MD5,
    "pbkdf2_sha1": django.PBKDF2_SHA1,
    "pbkdf2_sha256": django.PBKDF2_SHA256,
    "scrypt": django.SCRYPT,
    "sha1": django.SALTED_SHA1,
}

_DES = (crypts.DES_CRYPT, crypts.BIGCRYPT, crypts.BSDI_CRYPT)

# What may follow {NAME}; several where one name is used for several forms. Dovecot's .HEX and .B64 are added
# below.
_DIGEST_BRACES = {
    "MD5": (SCHEMES["md5"],),
    "PLAIN-MD5": (SCHEMES["md5"],),
    "LDAP-MD5": (SCHEMES["md5"],),
    "SHA": (SCHEMES["sha"],),
    "SHA1": (SCHEMES["sha"],),
    "SHA256": (SCHEMES["sha256"],),
    "SHA384": (SCHEMES["sha384"],),
    "SHA512": (SCHEMES["sha512"],),
    "SMD5": (SCHEMES["smd5"],),
    "SSHA": (SCHEMES["ssha"],),
    "SSHA1": (SCHEMES["ssha"],),
    "SSHA256": (SCHEMES["ssha256"],),
    "SSHA384": (SCHEMES["ssha384"],),
    "SSHA512": (SCHEMES["ssha512"],),
}
_BY_BRACE: dict[str, tuple[Scheme, ...]] = {
    **_DIGEST_BRACES,
    **{name + suffix: found for name, found in _DIGEST_BRACES.items() for suffix in (".HEX", ".B64", ".BASE64")},
    "CRYPT": _DES,
    "DES-CRYPT": _DES,
    "MD5-CRYPT": (crypts.MD5_CRYPT,),
    "SHA256-CRYPT": (crypts.SHA256_CRYPT,),
    "SHA512-CRYPT": (crypts.SHA512_CRYPT,),
    "BLF-CRYPT": (stretched.BCRYPT,),
    "BCRYPT": (stretched.BCRYPT,),
    "ARGON2": (stretched.ARGON2,),
    "ARGON2I": (stretched.ARGON2,),
    "ARGON2ID": (stretched.ARGON2,),
    "PBKDF2": (stretched.DOVECOT_PBKDF2, SCHEMES["pbkdf2_sha1"]),
    "PBKDF2-SHA1": (SCHEMES["pbkdf2_sha1"],),
    "PBKDF2-SHA256": (SCHEMES["pbkdf2_sha256"],),
    "PBKDF2-SHA512": (SCHEMES["pbkdf2_sha512"],),
    "PKCS5S2": (stretched.ATLASSIAN_PBKDF2,),
    "SCRAM-SHA-1": (databases.SCRAM_SHA1,),
    "SCRAM-SHA-256": (databases.SCRAM_SHA256,),
    "NT": (crypts.NT,),
    "NTLM": (crypts.NT,),
    "PLAIN": (PLAIN,),
    "CLEAR": (PLAIN,),
    "CLEARTEXT": (PLAIN,),
    "PLAINTEXT": (PLAIN,),
}

# After these a value that begins with $ says itself what it is: {CRYPT}$2y$..., and Dovecot's {MD5}, which is
# its {MD5-CRYPT}.
_HOLDS_CRYPT = frozenset(
    {"CRYPT", "DES-CRYPT", "MD5", "MD5-CRYPT", "SHA256-CRYPT", "SHA512-CRYPT", "BLF-CRYPT", "BCRYPT"}
    | {"ARGON2", "ARGON2I", "ARGON2ID"}
)

_LOCK_WORDS = frozenset({"!", "!!", "x", "*", "**", "*0", "*1", "NP", "LK", "*LK*", "*NP*", "*LOCKED*"})
_LOCKED = re.compile(r"!|\*(?:LK|NP|LOCKED)\*")
_MARK = re.compile(r"\{[A-Za-z][A-Za-z0-9._-]{0,30}\}|\$[A-Za-z0-9_.-]{1,20}(?=[$,])")


def scheme_named(name: str) -> Scheme:
    """The scheme that a configuration calls ``name``: case, ``-`` for ``_``, braces and usual synonyms do not
    matter.

    Raises UnknownScheme.
    """
    wanted = name.strip().strip("{}").lower().replace("-", "_")
    found = SCHEMES.get(_OTHER_NAMES.get(wanted, wanted))
    if found is None:
        raise UnknownScheme(f"there is no password scheme {name!r}; known are: {', '.join(sorted(SCHEMES))}")
    return found


def recognise(value: str, declared: Scheme | None, *, is_plain_allowed: bool) -> Recognised | None:
    """The scheme of a stored value, and the value taken apart; None for an account without usable password.

    A mark in the value goes before ``declared``, so that a table may hold both. Raises UnknownScheme,
    MalformedHash.
    """
    text = value.strip()  # CHAR(n) columns are padded with blanks
    if not text or text in _LOCK_WORDS:
        return None
    if text[0] == "{":
        end = text.find("}")
        found = _BY_BRACE.get(text[1:end].upper()) if end > 0 else None
        if found is not None:
            return _in_braces(value, text, end, found, is_plain_allowed)
    elif text[0] == "$" and (marked := _by_dollar(text)) is not None:
        return _taken_apart(text, (marked,))
    if (mark := _MARK.match(text)) is not None:
        raise UnknownScheme(f"a stored password begins with {_closed(mark[0])}, which is no scheme known here")
    if declared is PLAIN:
        return _by_word(text) or _taken_apart(value, (PLAIN,))
    if _LOCKED.match(text):
        return None
    return _by_word(text) or _undeclared(text, declared)


def _closed(mark: str) -> str:
    return mark if mark.endswith(("}", "$")) else mark + "$"


def _by_dollar(text: str) -> Scheme | None:
    return _BY_DOLLAR.get(text[1 : text.find("$", 1)])


def _in_braces(value: str, text: str, end: int, found: tuple[Scheme, ...], is_plain_allowed: bool) -> Recognised | None:
    body = text[end + 1 :]
    if not body or body in _LOCK_WORDS:
        return None
    if found[0] is PLAIN:
        if not is_plain_allowed:
            raise UnknownScheme(
                f"a stored password is marked {text[: end + 1]}, but plain passwords are not allowed here "
                "(allow_plain_passwords)"
            )
        return _taken_apart(value.lstrip()[end + 1 :], found)
    if _LOCKED.match(body):
        return None
    if body[0] == "$" and text[1:end].upper() in _HOLDS_CRYPT:
        marked = _by_dollar(body)
        if marked is None:
            mark = _MARK.match(body)
            said = text[: end + 1] + (_closed(mark[0]) if mark else "")
            raise UnknownScheme(f"a stored password begins with {said}, which is no scheme known here")
        found = (marked,)
    return _taken_apart(body, found)


def _by_word(text: str) -> Recognised | None:
    """Values marked by a word: Django's, PostgreSQL's, MySQL's."""
    end = text.find("$")
    if end > 0 and (found := _BY_WORD.get(text[:end])) is not None:
        return _taken_apart(text, (found,))
    for scheme, mark in ((databases.POSTGRES_MD5, "md5"), (databases.MYSQL41, "*")):
        if text.startswith(mark) and (match := scheme.form.fullmatch(text)) is not None:
            return scheme, match
    return None


def _undeclared(text: str, declared: Scheme | None) -> Recognised:
    if declared is None:
        raise UnknownScheme(
            f"a stored password of {len(text)} characters bears no mark of a scheme; declare it with password_scheme"
        )
    return _taken_apart(text, _DES if declared is crypts.DES_CRYPT else (declared,))


def _taken_apart(text: str, candidates: tuple[Scheme, ...]) -> Recognised:
    for scheme in candidates:
        if (match := scheme.form.fullmatch(text)) is not None:
            return scheme, match
    malformed(candidates[0].name)
