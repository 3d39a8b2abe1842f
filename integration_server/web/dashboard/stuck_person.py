"""What one receiver has not been told about one person, try by try, and what can be done about it."""

from __future__ import annotations

import re

import flask
from flask import request

from integration_server.sdk.errors import CallerRefused
from integration_server.store.deliveries import DeliveryRow, EarlierWaits
from integration_server.store.stuck import Key
from integration_server.store.subscriptions import Subscription
from integration_server.web.dashboard import asked
from integration_server.web.dashboard.access import Access
from integration_server.web.dashboard.facts import DashboardFacts
from integration_server.web.dashboard.rendering import Rendering, number
from integration_server.web.dashboard.route import Route, Visit
from integration_server.web.dashboard.stuck import STATES
from integration_server.web.dashboard.wording import name_of, names, receiver

_ROWS = 100
_TRIES = 10
_LONGEST_REASON = 500
#: Something to read, without control characters.
_ONE_LINE = re.compile(r"[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*")


class StuckPerson:
    """The page, and the forms on it."""

    def __init__(self, facts: DashboardFacts, rendering: Rendering, access: Access) -> None:
        self._facts = facts
        self._store = facts.store
        self._rendering = rendering
        self._access = access

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/stuck/person", "stuck_person", self.page),
            Route("POST", "/stuck/retry", "stuck_retry", self.retry),
            Route("POST", "/stuck/skip", "stuck_skip", self.skip),
        ]

    def page(self, visit: Visit) -> flask.Response:
        key = _key()
        return self._page(visit, self._subscription(key), key)

    def _page(
        self, visit: Visit, one: Subscription, key: Key, fault: str | None = None, status: int = 200
    ) -> flask.Response:
        rows = self._store.stuck.rows(key, (asked.number("after") or 0, asked.number("after_id") or 0), _ROWS + 1)
        shown = rows[:_ROWS]
        document = self._store.people.documents_by_id(key.backend, [key.person_id]).get(key.person_id)
        return self._rendering.page(
            "stuck_person.html",
            visit,
            status,
            key=key,
            one=one,
            receiver=receiver(one),
            name=name_of(document, key.person_id),
            group=self._store.stuck.one(key),
            rows=shown,
            is_more=len(rows) > len(shown),
            tries=self._store.stuck.tries([one.id], [row.event_id for row in shown], _TRIES),
            ahead=self._ahead(shown, key),
            states=STATES,
            fault=fault,
            given=request.form if fault is not None else {},
        )

    def _ahead(self, rows: list[DeliveryRow], key: Key) -> tuple[DeliveryRow, str] | None:
        """What somebody else's events hold up: the one that does, and the name of whom it is about."""
        if not rows:
            return None
        holder = self._store.stuck.holder(key.subscription_id, rows[0].lane)
        if holder is None or (holder.backend, holder.person_id) == key[1:]:
            return None
        pair = (holder.backend, holder.person_id)
        return holder, names(self._store.people, [pair])[pair]

    # -- actions -----------------------------------------------------------------------------------------------------

    def retry(self, visit: Visit) -> flask.Response:
        key = _key()
        one = self._subscription(key)
        count = self._store.deliveries.retry_person(*key)
        if count:
            details = {"backend": key.backend, "person_id": key.person_id, "count": count}
            self._facts.audit.tell("delivery.retried", one.id, details, visit.actor)
            told = f"{receiver(one)} is asked again now; what waits behind follows when it is taken."
        elif self._store.stuck.one(key) is not None:
            told = "Nothing of it can be tried now: it waits behind something else, or is on its way."
        else:
            told = "Nothing waits here any more: it was delivered or skipped meanwhile."
        return self._back(key, told)

    def skip(self, visit: Visit) -> flask.Response:
        key = _key()
        one = self._subscription(key)
        reason = (request.form.get("reason") or "").strip()
        if (fault := _reason_fault(reason)) is not None:
            return self._page(visit, one, key, fault, 422)
        named = f"{reason} ({visit.admin})"
        if asked.needed("scope") == "all":
            told = self._skip_all(visit, one, key, named)
        else:
            told = self._skip_first(visit, one, key, named)
        return self._back(key, told)

    def _skip_first(self, visit: Visit, one: Subscription, key: Key, reason: str) -> str:
        id = asked.number("delivery")
        row = self._store.deliveries.get(id) if id is not None else None
        gone = "That event was delivered or skipped meanwhile; nothing was done."
        if row is None or (row.subscription_id, row.backend, row.person_id) != key:
            return gone
        try:
            is_done = self._store.deliveries.skip(row.id, reason)
        except EarlierWaits as exc:
            return f"Nothing was done: {exc}."
        if not is_done:
            return gone
        self._tell_skipped(visit, one, key, reason, 1, row.event_id)
        return f"Skipped: {row.event_type}. {receiver(one)} is never told of it, and what follows goes on."

    def _skip_all(self, visit: Visit, one: Subscription, key: Key, reason: str) -> str:
        up_to = asked.number("up_to")
        count = self._store.deliveries.skip_person(*key, reason, up_to or 0)
        if not count:
            return "All of it was delivered or skipped meanwhile; nothing was done."
        self._tell_skipped(visit, one, key, reason, count, None)
        events = "event" if count == 1 else "events"
        return f"Skipped: {number(count)} {events} about this person. {receiver(one)} is never told of them."

    def _tell_skipped(
        self, visit: Visit, one: Subscription, key: Key, reason: str, count: int, event_id: str | None
    ) -> None:
        about = {"backend": key.backend, "person_id": key.person_id, "count": count, "event_id": event_id}
        self._facts.audit.tell("delivery.skipped", one.id, {**about, "reason": reason}, visit.actor)

    def _back(self, key: Key, told: str) -> flask.Response:
        self._access.leave_notice(told)
        fields = {"subscription": key.subscription_id, "backend": key.backend, "person": key.person_id}
        return self._rendering.see("/stuck/person", **fields)

    def _subscription(self, key: Key) -> Subscription:
        """Raises CallerRefused."""
        found = self._store.subscriptions.get(key.subscription_id)
        if found is None:
            raise CallerRefused(404, "There is no such receiver any more, so nothing waits for it.")
        return found


def _key() -> Key:
    """Raises CallerRefused."""
    return Key(asked.needed("subscription"), asked.needed("backend"), asked.needed("person"))


def _reason_fault(reason: str) -> str | None:
    if not reason:
        return "Say why: the reason is kept in the log of tries and in the audit log."
    if len(reason) > _LONGEST_REASON:
        return f"The reason is longer than {_LONGEST_REASON} characters."
    return None if _ONE_LINE.fullmatch(reason) else "The reason must be one line without control characters."
