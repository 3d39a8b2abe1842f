"""The backend: the accounts of an IPS Connect network, for every frontend."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import ClassVar

from integration_server import (
    AccountRemover,
    AccountWriter,
    Authenticator,
    Backend,
    BackendContext,
    BackendSettings,
    Batch,
    Deadline,
    Entry,
    Finding,
    Lookup,
    NewAccount,
    UnwritableValue,
    Verdict,
)
from integration_server.builtin.ips_connect import passwords
from integration_server.builtin.ips_connect.account import Account, NewPerson, Outcome
from integration_server.builtin.ips_connect.accounts import Accounts
from integration_server.builtin.ips_connect.entries import COLUMNS, asking, batch, not_findable, number_of, row
from integration_server.builtin.ips_connect.feed import FEED, NumberedFeed
from integration_server.builtin.ips_connect.settings import DEFAULT_MAP, IpsConnectSettings
from integration_server.builtin.ips_connect.tables import TABLES
from integration_server.builtin.ips_connect.turns import Turns

_BATCH = 1000


class IpsConnectBackend(Backend, Authenticator, AccountWriter, AccountRemover, NumberedFeed):
    """People with a connect id, a display name that nobody else has, and one address, which counts as verified.

    Hash and salt are in the handles of entries alone. Who is banned, or has yet to confirm the address, is disabled.
    """

    type: ClassVar[str] = "ips_connect"
    Settings = IpsConnectSettings
    default_map = DEFAULT_MAP

    def __init__(self, settings: BackendSettings, context: BackendContext) -> None:
        assert isinstance(settings, IpsConnectSettings)
        self._accounts = Accounts(context.name, context.storage(TABLES))
        self._turns = Turns()

    # -- asking ------------------------------------------------------------------------------------------------------

    def users(self, deadline: Deadline) -> Iterator[Batch]:
        deadline.remaining()
        with asking(), closing(self._accounts.everybody(_BATCH)) as batches:
            for found in batches:
                deadline.remaining()
                yield batch(found)

    def find(self, lookup: Lookup, deadline: Deadline) -> Entry | None:
        deadline.remaining()
        with asking():
            account = self._find(lookup)
        if account is None or not (lookup.ignore_case or lookup.value == str(getattr(account, lookup.attribute))):
            return None
        return Entry(dict(zip(COLUMNS, row(account), strict=True)), (account.pass_hash, account.pass_salt))

    def _find(self, lookup: Lookup) -> Account | None:
        match lookup.attribute:
            case "id":
                number = number_of(lookup.value)
                return None if number is None else self._accounts.find(number)
            case "name":
                return self._accounts.find_by_name(lookup.value)
            case "email":
                return self._accounts.find_by_email(lookup.value)
        raise not_findable(lookup.attribute)

    def check(self, deadline: Deadline) -> Iterator[Finding]:
        deadline.remaining()
        with asking():
            count = self._accounts.count()
        yield Finding("ok", f"{count} accounts in this server's store; changes are noticed by {FEED}")

    def close(self) -> None:
        """There is nothing to give back: the store is the server's."""

    # -- passwords ---------------------------------------------------------------------------------------------------

    def verify(self, entry: Entry, password: str, deadline: Deadline) -> Verdict:
        """From the entry alone. It takes the same time for every kind of hash."""
        assert isinstance(entry.handle, tuple)
        pass_hash, pass_salt = entry.handle
        with self._turns.one(deadline):
            is_right = passwords.verify(password, pass_hash, pass_salt)
            if not passwords.is_bcrypt(pass_salt):
                passwords.spend(password)
        return Verdict.ACCEPTED if is_right else Verdict.REJECTED

    def verify_nobody(self, password: str, deadline: Deadline) -> None:
        with self._turns.one(deadline):
            passwords.spend(password)

    # -- new people --------------------------------------------------------------------------------------------------

    def create_account(self, account: NewAccount, deadline: Deadline) -> str:
        """Somebody, with a password that nobody knows where none is given. The name is made the display name, with a
        number where it is taken.

        Where somebody has the address by now, their id is returned and nobody is made.
        """
        deadline.remaining()
        name = account.full_name.strip()[:255] or account.email.strip().partition("@")[0]
        try:
            pass_hash, pass_salt = self._hashed(account.password, deadline)
            with asking():
                person = NewPerson(name, account.email, pass_hash, pass_salt, full_name=account.full_name)
                return str(self._accounts.register_namesake(person).account.id)
        except ValueError as exc:
            raise UnwritableValue(str(exc)) from exc

    def _hashed(self, password: str | None, deadline: Deadline) -> tuple[str, str]:
        """A hash and a salt. Raises ValueError for what is no password."""
        if password is None:
            return passwords.unusable()
        salt = passwords.new_salt()
        with self._turns.one(deadline):
            return passwords.hashed(password, salt), salt

    def confirm_email(self, entry: Entry, address: str, deadline: Deadline) -> None:
        """Does nothing: every address here counts as verified."""

    def remove_account(self, entry: Entry, deadline: Deadline) -> bool:
        """For good, as a forum's administrator does it: all slaves are told."""
        deadline.remaining()
        number = number_of(str(entry.attributes["id"]))
        with asking():
            return number is not None and self._accounts.delete(number) is Outcome.DONE
