"""``[backends.NAME]`` with ``type = "sql"``: what an admin may write, and what goes together."""

from __future__ import annotations

from pydantic import Field

from integration_server import BackendSettings, ConfigError, FieldRule, Secret, Settings


class SideTable(Settings):
    """A second table with several rows a person. ``statement`` (a SELECT) stands in where it takes a join."""

    table: str | None = Field(default=None, description="the second table or view")
    schema_name: str | None = Field(default=None, alias="schema", description="its schema")
    statement: str | None = Field(default=None, description="or a SELECT that gives the columns below")
    user_column: str = Field(description="its column that says whose row it is")
    key_column: str = Field(description="the column of the main table (or list_statement) that user_column refers to")
    order_column: str | None = Field(default=None, description="its column that orders a person's rows")


class EmailTable(SideTable):
    """``[backends.NAME.email_table]``: one row for each address."""

    address_column: str = Field(description="its column with the address")
    primary_column: str | None = Field(default=None, description="a yes/no column: the primary address comes first")
    attribute: str = Field(default="emails", description="the attribute name under which [map] finds the addresses")


class GroupTable(SideTable):
    """``[backends.NAME.group_table]``: one row for each membership."""

    group_column: str = Field(description="its column with the name of the group")
    attribute: str = Field(default="groups", description="the attribute name under which [map] finds the groups")


class SqlSettings(BackendSettings):
    """People in an SQL database: a table and its columns ([map]), or the admin's own statements.

    Values reach own statements as bound parameters only: ``:value`` is what somebody typed. A colon before a letter
    that is none of ours is written ``\\:``.
    """

    url: Secret = Field(description="SQLAlchemy URL, such as postgresql://reader@db.example.org/crm")
    db_password: Secret | None = Field(default=None, description="the password of the URL's account, kept apart")

    table: str | None = Field(default=None, description="the table or view with one row a person")
    schema_name: str | None = Field(default=None, alias="schema", description="its schema")
    where: str | None = Field(default=None, description="an SQL condition that rows must meet, such as active = 1")

    list_statement: str | None = Field(default=None, description="instead of table: a SELECT that gives everybody")
    find_statement: str | None = Field(default=None, description="a SELECT that gives whom :value names")
    find_by_id_statement: str | None = Field(default=None, description="a SELECT that gives whose id is :value")
    auth_statement: str | None = Field(
        default=None,
        description="a SELECT that gives the stored hash (and the salt) of :value, or with :password a row for yes",
    )

    password_column: str | None = Field(default=None, description="the column with the stored hash")
    password_scheme: str | None = Field(default=None, description="the scheme of hashes that do not name their own")
    allow_plain_passwords: bool = Field(default=False, description="take values marked {PLAIN} and {CLEARTEXT}")
    salt_column: str | None = Field(default=None, description="the column with the salt, where the hash lacks it")

    email_table: EmailTable | None = Field(default=None, description="addresses that have a table of their own")
    group_table: GroupTable | None = Field(default=None, description="memberships that have a table of their own")

    @property
    def side_tables(self) -> tuple[EmailTable | GroupTable, ...]:
        return tuple(side for side in (self.email_table, self.group_table) if side is not None)


def validate(settings: SqlSettings, name: str, attributes: tuple[str, ...]) -> None:
    """Raise ConfigError for settings that cannot work together."""
    where = f"[backends.{name}]"
    if (settings.table is None) == (settings.list_statement is None):
        raise ConfigError(f"{where} needs either table or list_statement")
    if settings.table is not None:
        _forbid(settings, where, "table", "find_statement", "find_by_id_statement")
    else:
        _forbid(settings, where, "list_statement", "schema_name", "where")
        _require_statements(settings, where)
    _validate_passwords(settings, where, attributes)
    _validate_sides(settings, where, attributes)


def _forbid(settings: SqlSettings, where: str, beside: str, *keys: str) -> None:
    for key in keys:
        if getattr(settings, key) is not None:
            raise ConfigError(f"{where} {key.removesuffix('_name')} does not go with {beside}")


def _require_statements(settings: SqlSettings, where: str) -> None:
    if settings.find_statement is None:
        raise ConfigError(f"{where} list_statement needs a find_statement, or nobody can log in")
    if settings.username_index and settings.map.id is not None and settings.find_by_id_statement is None:
        raise ConfigError(f"{where} username_index needs a find_by_id_statement")


def _validate_passwords(settings: SqlSettings, where: str, attributes: tuple[str, ...]) -> None:
    if settings.password_column is not None and settings.auth_statement is not None:
        raise ConfigError(f"{where} password_column does not go with auth_statement")
    if settings.salt_column is not None and settings.password_column is None:
        raise ConfigError(f"{where} salt_column goes with password_column (an auth_statement gives it second)")
    if settings.password_column in attributes:
        raise ConfigError(f"{where} the password_column may not be mapped: it would be listed")


def _validate_sides(settings: SqlSettings, where: str, attributes: tuple[str, ...]) -> None:
    sides = settings.side_tables
    if len(sides) == 2 and sides[0].attribute == sides[1].attribute:
        raise ConfigError(f"{where} email_table and group_table must differ in attribute")
    for side in sides:
        key = "email_table" if isinstance(side, EmailTable) else "group_table"
        if (side.table is None) == (side.statement is None):
            raise ConfigError(f"[{where[1:-1]}.{key}] needs either table or statement")
        if side.attribute not in attributes:
            field = "emails" if isinstance(side, EmailTable) else "groups"
            raise ConfigError(f'[{where[1:-1]}.{key}] is not used: set {field} = "{side.attribute}" in [map]')
        if side.key_column in (s.attribute for s in sides):
            raise ConfigError(f"[{where[1:-1]}.{key}] key_column must be a column of the main table")


def asked_attributes(rule: FieldRule | None) -> tuple[str, ...]:
    """The attributes that a lookup by this rule asks for, in the mapper's order."""
    if rule is None:
        return ()
    found = []
    for source in rule.sources:
        _, brace, rest = source.partition("{")
        found.append(rest.partition("}")[0] if brace else source)
    return tuple(found)
