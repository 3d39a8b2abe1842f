"""Forwarding: people as last noticed, the journal, held runs, subscriptions and their deliveries, tokens, leases."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_serial = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "events",
        sa.Column("serial", _serial, autoincrement=False, nullable=False),
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("type", sa.String(40), nullable=False),
        sa.Column("backend", sa.String(100), nullable=False),
        sa.Column("person_id", sa.String(1024), nullable=False),
        sa.Column("group_name", sa.Text(), nullable=True),
        sa.Column("noticed_at", sa.Float(), nullable=False),
        sa.Column("origin", sa.String(120), nullable=True),
        sa.Column("groups", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("serial", name="pk_events"),
        sa.UniqueConstraint("id", name="uq_events_id"),
    )
    op.create_index("ix_events_noticed_at", "events", ["noticed_at"], unique=False)
    op.create_index("ix_events_person", "events", ["backend", "person_id", "serial"], unique=False)
    op.create_table(
        "held_runs",
        sa.Column("id", _serial, nullable=False),
        sa.Column("backend", sa.String(100), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("start_serial", sa.BigInteger(), nullable=False),
        sa.Column("first_at", sa.Float(), nullable=False),
        sa.Column("last_at", sa.Float(), nullable=False),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("feed_position", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_held_runs"),
        sa.UniqueConstraint("backend", name="uq_held_runs_backend"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "journal_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("last_serial", sa.BigInteger(), nullable=False),
        sa.Column("pruned_serial", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_journal_state"),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("owner", sa.String(100), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )
    op.create_table(
        "people",
        sa.Column("key", _serial, nullable=False),
        sa.Column("backend", sa.String(100), nullable=False),
        sa.Column("person_id", sa.String(1024), nullable=False),
        sa.Column("digest", sa.LargeBinary(16), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("serial", sa.BigInteger(), nullable=False),
        sa.Column("gone_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("key", name="pk_people"),
        sa.UniqueConstraint("backend", "person_id", name="uq_people_backend"),
        sqlite_autoincrement=True,
    )
    is_gone = sa.text("gone_at IS NOT NULL")
    op.create_index(
        "ix_people_gone",
        "people",
        ["backend", "gone_at"],
        unique=False,
        sqlite_where=is_gone,
        postgresql_where=is_gone,
    )
    op.create_index("ix_people_key", "people", ["backend", "key"], unique=False)
    op.create_table(
        "subscriptions",
        sa.Column("id", sa.String(120), nullable=False),
        sa.Column("owner", sa.String(40), nullable=False),
        sa.Column("uid", sa.String(200), nullable=True),
        sa.Column("type", sa.String(100), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("events", sa.Text(), nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.Column("secrets", sa.Text(), nullable=False),
        sa.Column("batch_size", sa.Integer(), nullable=False),
        sa.Column("rate_per_second", sa.Float(), nullable=True),
        sa.Column("is_coalescing", sa.Boolean(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("state_reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("changed_at", sa.Float(), nullable=False),
        sa.Column("cursor", sa.BigInteger(), nullable=False),
        sa.Column("replay_serial", sa.BigInteger(), nullable=True),
        sa.Column("replay_key", sa.BigInteger(), nullable=True),
        sa.Column("failing_since", sa.Float(), nullable=True),
        sa.Column("probes", sa.Integer(), nullable=False),
        sa.Column("next_probe_at", sa.Float(), nullable=True),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_subscriptions"),
        sa.UniqueConstraint("owner", "uid", name="uq_subscriptions_owner"),
    )
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("resources", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=True),
        sa.Column("revoked_at", sa.Float(), nullable=True),
        sa.Column("used_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
        sa.UniqueConstraint("digest", name="uq_tokens_digest"),
        sa.UniqueConstraint("name", name="uq_tokens_name"),
    )
    op.create_table(
        "watches",
        sa.Column("backend", sa.String(100), nullable=False),
        sa.Column("baseline_at", sa.Float(), nullable=True),
        sa.Column("fingerprint", sa.String(64), nullable=True),
        sa.Column("feed_position", sa.Text(), nullable=True),
        sa.Column("scanned_at", sa.Float(), nullable=True),
        sa.Column("scan_seconds", sa.Float(), nullable=True),
        sa.Column("people_count", sa.Integer(), nullable=False),
        sa.Column("failed_at", sa.Float(), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("approved_at", sa.Float(), nullable=True),
        sa.Column("is_scan_wanted", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("backend", name="pk_watches"),
    )
    op.create_table(
        "attempts",
        sa.Column("id", _serial, nullable=False),
        sa.Column("subscription_id", sa.String(120), nullable=False),
        sa.Column("delivery_id", sa.String(40), nullable=False),
        sa.Column("serial", sa.BigInteger(), nullable=False),
        sa.Column("event_count", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.String(1024), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("is_ok", sa.Boolean(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("response", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["subscriptions.id"], name="fk_attempts_subscription_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_attempts"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_attempts_subscription", "attempts", ["subscription_id", "id"], unique=False)
    op.create_table(
        "deliveries",
        sa.Column("id", _serial, nullable=False),
        sa.Column("subscription_id", sa.String(120), nullable=False),
        sa.Column("serial", sa.BigInteger(), nullable=False),
        sa.Column("lane", sa.String(1200), nullable=False),
        sa.Column("event_id", sa.String(40), nullable=False),
        sa.Column("event_type", sa.String(40), nullable=False),
        sa.Column("backend", sa.String(100), nullable=False),
        sa.Column("person_id", sa.String(1024), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.Float(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("changed_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["subscriptions.id"], name="fk_deliveries_subscription_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sa.UniqueConstraint("subscription_id", "event_id", name="uq_deliveries_subscription_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_deliveries_lane", "deliveries", ["subscription_id", "lane", "serial"], unique=False)
    op.create_index("ix_deliveries_person", "deliveries", ["backend", "person_id"], unique=False)
    op.create_index("ix_deliveries_state", "deliveries", ["subscription_id", "state", "next_at"], unique=False)
    op.create_table(
        "held_changes",
        sa.Column("run_id", _serial, autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("person_id", sa.String(1024), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("digest", sa.LargeBinary(16), nullable=True),
        sa.Column("document", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["held_runs.id"], name="fk_held_changes_run_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "number", name="pk_held_changes"),
    )
    op.create_table(
        "open_batches",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("subscription_id", sa.String(120), nullable=False),
        sa.Column("serials", sa.Text(), nullable=False),
        sa.Column("is_settled", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["subscriptions.id"], name="fk_open_batches_subscription_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_open_batches"),
    )
    op.create_index("ix_open_batches_subscription_id", "open_batches", ["subscription_id"], unique=False)
    op.execute("INSERT INTO journal_state (id, last_serial, pruned_serial) VALUES (1, 0, 0)")
