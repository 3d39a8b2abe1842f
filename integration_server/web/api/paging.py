"""Cursors: opaque to callers, so that what is in them may change. They grant nothing; what they lead to is checked."""

from __future__ import annotations

import base64
import binascii
from typing import TypeVar

import orjson

from integration_server.web.api.problems import bad_parameter

T = TypeVar("T")


def cursor_of(*values: float | str) -> str:
    """A cursor that holds these values."""
    return base64.urlsafe_b64encode(orjson.dumps(values)).decode("ascii").rstrip("=")


def read_cursor(cursor: str | None, *defaults: T) -> tuple[T, ...]:
    """The values in a cursor, of the types of ``defaults``, which are those of the first page. Raises Problem."""
    if cursor is None:
        return defaults
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        values = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        values = None
    is_ours = isinstance(values, list) and [type(value) for value in values] == [type(given) for given in defaults]
    # Numbers count rows or serials.
    if not is_ours or any(isinstance(value, int) and not 0 <= value < 2**63 for value in values):
        raise bad_parameter("cursor", "is not one that this API gave out")
    return tuple(values)
