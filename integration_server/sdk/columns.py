"""Columns of an entry's raw values as columns of texts, lists and flags: what each rule of a mapping does.

A column of plain texts, which is the usual case, passes through without a Python call per value; anything else takes
the careful path of ``values``. A value that cannot be read is a ValueError, a missing attribute a BadEntry.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from integration_server.sdk import values
from integration_server.sdk.errors import BadEntry
from integration_server.sdk.model import normalize_name
from integration_server.sdk.page import Column, Lists, Singles
from integration_server.sdk.settings import FieldRule

PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
INTEGERS = frozenset({int})
_TEXTS = frozenset({str})
_TEXT_OR_NONE = frozenset({str, type(None)})

Columns = dict[str, Sequence[object]]


def column_of(columns: Columns, name: str) -> Sequence[object]:
    try:
        return columns[name]
    except KeyError:
        raise BadEntry(f"the backend gives no attribute {name!r}; it gives {', '.join(sorted(columns))}") from None


def _texts(column: Sequence[object]) -> Column:
    """A column as texts or None. The usual columns are tested as a whole instead of value by value."""
    kinds = set(map(type, column))
    if kinds == INTEGERS:
        return list(map(str, column))
    if kinds == _TEXTS and _is_clean(column):  # type: ignore[arg-type]
        return list(column)  # type: ignore[arg-type]
    return [values.text(value) for value in column]


def _is_clean(column: Sequence[str]) -> bool:
    """Whether no text is blank, begins or ends with a blank, or holds a control character.

    ``isprintable`` also says no to NUL, lone surrogates and every white space but the plain blank. A text with a | of
    its own may be doubted wrongly; that costs time and changes nothing.
    """
    joined = "|".join(column)
    if not joined.isprintable() or "" in column:
        return False
    # One letter is found many times faster than two, and most columns hold no blank at all.
    return " " not in joined or not ("| " in joined or " |" in joined or joined.startswith(" ") or joined.endswith(" "))


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
    if len(rule.sources) == 1 and rule.separator is None and not rule.smtp_prefixes and not rule.local_part:
        source = rule.sources[0]
        column = column_of(columns, source) if "{" not in source else _source(source, columns)
        if set(map(type, column)) <= _TEXT_OR_NONE:
            plain = _texts(column)
            if rule.lower:
                plain = [v.lower() if v else v for v in plain]
            return [[v] if v else [] for v in plain] if None in plain else Singles(plain)  # type: ignore[arg-type]
        return [_clean(rule, (value,)) for value in column]
    parts = [column_of(columns, source) if "{" not in source else _source(source, columns) for source in rule.sources]
    return [_clean(rule, found) for found in zip(*parts, strict=True)]


def _clean(rule: FieldRule, found: Sequence[object]) -> list[str]:
    """The values of one person as texts: split, prefixes read, each once whatever its case, order kept."""
    items = values.texts(found)
    if rule.separator is not None:
        items = [t for item in items for part in item.split(rule.separator) if (t := part.strip())]
    if rule.smtp_prefixes:
        items = _smtp_addresses(items)
    if rule.local_part:
        items = [t for item in items if (t := _local_part(item, rule.domain))]
    if rule.lower:
        items = [item.lower() for item in items]
    if len(items) < 2:
        return items
    first: dict[str, str] = {}
    for item in items:
        first.setdefault(normalize_name(item), item)
    return list(first.values())


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
    bit = rule.bit
    return [
        absent if values.text(value) is None else values.flag(value) if bit is None else values.has_bit(value, bit)
        for value in column_of(columns, rule.sources[0])
    ]
