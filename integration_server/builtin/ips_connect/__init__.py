"""IPS Connect: one set of accounts for a network of forums and whatever else speaks the protocol.

The protocol, pure
    ``methods`` (what each takes, as data), ``keys``, ``passwords``, ``calls`` (a request into a call, a status into an
    answer), ``pushes`` (a change into a call of a slave), ``verdicts`` (a slave's answer), ``masking``, ``pages``,
    ``places`` (URLs for browsers)
The accounts
    ``account``, ``tables``, ``accounts`` (every change, one transaction each), ``writer`` (within one), ``logins``,
    ``entries``, ``feed`` and ``backend`` (for the other frontends), ``turns``
The master
    ``gateway`` (the frontend), ``routes``, ``master`` (answers servers), ``master_key``, ``registry`` (who is a slave),
    ``callers`` (who calls from where), ``salts``; ``slave`` (the consumer that tells one) and ``handovers``
Browsers
    ``chain``, ``chain_state``, ``steps``, ``stops``, ``sessions``, ``seals``
People of other backends
    ``propagation``, ``people_consumer``, ``people``, ``links``, ``moves``; ``learning`` (their passwords)
We as a slave
    ``remote`` (the backend), ``remote_settings``, ``remote_client``, ``remote_copy``, ``remote_newcomers``,
    ``enrolment``; ``slave_gateway`` (the frontend) and ``slave_calls``
Commands
    ``commands``, ``key_commands``, ``slave_commands``, ``transfer_commands``, ``adoption``; ``people_read``,
    ``people_files``, ``people_table``, ``people_spool``
Settings
    ``settings``
"""

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
