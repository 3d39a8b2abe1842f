"""Events as JSON, the same for webhooks and the API. Pure functions.

The names are those of CloudEvents 1.0 (``specversion`` to ``datacontenttype``); beside ``time`` stands ``timestamp``,
the name that Standard Webhooks have for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from integration_server.sdk.events import TEST_PING, Event


def envelope(event: Event) -> dict[str, Any]:
    """One event.

    ``data`` has ``serial``, ``backend``, ``person_id``, ``group`` (of membership events), ``object`` (the person now;
    null when deleted), ``before`` (the person as they were, when deleted) and ``changed`` (``{field: {"old", "new"}}``,
    empty where nothing is to be compared). A test event has no ``subject`` and empty ``data``.
    """
    time = rfc3339(event.noticed_at)
    found: dict[str, Any] = {
        "specversion": "1.0",
        "id": event.id,
        "source": f"/backends/{event.backend}",
        "type": event.type,
        "subject": event.person_id,
        "time": time,
        "datacontenttype": "application/json",
        "timestamp": time,
        "data": _data(event),
    }
    if event.type == TEST_PING:
        del found["subject"]
        found |= {"source": "/", "data": {}}
    return found


def _data(event: Event) -> dict[str, Any]:
    data: dict[str, Any] = {"serial": event.serial, "backend": event.backend, "person_id": event.person_id}
    if event.group is not None:
        data["group"] = event.group
    data["object"] = event.after
    if event.before is not None:
        data["before"] = event.before
    data["changed"] = {field: {"old": old, "new": new} for field, (old, new) in (event.changed or {}).items()}
    return data


def batch_envelope(id: str, events: Sequence[Event]) -> dict[str, Any]:
    """Several events under the batch's own id; its time is that of the newest, so that it is the same at every try."""
    return {
        "type": "batch",
        "id": id,
        "timestamp": rfc3339(max(event.noticed_at for event in events)),
        "data": {"events": [envelope(event) for event in events]},
    }


def rfc3339(seconds: float) -> str:
    """Unix seconds as RFC 3339, in UTC with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
