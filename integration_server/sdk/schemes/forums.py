"""Passwords of forums and blogs: IPS and vBulletin's double MD5, phpass, WordPress."""

from __future__ import annotations

import base64
import hmac
import re

from integration_server.sdk.schemes.digests import md5
from integration_server.sdk.schemes.model import Attempt, Scheme, limited, malformed, utf8
from integration_server.sdk.schemes.stretched import BCRYPT_TAIL, bcrypt_matches

_H64 = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PHPASS_COST_LIMIT = 24
_PHP_TRIM = b" \n\r\t\v\0"

# What IPS does to a password before it hashes it, in this order.
_IPS_ESCAPES = tuple(
    (re.compile(re.escape(plain), re.I), escaped)
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


def _ips_escaped(secret: bytes) -> bytes:
    text = secret.decode()
    for pattern, escaped in _IPS_ESCAPES:
        text = pattern.sub(escaped, text)
    return text.encode()


def _hex(data: bytes) -> bytes:
    return md5(data).hexdigest().encode()


def _salt(match: re.Match[str], attempt: Attempt, scheme: str) -> bytes:
    salt = match["salt"] or attempt.salt
    if not salt:
        malformed(scheme, "there is no salt: name its column, or store hash:salt")
    return utf8(salt, scheme)


def _compare_ipb(match: re.Match[str], attempt: Attempt) -> bool:
    """md5(md5(salt) + md5(password)); the password as IPS escapes it, or as typed (scripts that fill its
    table).
    """
    salt, stored = _hex(_salt(match, attempt, "ipb_md5")), match["hex"].lower().encode()
    escaped = hmac.compare_digest(_hex(salt + _hex(_ips_escaped(attempt.secret))), stored)
    return hmac.compare_digest(_hex(salt + _hex(attempt.secret)), stored) or escaped


def _compare_vb(match: re.Match[str], attempt: Attempt) -> bool:
    """md5(md5(password) + salt)."""
    made = _hex(_hex(attempt.secret) + _salt(match, attempt, "vb_md5"))
    return hmac.compare_digest(made, match["hex"].lower().encode())


def _compare_phpass(match: re.Match[str], attempt: Attempt) -> bool:
    cost = limited("phpass", "cost", _H64.index(match["cost"]), _PHPASS_COST_LIMIT)
    if cost < 7:
        malformed("phpass", "its cost is below 7")
    secret = attempt.secret
    made = md5(match["salt"].encode() + secret).digest()
    for _ in range(1 << cost):
        made = md5(made + secret).digest()
    return hmac.compare_digest(_h64_encoded(made), match["digest"])


def _h64_encoded(data: bytes) -> str:
    """Base64 of crypt: three bytes little-endian become four letters, the lowest six bits first."""
    groups = (data[i : i + 3] for i in range(0, len(data), 3))
    return "".join(
        _H64[int.from_bytes(group, "little") >> 6 * place & 63] for group in groups for place in range(len(group) + 1)
    )


def _compare_wordpress(match: re.Match[str], attempt: Attempt) -> bool:
    """WordPress since 6.8: bcrypt over a keyed SHA-384, so that long passwords count whole."""
    inner = base64.b64encode(hmac.digest(b"wp-sha384", attempt.secret.strip(_PHP_TRIM), "sha384"))
    return bcrypt_matches("wordpress", inner, match["cost"], match["salt"], match["digest"])


_DOUBLE_MD5 = re.compile(r"(?P<hex>[0-9A-Fa-f]{32})(?::(?P<salt>.+))?", re.S)

IPB_MD5 = Scheme("ipb_md5", _DOUBLE_MD5, _compare_ipb, "0" * 32 + ":AAAAA", is_weak=True, has_parameters=False)
VB_MD5 = Scheme("vb_md5", _DOUBLE_MD5, _compare_vb, "0" * 32 + ":AAA", is_weak=True, has_parameters=False)
PHPASS = Scheme(
    "phpass",
    re.compile(r"\$[PH]\$(?P<cost>[./0-9A-Za-z])(?P<salt>[./0-9A-Za-z]{8})(?P<digest>[./0-9A-Za-z]{22})"),
    _compare_phpass,
    "$P$B" + "." * 30,
    fill=".",
)
WORDPRESS = Scheme(
    "wordpress",
    re.compile(rf"\$wp\$2y\$(?P<cost>[0-9]{{2}})\${BCRYPT_TAIL}"),
    _compare_wordpress,
    "$wp$2y$10$" + "." * 53,
    fill=".",
    is_heavy=True,
)
