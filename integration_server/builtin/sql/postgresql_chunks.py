"""Everybody from PostgreSQL, some thousand rows at a time.

psycopg's own ``stream`` asks libpq for as many at once, and then makes a step of its generator for each row; its loader
turns all of them into tuples in one call, which takes a fifth less.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any

from integration_server.builtin.sql.driver import BATCH, NO_VALUES, Query, Rows, Values
from integration_server.builtin.sql.postgresql_asking import numbered


def chunks(module: Any, connection: Any, query: Query) -> Generator[Rows, None, None]:
    """The rows of a statement without parameters, as the server sends them; libpq has to be 17 or later.

    Raises psycopg's errors. Whoever leaves it early closes the connection, to which the rest of the answer still comes.
    """
    loader, names = module.adapt.Transformer(connection), None
    link = connection.pgconn
    for result in _results(module, connection, query, NO_VALUES, lambda: link.set_chunked_rows_mode(BATCH)):
        loader.set_pgresult(result, set_loaders=names is None)
        if names is None:
            names = tuple(result.fname(i).decode(connection.info.encoding) for i in range(result.nfields))
        if result.ntuples:
            yield Rows(names, loader.load_rows(0, result.ntuples, tuple))


def row_by_row(
    module: Any, connection: Any, query: Query, values: Values
) -> Generator[Sequence[bytes | None], None, None]:
    """The rows of a statement as the server writes their values; as ``chunks``, with any libpq."""
    for result in _results(module, connection, query, values, connection.pgconn.set_single_row_mode):
        if result.ntuples:
            yield [result.get_value(0, i) for i in range(result.nfields)]


def answer(module: Any, connection: Any, query: Query, values: Values = NO_VALUES) -> Any:
    """libpq's result of a short answer. Raises psycopg's errors; the connection is of use afterwards all the same."""
    _send(connection, query, values)
    connection.wait(module.generators.send(connection.pgconn))
    *_, result = connection.wait(module.generators.fetch_many(connection.pgconn))
    _require_rows(module, connection, result)
    return result


def _results(
    module: Any, connection: Any, query: Query, values: Values, set_mode: Callable[[], object]
) -> Generator[Any, None, None]:
    _send(connection, query, values)
    set_mode()
    connection.wait(module.generators.send(connection.pgconn))
    while (result := connection.wait(module.generators.fetch(connection.pgconn))) is not None:
        _require_rows(module, connection, result)
        yield result


def _send(connection: Any, query: Query, values: Values) -> None:
    """Numbers and texts go as text, in the types that the statement gives them."""
    encoding = connection.info.encoding
    arguments = [str(value).encode(encoding) for value in query.arguments(values)]
    connection.pgconn.send_query_params(numbered(query.sql).decode().encode(encoding), arguments or None)


def _require_rows(module: Any, connection: Any, result: Any) -> None:
    status = module.pq.ExecStatus
    if result.status == status.FATAL_ERROR:
        raise module.errors.error_from_result(result, encoding=connection.info.encoding)
    if result.status not in (status.TUPLES_CHUNK, status.SINGLE_TUPLE, status.TUPLES_OK):
        raise module.ProgrammingError("the statement gives no rows")
