"""Asking PostgreSQL one thing, by libpq's own calls: psycopg's cursor takes longer to ask and to read a row than the
server takes to find it.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from functools import lru_cache
from itertools import count
from typing import Any

from integration_server.builtin.sql.driver import Query, Rows, Values

#: A statement that a connection was asked so often is planned once and for all, where that is wanted.
_PREPARED_AFTER = 3
#: Of one connection. Logins ask a few; others are planned each time.
_MOST_PREPARED = 100

_MARK = re.compile("%([%s])")


class Asking:
    """Statements with parameters on one connection, by one thread at a time. The server keeps them planned where it
    ``prepares``.

    The types of parameters and values are those that psycopg has for them.
    """

    def __init__(self, module: Any, connection: Any, *, prepares: bool) -> None:
        self._module = module
        self._pgconn = connection.pgconn
        self._encoding: str = connection.info.encoding
        self._transformer = module.adapt.Transformer(connection)
        self.prepares = prepares
        self._asked: Counter[tuple[bytes, object]] = Counter()
        self._prepared: dict[tuple[bytes, object], bytes] = {}

    def fetch(self, query: Query, values: Values, limit: int) -> Rows:
        """The first rows of the answer. Raises psycopg's exceptions."""
        arguments = query.arguments(values)
        transformer = self._transformer
        dumped = transformer.dump_sequence(arguments, [self._module.adapt.PyFormat.AUTO] * len(arguments))
        result = self._asked_for(numbered(query.sql), dumped)
        try:
            self._check(result)
            names = tuple([result.fname(i).decode(self._encoding) for i in range(result.nfields)])
            transformer.set_pgresult(result)
            return Rows(names, transformer.load_rows(0, min(limit, result.ntuples), tuple) if names else [])
        finally:
            transformer.set_pgresult(None)
            result.clear()

    def _asked_for(self, sql: bytes, dumped: Any) -> Any:
        types, formats = self._transformer.types, self._transformer.formats
        name = self._name(sql, types) if self.prepares else None
        if name is None:
            return self._pgconn.exec_params(sql, dumped, types, formats)
        return self._pgconn.exec_prepared(name, dumped, formats)

    def _name(self, sql: bytes, types: Any) -> bytes | None:
        """Of a statement that the server keeps planned for parameters of these types."""
        key = (sql, types)
        if (known := self._prepared.get(key)) is not None:
            return known
        self._asked[key] += 1
        if self._asked[key] <= _PREPARED_AFTER or len(self._prepared) >= _MOST_PREPARED:
            return None
        # Named after what it says: where somebody between us and the server shares connections out, another session's
        # statement of that name must not be one that finds somebody else.
        name = b"integration_server_" + hashlib.sha256(repr(key).encode()).hexdigest()[:32].encode()
        self._check(self._pgconn.prepare(name, sql, types))
        self._prepared[key] = name
        return name

    def _check(self, result: Any) -> None:
        """Raises what psycopg's cursor would."""
        status = self._module.pq.ExecStatus
        if result.status in (status.TUPLES_OK, status.COMMAND_OK):
            return
        if self._pgconn.status == self._module.pq.ConnStatus.BAD and not result.error_field(
            self._module.pq.DiagnosticField.SQLSTATE
        ):
            raise self._module.OperationalError(result.get_error_message(self._encoding))
        raise self._module.errors.error_from_result(result, self._encoding)


@lru_cache(maxsize=1024)
def numbered(sql: str) -> bytes:
    """A statement with marks as psycopg's cursor takes them, as PostgreSQL takes it."""
    numbers = count(1)
    return _MARK.sub(lambda mark: "%" if mark[1] == "%" else f"${next(numbers)}", sql).encode()
