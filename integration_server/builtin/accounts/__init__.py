"""People without a directory of their own: kept in the server's store."""

from __future__ import annotations

from collections.abc import Sequence

from integration_server import Backend, hookimpl
from integration_server.builtin.accounts.backend import AccountsBackend
from integration_server.builtin.accounts.settings import AccountsSettings

__all__ = ["AccountsBackend", "AccountsSettings", "register_backends"]


@hookimpl
def register_backends() -> Sequence[type[Backend]]:
    """The one type of this plugin."""
    return [AccountsBackend]
