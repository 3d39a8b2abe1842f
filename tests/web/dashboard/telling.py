"""Installations that tell receivers of changes: people who change, real receivers, and the real engine between."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from integration_server.store import Store
from integration_server.store.engine import writing
from integration_server.store.journal import Change
from integration_server.store.schema import attempts as attempts_table
from integration_server.store.schema import deliveries as deliveries_table
from integration_server.store.subscriptions import Subscription
from tests.receiver import LocalReceiver
from tests.waiting import wait_for
from tests.web.api.conftest import person
from tests.web.dashboard.pages import Browser, signed_in
from tests.web.sites import MakeSite, Site

NOW = 1_800_000_000.0
TABLES: dict[str, dict[str, Any]] = {
    "backends.hq": {"type": "memory", "sync": {}},
    "plugins": {"disabled": ["sql", "ldap", "csv_file"]},
    "forwarding": {"allow_networks": ["127.0.0.0/8"]},
}
#: What no page may show as it stands.
HOSTILE = "<script>alert('x')</script>\"&\x07\u202e/../?a=b#" + "é" * 900


@dataclass
class House:
    """A site, a browser of its administrator, and a receiver's machine."""

    site: Site
    browser: Browser
    receiver: LocalReceiver

    @property
    def store(self) -> Store:
        return self.site.installation.store

    def subscribe(self, name: str, path: str = "/hook", **values: Any) -> Subscription:
        """One that a person added by command."""
        url = {"type": "webhook", "url": self.receiver.url(path)}
        made = self.site.installation.forwarding.new_subscription("cli", name, url | values).subscription
        self.store.subscriptions.add(made)
        return made

    def put(self, person_id: str, *groups: str, **fields: object) -> None:
        """Let somebody come, or change."""
        document = person(person_id, *groups, **fields)
        self.apply(Change("update", person_id, repr(document).encode()[-16:].ljust(16), document))

    def remove(self, person_id: str) -> None:
        self.apply(Change("delete", person_id))

    def apply(self, *changes: Change) -> None:
        self.store.journal.apply("hq", changes, self.store.journal.last_serial())

    @contextmanager
    def delivering(self) -> Iterator[None]:
        engine = self.site.installation.forwarding.engine()
        engine.start()
        try:
            yield
        finally:
            engine.stop(5)

    def wait_until_stuck(self, count: int) -> None:
        wait_for(lambda: len(self.store.deliveries.find(None)) == count)

    # -- without an engine -------------------------------------------------------------------------------------------

    def waiting(self, one: Subscription, serial: int, state: str, person_id: str = "ann", **columns: Any) -> int:
        """A row as the engine writes them; its id."""
        row = {
            "subscription_id": one.id,
            "serial": serial,
            "lane": f"hq/{person_id}",
            "event_id": f"evt_{serial}",
            "event_type": "user.updated",
            "backend": "hq",
            "person_id": person_id,
            "state": state,
            "attempts": 3,
            "next_at": NOW + 60 if state == "parked" else None,
            "error": "answers with status 500" if state != "held" else None,
            "status": 500 if state != "held" else None,
            "created_at": NOW + serial,
            "changed_at": NOW + serial,
        }
        with writing(self.store._engine) as connection:
            made = connection.execute(deliveries_table.insert().values(row | columns)).inserted_primary_key
        assert made is not None
        return int(made[0])

    def tried(self, one: Subscription, delivery_id: str, **columns: Any) -> None:
        """A line in the log of tries."""
        row = {
            "subscription_id": one.id,
            "delivery_id": delivery_id,
            "serial": 1,
            "event_count": 1,
            "person_id": "ann",
            "at": NOW,
            "seconds": 0.25,
            "is_ok": False,
            "status": 500,
            "error": "answers with status 500",
            "response": None,
        }
        with writing(self.store._engine) as connection:
            connection.execute(attempts_table.insert().values(row | columns))


def make_house(make_site: MakeSite, receiver: LocalReceiver, tables: dict[str, dict[str, Any]] | None = None) -> House:
    site = make_site(TABLES | (tables or {}))
    return House(site, signed_in(site), receiver)
