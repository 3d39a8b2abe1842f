"""``/deliveries``: what is not simply done, and the log of attempts. Retry and skip."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import flask
from pydantic import Field, StringConstraints

from integration_server.sdk.envelopes import rfc3339
from integration_server.store.deliveries import AttemptRow, DeliveryRow, EarlierWaits
from integration_server.store.tokens import Token
from integration_server.web.api.facts import ApiFacts
from integration_server.web.api.model import (
    LARGEST,
    Cursor,
    CursorParameter,
    Instant,
    Limit,
    Line,
    Model,
    Moment,
    Query,
    Serial,
    moment_or_none,
)
from integration_server.web.api.operation import Operation, answer
from integration_server.web.api.paging import cursor_of, read_cursor
from integration_server.web.api.problems import Problem, bad_parameter, not_found
from integration_server.web.api.receivers import outward
from integration_server.web.api.subscriptions import WRITE, OwnSubscriptions

_ID = re.compile(r"[0-9]{1,18}", re.ASCII)
Status = Literal["parked", "held", "dead"]


class DeliveryShown(Model):
    """One event that a receiver did not get yet."""

    id: int
    subscription_id: str
    serial: Serial
    event_id: str
    event_type: str
    backend: str
    person_id: str
    status: Status | Literal["settled"] = Field(
        description="parked: tried again at next_at; held: waits behind another event of this person; dead: tries are "
        "used up, and later events of this person wait; settled: delivered or skipped"
    )
    attempts: int
    next_at: Moment | None
    error: str | None
    http_status: int | None = Field(description="of the last try")
    created_at: Moment
    changed_at: Moment


class DeliveryPage(Model):
    """A page of deliveries."""

    deliveries: list[DeliveryShown]
    cursor: Cursor


class DeliveryQuery(Query):
    """Which deliveries."""

    status: Annotated[Status | None, Field(default=None, description="only these")] = None
    backend: Annotated[Line | None, Field(default=None, description="only people of this backend")] = None
    person_id: Annotated[Line | None, Field(default=None, description="only this person; with backend")] = None
    since: Annotated[Instant | None, Field(default=None, description="put on the list then or later")] = None
    until: Annotated[Instant | None, Field(default=None, description="put on the list before")] = None
    cursor: CursorParameter = None
    limit: Limit = 100


class AttemptShown(Model):
    """One try. The receiver's own words are not told."""

    id: int
    delivery_id: str = Field(description="the id that was sent: an event's or a batch's")
    serial: Serial = Field(description="of the first event in it")
    event_count: int
    person_id: str = Field(description="of the first event in it")
    at: Moment
    seconds: float
    is_ok: bool
    http_status: int | None
    error: str | None


class AttemptPage(Model):
    """A page of attempts, the newest first."""

    attempts: list[AttemptShown]
    cursor: Cursor


class AttemptQuery(Query):
    """Which attempts."""

    cursor: CursorParameter = None
    limit: Limit = 100


#: Something to read, without control characters.
_ONE_LINE = r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$"


class Skip(Model):
    """Why a delivery is given up."""

    reason: Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=_ONE_LINE)]


class RetryMany(Model):
    """Which deliveries are tried again."""

    status: Literal["parked", "dead"] = "dead"


class Retried(Model):
    """How many deliveries are tried again now."""

    count: int


class Skipped(Model):
    """A delivery that was given up."""

    id: int


class DeliveriesApi:
    """The noun."""

    def __init__(self, facts: ApiFacts) -> None:
        self._deliveries = facts.store.deliveries
        self._own = OwnSubscriptions(facts)

    def operations(self) -> list[Operation]:
        one, many = "/deliveries/{id}", "/subscriptions/{id}"
        return [
            Operation(
                "GET",
                f"{many}/deliveries",
                "listDeliveries",
                "What the receiver did not get yet",
                self.page,
                WRITE,
                {200: DeliveryPage},
                query=DeliveryQuery,
                description="What was delivered at once is on no list; see the attempts.",
            ),
            Operation(
                "POST",
                f"{many}/deliveries/retry",
                "retryDeliveries",
                "Try all dead (or parked) deliveries now",
                self.retry_all,
                WRITE,
                {202: Retried},
                body=RetryMany,
            ),
            Operation(
                "GET",
                f"{many}/attempts",
                "listAttempts",
                "The latest tries, the newest first",
                self.attempts,
                WRITE,
                {200: AttemptPage},
                query=AttemptQuery,
            ),
            Operation(
                "POST",
                f"{one}/retry",
                "retryDelivery",
                "Try a parked or dead delivery now",
                self.retry,
                WRITE,
                {202: DeliveryShown},
                problems=(409,),
            ),
            Operation(
                "POST",
                f"{one}/skip",
                "skipDelivery",
                "Give a delivery up, so that the next one of this person follows",
                self.skip,
                WRITE,
                {200: Skipped},
                body=Skip,
                problems=(409,),
            ),
        ]

    def page(self, token: Token, id: str, query: DeliveryQuery) -> flask.Response:
        mine = self._own.get(token, id)
        if query.person_id is not None and query.backend is None:
            raise bad_parameter("person_id", "needs backend: ids of two backends may be the same")
        (after,) = read_cursor(query.cursor, 0)
        found = self._deliveries.find(
            [mine.id],
            query.status,
            query.backend,
            query.person_id,
            query.since,
            query.until,
            after,
            query.limit + 1,
        )
        rows = found[: query.limit]
        cursor = cursor_of(rows[-1].id) if len(found) > len(rows) else None
        return answer(DeliveryPage(deliveries=[_shown(row) for row in rows], cursor=cursor))

    def attempts(self, token: Token, id: str, query: AttemptQuery) -> flask.Response:
        mine = self._own.get(token, id)
        (before,) = read_cursor(query.cursor, LARGEST)
        found = self._deliveries.attempts(mine.id, before, query.limit + 1)
        rows = found[: query.limit]
        cursor = cursor_of(rows[-1].id) if len(found) > len(rows) else None
        return answer(AttemptPage(attempts=[_attempt(row) for row in rows], cursor=cursor))

    def retry(self, token: Token, id: str) -> flask.Response:
        row = self._row(token, id)
        if not self._deliveries.retry(row.id):
            raise Problem(409, "only parked and dead deliveries can be tried again", "not-due")
        return answer(_shown(self._deliveries.get(row.id) or row), 202)

    def retry_all(self, token: Token, id: str, body: RetryMany) -> flask.Response:
        return answer(Retried(count=self._deliveries.retry_all(self._own.get(token, id).id, body.status)), 202)

    def skip(self, token: Token, id: str, body: Skip) -> flask.Response:
        row = self._row(token, id)
        try:
            is_done = self._deliveries.skip(row.id, f"{body.reason} ({token.name})")
        except EarlierWaits as exc:
            raise Problem(409, str(exc), "not-due") from exc
        if not is_done:
            raise Problem(409, "this was delivered or skipped already", "not-due")
        return answer(Skipped(id=row.id))

    def _row(self, token: Token, id: str) -> DeliveryRow:
        """A delivery of one of the token's own subscriptions. Raises Problem."""
        row = self._deliveries.get(int(id)) if _ID.fullmatch(id) else None
        if row is None:
            raise not_found("delivery")
        try:
            self._own.get(token, row.subscription_id)
        except Problem as exc:
            raise not_found("delivery") from exc
        return row


def _shown(row: DeliveryRow) -> DeliveryShown:
    return DeliveryShown(
        id=row.id,
        subscription_id=row.subscription_id,
        serial=row.serial,
        event_id=row.event_id,
        event_type=row.event_type,
        backend=row.backend,
        person_id=row.person_id,
        status=row.state,  # type: ignore[arg-type]
        attempts=row.attempts,
        next_at=moment_or_none(row.next_at),
        error=row.error and outward(row.error),
        http_status=row.status,
        created_at=rfc3339(row.created_at),
        changed_at=rfc3339(row.changed_at),
    )


def _attempt(row: AttemptRow) -> AttemptShown:
    return AttemptShown(
        id=row.id,
        delivery_id=row.delivery_id,
        serial=row.serial,
        event_count=row.event_count,
        person_id=row.person_id,
        at=rfc3339(row.at),
        seconds=row.seconds,
        is_ok=row.is_ok,
        http_status=row.status,
        error=row.error and outward(row.error),
    )
