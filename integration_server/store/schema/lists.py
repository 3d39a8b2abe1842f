"""Logins that failed, the names of lists, and the guards of lists and runs that somebody has lifted."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
)

from integration_server.store.schema.base import SERIAL, metadata

#: One row per distinct wrong password of one user from one caller; the password only as an HMAC.
failed_logins = Table(
    "failed_logins",
    metadata,
    Column("mount", String(100), primary_key=True),
    Column("username", String(1024), primary_key=True),
    Column("caller", String(64), primary_key=True),
    Column("password_mac", String(64), primary_key=True),
    Column("failed_at", Float, nullable=False, doc="Unix seconds"),
    Index("ix_failed_logins_failed_at", "failed_at"),
)

#: The names of each list that was released or is held. ``names`` is zlib of the normalised names joined by NUL, grouped
#: by backend in the order of ``owners`` (JSON: [[backend, number of names], ...]). ``left_out`` is zlib of
#: backend and id of each entry whose name another entry holds, one after the other, joined by NUL.
name_lists = Table(
    "name_lists",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("mount", String(100), nullable=False),
    Column("state", String(10), nullable=False, doc="released, or held by the guard"),
    Column("first_at", Float, nullable=False, doc="Unix seconds of the first list with just these names"),
    Column("last_at", Float, nullable=False, doc="Unix seconds of the latest one"),
    Column("name_count", Integer, nullable=False),
    Column("digest", String(64), nullable=False, doc="SHA-256 of names before compression"),
    Column("names", LargeBinary, nullable=False),
    Column("owners", Text, nullable=False),
    Column("left_out", LargeBinary, nullable=False),
    Column("missing_count", Integer, nullable=False, doc="names lost against the reference, where held"),
    Column("reason", Text, nullable=False, doc="why the guard holds it"),
    Index("ix_name_lists_mount_state", "mount", "state"),
    # An id that was shown to somebody must never come to mean another list.
    sqlite_autoincrement=True,
)

#: One run of writing the index of one backend; the newest complete one counts.
index_generations = Table(
    "index_generations",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("backend", String(100), nullable=False),
    Column("started_at", Float, nullable=False, doc="Unix seconds"),
    Column("completed_at", Float, doc="Unix seconds; NULL while the listing runs"),
    Index("ix_index_generations_backend", "backend"),
    sqlite_autoincrement=True,
)

#: Listed user name -> id of the entry, for mappings that cannot be undone.
name_index = Table(
    "name_index",
    metadata,
    Column("generation", ForeignKey("index_generations.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("username", String(1024), primary_key=True, doc="normalised"),
    Column("entry_id", Text, nullable=False),
)

#: Guards that somebody has lifted: what would be held next goes through, once.
guard_lifts = Table(
    "guard_lifts",
    metadata,
    Column("kind", String(10), primary_key=True, doc="frontend (its lists) or backend (its runs)"),
    Column("name", String(100), primary_key=True),
    Column("actor", String(200), nullable=False, doc="who said so"),
    Column("lifted_at", Float, nullable=False, doc="Unix seconds"),
    Column("until", Float, nullable=False, doc="Unix seconds; unused until then, it is over"),
)
