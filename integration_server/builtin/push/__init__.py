"""Push server: tells consumers that cannot be called that a channel has a new version (SimplePush and its ancestor)."""

from __future__ import annotations

from collections.abc import Sequence

from integration_server import Frontend, hookimpl
from integration_server.builtin.push.frontend import PushFrontend
from integration_server.builtin.push.settings import PushSettings

__all__ = ["PushFrontend", "PushSettings", "register_frontends"]


@hookimpl
def register_frontends() -> Sequence[type[Frontend]]:
    """The one type of this plugin."""
    return [PushFrontend]
