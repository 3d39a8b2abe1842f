"""``/subscriptions``: receivers that a token's holder made. Nobody sees or touches another token's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import cast

import flask

from integration_server.store.resources import Resource
from integration_server.store.subscriptions import Subscription
from integration_server.store.tokens import Scope, Token
from integration_server.web.api.access import permit
from integration_server.web.api.facts import ApiFacts
from integration_server.web.api.operation import Operation, answer, empty_answer
from integration_server.web.api.paging import cursor_of, read_cursor
from integration_server.web.api.problems import Problem, bad_member, bad_parameter, not_found
from integration_server.web.api.receivers import Receivers
from integration_server.web.api.resources import Everything, OneBackend, OneGroup, resource_of
from integration_server.web.api.subscribing import Subscribing, audited
from integration_server.web.api.subscription_models import (
    NewSubscription,
    SubscriptionCreated,
    SubscriptionPage,
    SubscriptionPatch,
    SubscriptionQuery,
    SubscriptionSettings,
    SubscriptionShown,
    shown,
)

WRITE: tuple[Scope, ...] = ("subscriptions:write",)
_ID = re.compile(r"[A-Za-z0-9_-]{1,200}", re.ASCII)


class OwnSubscriptions:
    """The subscriptions of the token that asks."""

    def __init__(self, facts: ApiFacts) -> None:
        self._subscriptions = facts.store.subscriptions

    def get(self, token: Token, id: str) -> Subscription:
        """One of the token's own. Raises Problem."""
        found = self._subscriptions.get(id) if _ID.fullmatch(id) else None
        if found is None or found.owner != token.id:
            raise not_found("subscription")
        return found


class SubscriptionsApi:
    """The noun."""

    def __init__(self, facts: ApiFacts, receivers: Receivers) -> None:
        self._store = facts.store.subscriptions
        self._channels = facts.store.bound_channels
        self._own = OwnSubscriptions(facts)
        self._subscribing = Subscribing(facts, receivers)
        self._backends = facts.backends
        self._most = facts.limits.subscriptions
        self._audit = facts.audit

    def operations(self) -> list[Operation]:
        return [
            *self._operations_on_one(),
            Operation(
                "GET",
                "/subscriptions",
                "listSubscriptions",
                "Your subscriptions, in the order in which they were made",
                self.page,
                WRITE,
                {200: SubscriptionPage},
                query=SubscriptionQuery,
            ),
            Operation(
                "POST",
                "/subscriptions",
                "createSubscription",
                "Subscribe a receiver",
                self.create,
                WRITE,
                {201: SubscriptionCreated},
                body=NewSubscription,
                problems=(409, 410),
                description="The secret is shown in this answer only. 409: you have a subscription with this uid, "
                "whose id the problem names, or as many as you may have. 410: events from that serial on are gone.",
                headers={201: {"Location": "where the subscription is"}},
            ),
        ]

    def _operations_on_one(self) -> list[Operation]:
        one = "/subscriptions/{id}"
        return [
            Operation("GET", one, "getSubscription", "One subscription", self.get, WRITE, {200: SubscriptionShown}),
            Operation(
                "PUT",
                one,
                "replaceSubscription",
                "Set everything anew; what is left out gets its default",
                self.replace,
                WRITE,
                {200: SubscriptionShown},
                body=SubscriptionSettings,
                problems=(409, 410),
                description="Asterisks, as they are shown in place of a value, leave the value as it is.",
            ),
            Operation(
                "PATCH",
                one,
                "updateSubscription",
                "Change what is given; all else stays",
                self.update,
                WRITE,
                {200: SubscriptionShown},
                body=SubscriptionPatch,
                problems=(409, 410),
                description="Asterisks, as they are shown in place of a value, leave the value as it is. "
                '{"active": true} also revives a subscription that its receiver ended.',
            ),
            Operation(
                "DELETE",
                one,
                "deleteSubscription",
                "End it, with all that is undelivered",
                self.delete,
                WRITE,
                {204: None},
            ),
        ]

    def page(self, token: Token, query: SubscriptionQuery) -> flask.Response:
        after = cast("tuple[float, str]", read_cursor(query.cursor, 0.0, ""))
        if after[1] and not _ID.fullmatch(after[1]):
            raise bad_parameter("cursor", "is not one that this API gave out")
        mine = self._store.page(token.id, after, query.uid, query.limit + 1)
        found = mine[: query.limit]
        cursor = cursor_of(found[-1].created_at, found[-1].id) if len(mine) > len(found) else None
        return answer(SubscriptionPage(subscriptions=self._shown(found), cursor=cursor))

    def get(self, token: Token, id: str) -> flask.Response:
        return answer(self._shown([self._own.get(token, id)])[0])

    def _shown(self, found: Sequence[Subscription]) -> list[SubscriptionShown]:
        bound = self._channels.find([one.id for one in found if one.bound_to is not None])
        return [shown(one, bound[one.id].version if one.id in bound else None) for one in found]

    def create(self, token: Token, body: NewSubscription) -> flask.Response:
        resource = self._resource(token, body.resource)
        settings = self._subscribing.receiver(body)
        self._check_room(token, body.uid)
        made, secret = self._subscribing.create(token.id, body, resource, settings)
        self._tell("created", token, made)
        response = answer(SubscriptionCreated(**shown(made).model_dump(), secret=secret), 201)
        response.headers["Location"] = f"/api/v1/subscriptions/{made.id}"
        return response

    def replace(self, token: Token, id: str, body: SubscriptionSettings) -> flask.Response:
        return self._change(token, self._own.get(token, id), body, frozenset(SubscriptionSettings.model_fields))

    def update(self, token: Token, id: str, body: SubscriptionPatch) -> flask.Response:
        return self._change(token, self._own.get(token, id), body, frozenset(body.model_fields_set))

    def delete(self, token: Token, id: str) -> flask.Response:
        mine = self._own.get(token, id)
        if self._store.remove(mine.id):
            self._tell("removed", token, mine)
        return empty_answer()

    def _change(
        self, token: Token, mine: Subscription, body: SubscriptionSettings | SubscriptionPatch, names: frozenset[str]
    ) -> flask.Response:
        """Write the members of ``body`` that ``names`` lists."""
        # What may not be changed of a channel at all is told first.
        is_meant = "resource" in names and mine.bound_to is None
        resource = self._resource(token, body.resource) if is_meant else None
        changed = self._subscribing.change(mine, body, names, resource)
        self._tell("changed", token, changed)
        return answer(self._shown([changed])[0])

    def _tell(self, what: str, token: Token, subscription: Subscription) -> None:
        details = {"token": token.name, **audited(subscription)}
        self._audit.tell(f"subscription.{what}", subscription.id, details, f"token:{token.name}")

    def _resource(self, token: Token, given: Everything | OneBackend | OneGroup | None) -> Resource:
        """What is subscribed to. Raises Problem."""
        if given is None:
            return token.resources[0] if len(token.resources) == 1 else self._permitted(token, Resource())
        return self._permitted(token, resource_of(given))

    def _permitted(self, token: Token, resource: Resource) -> Resource:
        permit(token, resource)
        if resource.backend is not None and resource.backend not in self._backends:
            raise bad_member("/resource/backend", "there is no such backend; GET /resources lists what there is")
        return resource

    def _check_room(self, token: Token, uid: str | None) -> None:
        if uid is not None and self._store.by_uid(token.id, uid) is not None:
            raise self._subscribing.uid_taken(token.id, uid)
        if self._store.count(token.id) >= self._most:
            told = f"a token may have {self._most} subscriptions ([forwarding] subscriptions_per_token)"
            raise Problem(409, told, "too-many-subscriptions")
