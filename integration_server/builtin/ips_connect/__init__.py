"""IPS Connect: one set of accounts for a network of forums and whatever else speaks the protocol."""

from __future__ import annotations

from collections.abc import Sequence

from integration_server import Backend, Consumer, hookimpl
from integration_server.builtin.ips_connect.backend import IpsConnectBackend
from integration_server.builtin.ips_connect.settings import IpsConnectSettings, SlaveSettings
from integration_server.builtin.ips_connect.slave import SlaveConsumer

__all__ = [
    "IpsConnectBackend",
    "IpsConnectSettings",
    "SlaveConsumer",
    "SlaveSettings",
    "register_backends",
    "register_consumers",
]


@hookimpl
def register_backends() -> Sequence[type[Backend]]:
    """The one type of this plugin."""
    return [IpsConnectBackend]


@hookimpl
def register_consumers() -> Sequence[type[Consumer]]:
    """A slave."""
    return [SlaveConsumer]
