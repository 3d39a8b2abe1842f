"""Who is meant by what people type to log in: the one thing that is asked all the time."""

from __future__ import annotations

import sqlalchemy as sa

from integration_server import Storage, normalize_name
from integration_server.builtin.ips_connect.account import Account, is_storable
from integration_server.builtin.ips_connect.methods import IdType
from integration_server.builtin.ips_connect.tables import accounts
from integration_server.builtin.ips_connect.writer import COLUMNS

_SELECT = f"SELECT {', '.join(column.name for column in COLUMNS)} FROM {accounts.name} WHERE backend = ? AND "
_ID = f"SELECT id FROM {accounts.name} WHERE backend = ? AND "
_TRUTH_VALUES = tuple(number for number, column in enumerate(COLUMNS) if isinstance(column.type, sa.Boolean))


class Logins:
    """Finds the account of somebody who logs in, in one question. Thread-safe; raises StoreUnavailable."""

    def __init__(self, backend: str, storage: Storage) -> None:
        self._backend = backend
        self._by_name = storage.question(_SELECT + "folded_name = ?")
        self._by_email = storage.question(_SELECT + "folded_email = ?")
        self._by_either = storage.question(f"{_SELECT}id = COALESCE(({_ID}folded_email = ?), ({_ID}folded_name = ?))")

    def find(self, login: str, id_type: IdType) -> Account | None:
        """See ``Accounts.find_login``."""
        if not is_storable(login):
            return None
        folded = normalize_name(login)
        match id_type:
            case IdType.NAME:
                row = self._by_name.first((self._backend, folded))
            case IdType.EMAIL:
                row = self._by_email.first((self._backend, folded))
            case IdType.EITHER:
                row = self._by_either.first((self._backend, self._backend, folded, self._backend, folded))
        if row is None:
            return None
        values = list(row)
        for number in _TRUTH_VALUES:
            values[number] = bool(values[number])
        return Account(*values)
