"""What a master does when a server calls it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from integration_server import Gateway, Rates, Resolver, Throttled
from integration_server.builtin.ips_connect import calls
from integration_server.builtin.ips_connect.account import Account, NewPerson, Outcome
from integration_server.builtin.ips_connect.accounts import Accounts
from integration_server.builtin.ips_connect.callers import Callers
from integration_server.builtin.ips_connect.calls import Answer, Call, connect_id
from integration_server.builtin.ips_connect.keys import CRYPT_FAILURES, is_same
from integration_server.builtin.ips_connect.master_key import MasterKey
from integration_server.builtin.ips_connect.methods import Status
from integration_server.builtin.ips_connect.passwords import is_usable
from integration_server.builtin.ips_connect.registry import Registry
from integration_server.builtin.ips_connect.salts import fake_salt
from integration_server.builtin.ips_connect.settings import GatewaySettings

logger = logging.getLogger(__name__)

#: How many times as many salts slaves are told.
_SLAVES_FACTOR = 10.0
#: What a call that changes accounts comes to. ``origin`` is the subscription of the slave that calls, or None.
_Change = Callable[[Call, int, str | None], Outcome]

_STATUS = {
    Outcome.DONE: Status.SUCCESS,
    Outcome.UNCHANGED: Status.SUCCESS,
    Outcome.NOT_FOUND: Status.SUCCESS,
    Outcome.EMAIL_IN_USE: Status.EMAIL_IN_USE,
    Outcome.USERNAME_IN_USE: Status.USERNAME_IN_USE,
}


class Master:
    """Answers every method but those for browsers. Thread-safe."""

    def __init__(
        self, backend: str, accounts: Accounts, key: MasterKey, gateway: Gateway, settings: GatewaySettings
    ) -> None:
        self._accounts = accounts
        self._key = key
        self._gateway = gateway
        networks = settings.slave_networks
        receivers = gateway.receivers("ips_connect")
        self._registry = Registry(gateway.name, backend, receivers, gateway.http, networks)
        self._callers = Callers(self._registry, networks, Resolver())
        self._salts = Rates(settings.salts_per_minute) if settings.salts_per_minute else None
        self._salt_key = gateway.signing_key("salts") if settings.fake_salts else None
        self._log_lines = Rates(1)
        self._changes: Mapping[str, _Change] = {
            "validate": lambda call, id, origin: accounts.validate(id, origin),
            "delete": lambda call, id, origin: accounts.delete(id, origin),
            "ban": lambda call, id, origin: accounts.set_ban(id, call.is_ban, origin),
            "merge": lambda call, id, origin: accounts.merge(id, connect_id(call.value("remove")) or 0, origin),
            "changeEmail": lambda call, id, origin: accounts.change_email(id, call.value("email"), origin),
            "changePassword": lambda call, id, origin: accounts.change_password(
                id, call.value("pass_hash"), call.value("pass_salt"), origin
            ),
            "changeName": lambda call, id, origin: accounts.change_name(id, call.value("name"), origin),
        }

    def answer(self, call: Call, address: str) -> Answer:
        """The answer to a caller at an address. Raises StoreUnavailable; DirectoryUnavailable where it cannot be told
        now whether accounts may be changed from there."""
        if call.is_slave_call:
            # Sent by a master to its slave, which this server is not.
            return calls.answer(Status.DISABLED)
        refused = calls.refused(call, self._key.value())
        if refused is None and call.value("pass_hash") in CRYPT_FAILURES:
            # Of a slave that failed to hash. Others, told of it, might take every password that they fail to hash, too.
            refused = Status.REQUEST_MISSING_DATA
        if refused is not Status.BAD_KEY and call.method.is_pushed and not self._callers.may_change(address):
            return self._turned_away(call, address)
        if refused is not None:
            return calls.answer(refused)
        if call.method.is_pushed:
            return self._changed(call)
        match call.method.name:
            case "fetchSalt":
                return self._salt(call, address)
            case "login":
                return self._login(call, address)
            case "fetchId":
                found = self._person(call)
                return calls.answer(Status.ACCOUNT_NOT_FOUND) if found is None else calls.id_answer(found.id)
            case "checkEmail":
                return calls.used_answer(self._accounts.check_email(call.value("email")))
            case "checkName":
                return calls.used_answer(self._accounts.check_name(call.value("name")))
            case "verifySettings":
                is_taken = self._registry.enrol(call.value("url"), call.value("ourKey"))
                return calls.answer(Status.SUCCESS if is_taken else Status.FAILURE)
            case "disableSlave":
                self._registry.dismiss(call.value("url"))
                return calls.answer(Status.SUCCESS)
        return calls.answer(Status.INVALID_ACTION)

    # -- logins ------------------------------------------------------------------------------------------------------

    def _person(self, call: Call) -> Account | None:
        id_type = call.id_type
        return None if id_type is None else self._accounts.find_login(call.value("id"), id_type)

    def _salt(self, call: Call, address: str) -> Answer:
        if not self._may_have_salt(address):
            # Version 4 has no status for this, and its clients know no other than these.
            return calls.answer(Status.WRONG_AUTH)
        found = self._person(call)
        if found is not None:
            return calls.salt_answer(found.pass_salt)
        if self._salt_key is not None:
            return calls.salt_answer(fake_salt(self._salt_key, call.value("id")))
        return calls.answer(Status.ACCOUNT_NOT_FOUND)

    def _may_have_salt(self, address: str) -> bool:
        if self._salts is None:
            return True
        caller = self._callers.caller(address)
        return self._salts.allows(caller.name, _SLAVES_FACTOR if caller.is_slave else 1.0)

    def _login(self, call: Call, address: str) -> Answer:
        """Bans are for slaves to look at, which are told of them; so do masters in the field."""
        id, sent = call.value("id"), call.value("password")
        found = self._person(call)
        if found is None and self._salt_key is None:
            return calls.answer(Status.ACCOUNT_NOT_FOUND)

        def is_right() -> bool:
            return found is not None and is_same(found.pass_hash, sent) and is_usable(sent)

        try:
            # Older slaves send no password, to learn an id: that is no guess.
            if not sent or not self._gateway.attempt(id, sent, is_right, self._callers.caller(address).name):
                return calls.answer(Status.WRONG_AUTH)
        except Throttled:
            return calls.answer(Status.WRONG_AUTH)
        assert found is not None
        return calls.login_answer(found.id, found.name, found.email, found.revalidate_url)

    # -- changes -----------------------------------------------------------------------------------------------------

    def _changed(self, call: Call) -> Answer:
        origin = self._registry.origin(call.value("url"))
        try:
            if call.method.name == "register":
                return self._registered(call, origin)
            # Nobody has the number 0, and what is done to nobody is a success.
            return calls.answer(_STATUS[self._changes[call.method.name](call, connect_id(call.id) or 0, origin)])
        except ValueError:
            return calls.answer(Status.REQUEST_MISSING_DATA)

    def _registered(self, call: Call, origin: str | None) -> Answer:
        """Who has the address or the name already is the one who is meant."""
        person = NewPerson(
            call.value("name"),
            call.value("email"),
            call.value("pass_hash"),
            call.value("pass_salt"),
            call.value("revalidateUrl"),
        )
        return calls.id_answer(self._accounts.register(person, origin).account.id)

    def _turned_away(self, call: Call, address: str) -> Answer:
        if self._log_lines.allows(address):
            logger.warning(
                "mount %s: %s was refused to %s, which is no address of a slave; slave_networks of [frontends.%s] can "
                "allow it",
                *(self._gateway.name, call.method.name, address, self._gateway.name),
            )
        message = (
            f"Accounts are changed by slaves alone, and {address or 'this'} is not the address of one. "
            "The administrator of the master can allow it with slave_networks."
        )
        return {**calls.answer(Status.BAD_KEY), "message": message}
