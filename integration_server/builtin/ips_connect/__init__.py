"""IPS Connect: one set of accounts for a network of forums and whatever else speaks the protocol."""

from __future__ import annotations

from collections.abc import Sequence

from integration_server import Backend, Frontend, hookimpl
from integration_server.builtin.ips_connect.backend import IpsConnectBackend
from integration_server.builtin.ips_connect.remote import RemoteBackend
from integration_server.builtin.ips_connect.remote_settings import RemoteSettings, SlaveGatewaySettings
from integration_server.builtin.ips_connect.settings import IpsConnectSettings
from integration_server.builtin.ips_connect.slave_gateway import SlaveFrontend

__all__ = [
    "IpsConnectBackend",
    "IpsConnectSettings",
    "RemoteBackend",
    "RemoteSettings",
    "SlaveFrontend",
    "SlaveGatewaySettings",
    "register_backends",
    "register_frontends",
]


@hookimpl
def register_backends() -> Sequence[type[Backend]]:
    """Accounts of our own, and those of another master."""
    return [IpsConnectBackend, RemoteBackend]


@hookimpl
def register_frontends() -> Sequence[type[Frontend]]:
    """The gateways."""
    return [SlaveFrontend]
