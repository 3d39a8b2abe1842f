"""We as a slave of another master, as an administrator sets it up: MailStore on one side, the master on the other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from integration_server.builtin.ips_connect import passwords
from integration_server.builtin.ips_connect.account import NewPerson
from integration_server.builtin.ips_connect.remote_copy import Copy
from integration_server.builtin.ips_connect.tables import TABLES
from integration_server.server import HttpServer, ServerLimits, bind
from integration_server.server.installation import opened
from tests.builtin.ips_connect.masters import FakeMaster, Reply
from tests.web.sites import Site

CONFIG = """
[server]
data_dir = "data"
[backends.forum]
type = "ips_connect_remote"
url = "{master.url}"
master_key = "{master.key}"
slave_url = "http://127.0.0.1:{port}/slave"
is_complete = {is_complete}
[frontends.archive]
type = "mailstore"
path = "/mailstore"
backends = ["forum"]
[frontends.slave]
type = "ips_connect_slave"
path = "/slave"
backends = ["forum"]
master_networks = ["127.0.0.1"]
is_active = {is_active}
"""

Open = Callable[..., Site]


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "COST", 4)


@pytest.fixture
def master() -> Iterator[FakeMaster]:
    with FakeMaster() as master:
        yield master


@contextmanager
def serving(folder: Path, master: FakeMaster, port: int, is_complete: bool, is_active: bool) -> Iterator[Site]:
    """A server where the master reaches it."""
    sock = bind("127.0.0.1", port)
    booleans = {"is_complete": str(is_complete).lower(), "is_active": str(is_active).lower()}
    text = CONFIG.format(master=master, port=port, **booleans)
    (folder / "a.toml").write_text(text, encoding="utf-8")
    with opened(folder) as installation:
        site = Site(installation, authorization=None)
        server = HttpServer(site.app, sock, ServerLimits())
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        try:
            yield site
        finally:
            server.stop()
            thread.join(20)


@pytest.fixture
def open_site(tmp_path: Path, master: FakeMaster) -> Iterator[Open]:
    """``open_site(is_complete=True)``; another one closes the one before it, and has its port and data."""
    stack = ExitStack()
    with bind("127.0.0.1", 0) as sock:
        port = sock.getsockname()[1]

    def open_site(is_complete: bool = False, is_active: bool = True) -> Site:
        stack.close()
        return stack.enter_context(serving(tmp_path, master, port, is_complete, is_active))

    yield open_site
    stack.close()


def copy_of(site: Site) -> Copy:
    return Copy("forum", site.installation.store.storage(TABLES))


def names(site: Site) -> list[str]:
    response = site.list()
    assert response.status_code == 200, response.text
    return [user["userName"] for user in response.get_json()]


def test_people_of_the_master_log_in_and_nobody_else_does(master: FakeMaster, open_site: Open) -> None:
    site = open_site()
    master.add("Ann", "ann@example.org", "ann's password")
    master.add("Old", "old@example.org", "p<a>ss&1!", salt="abcde")
    master.add("Validating", "v@example.org", "secret", revalidate_url="https://a.example/")
    for _ in range(2):
        assert site.accepts("Ann", "ann's password")
        assert site.accepts("ANN", "ann's password")
        assert site.accepts("Old", "p<a>ss&1!")
        assert not site.accepts("Ann", "wrong")
        assert not site.accepts("Validating", "secret")
        assert not site.accepts("ann@example.org", "ann's password")
        assert not site.accepts("nobody", "ann's password")
    response = site.list()
    assert response.status_code == 503
    assert "is_complete" in response.text


def test_master_that_is_down_is_no_verdict(master: FakeMaster, open_site: Open) -> None:
    site = open_site()
    master.add("Ann", "ann@example.org", "secret")
    assert site.accepts("Ann", "secret")
    for lie in (Reply(status=500), Reply(b"null"), Reply(raw=b""), Reply(b'{"status":"BAD_KEY"}')):
        master.lie = lambda values, lie=lie: lie  # type: ignore[misc]
        for password in ("secret", "wrong"):
            assert site.auth("Ann", password).status_code == 503
        master.lie = lambda values: None
        assert site.accepts("Ann", "secret")


def test_what_the_master_pushes_is_listed(master: FakeMaster, open_site: Open) -> None:
    first = master.add("First", "first@example.org", "secret")
    site = open_site(is_complete=True)
    person = master.people[first]
    # As an administrator imports the accounts that were there before.
    copy_of(site).adopt(first, NewPerson("First", person.email, person.pass_hash or "", person.pass_salt or ""))
    assert site.accepts("First", "secret")
    assert len(master.slaves) == 1
    ann = master.add("Ann", "ann@example.org", "secret")
    bob = master.add("Bob", "bob@example.org", "secret")
    cid = master.add("Cid", "cid@example.org", "secret")
    master.change("ban", bob, status="1")
    master.change("changeName", cid, name="Cidney")
    master.change("changeEmail", cid, email="cidney@example.org")
    master.change("delete", first)
    assert names(site) == ["Ann", "Cidney"]
    listed = {user["userName"]: user["emailAddresses"] for user in site.list().get_json()}
    assert listed["Cidney"] == ["cidney@example.org"]
    assert site.accepts("Cidney", "secret")
    assert not site.accepts("Bob", "secret")
    assert not site.accepts("First", "secret")
    master.change("ban", bob, status="0")
    assert site.accepts("Bob", "secret")
    master.change("merge", ann, remove=str(cid))
    assert names(site) == ["Ann", "Bob"]


def test_slave_that_is_switched_off_leaves_and_comes_back(master: FakeMaster, open_site: Open) -> None:
    ann = master.add("Ann", "ann@example.org", "secret")
    assert open_site().accepts("Ann", "secret")
    registered = dict(master.slaves)
    assert open_site(is_active=False).accepts("Ann", "secret")
    # Whoever registers twice may lose what waits.
    assert len(master.calls("verifySettings")) == 1
    master.change("changeName", ann, name="Anna")
    assert master.slaves == {}
    site = open_site()
    assert copy_of(site).find(ann).name == "Ann"  # type: ignore[union-attr]
    assert site.accepts("Anna", "secret")
    assert master.slaves == registered
    master.change("changeName", ann, name="Annabel")
    assert copy_of(site).find(ann).name == "Annabel"  # type: ignore[union-attr]
