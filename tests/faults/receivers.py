"""Receivers of changes, real ones in processes of their own, behind TLS and the proxy: a webhook, and a slave of IPS
Connect."""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from types import TracebackType
from typing import Any, ClassVar, Final, Self
from urllib.parse import parse_qsl

import orjson

from integration_server.builtin.ips_connect.account import NewPerson
from integration_server.builtin.ips_connect.accounts import Accounts
from integration_server.builtin.ips_connect.tables import TABLES
from integration_server.store import Store
from tests.crash.memory import Memory
from tests.faults.directories import SqliteDirectory
from tests.faults.directories.directory import Outage, stopped_process
from tests.faults.scene import Answer
from tests.faults.served import Served
from tests.receiver import BIG, CUT, Behaviour, Received, Receiver
from tests.servers.certificates import Authority
from tests.tcp_proxy import Fault as NetworkFault
from tests.tcp_proxy import TcpProxy
from tests.tls_front import TlsFront
from tests.waiting import wait_for

#: What one delivery may take, in seconds.
_DELIVERY_SECONDS: Final = 1.0
#: How long a delivery may say nothing before it counts as one that waits.
_PATIENCE: Final = 5.0
_SECRET: Final = "whsec_" + "c2VjcmV0IG9mIHRoZSBmYXVsdCB0ZXN0cyEhISEh"

_CONFIG: Final = """\
[server]
data_dir = "data"
threads = 8
[log]
level = "warning"
{backend}
[subscriptions.told]
url = "https://127.0.0.1:{port}/told"
ca_file = "{ca_file}"
allow_networks = ["127.0.0.1"]
timeout_seconds = {seconds}
{keys}
"""


class Telling(Served, ABC):
    """The server before one receiver, from ``with`` to its end."""

    #: The column of the table.
    name: ClassVar[str]
    #: What the receiver says when all is well, and to a key that is wrong.
    good: ClassVar[Behaviour]
    bad_key: ClassVar[Behaviour]

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        try:
            self._open()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        self._stack.close()

    def _open(self) -> None:
        self._changes = 0
        self.receiver = self._stack.enter_context(Receiver(self.folder.parent / "receiver"))
        self.receiver.behave("/told", self.good)
        authority = Authority(self.folder / "tls")
        authority.create()
        self._good, self._expired = authority.issue("good"), authority.issue("expired", is_expired=True)
        self.front = self._stack.enter_context(TlsFront(self.receiver.ports[0], self._good))
        self.proxy = self._stack.enter_context(TcpProxy(("127.0.0.1", self.front.port)))
        values = {"port": self.proxy.port, "ca_file": authority.ca_file, "seconds": _DELIVERY_SECONDS}
        text = _CONFIG.format(backend=self.backend(), keys=self.keys(), **values)
        (self.folder / "all.toml").write_text(text, encoding="utf-8")

    @abstractmethod
    def backend(self) -> str:
        """The backend of whose changes it is told, made and written down as TOML."""

    @abstractmethod
    def keys(self) -> str:
        """Further keys of the subscription."""

    @abstractmethod
    def change(self, number: int) -> None:
        """Change somebody to this number, which grows."""

    @abstractmethod
    def numbers(self, request: Received) -> list[int]:
        """The numbers that a request told of."""

    # -- what a fault needs ------------------------------------------------------------------------------------------

    @property
    def is_far(self) -> bool:
        return True

    @contextmanager
    def network(self, fault: NetworkFault, *, drops: bool = False) -> Iterator[None]:
        self.proxy.fault, before = fault, self.proxy.fault
        if drops:
            self.proxy.drop()
        try:
            yield
        finally:
            self.proxy.fault = before
            self.proxy.drop()

    @property
    def outages(self) -> Mapping[str, Outage]:
        return {
            "frozen": lambda: stopped_process(lambda number: os.kill(self.receiver.pid, number)),
            "size limit": lambda: self._behaving(BIG),
            "time limit": lambda: self._behaving(replace(self.good, delay=3 * _DELIVERY_SECONDS)),
            "dropped mid-page": lambda: self._behaving(CUT),
            "wrong bind password": lambda: self._behaving(self.bad_key),
            "expired certificate": self._expired_certificate,
        }

    @contextmanager
    def _behaving(self, behaviour: Behaviour) -> Iterator[None]:
        self.receiver.behave("/told", behaviour)
        try:
            yield
        finally:
            self.receiver.behave("/told", self.good)

    @contextmanager
    def _expired_certificate(self) -> Iterator[None]:
        self.front.show(self._expired)
        self.proxy.drop()
        try:
            yield
        finally:
            self.front.show(self._good)
            self.proxy.drop()

    def wait_scanning(self) -> None:
        """Until a delivery may be under way."""
        time.sleep(0.5)

    def is_ready(self, memory: Memory) -> bool:
        return bool(memory.rows("SELECT id FROM subscriptions"))

    # -- telling -----------------------------------------------------------------------------------------------------

    def make_change(self) -> int:
        """One more change, and its number; the event may be there some moments later."""
        self._changes += 1
        self.change(self._changes)
        return self._changes

    def make_event(self) -> int:
        """The same, once its event is in the journal."""
        before = len(self.journal())
        number = self.make_change()
        wait_for(lambda: len(self.journal()) > before, self.machine.log)
        return number

    def exercise(self) -> None:
        self.wait_told(self.make_event())

    def wait_told(self, number: int) -> None:
        """Until it was told of, and that is known."""
        with self.memory() as memory:
            wait_for(
                lambda: number in self.taken() and memory.is_quiet(),
                lambda: f"{self.taken()[-9:]}\n{memory.describe()}\n{self.machine.log()}",
                90,
                pause=0.05,
            )

    def taken(self) -> list[int]:
        """The numbers that were told and answered well, in the order in which they came."""
        return [number for one in self.receiver.requests("/told") if one.is_taken for number in self.numbers(one)]

    def noted(self) -> list[int]:
        """The numbers of the journal, in order. Two changes of a directory between two looks at it are one."""
        with self.memory() as memory:
            bodies = memory.rows("SELECT body FROM events ORDER BY serial")
        return [self.number(orjson.loads(body)["object"]) for (body,) in bodies]

    @abstractmethod
    def number(self, changed: Mapping[str, Any]) -> int:
        """Which change it was, after which somebody looked like this."""

    def last_serial(self) -> int:
        with self.memory() as memory:
            return int(memory.rows("SELECT last_serial FROM journal_state")[0].last_serial)

    def told(self, serial: int) -> Answer:
        """What came of the first try to tell what came after ``serial``: "right", where it was taken and that is known;
        "again", where it will be tried again; "waits", where nothing is known."""
        began = time.monotonic()
        with self.memory() as memory:
            while time.monotonic() < began + _PATIENCE and self.machine.is_running:
                found = memory.rows("SELECT is_ok, error FROM attempts WHERE serial > :it ORDER BY id", it=serial)
                if found:
                    kind = "right" if found[0].is_ok else "again"
                    return Answer(kind, time.monotonic() - began, found[0].error or "")
                # The log of what went well is written some time later.
                if memory.is_quiet() and memory.rows("SELECT 1 FROM subscriptions WHERE cursor > :it", it=serial):
                    return Answer("right", time.monotonic() - began)
                time.sleep(0.02)
        return Answer("waits" if self.machine.is_running else "none", time.monotonic() - began)


class WebhookTelling(Telling):
    """Told of one person of a database."""

    name = "webhook"
    good = Behaviour()
    bad_key = Behaviour(status=401)

    def backend(self) -> str:
        self._directory = SqliteDirectory(self.folder)
        self._stack.enter_context(self._directory)
        return (
            f"[backends.people]\n{self._directory.table()}\n"
            "[backends.people.sync]\nscan_seconds = 3600\nfeed_seconds = 0.2\n"
        )

    def keys(self) -> str:
        return f'type = "webhook"\nsecret = "{_SECRET}"\n'

    def is_ready(self, memory: Memory) -> bool:
        return super().is_ready(memory) and memory.baselines() == {"people"}

    def change(self, number: int) -> None:
        self._directory.change(number)

    def numbers(self, request: Received) -> list[int]:
        return [self.number(event["data"]["object"]) for event in request.events]

    def number(self, changed: Mapping[str, Any]) -> int:
        return int(changed["full_name"].removeprefix("Alice "))


class SlaveTelling(Telling):
    """Told of one account of a network, in an order that nobody may leave."""

    name = "IPS Connect slave"
    good = Behaviour(body='{"status": "SUCCESS"}', headers={"Content-Type": "application/json"})
    bad_key = Behaviour(body='{"status": "BAD_KEY"}', headers={"Content-Type": "application/json"})

    def backend(self) -> str:
        store = Store("", self.folder / "data")
        self._stack.enter_context(closing(store))
        self._accounts = Accounts("forum", store.storage(TABLES))
        self._accounts.register(NewPerson("Ann", "ann@example.org", "$2y$13$" + "a" * 53, "b" * 22))
        return '[backends.forum]\ntype = "ips_connect"\n'

    def keys(self) -> str:
        return f'type = "ips_connect"\nbackend = "forum"\nkey = "{"k" * 32}"\n'

    def change(self, number: int) -> None:
        self._accounts.change_email(1, f"ann{number}@example.org")

    def numbers(self, request: Received) -> list[int]:
        sent = dict(parse_qsl(request.path.partition("?")[2]))
        return [self.number(sent)] if sent["do"] == "changeEmail" else []

    def number(self, changed: Mapping[str, Any]) -> int:
        return int(changed["email"].removeprefix("ann").partition("@")[0] or 0)
