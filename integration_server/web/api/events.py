"""``/events``: the journal, from any serial that is kept, with a long poll."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Annotated

import flask
import orjson
from flask import request
from pydantic import Field

from integration_server.sdk.envelopes import envelope
from integration_server.sdk.events import Event, is_own_type
from integration_server.store.tokens import Token
from integration_server.web.api.facts import ApiFacts
from integration_server.web.api.model import FROM_TEXT, LARGEST, Model, Query, Serial
from integration_server.web.api.operation import NDJSON, Operation, answer, wants_lines
from integration_server.web.api.problems import Problem
from integration_server.web.api.wire import AnyEvent

SNAPSHOT_PATH = "/api/v1/snapshot"
_LONGEST_WAIT = 60
#: Other processes write, too, and no bell of ours rings then.
_POLL_SECONDS = 0.5
#: A token that may see little does not make one request read the whole journal.
_SCANNED_AT_ONCE = 1_000
_MOST_SCANS = 10


class EventQuery(Query):
    """Which events."""

    after: Annotated[
        int, Field(default=0, ge=0, le=LARGEST, description="the serial after which to begin"), FROM_TEXT
    ] = 0
    limit: Annotated[int, Field(default=100, ge=1, le=1_000, description="events at once, at most"), FROM_TEXT] = 100
    wait: Annotated[
        int,
        Field(default=0, ge=0, le=_LONGEST_WAIT, description="seconds to wait where there is no event yet"),
        FROM_TEXT,
    ] = 0


class EventPage(Model):
    """Some events, in order."""

    events: list[AnyEvent]
    next: Serial = Field(description="to be given as after, next time")
    last_serial: Serial = Field(description="of the latest event there is, whether or not this token may see it")


@dataclass(frozen=True, slots=True)
class _Scan:
    """Events that were found, and the serial up to which was looked."""

    events: list[Event]
    next: int


class EventsApi:
    """The noun."""

    def __init__(self, facts: ApiFacts) -> None:
        self._journal = facts.store.journal
        self._bell = facts.bell
        self._is_stopping = facts.is_stopping
        self._waiters = threading.BoundedSemaphore(facts.limits.waiters)

    def operations(self) -> list[Operation]:
        return [
            Operation(
                "GET",
                "/events",
                "listEvents",
                "What changed after a serial, in order",
                self.page,
                ("events:read",),
                {200: EventPage},
                query=EventQuery,
                lines=AnyEvent,
                problems=(410,),
                description="As NDJSON: an event a line; the next page is in the Link header. With wait, the answer "
                "comes as soon as there is an event, or at once where too many wait already. 410 says that events "
                "after this serial are gone or never were: take a snapshot, and go on from its serial.",
                headers={200: {"Link": "the next page, rel=next"}},
            )
        ]

    def page(self, token: Token, query: EventQuery) -> flask.Response:
        rung = self._bell.count
        scan = self._scan(token, query.after, query.limit)
        self._check_kept(query.after)
        if not scan.events and query.wait and self._waiters.acquire(blocking=False):
            try:
                scan = self._wait(token, query, scan, rung)
            finally:
                self._waiters.release()
        return self._answer(scan, query)

    def _check_kept(self, after: int) -> None:
        """Raise Problem where events above ``after`` are gone. Ask after reading them: pruning could come between."""
        pruned, last = self._journal.pruned_serial(), self._journal.last_serial()
        if after < pruned or after > last:
            raise serial_problem(after, pruned, last)

    def _wait(self, token: Token, query: EventQuery, scan: _Scan, rung: int) -> _Scan:
        ends = time.monotonic() + query.wait
        while not scan.events and not self._is_stopping() and (left := ends - time.monotonic()) > 0:
            rung = self._bell.wait(rung, min(left, _POLL_SECONDS))
            if self._journal.last_serial() > scan.next:
                scan = self._scan(token, scan.next, query.limit)
        return scan

    def _scan(self, token: Token, after: int, limit: int) -> _Scan:
        found: list[Event] = []
        sees_all = any(mine.kind == "all" for mine in token.resources)
        for _ in range(_MOST_SCANS):
            wanted = limit - len(found) if sees_all else _SCANNED_AT_ONCE
            read = self._journal.events(after, wanted)
            for event in read:
                after = event.serial
                if not is_own_type(event.type) and (sees_all or any(mine.matches(event) for mine in token.resources)):
                    found.append(event)
                    if len(found) == limit:
                        return _Scan(found, after)
            if len(read) < wanted:
                break
        return _Scan(found, after)

    def _answer(self, scan: _Scan, query: EventQuery) -> flask.Response:
        events = [envelope(event) for event in scan.events]
        if wants_lines(request):
            response = flask.Response(
                b"".join(orjson.dumps(event) + b"\n" for event in events), content_type=NDJSON, status=200
            )
        else:
            last = max(self._journal.last_serial(), scan.next)
            response = answer({"events": events, "next": scan.next, "last_serial": last})
        parts = f"after={scan.next}&limit={query.limit}" + (f"&wait={query.wait}" if query.wait else "")
        response.headers["Link"] = f'</api/v1/events?{parts}>; rel="next"'
        response.headers["Vary"] = "Accept"
        return response


def serial_problem(after: int, pruned: int, last: int) -> Problem:
    """Why one cannot begin after this serial."""
    if after < pruned:
        kind, told = "serial-pruned", f"events up to serial {pruned} are no longer kept"
    else:
        kind, told = "serial-unknown", f"the latest serial is {last}; a higher one is of another store"
    told += "; take a snapshot and go on from its serial"
    return Problem(410, told, kind, pruned_serial=pruned, last_serial=last, snapshot=SNAPSHOT_PATH)
