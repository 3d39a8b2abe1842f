"""Where the accounts of IPS Connect are kept."""

from __future__ import annotations

import sqlalchemy as sa

from integration_server import Tables

_metadata = sa.MetaData()

#: ``backend`` is, here and below, the name of the table in the configuration: each has accounts and numbers of its own.
accounts = sa.Table(
    "ips_connect_accounts",
    _metadata,
    sa.Column("backend", sa.String(100), primary_key=True),
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False, doc="the connect id"),
    sa.Column("name", sa.String(255), nullable=False, doc="the display name"),
    sa.Column("folded_name", sa.String(1024), nullable=False, doc="the name in the form in which it is compared"),
    sa.Column("email", sa.String(320), nullable=False),
    sa.Column("folded_email", sa.String(1024), nullable=False, doc="the address in the form in which it is compared"),
    sa.Column("full_name", sa.Text, doc="of people whom other protocols made"),
    sa.Column("pass_hash", sa.String(255), nullable=False),
    sa.Column("pass_salt", sa.String(255), nullable=False),
    sa.Column("is_banned", sa.Boolean, nullable=False),
    sa.Column("revalidate_url", sa.Text, nullable=False, doc="not empty: the address has yet to be confirmed, there"),
    sa.Column("created_at", sa.Float, nullable=False, doc="Unix seconds"),
    sa.Column("changed_at", sa.Float, nullable=False, doc="Unix seconds"),
    sa.UniqueConstraint("backend", "folded_name", name="uq_ips_connect_accounts_name"),
    sa.UniqueConstraint("backend", "folded_email", name="uq_ips_connect_accounts_email"),
)

#: The last numbers that were given. Writers lock the row first, so they come one after another.
counters = sa.Table(
    "ips_connect_counters",
    _metadata,
    sa.Column("backend", sa.String(100), primary_key=True),
    sa.Column("last_id", sa.BigInteger, nullable=False),
    sa.Column("last_change", sa.BigInteger, nullable=False),
)

#: The last change of each account that there is or was. It grows no longer than the ids do, so nothing is pruned.
changes = sa.Table(
    "ips_connect_changes",
    _metadata,
    sa.Column("backend", sa.String(100), primary_key=True),
    sa.Column("account", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("backend", "number", name="uq_ips_connect_changes_number"),
)

#: The key of each network's master, where the configuration does not give it; of a copy, the key that its master has
#: for this server.
keys = sa.Table(
    "ips_connect_keys",
    _metadata,
    sa.Column("backend", sa.String(100), primary_key=True),
    sa.Column("master_key", sa.String(255), nullable=False),
)

#: Which account stands for a person of another backend.
links = sa.Table(
    "ips_connect_links",
    _metadata,
    sa.Column("backend", sa.String(100), primary_key=True),
    sa.Column("source", sa.String(100), primary_key=True, doc="the other backend"),
    sa.Column("person_id", sa.String(1024), primary_key=True),
    sa.Column("account", sa.BigInteger, nullable=False, doc="it may be gone"),
    sa.Column("serial", sa.BigInteger, nullable=False, doc="that of the last event that counted"),
    sa.Column("name", sa.String(255), nullable=False, doc="the person's; the account's may be another one"),
    sa.Column("email", sa.String(320), nullable=False, doc="the person's; the account's may be another one"),
    sa.Column("wanted", sa.String(320), nullable=False, doc="the person's newest, while another account has it"),
    sa.Column("is_held", sa.Boolean, nullable=False, doc="banned because the person is disabled or gone"),
    sa.Column("is_gone", sa.Boolean, nullable=False, doc="the person was deleted"),
    sa.UniqueConstraint("backend", "account", name="uq_ips_connect_links_account"),
)

#: The change that was handed to each slave last, as long as it is unknown what became of it.
handed_over = sa.Table(
    "ips_connect_handed_over",
    _metadata,
    sa.Column("subscription", sa.String(100), primary_key=True),
    sa.Column("event", sa.String(100), nullable=False, doc="its id"),
)

#: The last step that was done of each chain of browsers, until the chain would be too old anyway.
chains = sa.Table(
    "ips_connect_chains",
    _metadata,
    sa.Column("chain", sa.String(32), primary_key=True),
    sa.Column("step", sa.Integer, nullable=False),
    sa.Column("ends_at", sa.Float, nullable=False, doc="Unix seconds"),
)

#: Accounts of another master of which the copy here knows no more than the id, and whether they are banned.
gaps = sa.Table(
    "ips_connect_gaps",
    _metadata,
    sa.Column("backend", sa.String(100), primary_key=True),
    sa.Column("account", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("is_banned", sa.Boolean, nullable=False),
)

#: The master of each copy.
masters = sa.Table(
    "ips_connect_masters",
    _metadata,
    sa.Column("backend", sa.String(100), primary_key=True),
    sa.Column("host", sa.String(255), nullable=False, doc="of its URL"),
    sa.Column("registration", sa.String(64), nullable=False, doc="a digest of what this server registered there with"),
)


def _make(connection: sa.Connection) -> None:
    """Written out: what the first step made must not change with the tables above."""
    connection.exec_driver_sql(
        "CREATE TABLE ips_connect_accounts ("
        " backend VARCHAR(100) NOT NULL, id BIGINT NOT NULL,"
        " name VARCHAR(255) NOT NULL, folded_name VARCHAR(1024) NOT NULL,"
        " email VARCHAR(320) NOT NULL, folded_email VARCHAR(1024) NOT NULL, full_name TEXT,"
        " pass_hash VARCHAR(255) NOT NULL, pass_salt VARCHAR(255) NOT NULL,"
        " is_banned BOOLEAN NOT NULL, revalidate_url TEXT NOT NULL,"
        " created_at DOUBLE PRECISION NOT NULL, changed_at DOUBLE PRECISION NOT NULL,"
        " PRIMARY KEY (backend, id),"
        " CONSTRAINT uq_ips_connect_accounts_name UNIQUE (backend, folded_name),"
        " CONSTRAINT uq_ips_connect_accounts_email UNIQUE (backend, folded_email))"
    )
    connection.exec_driver_sql(
        "CREATE TABLE ips_connect_counters ("
        " backend VARCHAR(100) NOT NULL, last_id BIGINT NOT NULL, last_change BIGINT NOT NULL, PRIMARY KEY (backend))"
    )
    connection.exec_driver_sql(
        "CREATE TABLE ips_connect_changes ("
        " backend VARCHAR(100) NOT NULL, account BIGINT NOT NULL, number BIGINT NOT NULL,"
        " PRIMARY KEY (backend, account), CONSTRAINT uq_ips_connect_changes_number UNIQUE (backend, number))"
    )


def _add_network(connection: sa.Connection) -> None:
    """Keys, links, and what was handed over."""
    connection.exec_driver_sql(
        "CREATE TABLE ips_connect_keys ("
        " backend VARCHAR(100) NOT NULL, master_key VARCHAR(255) NOT NULL, PRIMARY KEY (backend))"
    )
    connection.exec_driver_sql(
        "CREATE TABLE ips_connect_links ("
        " backend VARCHAR(100) NOT NULL, source VARCHAR(100) NOT NULL, person_id VARCHAR(1024) NOT NULL,"
        " account BIGINT NOT NULL, PRIMARY KEY (backend, source, person_id),"
        " CONSTRAINT uq_ips_connect_links_account UNIQUE (backend, account))"
    )
    connection.exec_driver_sql(
        "CREATE TABLE ips_connect_handed_over ("
        " subscription VARCHAR(100) NOT NULL, event VARCHAR(100) NOT NULL, PRIMARY KEY (subscription))"
    )


def _add_chains(connection: sa.Connection) -> None:
    connection.exec_driver_sql(
        "CREATE TABLE ips_connect_chains ("
        " chain VARCHAR(32) NOT NULL, step INTEGER NOT NULL, ends_at DOUBLE PRECISION NOT NULL, PRIMARY KEY (chain))"
    )


def _add_people(connection: sa.Connection) -> None:
    """What was last heard of the people behind links."""
    for column in (
        "serial BIGINT NOT NULL DEFAULT 0",
        "name VARCHAR(255) NOT NULL DEFAULT ''",
        "email VARCHAR(320) NOT NULL DEFAULT ''",
        "is_held BOOLEAN NOT NULL DEFAULT FALSE",
        "is_gone BOOLEAN NOT NULL DEFAULT FALSE",
    ):
        connection.exec_driver_sql(f"ALTER TABLE ips_connect_links ADD COLUMN {column}")


def _add_copies(connection: sa.Connection) -> None:
    """What is known of other masters."""
    connection.exec_driver_sql(
        "CREATE TABLE ips_connect_gaps ("
        " backend VARCHAR(100) NOT NULL, account BIGINT NOT NULL, is_banned BOOLEAN NOT NULL,"
        " PRIMARY KEY (backend, account))"
    )
    connection.exec_driver_sql(
        "CREATE TABLE ips_connect_masters ("
        " backend VARCHAR(100) NOT NULL, host VARCHAR(255) NOT NULL, registration VARCHAR(64) NOT NULL,"
        " PRIMARY KEY (backend))"
    )


def _add_wishes(connection: sa.Connection) -> None:
    """What people behind links wait for."""
    connection.exec_driver_sql("ALTER TABLE ips_connect_links ADD COLUMN wanted VARCHAR(320) NOT NULL DEFAULT ''")


TABLES = Tables("ips_connect", (_make, _add_network, _add_chains, _add_people, _add_copies, _add_wishes))
