"""What a slave does when its master calls it: the copy of the accounts follows, and nobody is told."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable, Sequence

from integration_server.builtin.ips_connect import calls
from integration_server.builtin.ips_connect.account import NewPerson
from integration_server.builtin.ips_connect.calls import Answer, Call, connect_id
from integration_server.builtin.ips_connect.methods import METHODS, Status
from integration_server.builtin.ips_connect.remote_copy import Copy

logger = logging.getLogger(__name__)


class SlaveCalls:
    """Answers a master's servers. Thread-safe."""

    def __init__(self, mount: str, copy: Copy, key: Callable[[], str], networks: Sequence[str]) -> None:
        """``key`` gives the one that the master has for us; ``networks`` are those from which it calls."""
        self._mount = mount
        self._copy = copy
        self._key = key
        self._networks = tuple(ipaddress.ip_network(text, strict=False) for text in networks)

    def answer(self, call: Call, address: str) -> Answer:
        """The answer to a caller at an address. Raises StoreUnavailable."""
        if call.method.is_pushed and call.is_slave_call:
            return self._pushed(call, address)
        if call.method not in (METHODS["verifysettings"], METHODS["disableslave"]):
            # A slave has no accounts of its own, and asks its master about those that it knows.
            return calls.answer(Status.INVALID_ACTION)
        # No slave has slaves.
        is_leaving = call.method is METHODS["disableslave"]
        status = calls.refused(call, self._key()) or (Status.SUCCESS if is_leaving else Status.FAILURE)
        return calls.answer(status)

    def _pushed(self, call: Call, address: str) -> Answer:
        status = calls.refused(call, self._key())
        if status is not Status.BAD_KEY and not self._is_masters(address):
            logger.warning(
                "mount %s: %s was called with the right key from %s, which is not in master_networks; it is refused",
                *(self._mount, call.method.name, address),
            )
            status = Status.BAD_KEY
        if status is not None:
            return calls.answer(status)
        try:
            return self._applied(call)
        except ValueError as exc:
            logger.warning("mount %s: %s cannot be kept: %s", self._mount, call.method.name, exc)
            return calls.answer(Status.REQUEST_MISSING_DATA)

    def _applied(self, call: Call) -> Answer:
        """Always a success, even for what is not here: the change is made as far as it can be. Raises ValueError for
        values that cannot be kept."""
        id = connect_id(call.id)
        if call.method is METHODS["register"]:
            return self._registered(call, id)
        if id is not None:
            self._change(call, id)
        return calls.answer(Status.SUCCESS)

    def _change(self, call: Call, id: int) -> None:
        copy = self._copy
        match call.method.name:
            case "validate":
                copy.validate(id)
            case "delete":
                copy.delete(id)
            case "ban":
                copy.set_ban(id, call.is_ban)
            case "merge":
                if (removed := connect_id(call.value("remove"))) is not None:
                    copy.merge(id, removed)
            case "changeEmail":
                copy.change_email(id, call.value("email"))
            case "changeName":
                copy.change_name(id, call.value("name"))
            case "changePassword":
                copy.change_password(id, call.value("pass_hash"), call.value("pass_salt"))

    def _registered(self, call: Call, id: int | None) -> Answer:
        """An account that is here already stays as it is: a push that comes late has old values."""
        if id is None:
            raise ValueError("the master sent no id; those before 4.1.13 do not")
        names = ("name", "email", "pass_hash", "pass_salt", "revalidateUrl")
        self._copy.learn(id, NewPerson(*map(call.value, names)), None)
        return calls.id_answer(id)

    def _is_masters(self, text: str) -> bool:
        try:
            address = ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            return False
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address.version == network.version and address in network for network in self._networks)
