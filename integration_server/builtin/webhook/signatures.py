"""Signatures of Standard Webhooks 1.0.0: HMAC-SHA256 over id, time and body. Pure functions."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable
from functools import lru_cache

from standardwebhooks import Webhook
from standardwebhooks.webhooks import hmac_data

_PREFIX = "whsec_"
#: Bytes of a secret, by the specification.
_SHORTEST, _LONGEST = 24, 64


def new_secret() -> str:
    """A fresh secret of 32 bytes."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def check_secret(secret: str) -> None:
    """Raise ValueError, which does not quote it, unless this is ``whsec_`` and the Base64 of 24 to 64 bytes.

    Prefix and padding may be missing, as the public libraries have it.
    """
    text = secret.removeprefix(_PREFIX)
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        raise ValueError("a secret is written whsec_ and then Base64") from None
    if not _SHORTEST <= len(key) <= _LONGEST:
        raise ValueError(f"a secret has {_SHORTEST} to {_LONGEST} bytes, this one {len(key)}")


def signature(secret_texts: Iterable[str], id: str, seconds: int, body: bytes) -> str:
    """One signature for each secret, as ``webhook-signature`` holds them. Raises ValueError for a broken secret."""
    content = b".".join((id.encode(), str(seconds).encode(), body))
    return " ".join([_signer(secret).sign_content(content) for secret in secret_texts])


class _Signer(Webhook):
    """The library's key and digest. Its ``sign`` takes a text, and to decode a large body and encode it again takes
    longer than to sign it."""

    def sign_content(self, content: bytes) -> str:
        return f"v1,{base64.b64encode(hmac_data(self._whsecret, content)).decode()}"


@lru_cache(maxsize=256)
def _signer(secret: str) -> _Signer:
    """Remembered, since every delivery needs it."""
    # The library passes over what is no Base64 and signs with what is left.
    check_secret(secret)
    return _Signer(secret)
