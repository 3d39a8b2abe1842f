"""A network of accounts that follows the people of a CSV file, as an administrator sets it up, with its real engine."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from integration_server.builtin.ips_connect.account import Account
from integration_server.builtin.ips_connect.accounts import Accounts
from integration_server.builtin.ips_connect.people import People
from integration_server.builtin.ips_connect.tables import TABLES
from integration_server.server.installation import Installation, open_installation
from integration_server.store.subscriptions import Subscription
from tests.waiting import wait_for

CONFIG = """
[server]
data_dir = "data"
[backends.forum]
type = "ips_connect"
[backends.hq]
type = "csv"
path = "people.csv"
quiet_seconds = 0
password_column = "password"
allow_plain_passwords = true
map = { id = "id", username = "username", full_name = "full_name", emails = "email", is_disabled = "off" }
[backends.hq.sync]
[frontends.archive]
type = "mailstore"
path = "/mailstore"
backends = ["hq"]
"""
FRONTEND = """
[frontends.community]
type = "ips_connect"
path = "/ips"
backends = ["forum"]
propagate = ["hq"]
"""
COLUMNS = ("id", "username", "full_name", "email", "off", "password")


class Network:
    """An open installation beside a file of people. ``people`` are rows by id; ``write`` puts them into the file."""

    def __init__(self, folder: Path, frontend: str = FRONTEND, url: str = "") -> None:
        self.folder = folder
        self.people: dict[str, dict[str, str]] = {}
        store = f'[store]\nurl = "{url}"\n' if url else ""
        config = folder / "config.d"
        config.mkdir(exist_ok=True)
        (config / "all.toml").write_text(
            CONFIG.replace("people.csv", "../people.csv").replace('"data"', '"../data"') + store, encoding="utf-8"
        )
        (config / "community.toml").write_text(frontend, encoding="utf-8")
        self.put("first")
        self.installation = self._opened()

    def _opened(self) -> Installation:
        found = open_installation(self.folder / "config.d")
        found.forwarding.bring_configured()
        return found

    def reopen(self, frontend: str | None = None) -> None:
        """As a server that is started again, with another frontend where one is given."""
        self.installation.close()
        if frontend is not None:
            (self.folder / "config.d" / "community.toml").write_text(frontend, encoding="utf-8")
        self.installation = self._opened()

    # -- people ------------------------------------------------------------------------------------------------------

    def put(self, *ids: str, **fields: str) -> None:
        for id in ids:
            row = {"id": id, "username": id, "full_name": f"{id.title()} Example", "email": f"{id}@example.org"}
            self.people[id] = {**row, "off": "", "password": "", **self.people.get(id, {}), **fields}
        self.write()

    def drop(self, id: str) -> None:
        del self.people[id]
        self.write()

    def write(self) -> None:
        path = self.folder / "people.new"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(self.people.values())
        path.replace(self.folder / "people.csv")

    def notice(self) -> None:
        """Compare everybody now."""
        result = self.installation.forwarding.watcher("hq").run_once()
        assert result.kind in ("baseline", "compared"), result

    # -- what came of it ---------------------------------------------------------------------------------------------

    @property
    def subscription(self) -> Subscription:
        found = self.installation.store.subscriptions.by_uid("config", "community/hq")
        assert found is not None
        return found

    @property
    def accounts(self) -> Accounts:
        return Accounts("forum", self.installation.store.storage(TABLES))

    def account(self, id: str) -> Account | None:
        return People("forum", self.installation.store.storage(TABLES)).account_of("hq", id)

    def told(self, after: int = 0) -> list[tuple[str, str, Any]]:
        """What members of the network are told: method, connect id, details."""
        events = self.installation.store.journal.events(after, 10_000)
        ours = [event for event in events if event.type.startswith("ips_connect.")]
        return [(event.type.partition(".")[2], event.person_id, event.after) for event in ours]

    def settle(self) -> None:
        """Wait until everything there is was handed over, or waits for another try."""
        events = self.installation.store.journal.events(0, 10_000)
        last = max((event.serial for event in events if event.backend == "hq"), default=0)

        def is_done() -> bool:
            one = self.subscription
            return one.cursor >= last and one.replay_serial is None

        wait_for(is_done)

    @contextmanager
    def delivering(self) -> Iterator[None]:
        engine = self.installation.forwarding.engine()
        engine.start()
        try:
            yield
        finally:
            engine.stop(10)
