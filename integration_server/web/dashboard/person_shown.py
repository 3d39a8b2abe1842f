"""How people's fields, and what changes of them, are written on pages."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from integration_server.directory.explain import shown_value

#: The fields of a document, as people call them.
FIELDS = {
    "id": "Id",
    "username": "User name",
    "full_name": "Full name",
    "distinguished_name": "Distinguished name",
    "emails": "Addresses",
    "groups": "Groups",
    "nickname": "Nickname",
    "biography": "Biography",
    "tz": "Time zone",
    "state": "State",
}


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field before and after, as text; empty for nothing."""

    name: str
    old: str
    new: str


def field_changes(changed: Mapping[str, Sequence[object]] | None) -> list[FieldChange]:
    """What an event or a run changes of somebody."""
    return [
        FieldChange(FIELDS.get(name, name), value_text(old), value_text(new))
        for name, (old, new) in (changed or {}).items()
    ]


def value_text(content: object) -> str:
    """One field's value; addresses with what is known of them. What looks like a password's hash, which somebody must
    have mapped by mistake, is not shown."""
    if content is None:
        return ""
    if isinstance(content, list | tuple):
        return ", ".join(map(value_text, content))
    if isinstance(content, Mapping):
        return _address(content) if "address" in content else json.dumps(content, ensure_ascii=False)
    return shown_value("", str(content)) or ""


def _address(email: Mapping[str, object]) -> str:
    notes = [word for key, word in (("is_preferred", "preferred"),) if email.get(key)]
    notes += [] if email.get("is_verified", True) else ["unverified"]
    return f"{email['address']} ({', '.join(notes)})" if notes else str(email["address"])
