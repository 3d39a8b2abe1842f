"""Everybody from PostgreSQL, some thousand rows at a time.

psycopg's own ``stream`` asks libpq for as many at once, and then makes a step of its generator for each row; its loader
turns all of them into tuples in one call, which takes a fifth less.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from integration_server.builtin.sql.driver import BATCH, Query, Rows


def chunks(module: Any, connection: Any, query: Query) -> Generator[Rows, None, None]:
    """The rows of a statement without parameters, as the server sends them; libpq has to be 17 or later.

    Raises psycopg's errors. Whoever leaves it early closes the connection, to which the rest of the answer still comes.
    """
    link = connection.pgconn
    # The driver's form has a % for each %%.
    link.send_query_params((query.sql % ()).encode(connection.info.encoding), None)
    link.set_chunked_rows_mode(BATCH)
    connection.wait(module.generators.send(link))
    loader, names = module.adapt.Transformer(connection), None
    while (result := connection.wait(module.generators.fetch(link))) is not None:
        _require_rows(module, connection, result)
        loader.set_pgresult(result, set_loaders=names is None)
        if names is None:
            names = tuple(result.fname(i).decode(connection.info.encoding) for i in range(result.nfields))
        if result.ntuples:
            yield Rows(names, loader.load_rows(0, result.ntuples, tuple))


def _require_rows(module: Any, connection: Any, result: Any) -> None:
    status = module.pq.ExecStatus
    if result.status == status.FATAL_ERROR:
        raise module.errors.error_from_result(result, encoding=connection.info.encoding)
    if result.status not in (status.TUPLES_CHUNK, status.TUPLES_OK):
        raise module.ProgrammingError("the statement gives no rows")
