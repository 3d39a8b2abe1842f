"""IPS Connect: one set of accounts for a network of forums and whatever else speaks the protocol."""

from __future__ import annotations

from collections.abc import Sequence

import click

from integration_server import Backend, Consumer, Desk, Frontend, hookimpl
from integration_server.builtin.ips_connect.backend import IpsConnectBackend
from integration_server.builtin.ips_connect.commands import ips_command
from integration_server.builtin.ips_connect.gateway import IpsConnectFrontend
from integration_server.builtin.ips_connect.people_consumer import PeopleConsumer
from integration_server.builtin.ips_connect.remote import RemoteBackend
from integration_server.builtin.ips_connect.remote_settings import RemoteSettings, SlaveGatewaySettings
from integration_server.builtin.ips_connect.settings import GatewaySettings, IpsConnectSettings, SlaveSettings
from integration_server.builtin.ips_connect.slave import SlaveConsumer
from integration_server.builtin.ips_connect.slave_gateway import SlaveFrontend

__all__ = [
    "GatewaySettings",
    "IpsConnectBackend",
    "IpsConnectFrontend",
    "IpsConnectSettings",
    "RemoteBackend",
    "RemoteSettings",
    "SlaveConsumer",
    "SlaveFrontend",
    "SlaveGatewaySettings",
    "SlaveSettings",
    "register_backends",
    "register_commands",
    "register_consumers",
    "register_frontends",
]


@hookimpl
def register_backends() -> Sequence[type[Backend]]:
    """Accounts of our own, and those of another master."""
    return [IpsConnectBackend, RemoteBackend]


@hookimpl
def register_frontends() -> Sequence[type[Frontend]]:
    """The gateways of a master and of a slave."""
    return [IpsConnectFrontend, SlaveFrontend]


@hookimpl
def register_consumers() -> Sequence[type[Consumer]]:
    """Slaves; and the accounts, as followers of the people of other backends."""
    return [SlaveConsumer, PeopleConsumer]


@hookimpl
def register_commands(desk: Desk) -> Sequence[click.Command]:
    """``integration-server ips``."""
    return [ips_command(desk)]
