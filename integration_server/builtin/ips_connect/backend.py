"""The backend: the accounts of an IPS Connect network, for every frontend."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import ClassVar

from integration_server import (
    AccountWriter,
    Authenticator,
    Backend,
    BackendContext,
    BackendMisconfigured,
    BackendSettings,
    BackendTimeout,
    BackendUnavailable,
    Batch,
    ChangeFeed,
    Changes,
    ComparisonNeeded,
    Deadline,
    Entry,
    Finding,
    Lookup,
    NewAccount,
    StoreUnavailable,
    UnwritableValue,
    Verdict,
)
from integration_server.builtin.ips_connect import passwords
from integration_server.builtin.ips_connect.account import Account, NewPerson, State
from integration_server.builtin.ips_connect.accounts import Accounts
from integration_server.builtin.ips_connect.calls import connect_id
from integration_server.builtin.ips_connect.settings import DEFAULT_MAP, IpsConnectSettings
from integration_server.builtin.ips_connect.tables import TABLES

_BATCH = 1000
_COLUMNS = ("id", "name", "email", "full_name", "state", "is_disabled")
_UNIQUE = frozenset({"id", "name", "email"})
_FEED = "numbered changes"
_POSITION = re.compile(r"ips_connect\((0|[1-9][0-9]{0,17})\)", re.ASCII)
_CORES = os.cpu_count() or 2


class IpsConnectBackend(Backend, Authenticator, AccountWriter, ChangeFeed):
    """People with a connect id, a display name that nobody else has, and one address, which counts as verified.

    Hash and salt are in the handles of entries alone. Who is banned, or has yet to confirm the address, is disabled.
    """

    type: ClassVar[str] = "ips_connect"
    Settings = IpsConnectSettings
    default_map = DEFAULT_MAP

    def __init__(self, settings: BackendSettings, context: BackendContext) -> None:
        assert isinstance(settings, IpsConnectSettings)
        self._accounts = Accounts(context.name, context.storage(TABLES))
        # A check takes half a second of a core. More at once would be none the faster.
        self._checks = threading.BoundedSemaphore(_CORES)

    # -- asking ------------------------------------------------------------------------------------------------------

    def users(self, deadline: Deadline) -> Iterator[Batch]:
        deadline.remaining()
        with _asking(), closing(self._accounts.everybody(_BATCH)) as batches:
            for found in batches:
                deadline.remaining()
                yield _batch(found)

    def find(self, lookup: Lookup, deadline: Deadline) -> Entry | None:
        deadline.remaining()
        with _asking():
            account = self._find(lookup)
        if account is None or not (lookup.ignore_case or lookup.value == str(getattr(account, lookup.attribute))):
            return None
        return Entry(dict(zip(_COLUMNS, _row(account), strict=True)), (account.pass_hash, account.pass_salt))

    def _find(self, lookup: Lookup) -> Account | None:
        match lookup.attribute:
            case "id":
                number = connect_id(lookup.value)
                return None if number is None or str(number) != lookup.value else self._accounts.find(number)
            case "name":
                return self._accounts.find_by_name(lookup.value)
            case "email":
                return self._accounts.find_by_email(lookup.value)
        raise BackendMisconfigured(
            f"accounts of IPS Connect are found by id, name and email, not by {lookup.attribute!r}"
        )

    def check(self, deadline: Deadline) -> Iterator[Finding]:
        deadline.remaining()
        with _asking():
            count = self._accounts.count()
        yield Finding("ok", f"{count} accounts in this server's store; changes are noticed by {_FEED}")

    def close(self) -> None:
        """There is nothing to give back: the store is the server's."""

    # -- passwords ---------------------------------------------------------------------------------------------------

    def verify(self, entry: Entry, password: str, deadline: Deadline) -> Verdict:
        """From the entry alone. It takes the same time for every kind of hash."""
        assert isinstance(entry.handle, tuple)
        pass_hash, pass_salt = entry.handle
        with self._checking(deadline):
            is_right = passwords.verify(password, pass_hash, pass_salt)
            if not passwords.is_bcrypt(pass_salt):
                passwords.spend(password)
        return Verdict.ACCEPTED if is_right else Verdict.REJECTED

    def verify_nobody(self, password: str, deadline: Deadline) -> None:
        with self._checking(deadline):
            passwords.spend(password)

    @contextmanager
    def _checking(self, deadline: Deadline) -> Iterator[None]:
        """One turn. Raises BackendTimeout where none is free in time."""
        if not self._checks.acquire(timeout=min(deadline.remaining(), threading.TIMEOUT_MAX)):
            raise BackendTimeout("too many passwords are being checked")
        try:
            yield
        finally:
            self._checks.release()

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
            with _asking():
                person = NewPerson(name, account.email, pass_hash, pass_salt, full_name=account.full_name)
                return str(self._accounts.register_namesake(person).account.id)
        except ValueError as exc:
            raise UnwritableValue(str(exc)) from exc

    def _hashed(self, password: str | None, deadline: Deadline) -> tuple[str, str]:
        """A hash and a salt. Raises ValueError for what is no password."""
        if password is None:
            return passwords.unusable()
        salt = passwords.new_salt()
        with self._checking(deadline):
            return passwords.hashed(password, salt), salt

    def confirm_email(self, entry: Entry, address: str, deadline: Deadline) -> None:
        """Does nothing: every address here counts as verified."""

    # -- changes -----------------------------------------------------------------------------------------------------

    def feed(self) -> str:
        return _FEED

    def feed_position(self, deadline: Deadline) -> str:
        deadline.remaining()
        with _asking():
            return _position(self._accounts.last_change())

    def changes(self, position: str, deadline: Deadline) -> Iterator[Changes]:
        number = self._number(position, deadline)
        is_more = True
        while is_more:
            deadline.remaining()
            with _asking():
                found = self._accounts.changes(number, _BATCH)
            is_more = len(found) == _BATCH
            if found:
                number = found[-1].number
                there = [change.account for change in found if change.account is not None]
                gone = tuple(str(change.id) for change in found if change.account is None)
                yield Changes(_position(number), _batch(there) if there else None, gone)

    def _number(self, position: str, deadline: Deadline) -> int:
        """Raises ComparisonNeeded for what is no position, or one of changes that were never made."""
        read = _POSITION.fullmatch(position)
        deadline.remaining()
        with _asking():
            last = self._accounts.last_change()
        if read is None or int(read[1]) > last:
            raise ComparisonNeeded("the position is none of this store; was a backup put back?")
        return int(read[1])


def _row(account: Account) -> tuple[object, ...]:
    state = account.state
    return account.id, account.name, account.email, account.full_name, state.value, state is not State.ACTIVE


def _batch(found: Sequence[Account]) -> Batch:
    return Batch(_COLUMNS, list(map(_row, found)), _UNIQUE)


def _position(number: int) -> str:
    return f"ips_connect({number})"


@contextmanager
def _asking() -> Iterator[None]:
    """To those who ask, the store is a directory like any other."""
    try:
        yield
    except StoreUnavailable as exc:
        raise BackendUnavailable(str(exc)) from exc
