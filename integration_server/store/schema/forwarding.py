"""Forwarding: what is known of people, what changed, who has been told. Columns named after a JSON shape hold it as
text; times are Unix seconds throughout."""

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
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from integration_server.store.schema.base import SERIAL, metadata

#: Next to nobody is.
_IS_GONE = text("gone_at IS NOT NULL")
_IS_FREE, _IS_BOUND = text("bound_to IS NULL"), text("bound_to IS NOT NULL")

#: Each person as last noticed. ``key`` is a small number, so that a scan can tick off a million people in a bitmap.
people = Table(
    "people",
    metadata,
    Column("key", SERIAL, primary_key=True),
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
    Column("failed_at", Float, doc="of the first failure since; NULL when the last run went well"),
    Column("failure", Text),
    Column("approved_at", Float, doc="when a person last said yes to a held run"),
    Column("is_scan_wanted", Boolean, nullable=False, default=False, doc="somebody asked for a full comparison"),
)

#: The journal. ``serial`` is taken from ``journal_state`` inside the writing transaction, so serials become visible
#: in order.
events = Table(
    "events",
    metadata,
    Column("serial", SERIAL, primary_key=True, autoincrement=False),
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
    Column(
        "bound_changes",
        BigInteger,
        nullable=False,
        server_default=text("0"),
        doc="0 until something is bound; grows when somebody changes a channel",
    ),
)

#: A run that the guard holds; one per backend.
held_runs = Table(
    "held_runs",
    metadata,
    Column("id", SERIAL, primary_key=True),
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
    Column("bound_to", BigInteger, doc="id of a bound resource: nothing is delivered, its holder asks for versions"),
    UniqueConstraint("owner", "uid"),
    # What the engine looks at all the time, and what it never does.
    Index("ix_subscriptions_delivered", "id", "changed_at", sqlite_where=_IS_FREE, postgresql_where=_IS_FREE),
    Index("ix_subscriptions_bound", "bound_to", sqlite_where=_IS_BOUND, postgresql_where=_IS_BOUND),
    Index("ix_subscriptions_channels", "owner", "bound_to", sqlite_where=_IS_BOUND, postgresql_where=_IS_BOUND),
)

#: What channels are bound to, with the serial of the latest event that touches it: all that is written for them when
#: something changes, however many they are.
bound_resources = Table(
    "bound_resources",
    metadata,
    Column("id", SERIAL, primary_key=True),
    Column("digest", String(64), nullable=False, unique=True, doc="SHA-256 of the resource as JSON"),
    Column("kind", String(10), nullable=False, doc="all, backend, group"),
    Column("backend", String(100)),
    Column("serial", BigInteger, nullable=False),
    Column("change", BigInteger, nullable=False, doc="bound_changes of the latest one to one of its channels"),
    Index("ix_bound_resources_kind", "kind", "backend"),
    sqlite_autoincrement=True,
)

#: What is not simply done: parked, held behind a parked one, dead; and settled ones, above the cursor or skipped.
deliveries = Table(
    "deliveries",
    metadata,
    Column("id", SERIAL, primary_key=True),
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
    Column("id", SERIAL, primary_key=True),
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
