"""What frontends call people and groups by, what is kept beside directories, and how far the tables of plugins are."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    String,
    Table,
    UniqueConstraint,
)

from integration_server.store.schema.base import SERIAL, metadata

profile_identities = Table(
    "profile_identities",
    metadata,
    Column("profile_id", String(22), primary_key=True),
    Column("backend", String(100), nullable=False),
    Column("person_id", String(1024), nullable=False),
    UniqueConstraint("backend", "person_id"),
)

group_identities = Table(
    "group_identities",
    metadata,
    Column("mount", String(100), primary_key=True),
    Column("group_id", String(120), primary_key=True),
    Column("folded", String(120), nullable=False, doc="no two of a mount are alike but for their case"),
    Column("backend", String(100), nullable=False),
    Column("name", String(1024), nullable=False, doc="as the backend has it"),
    UniqueConstraint("mount", "folded"),
    UniqueConstraint("mount", "backend", "name", name="uq_group_identities_name"),
)

#: Writes of ours into a backend that are under way, or were when a process died.
intents = Table(
    "intents",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("backend", String(100), nullable=False),
    Column("person_id", String(1024), doc="NULL for somebody who is to be made"),
    Column("address", String(1024)),
    Column("origin", String(120), nullable=False),
    Column("created_at", Float, nullable=False),
    Index("ix_intents_backend", "backend"),
    sqlite_autoincrement=True,
)

#: Tokens of frontends whose protocol has one, by digest only.
frontend_tokens = Table(
    "frontend_tokens",
    metadata,
    Column("mount", String(100), primary_key=True),
    Column("digest", String(64), nullable=False, doc="SHA-256 of the token, which is random"),
    Column("created_at", Float, nullable=False),
)

# -- what is kept beside directories that take no writes --------------------------------------------------------------

#: Memberships that hold whatever the person's directory says of them.
kept_memberships = Table(
    "kept_memberships",
    metadata,
    Column("backend", String(100), primary_key=True, doc="of the person"),
    Column("person_id", String(1024), primary_key=True),
    Column("group_backend", String(100), primary_key=True),
    Column("group_id", String(1024), primary_key=True),
    Column("is_member", Boolean, nullable=False),
    Column("changed_at", Float, nullable=False, doc="Unix seconds"),
    Index("ix_kept_memberships_group", "group_backend", "group_id"),
)

#: How far the tables of each plugin are.
plugin_tables = Table(
    "plugin_tables",
    metadata,
    Column("name", String(60), primary_key=True),
    Column("steps", Integer, nullable=False, doc="that have run"),
)
