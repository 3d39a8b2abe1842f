"""The consumer: tells one slave of every change, in their order, as a master does."""

from __future__ import annotations

from typing import ClassVar

from integration_server import (
    Consumer,
    ConsumerContext,
    ConsumerGone,
    ConsumerSettings,
    ConsumerUnavailable,
    Deadline,
    Delivery,
    DeliveryFailed,
    Event,
    HttpAnswer,
    Receipt,
    ReceiverUnreachable,
    StoreUnavailable,
    __version__,
    parse_url,
)
from integration_server.builtin.ips_connect.accounts import Accounts
from integration_server.builtin.ips_connect.calls import connect_id
from integration_server.builtin.ips_connect.handovers import Handovers
from integration_server.builtin.ips_connect.masking import masked
from integration_server.builtin.ips_connect.passwords import unusable
from integration_server.builtin.ips_connect.pushes import PING, TYPES, Push, is_about_account, pushes
from integration_server.builtin.ips_connect.settings import SlaveSettings
from integration_server.builtin.ips_connect.tables import TABLES
from integration_server.builtin.ips_connect.verdicts import Meaning, Verdict, verdict

_HEADERS = {"User-Agent": f"integration-server/{__version__}", "Accept": "application/json"}
#: Of which a second call with the same values looks like somebody else's name or address.
_ONCE = frozenset({"changeEmail", "changeName"})


class SlaveConsumer(Consumer):
    """One slave. It gets everything in one order, since a name or an address that somebody gives up must arrive before
    it is the next one's, and it is tried for ever, since whoever misses a change is never told again."""

    type: ClassVar[str] = "ips_connect"
    Settings = SlaveSettings
    lane = "subscription"
    own_types: ClassVar[tuple[str, ...]] = TYPES
    backend_types: ClassVar[tuple[str, ...]] = ("ips_connect",)
    gives_up: ClassVar[bool] = False
    ends_for_good: ClassVar[bool] = True
    identity: ClassVar[str | None] = "url"

    def __init__(self, settings: ConsumerSettings, context: ConsumerContext) -> None:
        assert isinstance(settings, SlaveSettings)
        storage = context.storage(TABLES)
        self._accounts = Accounts(settings.backend, storage)
        self._handovers = Handovers(context.subscription_id, storage)
        self._http = context.http
        self._clock = context.clock
        self._url = settings.url
        self._origin = parse_url(settings.url).origin
        self._key = settings.key.get_secret_value()
        self._accept_empty = settings.accept_empty
        self._allow_networks = settings.allow_networks
        self._ca_file = None if settings.ca_file is None else str(context.base_dir / settings.ca_file)

    def deliver(self, delivery: Delivery, deadline: Deadline) -> Receipt:
        receipt = Receipt(response="nothing was sent: the account is gone, and that is told by what follows")
        try:
            for event in delivery.events:
                for push in self._pushes(event):
                    receipt = self._tell(push, event.id, deadline)
        except StoreUnavailable as exc:
            raise ConsumerUnavailable(f"nothing can be told to {self._origin}: {exc}") from exc
        return receipt

    def close(self) -> None:
        """Connections are the server's HTTP client's."""

    def _pushes(self, event: Event) -> tuple[Push, ...]:
        id = connect_id(event.person_id)
        if id is None and event.person_id:
            raise DeliveryFailed(f"{event.person_id!r} is no connect id; [backends.NAME.map] must take id from id")
        try:
            account = self._accounts.find(id) if id is not None and is_about_account(event) else None
            return pushes(event, account, unusable)
        except ValueError as exc:
            raise DeliveryFailed(str(exc)) from exc

    def _tell(self, push: Push, event_id: str, deadline: Deadline) -> Receipt:
        """Make one call. Raises DeliveryFailed's family, ConsumerGone, StoreUnavailable."""
        is_once = push.method in _ONCE
        may_be_made = is_once and self._handovers.begin(event_id)
        try:
            answer = self._get(push, deadline)
        except DeliveryFailed as exc:
            is_sent = isinstance(exc, ConsumerUnavailable) and not isinstance(exc, ReceiverUnreachable)
            if is_once and not may_be_made and not is_sent:
                self._handovers.forget(event_id)
            raise
        found = verdict(answer, self._accept_empty)
        may_be_made = may_be_made or (is_once and answer.is_second)
        if found.meaning is Meaning.IN_USE and (may_be_made or push.is_respelling):
            found = Verdict(Meaning.TAKEN, "has the name or the address as the account's already")
        if is_once and found.is_clear and found.meaning is not Meaning.TAKEN and not may_be_made:
            self._handovers.forget(event_id)
        return self._judged(push, answer, found)

    def _get(self, push: Push, deadline: Deadline) -> HttpAnswer:
        return self._http.get(
            self._url,
            push.query(self._key),
            _HEADERS,
            deadline,
            allow_networks=self._allow_networks,
            ca_file=self._ca_file,
        )

    def _judged(self, push: Push, answer: HttpAnswer, found: Verdict) -> Receipt:
        status = answer.status
        response = masked(answer.text, (self._key, push.key(self._key), *push.secrets))
        if found.meaning is Meaning.TAKEN or (push is PING and found.meaning is Meaning.UNKNOWN_ID):
            return Receipt(status, response)
        message = f"{self._origin} {found.reason}"
        if found.meaning is Meaning.GONE:
            raise ConsumerGone(message, status, response)
        if found.meaning is Meaning.UNAVAILABLE:
            raise ConsumerUnavailable(message, status, response, answer.retry_after(self._clock()))
        raise DeliveryFailed(message, status, response)
