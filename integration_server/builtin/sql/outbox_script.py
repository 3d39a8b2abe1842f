"""The SQL that makes an outbox and its triggers, for an admin to run: this server only reads the database."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from importlib import resources

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite

from integration_server import ConfigError
from integration_server.builtin.sql.settings import EmailTable, GroupTable, SqlSettings, id_column

_DIALECTS: Mapping[str, Callable[..., sa.Dialect]] = {
    "sqlite": sqlite.dialect,
    "postgresql": postgresql.dialect,
    "mariadb": mysql.dialect,
}
_ALIASES = {"mysql": "mariadb", "postgres": "postgresql"}
#: PostgreSQL cuts longer names, MariaDB refuses them.
_LONGEST_NAME = 60

#: An id as a text that neither a collation nor a column's length can spoil.
_MARIADB_ID = "LEFT(CONVERT({value} USING utf8mb4), 1024) COLLATE utf8mb4_bin"


def outbox_script(settings: SqlSettings, dialect: str | None = None) -> str:
    """The script for a backend with ``outbox_table``.

    ``dialect`` is sqlite, postgresql or mariadb; the URL's where it is None. Raises ConfigError where no script can be
    made: without an outbox_table, for own statements, for another database.
    """
    outbox = settings.outbox_table
    if outbox is None:
        raise ConfigError("the backend has no outbox_table")
    if settings.table is None:
        raise ConfigError("triggers stand on tables: with list_statement, write them yourself (see docs/sql.rst)")
    script = _Script(settings, dialect or _dialect_of(settings))
    return script.text()


def _dialect_of(settings: SqlSettings) -> str:
    name = settings.url.get_secret_value().partition(":")[0].partition("+")[0]
    return _ALIASES.get(name, name)


class _Script:
    """The templates filled in."""

    def __init__(self, settings: SqlSettings, dialect: str) -> None:
        dialect = _ALIASES.get(dialect, dialect)
        if dialect not in _DIALECTS:
            raise ConfigError(f"there is an outbox script for {', '.join(_DIALECTS)}, not for {dialect}")
        assert settings.outbox_table is not None
        assert settings.table is not None
        self._settings = settings
        self._dialect = dialect
        # Of a named style: others double every % in a name.
        self._preparer = _DIALECTS[dialect](paramstyle="named").identifier_preparer
        self._outbox = settings.outbox_table
        self._outbox_name = self._table(self._outbox.table, self._outbox.schema_name)
        self._main_name = self._table(settings.table, settings.schema_name)
        column = id_column(settings)
        if column is None:
            raise ConfigError("people's id must be one column of the table: set [map] id to that column alone")
        self._id = self._quote(column)
        self._id_column = column

    def text(self) -> str:
        assert self._settings.table is not None
        names = self._names(self._settings.table, self._settings.schema_name)
        whose = {"whose_old": self._own("OLD"), "whose_new": self._own("NEW")}
        sides = "".join(map(self._side, self._settings.side_tables))
        filled = self._template("").format_map({**self._common(), **names, **whose, "sides": sides})
        return filled.rstrip() + "\n"

    def _side(self, side: EmailTable | GroupTable) -> str:
        if side.table is None:
            return f"\n-- {side.attribute} come by a statement: changes of its tables are not noted.\n"
        whose = {f"whose_{record.lower()}": self._whose(side, record) for record in ("OLD", "NEW")}
        own = {
            "side": self._table(side.table, side.schema_name),
            "key": self._quote(side.key_column),
            "user": self._quote(side.user_column),
        }
        names = self._names(side.table, side.schema_name)
        return self._template("-side").format_map({**self._common(), **names, **whose, **own})

    def _own(self, record: str) -> str:
        """The id of a changed row of the main table."""
        return self._selected(f"{record}.{self._id}")

    def _whose(self, side: EmailTable | GroupTable, record: str) -> str:
        """The id of the person whose row of the second table changed."""
        user = f"{record}.{self._quote(side.user_column)}"
        if side.key_column == self._id_column:
            return self._selected(user)
        value = self._as_text(f"p.{self._id}")
        return (
            f"SELECT {value} FROM {self._main_name} p "
            f"WHERE p.{self._quote(side.key_column)} = {user} AND p.{self._id} IS NOT NULL"
        )

    def _selected(self, value: str) -> str:
        source = " FROM DUAL" if self._dialect == "mariadb" else ""
        return f"SELECT {self._as_text(value)}{source} WHERE {value} IS NOT NULL"

    def _as_text(self, value: str) -> str:
        match self._dialect:
            case "mariadb":
                return _MARIADB_ID.format(value=value)
            case "postgresql":
                return f"{value}::text"
        return value

    def _common(self) -> dict[str, str]:
        url = sa.make_url(self._settings.url.get_secret_value())
        return {
            "outbox": self._outbox_name,
            "table": self._main_name,
            "id": self._id,
            "sequence": self._quote(self._outbox.sequence_column),
            "person": self._quote(self._outbox.person_column),
            "made_at": self._quote(self._outbox.made_at_column),
            "reader": self._quote(url.username or "reader"),
        }

    def _names(self, table: str, schema: str | None) -> dict[str, str]:
        """The triggers of a table, and the function that they call: MariaDB's live in their table's schema."""
        names = {
            what: self._quote(_short(f"{self._outbox.table}_{table}_{what}"))
            for what in ("on_insert", "on_update", "on_delete", "on_change", "on_truncate")
        }
        if self._dialect == "mariadb" and schema:
            names = {what: f"{self._quote(schema)}.{name}" for what, name in names.items()}
        function = _short(f"{self._outbox.table}_{table}")
        return {**names, "function": self._table(function, self._outbox.schema_name)}

    def _table(self, name: str, schema: str | None) -> str:
        """SQLite's triggers take no schema; PostgreSQL's functions find nothing without."""
        if self._dialect == "sqlite":
            schema = None
        elif self._dialect == "postgresql":
            schema = schema or "public"
        return ".".join(self._quote(part) for part in (schema, name) if part)

    def _quote(self, name: str) -> str:
        if "\n" in name or "\0" in name:
            raise ConfigError(f"the name {name!r} cannot stand in a script")
        return str(self._preparer.quote(name))

    def _template(self, part: str) -> str:
        file = resources.files("integration_server.builtin.sql") / "data" / f"outbox-{self._dialect}{part}.sql"
        return file.read_text(encoding="utf-8")


def _short(name: str) -> str:
    if len(name.encode()) <= _LONGEST_NAME:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return name.encode()[: _LONGEST_NAME - 9].decode(errors="ignore") + "_" + digest
