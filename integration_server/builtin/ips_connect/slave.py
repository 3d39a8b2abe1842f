"""The consumer: tells one slave of every change, in their order, as a master does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
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
    Preparing,
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
from integration_server.builtin.ips_connect.verdicts import PLAIN_SUCCESS, Meaning, Verdict, verdict

_HEADERS = {"User-Agent": f"integration-server/{__version__}", "Accept": "application/json"}
#: Of which a second call with the same values looks like somebody else's name or address.
_ONCE = frozenset({"changeEmail", "changeName"})


@dataclass(frozen=True, slots=True)
class _Call:
    """A call of the slave on account of one event. ``key`` and ``query`` are secret."""

    event_id: str
    push: Push
    key: str = field(repr=False)
    query: str = field(repr=False)

    @property
    def is_once(self) -> bool:
        return self.push.method in _ONCE


class SlaveConsumer(Consumer, Preparing):
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
        return self._told(self._calls(delivery), deadline)

    def prepare(self, delivery: Delivery) -> Callable[[Deadline], Receipt]:
        calls = list(self._calls(delivery))
        if any(one.is_once for one in calls):
            self._handovers.announce()
        return lambda deadline: self._told(calls, deadline)

    def _calls(self, delivery: Delivery) -> Iterator[_Call]:
        for event in delivery.events:
            for push in self._pushes(event):
                key = push.key(self._key)
                yield _Call(event.id, push, key, push.query(key))

    def _told(self, calls: Iterable[_Call], deadline: Deadline) -> Receipt:
        receipt = Receipt(response="nothing was sent: the account is gone, and that is told by what follows")
        try:
            for one in calls:
                receipt = self._tell(one, deadline)
        except StoreUnavailable as exc:
            raise ConsumerUnavailable(f"nothing can be told to {self._origin}: {exc}") from exc
        return receipt

    def close(self) -> None:
        """Connections are the server's HTTP client's."""
        self._handovers.rest()

    def _pushes(self, event: Event) -> tuple[Push, ...]:
        id = connect_id(event.person_id)
        if id is None and event.person_id:
            raise DeliveryFailed(f"{event.person_id!r} is no connect id; [backends.NAME.map] must take id from id")
        try:
            account = self._accounts.find(id) if id is not None and is_about_account(event) else None
            return pushes(event, account, unusable)
        except ValueError as exc:
            raise DeliveryFailed(str(exc)) from exc

    def _tell(self, one: _Call, deadline: Deadline) -> Receipt:
        """Make one call. Raises DeliveryFailed's family, ConsumerGone, StoreUnavailable."""
        push, is_once = one.push, one.is_once
        may_be_made = self._handovers.begin(one.event_id, is_once) and is_once
        try:
            answer = self._get(one.query, deadline)
        except DeliveryFailed as exc:
            is_sent = isinstance(exc, ConsumerUnavailable) and not isinstance(exc, ReceiverUnreachable)
            self._note_not_taken(one, is_clear=not may_be_made and not is_sent)
            raise
        found = verdict(answer, self._accept_empty)
        may_be_made = may_be_made or (is_once and answer.is_second)
        if found.meaning is Meaning.IN_USE and (may_be_made or push.is_respelling):
            found = Verdict(Meaning.TAKEN, "has the name or the address as the account's already")
        if found.meaning is Meaning.TAKEN:
            self._handovers.end(one.event_id)
        else:
            self._note_not_taken(one, is_clear=found.is_clear and not may_be_made)
        return self._judged(one, answer, found)

    def _note_not_taken(self, one: _Call, is_clear: bool) -> None:
        note = self._handovers.forget if is_clear else self._handovers.leave
        note(one.event_id)

    def _get(self, query: str, deadline: Deadline) -> HttpAnswer:
        return self._http.get(
            self._url,
            query,
            _HEADERS,
            deadline,
            allow_networks=self._allow_networks,
            ca_file=self._ca_file,
        )

    def _judged(self, one: _Call, answer: HttpAnswer, found: Verdict) -> Receipt:
        status, push = answer.status, one.push
        if answer.body == PLAIN_SUCCESS:
            # No secret is in it: none is so short.
            return Receipt(status, answer.text)
        response = masked(answer.text, (self._key, one.key, *push.secrets))
        if found.meaning is Meaning.TAKEN or (push is PING and found.meaning is Meaning.UNKNOWN_ID):
            return Receipt(status, response)
        message = f"{self._origin} {found.reason}"
        if found.meaning is Meaning.GONE:
            raise ConsumerGone(message, status, response)
        if found.meaning is Meaning.UNAVAILABLE:
            raise ConsumerUnavailable(message, status, response, answer.retry_after(self._clock()))
        raise DeliveryFailed(message, status, response)
