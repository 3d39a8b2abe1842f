"""Channels that are bound to a resource."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_serial = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_is_free, _is_bound = sa.text("bound_to IS NULL"), sa.text("bound_to IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "bound_resources",
        sa.Column("id", _serial, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("backend", sa.String(100), nullable=True),
        sa.Column("serial", sa.BigInteger(), nullable=False),
        sa.Column("change", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_bound_resources"),
        sa.UniqueConstraint("digest", name="uq_bound_resources_digest"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_bound_resources_kind", "bound_resources", ["kind", "backend"], unique=False)
    op.add_column(
        "journal_state", sa.Column("bound_changes", sa.BigInteger(), nullable=False, server_default=sa.text("0"))
    )
    op.add_column("subscriptions", sa.Column("bound_to", sa.BigInteger(), nullable=True))
    for name, columns, where in (
        ("ix_subscriptions_delivered", ["id", "changed_at"], _is_free),
        ("ix_subscriptions_bound", ["bound_to"], _is_bound),
        ("ix_subscriptions_channels", ["owner", "bound_to"], _is_bound),
    ):
        op.create_index(name, "subscriptions", columns, sqlite_where=where, postgresql_where=where)
