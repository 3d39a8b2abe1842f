"""Distinguished names (RFC 4514): comparing them, and writing values into them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from integration_server import normalize_name

#: The names of RFC 4514 §3 and their OIDs, for one spelling each.
_ALIASES = {
    "2.5.4.3": "cn",
    "commonname": "cn",
    "2.5.4.7": "l",
    "localityname": "l",
    "2.5.4.8": "st",
    "stateorprovincename": "st",
    "2.5.4.10": "o",
    "organizationname": "o",
    "2.5.4.11": "ou",
    "organizationalunitname": "ou",
    "2.5.4.6": "c",
    "countryname": "c",
    "2.5.4.9": "street",
    "streetaddress": "street",
    "0.9.2342.19200300.100.1.25": "dc",
    "domaincomponent": "dc",
    "0.9.2342.19200300.100.1.1": "uid",
    "userid": "uid",
}
#: A separator that is not escaped, with everything before it; quoted values are of RFC 2253.
_PART = re.compile(r'((?:\\.|"(?:\\.|[^"\\])*"|[^\\"])*?)([,;+]|\Z)', re.DOTALL)
_ESCAPED = re.compile(r"(?:\\[0-9A-Fa-f]{2})+|\\(.)", re.DOTALL)
#: A value in which nothing needs a second look.
_USUAL = r"[!$-*\--:?-\[\]-~]+(?: [!$-*\--:?-\[\]-~]+)*"
#: The usual first part: an attribute's name, and such a value.
_SIMPLE = re.compile(rf"([A-Za-z]+)={_USUAL},")
_SEPARATOR = re.compile(r"[\\,+]")
_BACKSLASHED = r"\\\g<0>"

Parts = tuple[frozenset[tuple[str, str]], ...]


def parse(dn: str) -> Parts:
    """The parts of a name from the entry upwards, in a form that can be compared. Raises ValueError."""
    parts: list[frozenset[tuple[str, str]]] = []
    assertions: list[tuple[str, str]] = []
    for attribute, value, separator in _assertions(dn):
        assertions.append((attribute, _plain(value)))
        if separator != "+":
            parts.append(frozenset(assertions))
            assertions = []
    return tuple(parts)


def _assertions(dn: str) -> Iterator[tuple[str, str, str]]:
    """Each attribute of a name, its value as it is written, and what separates it from the next one."""
    position, separator = 0, "," if dn.strip() else ""
    while separator:
        match = _PART.match(dn, position)
        if match is None:
            raise ValueError(f"{dn[:100]!r} is no distinguished name")
        attribute, equals, value = match[1].partition("=")
        attribute = attribute.strip().lower()
        if not equals or not attribute:
            raise ValueError(f"{dn[:100]!r} is no distinguished name: {match[1][:50]!r} has no '='")
        position, separator = match.end(), match[2]
        yield _ALIASES.get(attribute, attribute), value, separator


def naming(dn: str) -> tuple[tuple[str, str], ...]:
    """The attributes that name an entry below its parent, and their values. Raises ValueError."""
    found: list[tuple[str, str]] = []
    for attribute, value, separator in _assertions(dn):
        found.append((attribute, _unescaped(value)))
        if separator != "+":
            break
    return tuple(found)


def attribute_key(attribute: str) -> str:
    """An attribute's name as ``naming`` gives it."""
    return _ALIASES.get(attribute.lower(), attribute.lower())


def key(dn: str) -> str:
    """A text that names have in common when they are equal, and only then. Raises ValueError.

    Members of groups come by the hundred thousand, below a few parents.
    """
    simple = _SIMPLE.match(dn)
    if simple is not None and (parent := dn[simple.end() :]) and simple[1].lower() not in _ALIASES:
        return simple[0].lower() + _parent_key(parent)
    match = _PART.match(dn)
    if match is None or match[2] != "," or not dn[match.end() :].strip():
        return _written(parse(dn))
    return f"{_written(parse(match[1]))},{_parent_key(dn[match.end() :])}"


@lru_cache(maxsize=1000)
def _parent_key(dn: str) -> str:
    if not dn.strip():
        raise ValueError("this is no distinguished name: it ends with a comma")
    return _written(parse(dn))


def _written(parts: Parts) -> str:
    return ",".join(
        "+".join(sorted(f"{name}={_SEPARATOR.sub(_BACKSLASHED, value)}" for name, value in part)) for part in parts
    )


def _plain(value: str) -> str:
    """A value without escapes and in one case, as directories compare most naming attributes."""
    return " ".join(normalize_name(_unescaped(value)).split())


def _unescaped(value: str) -> str:
    value = value.strip(" ") if not value.rstrip(" ").endswith("\\") else value.lstrip(" ")
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = value[1:-1]
    return _ESCAPED.sub(_unescape, value)


def _unescape(match: re.Match[str]) -> str:
    if match[1] is not None:
        return match[1]
    return bytes.fromhex(match[0].replace("\\", "")).decode("utf-8", "backslashreplace")


def escape(value: str) -> str:
    """A value for use inside a name (RFC 4514 §2.4)."""
    escaped = re.sub(r'([\\"+,;<>=])', r"\\\1", value).replace("\0", "\\00")
    if escaped.startswith(("#", " ")):
        escaped = "\\" + escaped
    if escaped.endswith(" ") and len(value) > 1:
        escaped = escaped[:-1] + "\\ "
    return escaped


def is_below(name: Parts, base: Parts, *, levels: int | None = None) -> bool:
    """Whether ``name`` is ``base`` or below it; with ``levels``, exactly so many levels below."""
    depth = len(name) - len(base)
    return depth >= 0 and name[depth:] == base and (levels is None or depth == levels)


def without_nested(bases: tuple[str, ...], *, is_subtree: bool) -> tuple[str, ...]:
    """The bases that remain when what lies within another one is left out. Raises ValueError."""
    parsed = [parse(base) for base in bases]
    levels = None if is_subtree else 0
    return tuple(
        base
        for i, base in enumerate(bases)
        if not any(
            is_below(parsed[i], other, levels=levels) and (parsed[i] != other or j < i)
            for j, other in enumerate(parsed)
            if j != i
        )
    )
