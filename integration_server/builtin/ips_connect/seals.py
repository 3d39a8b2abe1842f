"""Values that travel through browsers and come back as they were: readable by whoever has them, made by us alone."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any


class Seal:
    """Signs JSON values with one key (HMAC-SHA256), in letters that need no encoding in URLs and cookies."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def write(self, value: object) -> str:
        """``value`` is a plain JSON value; so is what ``read`` gives back (lists for tuples)."""
        content = _text(json.dumps(value, separators=(",", ":")).encode("ascii"))
        return f"{content}.{self._signature(content)}"

    def read(self, text: str) -> Any:
        """What was written, or None for what this key did not sign. How old it is, the value itself must say."""
        content, _, signature = text.partition(".")
        if not text.isascii() or not hmac.compare_digest(self._signature(content), signature):
            return None
        return json.loads(base64.urlsafe_b64decode(content + "=" * (-len(content) % 4)))

    def digest(self, text: str) -> str:
        """A short keyed digest, by which two texts can be compared without either being shown."""
        return _text(hmac.digest(self._key, b"digest\0" + text.encode("utf-8", "surrogatepass"), "sha256")[:16])

    def _signature(self, content: str) -> str:
        return _text(hmac.digest(self._key, b"value\0" + content.encode("ascii"), "sha256"))


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode("ascii")
