"""Public ids of people and groups."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0002"
branch_labels = None
depends_on = None


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
        sa.Column("group_id", sa.String(120), nullable=False),
        sa.Column("folded", sa.String(120), nullable=False),
        sa.Column("backend", sa.String(100), nullable=False),
        sa.Column("name", sa.String(1024), nullable=False),
        sa.PrimaryKeyConstraint("group_id", name="pk_group_identities"),
        sa.UniqueConstraint("folded", name="uq_group_identities_folded"),
        sa.UniqueConstraint("backend", "name", name="uq_group_identities_backend"),
    )
