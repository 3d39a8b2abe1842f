"""``integration-server ips``: what an administrator of an IPS Connect network does."""

from __future__ import annotations

import click

from integration_server import Desk
from integration_server.builtin.ips_connect.key_commands import key_command
from integration_server.builtin.ips_connect.slave_commands import slaves_command
from integration_server.builtin.ips_connect.transfer_commands import export_command, import_command


def ips_command(desk: Desk) -> click.Group:
    """The group of them."""

    @click.group()
    def ips() -> None:
        """Look after an IPS Connect network: its slaves, its master key, and the accounts that move in and out."""

    for command in (slaves_command(desk), key_command(desk), export_command(desk), import_command(desk)):
        ips.add_command(command)
    return ips
