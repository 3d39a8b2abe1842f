"""Single attribute values as text, flags and moments: the scalar half of the mapping."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from decimal import Decimal
from math import isfinite
from uuid import UUID

_TRUE = frozenset({"1", "true", "t", "yes", "y", "on"})
_FALSE = frozenset({"0", "false", "f", "no", "n", "off", ""})
#: Beyond this many seconds a number cannot be a Unix time of our era (the year 9999).
_LAST_SECOND = 253402300799
#: Numbers from here on are Windows' file times: steps of 100 ns since 1601 (MS-DTYP §2.3.3), as in accountExpires.
_FIRST_FILE_TIME = 10**16
_FILE_TIME_OF_1970 = 116444736000000000
#: LDAP's generalized time (RFC 4517 §3.3.13), the zone left out by those who keep it in a text column.
_GENERALIZED = re.compile(r"(\d{14})(?:[.,]\d+)?(Z|[+-]\d{4})?", re.ASCII)


def text(value: object) -> str | None:
    """One value as text, None for absent or blank. Of several values the first one counts.

    Raises ValueError for a value that has no text (bytes that are not UTF-8, lone surrogates, a NUL).
    """
    if isinstance(value, list | tuple):
        return next((t for v in value if (t := text(v)) is not None), None)
    if value is None:
        return None
    if isinstance(value, str):
        found = value.strip()
    elif isinstance(value, bytes | bytearray | memoryview):
        found = bytes(value).decode("utf-8").strip()
    else:
        found = _scalar(value)
    if not found:
        return None
    if "\0" in found:
        raise ValueError("a value holds a NUL character")
    found.encode("utf-8")
    return str(found)


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    is_finite = value.is_finite() if isinstance(value, Decimal) else not isinstance(value, float) or isfinite(value)
    if not is_finite:
        raise ValueError("a number is not finite")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, Decimal):
        # 42.00 from a numeric column is the same id as 42 from an integer one. (normalize() would round to 28 digits.)
        return str(int(value)) if value == value.to_integral_value() else format(value, "f").rstrip("0")
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat()
    if isinstance(value, int | float | UUID):
        return str(value)
    raise ValueError(f"a value of type {type(value).__name__} has no text")


def texts(values: Iterable[object]) -> list[str]:
    """Several values, nested lists opened, blanks dropped."""
    found: list[str] = []
    for value in values:
        if isinstance(value, list | tuple):
            found.extend(texts(value))
        elif (t := text(value)) is not None:
            found.append(t)
    return found


def flag(value: object) -> bool:
    """A yes or no in any of the ways in which databases and files write it. Raises ValueError for anything else."""
    found = (text(value) or "").lower()
    if found in _TRUE:
        return True
    if found in _FALSE:
        return False
    raise ValueError(f"{found[:20]!r} is neither yes nor no")


def has_bit(value: object, bit: int) -> bool:
    """Whether ``bit`` is set in a number. Raises ValueError where there is no number."""
    found = text(value) or "0"
    try:
        return bool(int(found) & bit)
    except ValueError:
        raise ValueError(f"{found[:20]!r} is no number") from None


def moment(value: object) -> dt.datetime | None:
    """A date, time, Unix time in seconds or Windows file time in UTC; None for never. A date means its very end.

    Raises ValueError for anything else: an account must not live for ever because its end was misread.
    """
    if isinstance(value, dt.datetime):
        return value if value.tzinfo else value.replace(tzinfo=dt.UTC)
    found = text(value)
    if found is None:
        return None
    try:
        if generalized := _GENERALIZED.fullmatch(found):
            return dt.datetime.strptime(generalized[1] + (generalized[2] or "Z"), "%Y%m%d%H%M%S%z")
        if found.lstrip("-").replace(".", "", 1).isdigit() and not _is_compact_date(found):
            return _moment_of_number(found)
        parsed = dt.datetime.fromisoformat(found)
    except ValueError:
        raise ValueError(f"{found[:30]!r} is no date or time") from None
    if len(found) <= 10:
        parsed = dt.datetime.combine(parsed.date(), dt.time.max)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=dt.UTC)


def _moment_of_number(found: str) -> dt.datetime | None:
    seconds = float(found)
    if seconds >= _FIRST_FILE_TIME:
        seconds = (int(found) - _FILE_TIME_OF_1970) / 10_000_000
        if seconds > _LAST_SECOND:
            return None  # the largest number there is stands for never
    if seconds > _LAST_SECOND:
        raise ValueError("neither seconds nor a file time")
    # Not fromtimestamp(), which ends in the year 3000 on Windows.
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=seconds) if seconds > 0 else None


def _is_compact_date(found: str) -> bool:
    """20261231 is the last day of a year rather than a day in August 1970."""
    return len(found) == 8 and found.isdigit() and found[:2] in ("19", "20")
