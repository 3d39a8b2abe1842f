"""``[backends.NAME]`` with ``type = "sql"``: what an admin may write, and what goes together."""

from __future__ import annotations

from pydantic import Field

from integration_server import BackendSettings, ConfigError, FieldRule, Secret, Settings, Texts


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
    verified_column: str | None = Field(
        default=None, description="a yes/no column: whether somebody has proved that the address is theirs"
    )
    attribute: str = Field(
        default="emails",
        description="the attribute name under which [map] finds the addresses; with _preferred behind it those whose "
        "primary_column, with _unverified those whose verified_column says so",
    )

    is_writable: bool = Field(
        default=False, description="addresses of new people are inserted, and addresses marked as verified"
    )

    @property
    def preferred_attribute(self) -> str:
        return f"{self.attribute}_preferred"

    @property
    def unverified_attribute(self) -> str:
        return f"{self.attribute}_unverified"

    @property
    def attributes(self) -> tuple[str, ...]:
        """All that it may give."""
        preferred = [self.preferred_attribute] if self.primary_column is not None else []
        unverified = [self.unverified_attribute] if self.verified_column is not None else []
        return (self.attribute, *preferred, *unverified)


class GroupTable(SideTable):
    """``[backends.NAME.group_table]``: one row for each membership."""

    group_column: str = Field(description="its column with the name of the group")
    attribute: str = Field(default="groups", description="the attribute name under which [map] finds the groups")
    is_writable: bool = Field(
        default=False, description="people may be put into groups and taken out: rows are inserted and deleted"
    )

    @property
    def attributes(self) -> tuple[str, ...]:
        """All that it may give."""
        return (self.attribute,)


class GroupList(Settings):
    """``[backends.NAME.group_list]``: one row for each group, also for those without members.

    Without it, the groups that people are in are all there are.
    """

    table: str | None = Field(default=None, description="the table or view of groups")
    schema_name: str | None = Field(default=None, alias="schema", description="its schema")
    statement: str | None = Field(default=None, description="or a SELECT that gives the columns below")
    id_column: str = Field(description="the column with the id, which is what [map] groups reads of people")
    title_column: str | None = Field(default=None, description="the column with the name for people to read")
    url_column: str | None = Field(default=None, description="the column with the group's web page")
    email_column: str | None = Field(default=None, description="the column with the group's address")
    type_column: str | None = Field(default=None, description="the column that says what kind of group it is")
    privacy_column: str | None = Field(default=None, description="the column that says who may see it")


class WritingSettings(Settings):
    """``[backends.NAME.writing]``: how the database is changed, where someone asks for that.

    People are made by inserting rows with the columns that are named here, or by own statements. All statements of a
    list run in one transaction. Values reach them as bound parameters.
    """

    username_column: str | None = Field(
        default=None, description="new people: the column that gets the address as name"
    )
    email_column: str | None = Field(default=None, description="the column of the main table that gets the address")
    full_name_column: str | None = Field(default=None, description="the column that gets the full name")
    biography_column: str | None = Field(default=None, description="the column that gets the text about the person")
    tz_column: str | None = Field(default=None, description="the column that gets the time zone")
    id_column: str | None = Field(
        default=None, description="the column that gets a random UUID, where the database makes no id by itself"
    )
    create_statements: Texts = Field(
        default=(), description="or SQL that makes a person of :email, :full_name, :biography and :tz"
    )
    confirm_email_statements: Texts = Field(
        default=(), description="SQL that marks :email of :user as verified, where email_table does not do"
    )

    add_member_statements: Texts = Field(
        default=(), description="SQL that puts the person whose [map] id is :user into :group"
    )
    remove_member_statements: Texts = Field(default=(), description="SQL that takes :user out of :group")

    @property
    def columns(self) -> dict[str, str]:
        """Which column gets which field of a new account."""
        named = {
            self.username_column: "email",
            self.email_column: "email",
            self.full_name_column: "full_name",
            self.biography_column: "biography",
            self.tz_column: "tz",
        }
        return {column: field for column, field in named.items() if column is not None}


class OutboxTable(Settings):
    """``[backends.NAME.outbox_table]``: a table in which triggers of the database note whose rows changed.

    It is only read. ``outbox_script`` makes the SQL that an admin runs to get the table and its triggers.
    """

    table: str = Field(description="the table that the triggers fill")
    schema_name: str | None = Field(default=None, alias="schema", description="its schema")
    sequence_column: str = Field(default="id", description="its growing number")
    person_column: str = Field(default="person", description="its column with the person's id, as [map] id reads it")
    made_at_column: str = Field(default="made_at", description="its column with the time, for deleting old rows by")


class SqlSettings(BackendSettings):
    """People in an SQL database: a table and its columns ([map]), or the admin's own statements.

    Values reach own statements as bound parameters only: ``:value`` is what somebody typed. A colon before a letter
    that is none of ours is written ``\\:``.
    """

    url: Secret = Field(description="SQLAlchemy URL, such as postgresql://reader@db.example.org/crm")
    db_password: Secret | None = Field(default=None, description="the password of the URL's account, kept apart")

    prepared_statements: bool = Field(
        default=False,
        description="PostgreSQL plans the statements of logins once for each connection; not behind a PgBouncer "
        "that shares connections between transactions",
    )

    table: str | None = Field(default=None, description="the table or view with one row a person")
    schema_name: str | None = Field(default=None, alias="schema", description="its schema")
    where: str | None = Field(default=None, description="an SQL condition that rows must meet, such as active = 1")

    list_statement: str | None = Field(default=None, description="instead of table: a SELECT that gives everybody")
    find_statement: str | None = Field(default=None, description="a SELECT that gives whom :value names")
    find_by_id_statement: str | None = Field(default=None, description="a SELECT that gives whose id is :value")
    find_by_email_statement: str | None = Field(
        default=None, description="a SELECT that gives who has the address :value, in any case"
    )
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
    group_list: GroupList | None = Field(default=None, description="groups that have a table of their own")
    writing: WritingSettings | None = Field(default=None, description="own statements that change the database")

    updated_at_column: str | None = Field(
        default=None,
        description="a column with the time of a row's last change (or a version number that grows): changes are "
        "noticed by it; what changes in email_table or group_table alone, or is deleted, is not",
    )
    changes_statement: str | None = Field(
        default=None, description="with list_statement: the same SELECT, of rows whose updated_at_column is > :since"
    )
    overlap_seconds: float = Field(
        default=60.0,
        ge=2,
        le=86400,
        description="with updated_at_column: how late a change may become visible (the longest transaction, clocks)",
    )
    outbox_table: OutboxTable | None = Field(
        default=None, description="instead: a table in which triggers note whose rows changed"
    )

    @property
    def side_tables(self) -> tuple[EmailTable | GroupTable, ...]:
        return tuple(side for side in (self.email_table, self.group_table) if side is not None)


def validate(settings: SqlSettings, name: str, attributes: tuple[str, ...]) -> None:
    """Raise ConfigError for settings that cannot work together."""
    where = f"[backends.{name}]"
    if (settings.table is None) == (settings.list_statement is None):
        raise ConfigError(f"{where} needs either table or list_statement")
    if settings.table is not None:
        _forbid(settings, where, "table", "find_statement", "find_by_id_statement", "find_by_email_statement")
    else:
        _forbid(settings, where, "list_statement", "schema_name", "where")
        _require_statements(settings, where)
    _validate_passwords(settings, where, attributes)
    _validate_sides(settings, where, attributes)
    if (groups := settings.group_list) is not None and (groups.table is None) == (groups.statement is None):
        raise ConfigError(f"[{where[1:-1]}.group_list] needs either table or statement")
    _validate_feed(settings, where)
    _validate_writing(settings, where)


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
        if isinstance(side, EmailTable) and side.verified_column and side.unverified_attribute not in attributes:
            raise ConfigError(
                f"[{where[1:-1]}.{key}] verified_column is not used: "
                f'set unverified_emails = "{side.unverified_attribute}" in [map]'
            )
        if side.key_column in (name for s in sides for name in s.attributes):
            raise ConfigError(f"[{where[1:-1]}.{key}] key_column must be a column of the main table")


def _validate_feed(settings: SqlSettings, where: str) -> None:
    if settings.updated_at_column is not None and settings.outbox_table is not None:
        raise ConfigError(f"{where} keep one of updated_at_column and outbox_table; the outbox notices more")
    if settings.changes_statement is not None and settings.list_statement is None:
        raise ConfigError(f"{where} changes_statement goes with list_statement; a table needs updated_at_column alone")
    needs = settings.list_statement is not None and settings.updated_at_column is not None
    if needs != (settings.changes_statement is not None):
        raise ConfigError(f"{where} changes_statement and updated_at_column go together, with a list_statement")
    if settings.outbox_table is not None and id_column(settings) is None:
        raise ConfigError(
            f"{where} outbox_table needs people's id to be one column as it is: set [map] id to that column alone"
        )


def _validate_writing(settings: SqlSettings, where: str) -> None:
    for side in settings.side_tables:
        if side.is_writable and side.table is None:
            key = "email_table" if isinstance(side, EmailTable) else "group_table"
            raise ConfigError(f"[{where[1:-1]}.{key}] is_writable needs a table; a statement cannot be written to")
    own = settings.writing
    if own is None:
        return
    inner = f"[{where[1:-1]}.writing]"
    if bool(own.add_member_statements) != bool(own.remove_member_statements):
        raise ConfigError(f"{inner} add_member_statements and remove_member_statements go together")
    if own.add_member_statements and settings.group_table is not None and settings.group_table.is_writable:
        raise ConfigError(f"{inner} add_member_statements does not go with is_writable of group_table; keep one")
    if id_column(settings) is None:
        raise ConfigError(f"{inner} needs people's id to be one column as it is: set [map] id to that column alone")

    if own.columns or own.id_column or own.create_statements:
        _validate_creating(settings, own, inner)


def _validate_creating(settings: SqlSettings, own: WritingSettings, inner: str) -> None:
    if settings.map.emails is None:
        raise ConfigError(f"{inner} set [map] emails: people who were made are found by their address")
    if settings.list_statement is not None and settings.find_by_email_statement is None:
        raise ConfigError(f"{inner} making people needs a find_by_email_statement beside list_statement")
    if own.create_statements:
        if own.columns or own.id_column:
            raise ConfigError(f"{inner} create_statements does not go with columns; keep one way to make people")
        return
    if settings.table is None:
        raise ConfigError(f"{inner} columns are those of a table; with list_statement, set create_statements")
    if own.username_column is None and own.email_column is None and own.id_column is None:
        raise ConfigError(f"{inner} needs username_column, email_column or id_column to know the new row by")
    if settings.email_table is not None and not settings.email_table.is_writable:
        raise ConfigError(f"{inner} new people's addresses go into email_table: set its is_writable")
    if settings.email_table is None and own.email_column is None and own.username_column is None:
        raise ConfigError(f"{inner} set email_column, or new people have no address")


def id_column(settings: SqlSettings) -> str | None:
    """The column of the main table that is people's id as it stands; None where the id is made of more than that."""
    rule = settings.map.id or settings.map.username
    if rule is None or len(rule.sources) != 1 or "{" in rule.sources[0] or rule.lower or rule.local_part:
        return None
    column = rule.sources[0]
    return None if column in (name for side in settings.side_tables for name in side.attributes) else column


def asked_attributes(rule: FieldRule | None) -> tuple[str, ...]:
    """The attributes that a lookup by this rule asks for, in the mapper's order."""
    if rule is None:
        return ()
    found = []
    for source in rule.sources:
        _, brace, rest = source.partition("{")
        found.append(rest.partition("}")[0] if brace else source)
    return tuple(found)
