"""Forms as most callers send them, read without a framework: for shortcuts."""

from __future__ import annotations

import io
from typing import Any
from urllib.parse import unquote_to_bytes

FORM = "application/x-www-form-urlencoded"
#: Of the length of a body that is read without further ado: it is below ten thousand bytes.
_SHORT_BODY_DIGITS = 4


def is_short_form(environ: dict[str, Any]) -> bool:
    """Whether a request brings a form in a short body, by POST, and nothing in its URL; looked at without reading it.
    ``environ`` is that of WSGI."""
    length = environ.get("CONTENT_LENGTH", "")
    return (
        environ["REQUEST_METHOD"] == "POST"
        and not environ.get("QUERY_STRING")
        and environ.get("CONTENT_TYPE") == FORM
        and len(length) <= _SHORT_BODY_DIGITS
        and length.isdecimal()
    )


def short_body(environ: dict[str, Any]) -> bytes:
    """The body of such a request, which whoever comes next may read again."""
    body: bytes = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def form_pairs(body: bytes) -> list[tuple[str, str]]:
    """Names and values of a form, in their order (WHATWG URL §5.1). Raises UnicodeError where it is not UTF-8."""
    halves = [part.partition("=") for part in body.decode().split("&") if part]
    return [(_decoded(name), _decoded(value)) for name, _, value in halves]


def _decoded(text: str) -> str:
    return unquote_to_bytes(text.replace("+", " ")).decode() if "%" in text or "+" in text else text
