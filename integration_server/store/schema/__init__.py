"""The tables. Every change here comes with a migration in ``migrations/versions``; a test compares the two."""

from __future__ import annotations

from integration_server.store.schema.base import REVISION, metadata
from integration_server.store.schema.forwarding import (
    attempts,
    bound_resources,
    deliveries,
    events,
    held_changes,
    held_runs,
    journal_state,
    leases,
    open_batches,
    people,
    subscriptions,
    tokens,
    watches,
)
from integration_server.store.schema.identities import (
    frontend_tokens,
    group_identities,
    intents,
    kept_memberships,
    plugin_tables,
    profile_identities,
)
from integration_server.store.schema.lists import (
    failed_logins,
    guard_lifts,
    index_generations,
    name_index,
    name_lists,
)
from integration_server.store.schema.operators import admin_sessions, admins, audit_log, certificates, hourly_counts

__all__ = [
    "REVISION",
    "admin_sessions",
    "admins",
    "attempts",
    "audit_log",
    "bound_resources",
    "certificates",
    "deliveries",
    "events",
    "failed_logins",
    "frontend_tokens",
    "group_identities",
    "guard_lifts",
    "held_changes",
    "held_runs",
    "hourly_counts",
    "index_generations",
    "intents",
    "journal_state",
    "kept_memberships",
    "leases",
    "metadata",
    "name_index",
    "name_lists",
    "open_batches",
    "people",
    "plugin_tables",
    "profile_identities",
    "subscriptions",
    "tokens",
    "watches",
]
