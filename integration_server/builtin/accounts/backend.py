"""The backend: people are made by callers, and removed by administrators."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import sqlalchemy as sa

from integration_server import (
    AccountRemover,
    AccountWriter,
    AmbiguousEntry,
    Backend,
    BackendContext,
    BackendMisconfigured,
    BackendSettings,
    BackendUnavailable,
    Batch,
    Deadline,
    Entry,
    Finding,
    Group,
    GroupReader,
    Lookup,
    NewAccount,
    StoreUnavailable,
    UnwritableValue,
    normalize_name,
)
from integration_server.builtin.accounts.settings import DEFAULT_MAP, AccountsSettings
from integration_server.builtin.accounts.tables import TABLES, accounts

_BATCH = 1000
#: Folding makes at most three characters of one, and the column is as wide as that.
_LONGEST_ADDRESS = 320
_COLUMNS = ("id", "email", "full_name", "biography", "tz")
_c = accounts.c


class AccountsBackend(Backend, GroupReader, AccountWriter, AccountRemover):
    """People in the server's own store. They have no passwords, and one address each, which is verified."""

    type: ClassVar[str] = "accounts"
    Settings = AccountsSettings
    default_map = DEFAULT_MAP

    def __init__(self, settings: BackendSettings, context: BackendContext) -> None:
        assert isinstance(settings, AccountsSettings)
        self._name = context.name
        self._storage = context.storage(TABLES)
        self._groups = tuple(Group(id, **group.model_dump()) for id, group in settings.groups.items())

    def users(self, deadline: Deadline) -> Iterator[Batch]:
        last, rows = "", self._following("", deadline)
        while rows:
            yield Batch(_COLUMNS, rows, frozenset({"id", "email"}))
            last = str(rows[-1][0])
            rows = self._following(last, deadline)

    def _following(self, last: str, deadline: Deadline) -> list[tuple[object, ...]]:
        """The next people after an id, in the order of ids. Whoever is made meanwhile may come or not."""
        query = sa.select(*(_c[name] for name in _COLUMNS)).where(_c.backend == self._name, _c.id > last)
        deadline.remaining()
        with _asking(), self._storage.reading() as connection:
            return [tuple(row) for row in connection.execute(query.order_by(_c.id).limit(_BATCH))]

    def find(self, lookup: Lookup, deadline: Deadline) -> Entry | None:
        if lookup.attribute not in _COLUMNS:
            raise BackendMisconfigured(f"accounts have no {lookup.attribute!r}; there are: {', '.join(_COLUMNS)}")
        deadline.remaining()
        wanted = normalize_name(lookup.value)
        condition = _c[lookup.attribute] == lookup.value
        if lookup.ignore_case:
            # No database folds names as we do, so other columns than that of addresses are compared here.
            condition = _c.folded == wanted if lookup.attribute == "email" else sa.true()
        elif not _is_storable(lookup.value):
            return None
        query = sa.select(*(_c[name] for name in _COLUMNS)).where(_c.backend == self._name, condition)
        with _asking(), self._storage.reading() as connection:
            rows = [tuple(row) for row in connection.execute(query)] if _is_storable(wanted) else []
        place = _COLUMNS.index(lookup.attribute)
        found = [row for row in rows if not lookup.ignore_case or normalize_name(row[place] or "") == wanted]
        if len(found) > 1:
            raise AmbiguousEntry(f"{len(found)} accounts have the {lookup.attribute} {lookup.value[:60]!r}")
        return Entry(dict(zip(_COLUMNS, found[0], strict=True))) if found else None

    def groups(self, deadline: Deadline) -> tuple[Group, ...]:
        deadline.remaining()
        return self._groups

    def create_account(self, account: NewAccount, deadline: Deadline) -> str:
        """Where somebody has the address by now, their id is returned and nobody is made."""
        deadline.remaining()
        _check(account)
        folded = normalize_name(account.email)
        with _asking(), self._storage.writing() as connection:
            there = sa.select(_c.id).where(_c.backend == self._name, _c.folded == folded)
            if (known := connection.scalar(there)) is not None:
                return str(known)
            made = {
                "backend": self._name,
                "id": str(uuid.uuid4()),
                "email": account.email,
                "folded": folded,
                "full_name": account.full_name,
                "biography": account.biography,
                "tz": account.tz,
                "created_at": time.time(),
            }
            connection.execute(accounts.insert(), made)
            return str(made["id"])

    def confirm_email(self, entry: Entry, address: str, deadline: Deadline) -> None:
        """Does nothing: every address here is verified."""

    def remove_account(self, entry: Entry, deadline: Deadline) -> bool:
        deadline.remaining()
        with _asking(), self._storage.writing() as connection:
            removed = accounts.delete().where(_c.backend == self._name, _c.id == entry.attributes["id"])
            return connection.execute(removed).rowcount == 1

    def check(self, deadline: Deadline) -> Iterator[Finding]:
        with _asking(), self._storage.reading() as connection:
            query = sa.select(sa.func.count()).select_from(accounts).where(_c.backend == self._name)
            count = connection.scalar(query)
        yield Finding("ok", f"{count} accounts in this server's store, {len(self._groups)} groups in the configuration")

    def close(self) -> None:
        """There is nothing to give back: the store is the server's."""


def _check(account: NewAccount) -> None:
    """Raise UnwritableValue for what cannot be kept, or not be read any more."""
    if account.password is not None:
        raise UnwritableValue("password: nobody here has one")
    if not account.email.strip() or len(account.email) > _LONGEST_ADDRESS:
        raise UnwritableValue(f"email: no address, or one of more than {_LONGEST_ADDRESS} characters")
    for field in ("email", "full_name", "biography", "tz"):
        if not _is_storable(getattr(account, field) or ""):
            raise UnwritableValue(f"{field}: holds a character that cannot be kept")


def _is_storable(value: str) -> bool:
    """Whether a database takes the text at all: what it refuses, nobody is called."""
    return "\0" not in value and value.encode(errors="replace").decode() == value


@contextmanager
def _asking() -> Iterator[None]:
    """To those who ask, the store is a directory like any other."""
    try:
        yield
    except StoreUnavailable as exc:
        raise BackendUnavailable(str(exc)) from exc
