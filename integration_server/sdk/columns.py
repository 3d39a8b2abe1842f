"""Columns of an entry's raw values as columns of texts, lists and flags: what each rule of a mapping does.

A column of plain texts, which is the usual case, passes through without a Python call per value; anything else takes
the careful path of ``values``. A value that cannot be read is a ValueError, a missing attribute a BadEntry.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import chain, combinations, compress
from operator import eq

import orjson

from integration_server.sdk import values
from integration_server.sdk.errors import BadEntry
from integration_server.sdk.model import normalize_name
from integration_server.sdk.page import Aligned, Column, Lists
from integration_server.sdk.settings import FieldRule

PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
INTEGERS = frozenset({int})
_TEXTS = frozenset({str})
_TEXT_OR_NONE = frozenset({str, type(None)})
_LISTS_OR_TEXT = _TEXT_OR_NONE | {list, tuple}

Columns = dict[str, Sequence[object]]


def column_of(columns: Columns, name: str) -> Sequence[object]:
    try:
        return columns[name]
    except KeyError:
        raise BadEntry(f"the backend gives no attribute {name!r}; it gives {', '.join(sorted(columns))}") from None


def _texts(column: Sequence[object]) -> Column:
    """A column as texts or None."""
    texts = _usual_texts(column)
    if texts is not None:
        return texts
    if set(map(type, column)) == INTEGERS:
        return list(map(str, column))
    return [values.text(value) for value in column]


def _usual_texts(column: Sequence[object]) -> Column | None:
    """A column of texts, or of texts and None, that are tested as a whole; None for any other, and where a text may
    need more than a look."""
    try:
        joined = "".join(column)  # type: ignore[arg-type]
    except TypeError:
        return _texts_or_none(column)
    texts: list[str] = list(column)  # type: ignore[arg-type]
    if not _are_plain(texts):
        return None
    if not all(texts):
        return [v or None for v in texts] if _is_clean(list(filter(None, texts)), joined) else None
    return texts if _is_clean(texts, joined) else None  # type: ignore[return-value]


def _texts_or_none(column: Sequence[object]) -> Column | None:
    """The same for a column that holds something else than texts."""
    given: list[str] = list(filter(None, column))  # type: ignore[arg-type]
    if not _are_plain(given):
        return None
    is_empty_somewhere = len(given) + column.count(None) < len(column)
    if is_empty_somewhere and not set(map(type, column)) <= _TEXT_OR_NONE:
        return None
    if not _is_clean(given, "".join(given)):
        return None
    return [v or None for v in column] if is_empty_somewhere else list(column)  # type: ignore[misc, arg-type]


def _are_plain(texts: list[str]) -> bool:
    """Whether none of these is a member of an enumeration, say, which is joined as a text and written otherwise."""
    return [*map(type, texts)].count(str) == len(texts)


def _is_clean(texts: list[str], joined: str) -> bool:
    """Whether each of these texts, none of which is empty, is one as it stands: without blanks around it, a NUL or a
    lone surrogate."""
    try:
        written = orjson.dumps(joined)
    except TypeError:
        # A lone surrogate.
        return False
    if b"\\" not in written:
        # Names and addresses are such, as a rule: what JSON does not escape holds no white space but the plain blank.
        if " " not in joined and joined.isascii():
            return True
    elif "\0" in joined:
        return False
    return list(map(str.strip, texts)) == texts


def _source(source: str, columns: Columns, escape: Callable[[str], str] | None = None) -> Column:
    names = PLACEHOLDER.findall(source)
    if not names:
        return _texts(column_of(columns, source))
    parts = [_texts(column_of(columns, name)) for name in names]
    if escape is not None:
        parts = [[v and escape(v) for v in part] for part in parts]
    template = PLACEHOLDER.sub("{}", source)
    return [_fill(template, found) for found in zip(*parts, strict=True)]


def _fill(template: str, found: tuple[str | None, ...]) -> str | None:
    """A template without any of its parts is absent; with some of them, what is missing leaves no double blank."""
    if all(found):
        return template.format(*found)
    if not any(found):
        return None
    return " ".join(template.format(*(v or "" for v in found)).split())


def _dn_value(value: str) -> str:
    """A value inside a distinguished name (RFC 4514 §2.4)."""
    escaped = re.sub(r'([\\"+,;<>=])', r"\\\1", value)
    return "\\" + escaped if escaped.startswith(("#", " ")) else escaped


def single(rule: FieldRule, columns: Columns, escape: Callable[[str], str] | None = None) -> Column:
    column = _source(rule.sources[0], columns, escape)
    for source in rule.sources[1:]:
        column = [first or then for first, then in zip(column, _source(source, columns, escape), strict=True)]
    if rule.local_part:
        column = [_local_part(v, rule.domain) if v else v for v in column]
    if rule.lower:
        column = [v.lower() if v else v for v in column]
    return column


def _local_part(address: str, domain: str | None) -> str:
    """What stands before the @; where a domain is given, only that domain is cut off: the same local part at another
    one is somebody else."""
    if domain is None:
        return address.partition("@")[0]
    name, _, found = address.rpartition("@")
    return name if normalize_name(found) == normalize_name(domain) else address


def optional(rules: dict[str, FieldRule], name: str, columns: Columns) -> Column | None:
    if name not in rules:
        return None
    return single(rules[name], columns, _dn_value if name == "distinguished_name" else None)


def required(column: Column, what: str) -> list[str]:
    if not all(column):
        raise ValueError(f"no {what}")
    return column  # type: ignore[return-value]


def several(rule: FieldRule, columns: Columns) -> Lists:
    """A list of texts for each row: all sources one after the other, or the first that gives any; each value once
    whatever its case."""
    parts = [column_of(columns, source) if "{" not in source else _source(source, columns) for source in rule.sources]
    if rule.first_found:
        return [_first_found(rule, found) for found in zip(*parts, strict=True)]
    if not (rule.smtp_prefixes or rule.local_part) and (quick := _several_clean(rule, parts)) is not None:
        return quick
    return [_clean(rule, found) for found in zip(*parts, strict=True)]


def _several_clean(rule: FieldRule, parts: list[Sequence[object]]) -> Lists | None:
    """What ``_clean`` would give, a column at a time; None where some value needs its care."""
    found = [_lists(part, rule.separator) for part in parts]
    aligned = [column for one in found if isinstance(one, Aligned) for column in one.columns]
    if len(aligned) == len(found):
        if rule.lower:
            aligned = [[v and v.lower() for v in column] for column in aligned]
        return Aligned(aligned) if not _is_any_twice(aligned) else [_once_each(row) for row in Aligned(aligned)]
    rows: Lists | None = None
    for more in found:
        if more is None:
            return None
        rows = (
            more if rows is None else [row + others if others else row for row, others in zip(rows, more, strict=True)]
        )
    assert rows is not None
    if rule.lower:
        rows = [[v.lower() for v in row] for row in rows]
    folded = _folded(list(chain.from_iterable(rows)))
    if len(set(folded)) == len(folded):
        # Addresses are nobody else's, as a rule, so nobody has one twice.
        return rows
    return [row if len(row) < 2 else _once_each(row) for row in rows]


def _is_any_twice(columns: Sequence[Sequence[str | None]]) -> bool:
    """Whether somebody has a value in two columns, whatever its case."""
    for first, second in combinations(columns, 2):
        some: list[str] = list(compress(first, second))  # type: ignore[arg-type]
        others = list(filter(None, second))
        if not all(some):
            some, others = list(filter(None, some)), list(filter(None, compress(second, first)))
        if any(map(eq, _folded(some), _folded(others))):
            return True
    return False


def kinds_of(
    emails: Lists | None, preferred: Lists | None, unverified: Lists | None
) -> tuple[Lists, Lists | None, Lists | None]:
    """The three columns of addresses put in order: each address once, preferred ones first; what is unverified is not
    preferred."""
    given = [column for column in (preferred, emails, unverified) if column is not None]
    lists = [_once_each(list(chain.from_iterable(row))) for row in zip(*given, strict=True)]
    if unverified is None:
        return lists, preferred, None
    unproved = [frozenset(map(normalize_name, row)) for row in unverified]
    pairs = list(zip(lists, unproved, strict=True))
    lists = [sorted(row, key=lambda address: normalize_name(address) in some) for row, some in pairs]
    if preferred is not None:
        preferred = [
            [address for address in row if normalize_name(address) not in some]
            for row, some in zip(preferred, unproved, strict=True)
        ]
    return lists, preferred, unverified


def _folded(texts: list[str]) -> list[str]:
    joined = "\0".join(texts)
    if not joined.isascii():
        return list(map(normalize_name, texts))
    lowered = joined.lower()
    return texts if lowered == joined else lowered.split("\0")


def _lists(column: Sequence[object], separator: str | None) -> Lists | None:
    plain = _usual_texts(column)
    if plain is None and set(map(type, column)) <= _TEXT_OR_NONE:
        plain = _texts(column)
    if plain is not None:
        if separator is not None:
            return [_split(v, separator) if v and separator in v else [v] if v else [] for v in plain]
        return Aligned([plain])
    if separator is not None or not set(map(type, column)) <= _LISTS_OR_TEXT:
        return None
    rows: Lists = [[] if v is None else [v] if isinstance(v, str) else list(v) for v in column]  # type: ignore[call-overload]
    flat = list(chain.from_iterable(rows))
    return rows if set(map(type, flat)) <= _TEXTS and all(flat) and _is_clean(flat, "".join(flat)) else None


def _split(text: str, separator: str) -> list[str]:
    return [stripped for part in text.split(separator) if (stripped := part.strip())]


def _once_each(items: list[str]) -> list[str]:
    """Each value once whatever its case, in order."""
    first: dict[str, str] = {}
    for item in items:
        first.setdefault(normalize_name(item), item)
    return list(first.values())


def _clean(rule: FieldRule, found: Sequence[object]) -> list[str]:
    """The values of one person as texts: split, prefixes read, each once whatever its case, order kept."""
    items = values.texts(found)
    if rule.separator is not None:
        items = [part for item in items for part in _split(item, rule.separator)]
    if rule.smtp_prefixes:
        items = _smtp_addresses(items)
    if rule.local_part:
        items = [t for item in items if (t := _local_part(item, rule.domain))]
    if rule.lower:
        items = [item.lower() for item in items]
    return items if len(items) < 2 else _once_each(items)


def _first_found(rule: FieldRule, found: Sequence[object]) -> list[str]:
    return next((items for value in found if (items := _clean(rule, (value,)))), [])


def _smtp_addresses(items: list[str]) -> list[str]:
    """proxyAddresses: ``SMTP:`` is the primary address, ``smtp:`` an alias, any other prefix no mail address.

    Source: Microsoft, "How the proxyAddresses attribute is populated". Values without a prefix (``mail``) follow.
    """
    primary = [item[5:] for item in items if item.startswith("SMTP:")]
    aliases = [item[5:] for item in items if item[:5].lower() == "smtp:" and not item.startswith("SMTP:")]
    bare = [item for item in items if ":" not in item]
    return [address for item in primary + aliases + bare if (address := item.strip())]


def flags(rule: FieldRule, columns: Columns, *, absent: bool) -> list[bool]:
    """The flag of each row; without a value an account is as usable as if the rule were not there."""
    column = column_of(columns, rule.sources[0])

    def flag(value: object) -> bool:
        if values.text(value) is None:
            return absent
        return values.flag(value) if rule.bit is None else values.has_bit(value, rule.bit)

    try:
        # A whole column holds a handful of different values.
        known = {value: flag(value) for value in set(column)}
    except TypeError:
        return [flag(value) for value in column]
    return [known[value] for value in column]
