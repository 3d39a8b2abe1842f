"""Where accounts are kept."""

from __future__ import annotations

import sqlalchemy as sa

from integration_server import Tables

_metadata = sa.MetaData()

#: ``backend`` is the name of the table in the configuration: there may be several of this type.
accounts = sa.Table(
    "accounts",
    _metadata,
    sa.Column("backend", sa.String(100), primary_key=True),
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("email", sa.String(1024), nullable=False),
    sa.Column("folded", sa.String(1024), nullable=False, doc="the address in the form in which it is compared"),
    sa.Column("full_name", sa.Text, nullable=False),
    sa.Column("biography", sa.Text),
    sa.Column("tz", sa.Text),
    sa.Column("created_at", sa.Float, nullable=False, doc="Unix seconds"),
    sa.UniqueConstraint("backend", "folded", name="uq_accounts_folded"),
)


def _make(connection: sa.Connection) -> None:
    """Written out: what the first step made must not change with the table above."""
    connection.exec_driver_sql(
        "CREATE TABLE accounts ("
        " backend VARCHAR(100) NOT NULL, id VARCHAR(36) NOT NULL,"
        " email VARCHAR(1024) NOT NULL, folded VARCHAR(1024) NOT NULL,"
        " full_name TEXT NOT NULL, biography TEXT, tz TEXT, created_at DOUBLE PRECISION NOT NULL,"
        " PRIMARY KEY (backend, id), CONSTRAINT uq_accounts_folded UNIQUE (backend, folded))"
    )


TABLES = Tables("accounts", (_make,))
