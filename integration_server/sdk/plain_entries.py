"""One entry of plain texts, mapped without columns: what a login needs of the mapping, in a quarter of the time.

Where a rule does more than to name attributes, or a value is no plain text, nothing is said, and the mapping does it as
for lists.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from integration_server.sdk.model import normalize_name
from integration_server.sdk.page import UserPage
from integration_server.sdk.settings import FieldRule

#: Fields that hold one text, and where a page has them.
_TEXTS = {
    "full_name": "full_names",
    "distinguished_name": "distinguished_names",
    "nickname": "nicknames",
    "biography": "biographies",
    "tz": "tzs",
}
_KNOWN = frozenset({"username", "id", "emails", "groups", *_TEXTS})


@dataclass(frozen=True, slots=True)
class PlainEntries:
    """A mapping of which each rule names attributes, and no more. Thread-safe."""

    backend: str
    username: Sequence[str]
    id: Sequence[str] | None
    emails: Sequence[str] | None
    groups: Sequence[str] | None
    #: Columns of a page, and the attributes that fill them.
    texts: Sequence[tuple[str, Sequence[str]]]

    @classmethod
    def of(cls, backend: str, rules: Mapping[str, FieldRule]) -> Self | None:
        """None where some rule does more."""
        if not rules.keys() <= _KNOWN or not all(map(_is_plain, rules.values())):
            return None
        sources = {name: rule.sources for name, rule in rules.items()}
        texts = [(column, sources[name]) for name, column in _TEXTS.items() if name in sources]
        lists = (sources.get("emails"), sources.get("groups"))
        return cls(backend, sources["username"], sources.get("id"), *lists, texts)

    def page(self, attributes: Mapping[str, object]) -> UserPage | None:
        """The entry as a page of one; None where it needs more care, or cannot be read."""
        try:
            username = _first(self.username, attributes)
            id = username if self.id is None else _first(self.id, attributes)
            texts: dict[str, Any] = {column: [_first(sources, attributes)] for column, sources in self.texts}
            emails = None if self.emails is None else [_all(self.emails, attributes)]
            groups = None if self.groups is None else [_all(self.groups, attributes)]
        except (KeyError, ValueError):
            return None
        if username is None or id is None:
            return None
        return UserPage(self.backend, [id], [username], emails=emails, groups=groups, **texts)


def _is_plain(rule: FieldRule) -> bool:
    does_more = rule.lower or rule.local_part or rule.first_found or rule.smtp_prefixes or rule.separator is not None
    return not does_more and not any("{" in source for source in rule.sources)


def _first(sources: Sequence[str], attributes: Mapping[str, object]) -> str | None:
    """The first of these attributes that has a value; all of them are looked at. Raises KeyError, ValueError."""
    found: str | None = None
    for source in sources:
        text = _text(attributes[source])
        found = found or text
    return found


def _all(sources: Sequence[str], attributes: Mapping[str, object]) -> list[str]:
    """The values of these attributes, each once whatever its case. Raises KeyError, ValueError."""
    found: list[str] = []
    for source in sources:
        value = attributes[source]
        if type(value) is list or type(value) is tuple:
            found += [_listed(item) for item in value]
        elif (text := _text(value, are_numbers_texts=False)) is not None:
            found.append(text)
    if len(found) < 2:
        return found
    first: dict[str, str] = {}
    for text in found:
        first.setdefault(normalize_name(text), text)
    return list(first.values())


def _listed(value: object) -> str:
    if (text := _text(value, are_numbers_texts=False)) is None:
        raise ValueError("nothing in a list")
    return text


def _text(value: object, *, are_numbers_texts: bool = True) -> str | None:
    """A value that is a plain text, or nothing. Raises ValueError for any other."""
    if type(value) is str:
        if not value:
            return None
        # No control character, NUL, lone surrogate or white space but the plain blank.
        if not value.isprintable() or value[0] == " " or value[-1] == " ":
            raise ValueError("no plain text")
        return value
    if value is None:
        return None
    if type(value) is int and are_numbers_texts:
        return str(value)
    raise ValueError("no plain text")
