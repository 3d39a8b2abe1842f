"""IPS Connect: one set of accounts for a network of forums and whatever else speaks the protocol."""

from __future__ import annotations

from collections.abc import Sequence

from integration_server import Backend, Frontend, hookimpl
from integration_server.builtin.ips_connect.backend import IpsConnectBackend
from integration_server.builtin.ips_connect.gateway import IpsConnectFrontend
from integration_server.builtin.ips_connect.settings import GatewaySettings, IpsConnectSettings

__all__ = [
    "GatewaySettings",
    "IpsConnectBackend",
    "IpsConnectFrontend",
    "IpsConnectSettings",
    "register_backends",
    "register_frontends",
]


@hookimpl
def register_backends() -> Sequence[type[Backend]]:
    """The accounts of a network."""
    return [IpsConnectBackend]


@hookimpl
def register_frontends() -> Sequence[type[Frontend]]:
    """The gateway of a master."""
    return [IpsConnectFrontend]
