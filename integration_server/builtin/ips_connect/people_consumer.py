"""The consumer by which accounts follow the people of another backend."""

from __future__ import annotations

from typing import ClassVar, Literal

from integration_server import (
    Consumer,
    ConsumerContext,
    ConsumerSettings,
    ConsumerUnavailable,
    Deadline,
    Delivery,
    Event,
    Receipt,
    StoreUnavailable,
)
from integration_server.builtin.ips_connect.people import People, Rules
from integration_server.builtin.ips_connect.settings import PeopleSettings
from integration_server.builtin.ips_connect.tables import TABLES

#: Tries after which an address that stays somebody else's is passed over. Who gives one up may be told of a moment
#: later, but what follows, such as that the person may not log in any more, must not wait for long.
_PATIENCE = 2


class PeopleConsumer(Consumer):
    """Takes events of people, and makes changes of accounts of them, in this server's own store."""

    type: ClassVar[str] = "ips_connect_people"
    Settings = PeopleSettings
    lane: ClassVar[Literal["person", "subscription"]] = "person"
    gives_up: ClassVar[bool] = False
    is_implied: ClassVar[bool] = True

    def __init__(self, settings: ConsumerSettings, context: ConsumerContext) -> None:
        assert isinstance(settings, PeopleSettings)
        self._backend = settings.accounts
        self._people = People(settings.accounts, context.storage(TABLES), context.clock)
        self._rules = Rules(frozenset(settings.sources), settings.names, settings.deletions, settings.link_accounts)

    def deliver(self, delivery: Delivery, deadline: Deadline) -> Receipt:
        if deadline.is_over():
            raise ConsumerUnavailable("no time was left to ask the store")
        try:
            if not delivery.events or delivery.events[0].type == "test.ping":
                self._people.check()
                return Receipt(response="the store can be asked")
            told = [self._follow(event, delivery.attempt <= _PATIENCE) for event in delivery.events]
        except StoreUnavailable as exc:
            raise ConsumerUnavailable(str(exc)) from exc
        return Receipt(response="; ".join(told))

    def _follow(self, event: Event, is_patient: bool) -> str:
        if not event.type.startswith("user.") or event.backend == self._backend:
            return "nothing: it is of no person of another backend"
        return self._people.follow(event, self._rules, is_patient)

    def close(self) -> None:
        """There is nothing to give back: the store is the server's."""
