"""The text of a position: which kind of feed it belongs to, and what that kind makes of it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Literal, get_args

from integration_server import ComparisonNeeded
from integration_server.builtin.ldap import names

Kind = Literal["dirsync", "usn", "syncrepl", "modifyTimestamp", "none"]
_KINDS: tuple[Kind, ...] = get_args(Kind)

_UNREADABLE = "the position of the change feed cannot be read"


def written(kind: Kind, content: object) -> str:
    """``content`` is whatever JSON can hold."""
    return json.dumps([kind, content])


def read(position: str) -> tuple[Kind, object]:
    """The kind and its content. Raises ComparisonNeeded."""
    try:
        match json.loads(position):
            case [str(kind), content] if kind in _KINDS:
                return kind, content
    except (ValueError, RecursionError):
        pass
    raise ComparisonNeeded(_UNREADABLE)


def unreadable() -> ComparisonNeeded:
    """The error for a content that its kind cannot read."""
    return ComparisonNeeded(_UNREADABLE)


def cookies_written(cookies: Mapping[str, bytes]) -> dict[str, str]:
    """Cookies of naming contexts, by the DN of their root, as JSON can hold them."""
    return {context: base64.b64encode(cookie).decode() for context, cookie in cookies.items()}


def cookies_read(content: object, bases: Sequence[str]) -> dict[str, bytes]:
    """The cookies of the contexts that hold these bases, and of no others. Raises ComparisonNeeded."""
    try:
        if not isinstance(content, dict) or not _hold(list(content), bases):
            raise unreadable()
        return {context: base64.b64decode(cookie, validate=True) for context, cookie in content.items()}
    except (TypeError, ValueError):
        raise unreadable() from None


def _hold(contexts: Sequence[str], bases: Sequence[str]) -> bool:
    roots = [names.parse(context) for context in contexts]
    held = [names.parse(base) for base in bases]
    return all(any(names.is_below(base, root) for root in roots) for base in held) and all(
        any(names.is_below(base, root) for base in held) for root in roots
    )
