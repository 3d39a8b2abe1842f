"""Memberships kept beside directories; tables of plugins."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "kept_memberships",
        sa.Column("backend", sa.String(100), nullable=False),
        sa.Column("person_id", sa.String(1024), nullable=False),
        sa.Column("group_backend", sa.String(100), nullable=False),
        sa.Column("group_id", sa.String(1024), nullable=False),
        sa.Column("is_member", sa.Boolean(), nullable=False),
        sa.Column("changed_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("backend", "person_id", "group_backend", "group_id", name="pk_kept_memberships"),
    )
    op.create_index("ix_kept_memberships_group", "kept_memberships", ["group_backend", "group_id"], unique=False)
    op.create_table(
        "plugin_tables",
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("steps", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_plugin_tables"),
    )
