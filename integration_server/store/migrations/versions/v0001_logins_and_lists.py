"""Failed logins, released and held lists, the index of names."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_serial = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "failed_logins",
        sa.Column("mount", sa.String(100), nullable=False),
        sa.Column("username", sa.String(1024), nullable=False),
        sa.Column("caller", sa.String(64), nullable=False),
        sa.Column("password_mac", sa.String(64), nullable=False),
        sa.Column("failed_at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("mount", "username", "caller", "password_mac", name="pk_failed_logins"),
    )
    op.create_index("ix_failed_logins_failed_at", "failed_logins", ["failed_at"])
    op.create_table(
        "name_lists",
        sa.Column("id", _serial, nullable=False),
        sa.Column("mount", sa.String(100), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("first_at", sa.Float, nullable=False),
        sa.Column("last_at", sa.Float, nullable=False),
        sa.Column("name_count", sa.Integer, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("names", sa.LargeBinary, nullable=False),
        sa.Column("owners", sa.Text, nullable=False),
        sa.Column("left_out", sa.LargeBinary, nullable=False),
        sa.Column("missing_count", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_name_lists"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_name_lists_mount_state", "name_lists", ["mount", "state"])
    op.create_table(
        "index_generations",
        sa.Column("id", _serial, nullable=False),
        sa.Column("backend", sa.String(100), nullable=False),
        sa.Column("started_at", sa.Float, nullable=False),
        sa.Column("completed_at", sa.Float),
        sa.PrimaryKeyConstraint("id", name="pk_index_generations"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_index_generations_backend", "index_generations", ["backend"])
    op.create_table(
        "name_index",
        sa.Column("generation", _serial, nullable=False),
        sa.Column("username", sa.String(1024), nullable=False),
        sa.Column("entry_id", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("generation", "username", name="pk_name_index"),
        sa.ForeignKeyConstraint(
            ["generation"], ["index_generations.id"], name="fk_name_index_generation", ondelete="CASCADE"
        ),
    )
