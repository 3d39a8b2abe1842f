"""GroupServer's web hooks: groups, people and memberships for programs that were written for a GroupServer site."""

from __future__ import annotations

from collections.abc import Sequence

from integration_server import Frontend, hookimpl
from integration_server.builtin.groupserver.frontend import GroupServerFrontend
from integration_server.builtin.groupserver.settings import GroupServerSettings

__all__ = ["GroupServerFrontend", "GroupServerSettings", "register_frontends"]


@hookimpl
def register_frontends() -> Sequence[type[Frontend]]:
    """The one type of this plugin."""
    return [GroupServerFrontend]
