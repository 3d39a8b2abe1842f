"""What a request asks for: fields of a query or a form, read with care. Whatever cannot be meant is refused."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from flask import request

from integration_server.sdk.errors import CallerRefused

#: Characters; ids of people have 1,024 at most.
LONGEST = 1_200
_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)


def text(name: str) -> str | None:
    """A field as it was given, in the form or in the query; None for none. Raises CallerRefused."""
    # Browsers change ends of lines in what forms hold, and ids may have some, so those stand in the query.
    found = request.form.get(name) or request.args.get(name)
    if not found:
        return None
    # No database takes a NUL in a text.
    if len(found) > LONGEST or "\0" in found:
        raise CallerRefused(400, f"The field {name} holds something that cannot be meant.")
    return found


def search(name: str) -> str | None:
    """The same, without white space around it."""
    found = text(name)
    return (found.strip() or None) if found is not None else None


def needed(name: str) -> str:
    """A field that must be there. Raises CallerRefused."""
    found = text(name)
    if found is None:
        raise CallerRefused(400, f"The field {name} is missing, so nothing was done.")
    return found


def number(name: str) -> int | None:
    """Raises CallerRefused."""
    found = text(name)
    if found is not None and not _NUMBER.fullmatch(found):
        raise CallerRefused(400, f"The field {name} must be a number.")
    return int(found) if found is not None else None


def whole(given: str | None) -> int | None:
    """A number that a database can hold, None for whatever else was given."""
    return int(given) if given is not None and _NUMBER.fullmatch(given) else None


def moment(name: str) -> float | None:
    """A date, with a time or without, in UTC unless it says otherwise, as Unix seconds. Raises ValueError."""
    found = search(name)
    if found is None:
        return None
    parsed = datetime.fromisoformat(found)
    return (parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)).timestamp()
