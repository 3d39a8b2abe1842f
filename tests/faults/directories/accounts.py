"""Accounts in the server's own store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager

from integration_server import Deadline, NewAccount, Tables
from integration_server.builtin.accounts import AccountsBackend
from integration_server.sdk.testing.harness import open_backend
from integration_server.store import Store
from tests.faults.directories.directory import Directory, Outage


class AccountsDirectory(Directory):
    name = "accounts"
    has_logins = False
    edit_event = "user.created"

    def open(self) -> None:
        for number in range(50):
            self._add(f"first{number}@example.org")

    def _add(self, email: str) -> None:
        with closing(Store("", self.folder / "data")) as store:
            table = {"type": "accounts"}
            backend = open_backend(AccountsBackend, table, self.folder, name="people", storage=store.storage)
            assert isinstance(backend, AccountsBackend)
            backend.create_account(NewAccount(email, "Somebody"), Deadline(30))
        self.people.add(email)

    def table(self) -> str:
        return 'type = "accounts"\n'

    def change(self, number: int) -> None:
        self._add(f"later{number}@example.org")

    @property
    def outages(self) -> Mapping[str, Outage]:
        return {"table gone": self.gone}

    @contextmanager
    def gone(self) -> Iterator[None]:
        self._rename("accounts", "aside")
        try:
            yield
        finally:
            self._rename("aside", "accounts")

    def _rename(self, old: str, new: str) -> None:
        with closing(Store("", self.folder / "data")) as store, store.storage(Tables("other", ())).writing() as to:
            to.exec_driver_sql(f"ALTER TABLE {old} RENAME TO {new}")
