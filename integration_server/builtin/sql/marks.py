"""What an updated_at column holds: times, numbers or texts, which grow; written into positions and read back."""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections.abc import Sequence
from decimal import Decimal

from integration_server import BackendMisconfigured, ComparisonNeeded

Mark = dt.datetime | int | float | Decimal | str | bytes

#: Numbers from these on count milliseconds, microseconds and nanoseconds since 1970 instead of seconds.
_UNITS = ((10**17, 10**9), (10**14, 10**6), (10**11, 10**3))
#: A row may say that it was changed in the year 9999. If that were believed, no later change would be noticed.
_FUTURE = dt.timedelta(days=2)

_ISO = re.compile(r"(\d{4}-\d\d-\d\d)([ T])(\d\d:\d\d)(:\d\d)?(\D.*)?", re.ASCII | re.DOTALL)
_COMPACT = re.compile(r"(\d{14})(\D.*)?", re.ASCII | re.DOTALL)


def mark(value: object, column: str) -> Mark:
    """A value of the column. Raises BackendMisconfigured for what does not grow from change to change."""
    if isinstance(value, dt.datetime | str | bytes) or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if isinstance(value, float | Decimal) and math.isfinite(value):
        return value
    what = "days" if isinstance(value, dt.date) else f"values of type {type(value).__name__}"
    raise BackendMisconfigured(f"updated_at_column {column} holds {what}; it must hold times or growing numbers")


def shown(found: Mark) -> str:
    """For people to read."""
    return found.hex() if isinstance(found, bytes) else str(found)[:40]


def newest(found: Sequence[Mark], column: str) -> Mark | None:
    """The last of some marks, but none that lies in the future. Raises BackendMisconfigured."""
    try:
        return max((one for one in found if is_plausible(one)), default=None)
    except TypeError as exc:
        raise BackendMisconfigured(f"updated_at_column {column} holds values of several types") from exc


def is_plausible(found: Mark) -> bool:
    """False for a time so far in the future that no clock is to blame."""
    return not isinstance(found, dt.datetime) or found <= latest_plausible(found)


def latest_plausible(like: dt.datetime) -> dt.datetime:
    """The last time that is believed, with or without a zone as the given one."""
    limit = dt.datetime.now(dt.UTC) + _FUTURE
    return limit if like.tzinfo is not None else limit.replace(tzinfo=None)


def earlier(found: Mark, seconds: float, column: str) -> Mark | None:
    """The mark that stands for so many seconds before; None where that cannot be said (a binary row version).

    A number may be a version as well; then it is so many versions. Raises BackendMisconfigured for a text that is no
    time.
    """
    if isinstance(found, bytes):
        return None
    if isinstance(found, dt.datetime):
        return found - dt.timedelta(seconds=seconds) if found.year > 1 else found
    if isinstance(found, str):
        return _earlier_text(found, seconds, column)
    unit = next((unit for first, unit in _UNITS if found >= first), 1)
    return found - math.ceil(seconds) * unit


def _earlier_text(found: str, seconds: float, column: str) -> str:
    """A text of the same form, cut after the seconds: it stands before every text of that second."""
    try:
        if iso := _ISO.fullmatch(found.strip()):
            day, between, minutes, rest = iso.group(1, 2, 3, 4)
            moment = dt.datetime.fromisoformat(f"{day}T{minutes}{rest or ''}")
            before = moment - dt.timedelta(seconds=seconds)
            return before.isoformat(between, "minutes" if rest is None else "seconds")
        if compact := _COMPACT.fullmatch(found.strip()):
            moment = dt.datetime.strptime(compact[1] + "+0000", "%Y%m%d%H%M%S%z")
            return (moment - dt.timedelta(seconds=seconds)).strftime("%Y%m%d%H%M%S")
    except (ValueError, OverflowError):
        pass
    raise BackendMisconfigured(
        f"updated_at_column {column} holds texts such as {found[:40]!r}; they must be like 2026-12-31 23:59:59"
    )


# -- positions ---------------------------------------------------------------------------------------------------------


def written(found: Mark | None) -> list[object]:
    """A mark as JSON has it."""
    match found:
        case None:
            return []
        case dt.datetime():
            return ["time", found.isoformat()]
        case Decimal():
            return ["decimal", str(found)]
        case bytes():
            return ["bytes", found.hex()]
        case str():
            return ["text", found]
    return ["number", found]


def read(tail: object) -> Mark | None:
    """The mark that was written so. Raises ComparisonNeeded for anything else."""
    try:
        match tail:
            case []:
                return None
            case ["time", str(text)]:
                return dt.datetime.fromisoformat(text)
            case ["decimal", str(text)] if (number := Decimal(text)).is_finite():
                return number
            case ["bytes", str(text)]:
                return bytes.fromhex(text)
            case ["text", str(text)] if "\0" not in text and text.encode():
                return text
            case ["number", int() | float() as number] if math.isfinite(number) and not isinstance(number, bool):
                return number
    except (ValueError, ArithmeticError):
        pass
    raise ComparisonNeeded("the position of the change feed cannot be read")


def position_parts(position: str, feed: Sequence[str]) -> list[object]:
    """What stands behind the feed in a position. Raises ComparisonNeeded as above."""
    try:
        parts = json.loads(position)
    except (ValueError, RecursionError) as exc:
        raise ComparisonNeeded("the position of the change feed cannot be read") from exc
    if not isinstance(parts, list) or parts[: len(feed)] != list(feed):
        raise ComparisonNeeded("the position is another change feed's; were the settings changed?")
    return parts[len(feed) :]
