"""Making subscriptions and changing them, whoever does it: the holder of a token over the API, or an administrator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from integration_server.forwarding.delivery.engine import NOTHING_IS_SENT
from integration_server.sdk.consumers import Signing
from integration_server.sdk.errors import ConfigError, DeliveryError
from integration_server.sdk.urls import parse_url
from integration_server.store.resources import Resource
from integration_server.store.subscriptions import StoredSecret, Subscription, UidTaken, new_subscription_id
from integration_server.web.api.events import serial_problem
from integration_server.web.api.facts import ApiFacts
from integration_server.web.api.problems import Problem, not_found
from integration_server.web.api.receivers import Receivers, unmasked_headers, unmasked_url
from integration_server.web.api.subscription_models import NewSubscription, SubscriptionPatch, SubscriptionSettings

#: How long what is sent is signed with the old secret, too.
OVERLAP_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Tested:
    """What became of a test event. ``response`` is the beginning of what the receiver answered; it may stand on an
    internal host, so it is for administrators alone."""

    is_delivered: bool
    status: int | None
    error: str | None
    response: str | None


class Subscribing:
    """Everything but the question who may do it to whose. Its methods raise Problem, StoreUnavailable."""

    def __init__(self, facts: ApiFacts, receivers: Receivers) -> None:
        self._store = facts.store.subscriptions
        self._journal = facts.store.journal
        self._consumers = facts.consumers
        self._engine = facts.engine
        self._receivers = receivers
        self._clock = facts.clock

    def receiver(self, body: NewSubscription) -> dict[str, Any]:
        """What is stored of the receiver of a new one."""
        headers = unmasked_headers(body.headers, {})
        return self._receivers.settings(body.type, unmasked_url(body.url, None), headers)

    def create(
        self, owner: str, body: NewSubscription, resource: Resource, settings: dict[str, Any]
    ) -> tuple[Subscription, str | None]:
        """A new one and its secret, which nobody is ever shown again. ``settings``: see ``receiver``."""
        cursor, replay_serial = self._start(body)
        secret = self._receivers.new_secret(body.type)
        now = self._clock()
        made = Subscription(
            id=new_subscription_id(),
            owner=owner,
            uid=body.uid,
            type=body.type,
            resource=resource,
            events=tuple(dict.fromkeys(body.events)),
            settings=settings,
            secrets=(StoredSecret(secret),) if secret is not None else (),
            batch_size=body.batch_size,
            rate_per_second=body.rate_per_second,
            is_coalescing=body.coalesce,
            is_active=body.active,
            state="ok",
            state_reason=None,
            created_at=now,
            changed_at=now,
            cursor=cursor,
            replay_serial=replay_serial,
            replay_key=None if replay_serial is None else 0,
        )
        if body.verify_intent:
            self._receivers.verify_intent(body.type, settings, made.id)
        try:
            self._store.add(made)
        except UidTaken as exc:
            raise self.uid_taken(owner, body.uid) from exc
        return made, secret

    def change(
        self,
        one: Subscription,
        body: SubscriptionSettings | SubscriptionPatch,
        names: frozenset[str],
        resource: Resource | None,
    ) -> Subscription:
        """Write the members of ``body`` that ``names`` lists; ``resource`` is what its own says."""
        if one.bound_to is not None and names != _OF_CHANNELS:
            told = "this is a channel: its holder registers it anew for anything else; PATCH active alone, or replay it"
            raise Problem(409, told, "channel")
        columns: dict[str, Any] = {
            _COLUMNS[name]: getattr(body, name) for name in names & _COLUMNS.keys() if name != "events"
        }
        if "events" in names:
            columns["events"] = tuple(dict.fromkeys(body.events))
        if "resource" in names:
            columns["resource"] = resource
        if names & {"url", "headers"}:
            settings = self._settings(one, body, names)
            if settings != one.settings:
                columns["settings"] = settings
        if columns.get("is_active") and one.state == "ended" and one.bound_to is None:
            self.check_kept(one.cursor)
        try:
            return self._store.change(one.id, **columns)
        except UidTaken as exc:
            raise self.uid_taken(one.owner, body.uid) from exc
        except KeyError as exc:
            raise not_found("subscription") from exc

    def _settings(
        self, one: Subscription, body: SubscriptionSettings | SubscriptionPatch, names: frozenset[str]
    ) -> dict[str, Any]:
        url, headers = one.settings.get("url", ""), one.settings.get("headers", {})
        if "url" in names:
            url = unmasked_url(body.url, url)
        if "headers" in names:
            headers = unmasked_headers(body.headers, headers)
        return self._receivers.settings(one.type, url, headers, one.settings)

    def test(self, one: Subscription) -> Tested:
        """Send a test event now. Raises Busy where too many wait for receivers."""
        if one.bound_to is not None:
            raise Problem(409, NOTHING_IS_SENT, "channel")
        if self._engine is None:
            raise Problem(503, "this process delivers nothing; ask the one that does", "elsewhere")
        try:
            with self._receivers.asking():
                receipt = self._engine.test(one.id)
        except KeyError as exc:
            raise not_found("subscription") from exc
        except DeliveryError as exc:
            return Tested(False, exc.status, str(exc), exc.response)
        except ConfigError as exc:
            # What was stored once does not fit its consumer any more, or that is no longer loaded.
            return Tested(False, None, str(exc), None)
        return Tested(True, receipt.status, None, receipt.response)

    def rotate_secret(self, one: Subscription) -> tuple[str, float]:
        """The new secret, and until when (Unix seconds) the one before signs, too."""
        if one.bound_to is not None:
            raise Problem(409, "nothing is sent to a channel, so nothing is signed", "channel")
        cls = self._consumers.get(one.type)
        if cls is None or not issubclass(cls, Signing):
            raise Problem(409, f"receivers of type {one.type} are not signed to")
        if one.settings.get("secret") is not None:
            raise Problem(409, "its secret stands in its settings; change it there")
        secret = cls.new_secret()
        try:
            self._store.rotate_secret(one.id, secret, OVERLAP_SECONDS)
        except KeyError as exc:
            raise not_found("subscription") from exc
        return secret, self._clock() + OVERLAP_SECONDS

    def replay_from(self, one: Subscription, serial: int) -> None:
        """Deliver everything after a serial again."""
        self.check_kept(serial)
        if not self._store.replay_from(one.id, serial):
            raise not_found("subscription")

    def replay_snapshot(self, one: Subscription) -> int:
        """Deliver everybody as they are now; the serial after which deliveries go on."""
        if one.bound_to is not None:
            told = "a channel is told a serial alone: replay it from one, and have its holder ask for the snapshot"
            raise Problem(409, told, "channel")
        if not self._store.replay_snapshot(one.id):
            raise not_found("subscription")
        return self._journal.last_serial()

    def serial_at(self, since: float) -> int:
        """The serial below the first event of a time (Unix seconds)."""
        serial = self._journal.serial_at(since)
        if serial is None:
            pruned = self._journal.pruned_serial()
            told = f"events of that time may be gone: serials up to {pruned} are no longer kept; replay from {pruned}, "
            told += "or a snapshot"
            raise Problem(410, told, "serial-pruned", pruned_serial=pruned, last_serial=self._journal.last_serial())
        return serial

    def uid_taken(self, owner: str, uid: str | None) -> Problem:
        """There is another one of this name."""
        other = self._store.by_uid(owner, uid) if uid is not None else None
        told = f"you have a subscription with the uid {uid} already"
        return Problem(409, told, "uid-taken", id=other.id if other is not None else None)

    def _start(self, body: NewSubscription) -> tuple[int, int | None]:
        """The cursor, and the serial as of which everybody is sent first."""
        last = self._journal.last_serial()
        if body.start is None:
            return last, None
        if body.start == "snapshot":
            return last, last
        self.check_kept(body.start)
        return body.start, None

    def check_kept(self, serial: int) -> None:
        """Raise Problem where one cannot begin after this serial."""
        pruned, last = self._journal.pruned_serial(), self._journal.last_serial()
        if not pruned <= serial <= last:
            raise serial_problem(serial, pruned, last)


def audited(subscription: Subscription) -> Mapping[str, object]:
    """Whom it lets know of whose changes; of the URL no more than cannot hold a key."""
    return {
        "uid": subscription.uid,
        "resource": str(subscription.resource),
        "host": _origin(subscription.settings.get("url")),
    }


def _origin(url: object) -> str | None:
    try:
        return parse_url(str(url)).origin
    except ValueError:
        # A plugin may take what our own receivers do not.
        return None


#: All that can be changed of a channel.
_OF_CHANNELS = frozenset({"active"})
#: Members of requests whose values are columns as they are.
_COLUMNS = {
    "uid": "uid",
    "batch_size": "batch_size",
    "rate_per_second": "rate_per_second",
    "coalesce": "is_coalescing",
    "active": "is_active",
    "events": "events",
}
