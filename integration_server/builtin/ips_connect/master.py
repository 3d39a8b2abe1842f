"""What a master does when a server calls it."""

from __future__ import annotations

from integration_server import Gateway
from integration_server.builtin.ips_connect import calls
from integration_server.builtin.ips_connect.accounts import Accounts
from integration_server.builtin.ips_connect.calls import Answer, Call
from integration_server.builtin.ips_connect.master_key import MasterKey
from integration_server.builtin.ips_connect.methods import Status
from integration_server.builtin.ips_connect.settings import GatewaySettings


class Master:
    """Answers every method but those for browsers. Thread-safe."""

    def __init__(
        self, backend: str, accounts: Accounts, key: MasterKey, gateway: Gateway, settings: GatewaySettings
    ) -> None:
        self._backend = backend
        self._accounts = accounts
        self._key = key
        self._gateway = gateway
        self._settings = settings

    def answer(self, call: Call, address: str) -> Answer:
        """The answer to a caller at an address. Raises StoreUnavailable."""
        status = calls.refused(call, self._key.value())
        return calls.answer(status or Status.FAILURE)
