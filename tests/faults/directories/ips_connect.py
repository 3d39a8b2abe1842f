"""A master of IPS Connect, which is another server of ours in a process of its own; the server is its slave."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager

from integration_server.builtin.ips_connect import passwords
from integration_server.builtin.ips_connect.account import NewPerson
from integration_server.builtin.ips_connect.accounts import Accounts
from integration_server.builtin.ips_connect.remote_copy import Copy
from integration_server.builtin.ips_connect.tables import TABLES
from integration_server.store import Store
from tests.builtin.ips_connect.tables_gone import tables_gone
from tests.crash.machine import Machine
from tests.faults.directories.directory import Directory, Outage, stopped_process
from tests.servers.certificates import Authority
from tests.servers.server import free_port
from tests.tcp_proxy import Delay, TcpProxy
from tests.tls_front import TlsFront
from tests.waiting import wait_for

_KEY, _OTHER_KEY = "0123456789abcdef0123456789abcdef", "f" * 32
_CONFIG = """
[server]
data_dir = "data"
[log]
level = "warning"
[forwarding]
allow_networks = ["127.0.0.1"]
[backends.forum]
type = "ips_connect"
[frontends.gateway]
type = "ips_connect"
path = "/gateway"
backends = ["forum"]
master_key = "{key}"
slave_networks = ["127.0.0.1"]
salts_per_minute = 0
"""


class MasterDirectory(Directory):
    name = "IPS Connect"
    # The protocol has bcrypt at cost 13 for each login, and on a busy machine that takes its time.
    login_seconds = 5.0

    def open(self) -> None:
        self._config = self.folder.parent / "master"
        self._config.mkdir()
        self._write(_KEY)
        self.master = self.stack.enter_context(Machine(self._config))
        self.master.start()
        self.master.wait_ready()
        self._store = self.stack.enter_context(closing(Store("", self._config / "data")))
        self.accounts = Accounts("forum", self._store.storage(TABLES))
        authority = Authority(self.folder / "tls")
        authority.create()
        self.ca_file = authority.ca_file
        self._good, self._expired = authority.issue("good"), authority.issue("expired", is_expired=True)
        self.front = self.stack.enter_context(TlsFront(self.master.port, self._good))
        self.proxy = self.stack.enter_context(TcpProxy(("127.0.0.1", self.front.port)))
        self.own_port = free_port()
        self.login = ("Ann 0", "the secret of Ann")

    def _write(self, key: str) -> None:
        (self._config / "all.toml").write_text(_CONFIG.format(key=key), encoding="utf-8")

    def table(self) -> str:
        assert self.proxy is not None
        return (
            f'type = "ips_connect_remote"\nurl = "https://127.0.0.1:{self.proxy.port}/gateway"\n'
            f'master_key = "{_KEY}"\nca_file = "{self.ca_file}"\nis_complete = true\n'
            f'slave_url = "http://127.0.0.1:{self.own_port}/slave"\n'
        )

    def more(self) -> str:
        return (
            '[frontends.slave]\ntype = "ips_connect_slave"\npath = "/slave"\nbackends = ["people"]\n'
            'master_networks = ["127.0.0.1"]\n'
        )

    def settle(self) -> None:
        """People are made once the server has registered as a slave: of those who were there before, it is not told."""
        if self.people:
            return
        wait_for(lambda: self._store.subscriptions.all(type="ips_connect"), "no slave has registered")
        salt = passwords.new_salt()
        stored = passwords.hashed(self.login[1], salt)
        for number in range(30):
            self.accounts.register(NewPerson(f"Ann {number}", f"ann{number}@example.org", stored, salt))
            self.people.add(f"Ann {number}")
        with closing(Store("", self.folder / "data")) as own:
            copy = Copy("people", own.storage(TABLES))
            wait_for(lambda: sum(len(batch) for batch in copy.everybody(50)) == 30, self.master.log)

    def change(self, number: int) -> None:
        self.accounts.change_email(1, f"ann0.{number}@example.org")

    @property
    def outages(self) -> Mapping[str, Outage]:
        return {
            "frozen": lambda: stopped_process(lambda number: os.kill(self.master.pid, number)),
            "time limit": lambda: self.network(Delay(3)),
            "wrong bind password": self.wrong_key,
            "expired certificate": self.expired,
            "table gone": self.gone,
        }

    @contextmanager
    def wrong_key(self) -> Iterator[None]:
        """The master's administrator has changed its key."""
        self._reload(_OTHER_KEY)
        try:
            yield
        finally:
            self._reload(_KEY)

    def _reload(self, key: str) -> None:
        said = len(self.master.said)
        self._write(key)
        os.kill(self.master.pid, signal.SIGHUP)
        wait_for(lambda: any("serves" in line for line in self.master.said[said:]), self.master.log)
        self.master.wait_ready()

    @contextmanager
    def expired(self) -> Iterator[None]:
        assert self.proxy is not None
        self.front.show(self._expired)
        self.proxy.drop()
        try:
            yield
        finally:
            self.front.show(self._good)
            self.proxy.drop()

    @contextmanager
    def gone(self) -> Iterator[None]:
        """Our own copy of the master's accounts."""
        with closing(Store("", self.folder / "data")) as own, tables_gone(own):
            yield
