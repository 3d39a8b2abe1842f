"""The tables. Every change here comes with a migration in ``migrations/versions``; a test compares the two."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

#: The newest migration, after which a store has the tables of this version.
REVISION = "0004"

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: SQLite counts rows by itself only in a column declared INTEGER.
_Serial = BigInteger().with_variant(Integer, "sqlite")

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
    Column("id", _Serial, primary_key=True),
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
    Column("id", _Serial, primary_key=True),
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

# -- forwarding: what is known of people, what changed, who has been told ------------------------------------------
# Columns named after a JSON shape hold it as text; times are Unix seconds throughout.

#: Next to nobody is.
_IS_GONE = text("gone_at IS NOT NULL")

#: Each person as last noticed. ``key`` is a small number, so that a scan can tick off a million people in a bitmap.
people = Table(
    "people",
    metadata,
    Column("key", _Serial, primary_key=True),
    Column("backend", String(100), nullable=False),
    Column("person_id", String(1024), nullable=False),
    Column("digest", LargeBinary(16), nullable=False, doc="of the document's values"),
    Column("document", Text, nullable=False, doc="JSON object, as in events"),
    Column("serial", BigInteger, nullable=False, doc="of the last event about this person; 0 = only a baseline"),
    Column("gone_at", Float, doc="missing since then, where deletion waits some days"),
    UniqueConstraint("backend", "person_id"),
    Index("ix_people_key", "backend", "key"),
    Index("ix_people_gone", "backend", "gone_at", sqlite_where=_IS_GONE, postgresql_where=_IS_GONE),
    sqlite_autoincrement=True,
)

#: What detection remembers of each backend.
watches = Table(
    "watches",
    metadata,
    Column("backend", String(100), primary_key=True),
    Column("baseline_at", Float, doc="NULL until everybody was written down once"),
    Column("fingerprint", String(64), doc="of the settings that decide who is seen and how"),
    Column("feed_position", Text, doc="the change feed's own token"),
    Column("scanned_at", Float, doc="when the last full comparison ended well"),
    Column("scan_seconds", Float),
    Column("people_count", Integer, nullable=False, default=0),
    Column("failed_at", Float, doc="NULL when the last run went well"),
    Column("failure", Text),
    Column("approved_at", Float, doc="when a person last said yes to a held run"),
    Column("is_scan_wanted", Boolean, nullable=False, default=False, doc="somebody asked for a full comparison"),
)

#: The journal. ``serial`` is taken from ``journal_state`` inside the writing transaction, so serials become visible
#: in order.
events = Table(
    "events",
    metadata,
    Column("serial", _Serial, primary_key=True, autoincrement=False),
    Column("id", String(40), nullable=False, unique=True),
    Column("type", String(40), nullable=False),
    Column("backend", String(100), nullable=False),
    Column("person_id", String(1024), nullable=False),
    Column("group_name", Text, doc="of membership events"),
    Column("noticed_at", Float, nullable=False),
    Column("origin", String(120), doc="the subscription that caused it and is not told"),
    Column("groups", Text, nullable=False, doc="JSON: groups of the person before or after"),
    Column("body", Text, nullable=False, doc="JSON: see sdk.events.stored_body"),
    Index("ix_events_person", "backend", "person_id", "serial"),
    Index("ix_events_noticed_at", "noticed_at"),
)

#: One row. Updating it locks it, which makes writers of the journal queue up.
journal_state = Table(
    "journal_state",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("last_serial", BigInteger, nullable=False),
    Column("pruned_serial", BigInteger, nullable=False, doc="events up to here are gone"),
)

#: A run that the guard holds; one per backend.
held_runs = Table(
    "held_runs",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("backend", String(100), nullable=False, unique=True),
    Column("state", String(10), nullable=False, doc="writing; held; approved and not yet wholly applied"),
    Column("reason", Text, nullable=False),
    Column("digest", String(64), nullable=False, doc="of what the run would do; the same run keeps its id"),
    Column("start_serial", BigInteger, nullable=False, doc="last serial when the run began to look"),
    Column("first_at", Float, nullable=False),
    Column("last_at", Float, nullable=False),
    Column("counts", Text, nullable=False, doc='JSON: {"created": n, "updated": n, "deleted": n, ...}'),
    Column("fingerprint", String(64), nullable=False),
    Column("feed_position", Text),
    sqlite_autoincrement=True,
)

held_changes = Table(
    "held_changes",
    metadata,
    Column("run_id", ForeignKey("held_runs.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("person_id", String(1024), nullable=False),
    Column("kind", String(10), nullable=False, doc="create, update, delete, vanish"),
    Column("digest", LargeBinary(16)),
    Column("document", Text),
)

#: One receiver of changes.
subscriptions = Table(
    "subscriptions",
    metadata,
    Column("id", String(120), primary_key=True),
    Column("owner", String(40), nullable=False, doc="id of a token, or 'config'"),
    Column("uid", String(200), doc="the owner's own name for it"),
    Column("type", String(100), nullable=False),
    Column("resource", Text, nullable=False, doc='JSON: {"kind": "all" | "backend" | "group", "backend":, "group":}'),
    Column("events", Text, nullable=False, doc="JSON: patterns of event types"),
    Column("settings", Text, nullable=False, doc="JSON: the consumer's own settings"),
    Column("secrets", Text, nullable=False, doc='JSON: [{"secret": ..., "until": time or null}, ...], newest first'),
    Column("batch_size", Integer, nullable=False),
    Column("rate_per_second", Float),
    Column("is_coalescing", Boolean, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("state", String(20), nullable=False, doc="ok, resting, quarantined, ended"),
    Column("state_reason", Text),
    Column("created_at", Float, nullable=False),
    Column("changed_at", Float, nullable=False, doc="of the settings; workers reload it then"),
    Column("cursor", BigInteger, nullable=False, doc="all events up to here are delivered or have a row"),
    Column("replay_serial", BigInteger, doc="a replay of everybody as of this serial is under way"),
    Column("replay_key", BigInteger, doc="people.key up to which it has come"),
    Column("failing_since", Float),
    Column("probes", Integer, nullable=False, default=0),
    Column("next_probe_at", Float),
    Column("epoch", Integer, nullable=False, default=0, doc="grows with each replay; progress of before is void"),
    UniqueConstraint("owner", "uid"),
)

#: What is not simply done: parked, held behind a parked one, dead; and settled ones, above the cursor or skipped.
deliveries = Table(
    "deliveries",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("subscription_id", ForeignKey("subscriptions.id", ondelete="CASCADE"), nullable=False),
    Column("serial", BigInteger, nullable=False),
    Column("lane", String(1200), nullable=False),
    Column("event_id", String(40), nullable=False),
    Column("event_type", String(40), nullable=False),
    Column("backend", String(100), nullable=False),
    Column("person_id", String(1024), nullable=False),
    Column("state", String(10), nullable=False, doc="parked, held, dead, settled"),
    Column("attempts", Integer, nullable=False),
    Column("next_at", Float, doc="of parked ones"),
    Column("error", Text),
    Column("status", Integer, doc="HTTP status of the last try"),
    Column("created_at", Float, nullable=False),
    Column("changed_at", Float, nullable=False),
    # Not the serial: the people of a replay of everybody share one.
    UniqueConstraint("subscription_id", "event_id"),
    Index("ix_deliveries_state", "subscription_id", "state", "next_at"),
    Index("ix_deliveries_lane", "subscription_id", "lane", "serial"),
    Index("ix_deliveries_person", "backend", "person_id"),
    sqlite_autoincrement=True,
)

#: A batch that was handed over, until it is settled: sent again it has the same id and the same events.
open_batches = Table(
    "open_batches",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("subscription_id", ForeignKey("subscriptions.id", ondelete="CASCADE"), nullable=False),
    Column("serials", Text, nullable=False, doc="JSON: [[serial, ...], ...]; one list for each event sent"),
    Column("is_settled", Boolean, nullable=False, default=False, doc="done, while older ones are not"),
    Column("created_at", Float, nullable=False),
    Index("ix_open_batches_subscription_id", "subscription_id"),
)

#: For people to read; bounded per subscription.
attempts = Table(
    "attempts",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("subscription_id", ForeignKey("subscriptions.id", ondelete="CASCADE"), nullable=False),
    Column("delivery_id", String(40), nullable=False, doc="the id sent: an event's or a batch's"),
    Column("serial", BigInteger, nullable=False, doc="of the first event in it"),
    Column("event_count", Integer, nullable=False),
    Column("person_id", String(1024), nullable=False, doc="of the first event in it"),
    Column("at", Float, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("is_ok", Boolean, nullable=False),
    Column("status", Integer),
    Column("error", Text),
    Column("response", Text, doc="at most 20,000 characters"),
    Index("ix_attempts_subscription", "subscription_id", "id"),
    sqlite_autoincrement=True,
)

#: Bearer tokens of the API, by digest only.
tokens = Table(
    "tokens",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", String(200), nullable=False, unique=True),
    Column("digest", String(64), nullable=False, unique=True, doc="SHA-256 of the token, which is random"),
    Column("scopes", Text, nullable=False, doc="JSON list"),
    Column("resources", Text, nullable=False, doc="JSON list of resources that it may see"),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float),
    Column("revoked_at", Float),
    Column("used_at", Float),
)

#: Who does what, where several nodes share a database. ``fence`` grows with each new owner.
leases = Table(
    "leases",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("owner", String(100), nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("until", Float, nullable=False, doc="by the database's clock"),
)

# -- public ids: what frontends call people and groups by ----------------------------------------------------------

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
    Column("id", _Serial, primary_key=True),
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
