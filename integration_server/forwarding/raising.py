"""The guard, lifted once by an operator: what it would hold next of a frontend's lists or a backend's runs passes."""

from __future__ import annotations

from integration_server.forwarding.audit import Audit
from integration_server.store import Store
from integration_server.store.guard_lifts import Guarded, Lift


def raise_once(store: Store, audit: Audit, kind: Guarded, name: str, actor: str) -> Lift:
    """Lift a guard, and have a backend whose run is held compared anew, as that is what the operator waits for.

    Raises StoreUnavailable.
    """
    lift = store.guard_lifts.lift(kind, name, actor)
    audit.tell("guard.raised", name, {"kind": kind, "until": lift.until}, actor)
    if kind == "backend" and store.runs.get(name) is not None:
        store.watches.want_scan(name)
    return lift


def lower(store: Store, audit: Audit, kind: Guarded, name: str, actor: str) -> bool:
    """Put a guard back before anything used it; whether it was lifted. Raises StoreUnavailable."""
    is_done = store.guard_lifts.end(kind, name)
    if is_done:
        audit.tell("guard.lowered", name, {"kind": kind}, actor)
    return is_done
