"""What a slave answered, as people may see it: without hash, salt and key, however it repeats them. Pure functions."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from urllib.parse import unquote

#: Characters that are shown, and that are looked at.
_SHOWN, _LOOKED_AT = 1_000, 2_000
_MASK = "***"
_JSON_LETTER = re.compile(r"\\u([0-9a-fA-F]{4})")
#: Without any of these, a text is as plain as it will be.
_ENCODED = re.compile(r"[\\%&+]")
#: Encodings within encodings that are looked through, such as a URL in the query of a URL in HTML.
_DEPTH = 3
#: Characters that one may take in an encoding.
_WIDEST = 6


def masked(text: str, secrets: Iterable[str]) -> str:
    """The beginning of an answer. One that repeats a secret in another spelling is not shown at all."""
    hidden = sorted(filter(None, secrets), key=len, reverse=True)
    shown = text[:_LOOKED_AT]
    for secret in hidden:
        shown = shown.replace(secret, _MASK)
    plain = shown
    for _ in range(_DEPTH if _ENCODED.search(shown) else 0):
        plain = html.unescape(unquote(_JSON_LETTER.sub(_letter, plain).replace("\\/", "/")))
        if any(secret in one for secret in hidden for one in (plain, plain.replace("+", " "))):
            return _MASK
    if len(text) > _LOOKED_AT and hidden:
        # Where it was cut, a part of a secret may stand.
        shown = shown[: -_WIDEST * len(hidden[0])]
    return shown[:_SHOWN]


def _letter(found: re.Match[str]) -> str:
    return chr(int(found[1], 16))
