"""Events as JSON, the same for webhooks and the API. Pure functions.

The names are those of CloudEvents 1.0 (``specversion`` to ``datacontenttype``); beside ``time`` stands ``timestamp``,
the name that Standard Webhooks have for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain
from typing import Any

import orjson

from integration_server.sdk.events import TEST_PING, Event, keep_json, stored_body
from integration_server.sdk.stretches import EventPage, Stretch, placed


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
    data |= stored_body(event.after, event.before, event.changed)
    return data


def batch_envelope(id: str, events: Sequence[Event]) -> dict[str, Any]:
    """Several events under the batch's own id; its time is that of the newest, so that it is the same at every try."""
    return {
        "type": "batch",
        "id": id,
        "timestamp": _newest(events),
        "data": {"events": [envelope(event) for event in events]},
    }


def event_json(event: Event) -> bytes:
    """``envelope`` as JSON, made once for each event, however many receivers get it. Raises orjson.JSONEncodeError."""
    found = event._json
    if found is None:
        found = _rendered(event)
        keep_json(event, found)
    return found


def _rendered(event: Event) -> bytes:
    body = event._body
    if body is None:
        return orjson.dumps(envelope(event))
    about = event.serial, event.id, event.type, event.backend, event.person_id, event.noticed_at, event.group
    return _rendered_all([(*about, body)])[0]


def _rendered_all(rows: Iterable[tuple[int, str, str, str, str, float, str | None, bytes]]) -> list[bytes]:
    """Events that are in the journal. Each passes here, so this calls little; and mostly many are alike."""
    texts = []
    alike: tuple[str, str, float] | None = None
    head = about = data = ""
    for serial, id, type, backend, person_id, noticed_at, group, body in rows:
        if alike is None or noticed_at != alike[2] or type != alike[1] or backend != alike[0]:
            alike = backend, type, noticed_at
            head, about, data = _frame(*alike)
        subject = orjson.dumps(person_id).decode()
        of = "" if group is None else f',"group":{orjson.dumps(group).decode()}'
        # Ids are our own and need no escaping; the other members of "data" are in the journal in their final form.
        begin = f'{{"specversion":"1.0","id":"{id}"{head}{subject}{about}{serial}{data}{subject}{of},'
        texts.append(begin.encode() + body[1:] + b"}")
    return texts


@lru_cache(maxsize=64)
def _frame(backend: str, type: str, noticed_at: float) -> tuple[str, str, str]:
    """What stands between id, subject, serial and person's id; the same for most of what is noticed at a time."""
    texts = (f"/backends/{backend}", backend, type, rfc3339(noticed_at))
    source, of, kind, time = (orjson.dumps(text).decode() for text in texts)
    return (
        f',"source":{source},"type":{kind},"subject":',
        f',"time":{time},"datacontenttype":"application/json","timestamp":{time},"data":{{"serial":',
        f',"backend":{of},"person_id":',
    )


def batch_json(id: str, events: Sequence[Event]) -> bytes:
    """``batch_envelope`` as JSON. Raises orjson.JSONEncodeError."""
    begin = orjson.dumps({"type": "batch", "id": id, "timestamp": _newest(events)})
    return b"".join((begin[:-1], b',"data":{"events":[', b",".join(_texts(events)), b"]}}"))


def _texts(events: Sequence[Event]) -> Iterable[bytes]:
    if isinstance(events, Stretch):
        return chain.from_iterable(placed(_page_texts(page), places) for page, places in events.parts)
    return map(event_json, events)


def _page_texts(page: EventPage) -> list[bytes]:
    """Made once for each page, however many receivers get it."""
    found = page.texts
    if found is None:
        about = page.serials, page.ids, page.types, page.backends, page.person_ids, page.noticed_at, page.groups
        found = page.texts = _rendered_all(zip(*about, page.bodies, strict=True))
    return found


def _newest(events: Sequence[Event]) -> str:
    moments = events.noticed_at if isinstance(events, Stretch) else [event.noticed_at for event in events]
    return rfc3339(max(moments))


@lru_cache(maxsize=64)
def rfc3339(seconds: float) -> str:
    """Unix seconds as RFC 3339, in UTC with milliseconds. Remembered, since events are noticed many at a time."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
