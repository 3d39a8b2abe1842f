"""How people and what changed about them are written for people to read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from integration_server.cli.output import shown


def person(person_id: str, document: Mapping[str, object] | None) -> str:
    """``ada (4711)``, or the id alone."""
    username = (document or {}).get("username")
    return shown(person_id if username in (None, person_id) else f"{username} ({person_id})")


def differences(changed: Mapping[str, Sequence[object]] | None) -> str:
    """``full_name: Ada → Ada Lovelace; state: active → disabled``."""
    return "; ".join(f"{name}: {value(old)} → {value(new)}" for name, (old, new) in (changed or {}).items())


def value(content: object) -> str:
    """One field's value."""
    if isinstance(content, list):
        return "[" + ", ".join(map(value, content)) + "]"
    if isinstance(content, Mapping):
        return shown(content.get("address", json.dumps(content, ensure_ascii=False)))
    return "nothing" if content in (None, "") else shown(str(content))
