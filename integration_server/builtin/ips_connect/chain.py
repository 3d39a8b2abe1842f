"""Browsers that are led through all slaves, to be logged in or out everywhere."""

from __future__ import annotations

import flask

from integration_server import Gateway
from integration_server.builtin.ips_connect.accounts import Accounts
from integration_server.builtin.ips_connect.calls import Call
from integration_server.builtin.ips_connect.master_key import MasterKey
from integration_server.builtin.ips_connect.settings import GatewaySettings


class Chain:
    """Answers ``crossLogin`` and ``logout``. Thread-safe."""

    def __init__(
        self, backend: str, accounts: Accounts, key: MasterKey, gateway: Gateway, settings: GatewaySettings
    ) -> None:
        self._backend = backend
        self._accounts = accounts
        self._key = key
        self._gateway = gateway
        self._settings = settings

    def visit(self, call: Call) -> flask.Response:
        """A redirect, or a page with status 403. Raises StoreUnavailable."""
        return flask.Response("", status=403)
