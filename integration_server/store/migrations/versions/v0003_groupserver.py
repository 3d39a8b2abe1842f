"""Public ids of people and groups, tokens of frontends; writes of ours that are under way."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_serial = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "profile_identities",
        sa.Column("profile_id", sa.String(22), nullable=False),
        sa.Column("backend", sa.String(100), nullable=False),
        sa.Column("person_id", sa.String(1024), nullable=False),
        sa.PrimaryKeyConstraint("profile_id", name="pk_profile_identities"),
        sa.UniqueConstraint("backend", "person_id", name="uq_profile_identities_backend"),
    )
    op.create_table(
        "group_identities",
        sa.Column("mount", sa.String(100), nullable=False),
        sa.Column("group_id", sa.String(120), nullable=False),
        sa.Column("folded", sa.String(120), nullable=False),
        sa.Column("backend", sa.String(100), nullable=False),
        sa.Column("name", sa.String(1024), nullable=False),
        sa.PrimaryKeyConstraint("mount", "group_id", name="pk_group_identities"),
        sa.UniqueConstraint("mount", "folded", name="uq_group_identities_mount"),
        sa.UniqueConstraint("mount", "backend", "name", name="uq_group_identities_name"),
    )
    op.create_table(
        "intents",
        sa.Column("id", _serial, nullable=False),
        sa.Column("backend", sa.String(100), nullable=False),
        sa.Column("person_id", sa.String(1024), nullable=True),
        sa.Column("address", sa.String(1024), nullable=True),
        sa.Column("origin", sa.String(120), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_intents"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_intents_backend", "intents", ["backend"], unique=False)
    op.create_table(
        "frontend_tokens",
        sa.Column("mount", sa.String(100), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("mount", name="pk_frontend_tokens"),
    )
