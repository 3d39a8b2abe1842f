"""What a query or a form may hold, which anybody may have written."""

from __future__ import annotations

import re

_WHOLE = re.compile(r"[0-9]{1,18}")


def whole(text: str | None) -> int | None:
    """A number that a database can hold, or None."""
    return int(text) if text is not None and _WHOLE.fullmatch(text) else None
