"""One server of ours as a master, another one as its slave: what is decided there is known here."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from integration_server import AccountWriter, Deadline, NewAccount
from integration_server.builtin.ips_connect import passwords
from integration_server.builtin.ips_connect.account import NewPerson
from integration_server.builtin.ips_connect.accounts import Accounts
from integration_server.builtin.ips_connect.keys import key_of_id
from integration_server.builtin.ips_connect.remote_copy import Copy
from integration_server.builtin.ips_connect.tables import TABLES
from integration_server.plugins import load_plugins
from integration_server.server import HttpServer, ServerLimits, bind
from integration_server.server.installation import opened
from tests.waiting import wait_for
from tests.web.sites import Site

_PLUGINS = load_plugins()
pytestmark = pytest.mark.skipif(
    "ips_connect" not in _PLUGINS.frontends or "ips_connect" not in _PLUGINS.consumers,
    reason="there is no gateway of a master, or nothing that tells slaves",
)

KEY = "0123456789abcdef0123456789abcdef"
MASTER = f"""
[server]
data_dir = "data"
[forwarding]
allow_networks = ["127.0.0.1"]
[backends.forum]
type = "ips_connect"
[frontends.gateway]
type = "ips_connect"
path = "/gateway"
backends = ["forum"]
master_key = "{KEY}"
slave_networks = ["127.0.0.1"]
"""
SLAVE = f"""
[server]
data_dir = "data"
[backends.forum]
type = "ips_connect_remote"
url = "http://127.0.0.1:{{master}}/gateway"
master_key = "{KEY}"
slave_url = "http://127.0.0.1:{{slave}}/slave"
is_complete = true
[frontends.archive]
type = "mailstore"
path = "/mailstore"
backends = ["forum"]
[frontends.slave]
type = "ips_connect_slave"
path = "/slave"
backends = ["forum"]
master_networks = ["127.0.0.1"]
"""

Member = tuple[str, str, str, str, bool, str]


@dataclass
class Network:
    """Both servers, with the accounts of the one and the copy of the other."""

    master: Site
    slave: Site
    ports: tuple[int, int]

    @property
    def accounts(self) -> Accounts:
        return Accounts("forum", self.master.installation.store.storage(TABLES))

    @property
    def copy(self) -> Copy:
        return Copy("forum", self.slave.installation.store.storage(TABLES))

    @property
    def backend(self) -> AccountWriter:
        backend = self.slave.installation.sources["forum"].backend
        assert isinstance(backend, AccountWriter)
        return backend

    def add(self, name: str, password: str = "secret", url: str = "") -> int:
        salt = passwords.new_salt()
        person = NewPerson(name, f"{name}@example.org", passwords.hashed(password, salt), salt, url)
        return self.accounts.register(person).account.id

    def must_agree(self) -> dict[int, Member]:
        """Soon both have the same accounts, which are given."""
        wait_for(lambda: _members(self.accounts) == _members(self.copy), 20)
        return _members(self.copy)


def _members(accounts: Accounts) -> dict[int, Member]:
    return {
        one.id: (one.name, one.email, one.pass_hash, one.pass_salt, one.is_banned, one.revalidate_url)
        for batch in accounts.everybody(50)
        for one in batch
    }


@contextmanager
def _serving(folder: Path, text: str, port: int) -> Iterator[Site]:
    folder.mkdir()
    (folder / "a.toml").write_text(text, encoding="utf-8")
    sock = bind("127.0.0.1", port)
    with opened(folder) as installation:
        site = Site(installation, authorization=None)
        server = HttpServer(site.app, sock, ServerLimits())
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        engine = installation.forwarding.engine()
        engine.start()
        try:
            yield site
        finally:
            engine.stop(10)
            server.stop()
            thread.join(20)


def _free_port() -> int:
    with bind("127.0.0.1", 0) as sock:
        port: int = sock.getsockname()[1]
    return port


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    monkeypatch.setattr(passwords, "COST", 4)
    ports = _free_port(), _free_port()
    with ExitStack() as stack:
        master = stack.enter_context(_serving(tmp_path / "master", MASTER, ports[0]))
        text = SLAVE.format(master=ports[0], slave=ports[1])
        slave = stack.enter_context(_serving(tmp_path / "slave", text, ports[1]))
        # The first use registers; an empty list is held.
        slave.list()
        yield Network(master, slave, ports)


def test_every_change_of_the_master_is_one_of_the_copy(network: Network) -> None:
    accounts = network.accounts
    ann, bob, cid = network.add("Ann"), network.add("Bob"), network.add("Cid", url="https://a.example/")
    assert len(network.must_agree()) == 3
    accounts.validate(cid)
    accounts.set_ban(bob, True)
    accounts.change_name(ann, "ANN")
    accounts.change_email(cid, "CID@example.org")
    accounts.change_password(ann, "hash", "salt")
    # A name that is given up has its next owner at once.
    accounts.change_name(bob, "Bobby")
    accounts.change_name(cid, "Bob")
    assert network.must_agree()[cid][0] == "Bob"
    accounts.merge(ann, cid)
    accounts.delete(bob)
    assert list(network.must_agree()) == [ann]
    assert network.copy.gaps().count == 0
    assert [user["userName"] for user in network.slave.list().get_json()] == ["ANN"]


def test_people_of_the_master_log_in_at_the_slave(network: Network) -> None:
    for name, url in (("Ann", ""), ("Bob", ""), ("Cid", "https://a.example/")):
        network.add(name, url=url)
    network.accounts.set_ban(2, True)
    network.must_agree()
    for name, may in (("Ann", True), ("ann", True), ("Bob", False), ("Cid", False), ("Dora", False)):
        assert network.slave.accepts(name, "secret") is may
        assert not network.slave.accepts(name, "wrong")


def test_people_who_are_made_at_the_slave_are_the_masters(network: Network) -> None:
    network.add("Ann")
    account = NewAccount("ann@another.example", "Ann")
    made = network.backend.create_account(account, Deadline(10))
    assert network.must_agree()[int(made)][:2] == ("Ann 2", "ann@another.example")
    assert network.backend.create_account(account, Deadline(10)) == made
    assert network.backend.create_account(NewAccount("ANN@example.org", "x"), Deadline(10)) == "1"


def test_browsers_are_led_through_the_slave_and_back(network: Network) -> None:
    id = str(network.add("Ann"))
    master, slave = network.ports
    page = f"http://127.0.0.1:{slave}/page"
    values = {"do": "crossLogin", "key": key_of_id(KEY, id), "id": id, "returnTo": page}
    url = f"http://127.0.0.1:{master}/gateway?{urlencode(values)}"
    visited = []
    while url != page:
        parts = urlsplit(url)
        visited.append(parts.port)
        connection = http.client.HTTPConnection("127.0.0.1", parts.port or 80, timeout=10)
        connection.request("GET", f"{parts.path}?{parts.query}")
        response = connection.getresponse()
        assert response.status == 303, response.read()
        url = response.getheader("Location") or ""
        connection.close()
        assert len(visited) < 5
    assert visited == [master, slave, master]
