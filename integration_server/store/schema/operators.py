"""What the dashboard remembers: who may sign in, who has, what was done, how the hours went, what will run out."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, Integer, String, Table, Text

from integration_server.store.schema.base import SERIAL, metadata

#: Who may sign in to the dashboard.
admins = Table(
    "admins",
    metadata,
    Column("name", String(100), primary_key=True, doc="normalised"),
    Column("password_hash", Text, nullable=False, doc="argon2"),
    Column("created_at", Float, nullable=False, doc="Unix seconds"),
    Column("changed_at", Float, nullable=False, doc="of the password"),
)

#: Who has signed in. The session's token is random and known to the browser alone.
admin_sessions = Table(
    "admin_sessions",
    metadata,
    Column("digest", String(64), primary_key=True, doc="SHA-256 of the token"),
    Column("admin", ForeignKey("admins.name", ondelete="CASCADE"), nullable=False),
    Column("form_token", String(64), nullable=False, doc="what every form of the session holds"),
    Column("created_at", Float, nullable=False),
    Column("seen_at", Float, nullable=False, doc="of the latest use, to the minute"),
    Column("notice", Text, doc="what the next page says"),
    Index("ix_admin_sessions_admin", "admin"),
)

#: What was done, by whom; bounded.
audit_log = Table(
    "audit_log",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("at", Float, nullable=False),
    Column("action", String(100), nullable=False),
    Column("subject", String(1200), nullable=False),
    Column("actor", String(200), doc="an administrator, a token, the command line; NULL for the server itself"),
    Column("details", Text, nullable=False, doc="JSON object"),
    Index("ix_audit_log_at", "at"),
    sqlite_autoincrement=True,
)

#: When the certificates run out that servers and receivers showed, or that stand in files.
certificates = Table(
    "certificates",
    metadata,
    Column("holder", String(500), primary_key=True, doc="whose it is, for people"),
    Column("expires_at", Float, nullable=False),
    Column("seen_at", Float, nullable=False, doc="when somebody had it last, to the hour"),
)

#: How many logins and lists a frontend had in an hour, and how many people its list had.
hourly_counts = Table(
    "hourly_counts",
    metadata,
    Column("frontend", String(100), primary_key=True),
    Column("hour", Integer, primary_key=True, autoincrement=False, doc="hours since 1970, UTC"),
    Column("what", String(20), primary_key=True, doc="accepted, refused, unavailable, lists, people"),
    Column("number", BigInteger, nullable=False),
    Column("latest_at", Float, nullable=False, doc="when it was last counted up or set"),
    Index("ix_hourly_counts_hour", "hour"),
)
