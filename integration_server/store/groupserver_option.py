"""The token of GroupServer's web hooks where GroupServer itself keeps it: in its table ``option``.

The row has component ``gs.auth.token`` and option ``authToken``, no site and no group. GroupServer reads it on every
request, and so do we.

As observed on GroupServer 15.11 and 16.04. Errors are never chained here: what the driver says may show the row.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from integration_server.sdk.errors import ConfigError, StoreUnavailable
from integration_server.store.engine import connect, first_line
from integration_server.store.foreign_engine import foreign_engine
from integration_server.store.frontend_tokens import FrontendTokens, new_token
from integration_server.store.schema import frontend_tokens

_OPTION = "option"
_KEY = {"component_id": "gs.auth.token", "option_id": "authToken", "site_id": "", "group_id": ""}


class OptionTable:
    """GroupServer's token, read afresh each time. Thread-safe; connects when it is first asked. Close it."""

    def __init__(self, url: str, schema: str | None = None) -> None:
        """``url`` is a PostgreSQL URL as GroupServer or SQLAlchemy write it. Raises ConfigError."""
        self._url = _parsed(url)
        if self._url.get_backend_name() != "postgresql":
            raise ConfigError(
                f"{_shown(self._url)} is no PostgreSQL database, which is where GroupServer keeps its token"
            )
        with _told(self._url):
            self._engine = foreign_engine(self._url).execution_options(isolation_level="AUTOCOMMIT")
        table = _table(schema)
        self._query = sa.select(table.c.value).where(*_is_ours(table))

    def token(self) -> str | None:
        """The token; None where there is none, so that every one is refused. Raises StoreUnavailable, soon."""
        try:
            with self._engine.connect() as connection:
                # One that is empty would let everybody in.
                return connection.scalar(self._query) or None
        except sa.exc.SQLAlchemyError as exc:
            told = f"GroupServer's database {_shown(self._url)} cannot be used: {first_line(exc)}"
        raise StoreUnavailable(told)

    def matches(self, token: str) -> bool:
        """Whether this is the token, compared in constant time. Raises StoreUnavailable, soon."""
        known = self.token()
        return known is not None and hmac.compare_digest(known.encode(), token.encode("utf-8", "surrogatepass"))

    def close(self) -> None:
        """Give back every connection."""
        self._engine.dispose()


def read_token(url: str) -> str | None:
    """The token in GroupServer's table. Raises ConfigError for a database that has none, StoreUnavailable."""
    table = OptionTable(url)
    try:
        return table.token()
    finally:
        table.close()


def rotate(url: str) -> str:
    """A new token in the place of the old one, which is refused from now on: in GroupServer's table ``option``, or else
    in a store of ours with the token of one frontend.

    Raises ConfigError where the URL cannot be used, StoreUnavailable where its database cannot be reached.
    """
    parsed = _parsed(url)
    with _told(parsed):
        if parsed.get_backend_name() == "sqlite":
            return _rotate_file(parsed)
        if parsed.get_backend_name() != "postgresql":
            raise ConfigError(f"{_shown(parsed)} is neither a PostgreSQL nor an SQLite database")
        engine = foreign_engine(parsed)
        try:
            if sa.inspect(engine).has_table(_OPTION):
                return _rotate_option(engine)
            return _rotate_ours(engine)
        finally:
            engine.dispose()


def _rotate_option(engine: sa.Engine) -> str:
    table, token = _table(None), new_token()
    with engine.begin() as connection:
        # Of two that rotate at once, the second would insert beside the row of the first; GroupServer's own program
        # takes no lock, but waits for this one.
        name = engine.dialect.identifier_preparer.format_table(table)
        connection.exec_driver_sql(f"LOCK TABLE {name} IN SHARE ROW EXCLUSIVE MODE")
        connection.execute(table.delete().where(*_is_ours(table)))
        connection.execute(table.insert().values(**_KEY, value=token))
    return token


def _rotate_file(url: sa.URL) -> str:
    if not url.database or url.query or not Path(url.database).is_file():
        raise StoreUnavailable(f"{_shown(url)} names no file that is there")
    # Without our settings, since opening with them would change the file, which may be anything.
    looking = sa.create_engine(url)
    try:
        _check_ours(looking)
    finally:
        looking.dispose()
    engine = connect(url.render_as_string(hide_password=False), Path(url.database).parent)
    try:
        return _rotate_ours(engine)
    finally:
        engine.dispose()


def _rotate_ours(engine: sa.Engine) -> str:
    _check_ours(engine)
    tokens = FrontendTokens(engine)
    mounts = tokens.mounts()
    if len(mounts) == 1:
        return tokens.rotate(mounts[0])
    told = f"tokens of several frontends ({', '.join(mounts)})" if mounts else "no frontend's token yet"
    raise ConfigError(f"{_shown(engine.url)} holds {told}; 'integration-server token rotate NAME' changes one")


def _check_ours(engine: sa.Engine) -> None:
    if not sa.inspect(engine).has_table(frontend_tokens.name):
        raise ConfigError(f"{_shown(engine.url)} has no table {_OPTION!r} and is no store of integration-server")


def _table(schema: str | None) -> sa.Table:
    columns = (sa.Column(name, sa.Text) for name in (*_KEY, "value"))
    return sa.Table(_OPTION, sa.MetaData(), *columns, schema=schema)


def _is_ours(table: sa.Table) -> tuple[sa.ColumnElement[bool], ...]:
    return tuple(table.c[name] == value for name, value in _KEY.items())


def _parsed(url: str) -> sa.URL:
    try:
        found = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        # Not chained: the error may repeat the part that holds a password.
        raise ConfigError("this is no database URL such as postgres://user:password@host:5432/database") from None
    # GroupServer writes the name that SQLAlchemy has given up.
    return found.set(drivername="postgresql") if found.drivername == "postgres" else found


def _shown(url: sa.URL) -> str:
    return url.set(query={}).render_as_string(hide_password=True)


@contextmanager
def _told(url: sa.URL) -> Iterator[None]:
    try:
        yield
    except (sa.exc.OperationalError, sa.exc.TimeoutError) as exc:
        raise StoreUnavailable(f"cannot connect to {_shown(url)}: {first_line(exc)}") from None
    except (sa.exc.SQLAlchemyError, ImportError) as exc:
        raise ConfigError(f"{_shown(url)} cannot be used: {first_line(exc)}") from None
