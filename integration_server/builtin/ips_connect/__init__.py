"""IPS Connect: one set of accounts for a network of forums and whatever else speaks the protocol."""

from __future__ import annotations

from collections.abc import Sequence

import click

from integration_server import Backend, Desk, hookimpl
from integration_server.builtin.ips_connect.backend import IpsConnectBackend
from integration_server.builtin.ips_connect.commands import ips_command
from integration_server.builtin.ips_connect.settings import IpsConnectSettings

__all__ = ["IpsConnectBackend", "IpsConnectSettings", "register_backends", "register_commands"]


@hookimpl
def register_backends() -> Sequence[type[Backend]]:
    """The one type of this plugin."""
    return [IpsConnectBackend]


@hookimpl
def register_commands(desk: Desk) -> Sequence[click.Command]:
    """``integration-server ips``."""
    return [ips_command(desk)]
