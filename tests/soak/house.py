"""One server with everything switched on: directories of three kinds, four frontends, receivers and slaves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from integration_server.builtin.ips_connect.account import NewPerson
from integration_server.builtin.ips_connect.accounts import Accounts
from integration_server.builtin.ips_connect.tables import TABLES
from integration_server.sdk.passwords import hash_password
from integration_server.store import Store
from integration_server.store.resources import Resource
from tests.crash.directories import FileDirectory, OutboxDirectory
from tests.crash.machine import Machine
from tests.crash.scene import Scene
from tests.receiver import Behaviour, Receiver
from tests.servers import Slapd
from tests.servers.server import free_port

#: People in each of the directories that change.
SIZE: Final = 60
FORUM_PEOPLE: Final = 20
MASTER_KEY: Final = "0123456789abcdef0123456789abcdef"
FORUM_HASH: Final = "$2a$13$leEvXu77OIwPwNvtZIJvaeAx8EItGHuR3nIlq8416g0gXeJaQdrr2"
_FORUM_SALT: Final = "leEvXu77OIwPwNvtZIJval"
ADMIN: Final = ("soak", "a password of the soak")
#: Of the mount that shares lists.
CALLER: Final = ("archive", "a password of the archive")

_SUBSCRIPTIONS: Final = {
    "single": "",
    "batches": "batch_size = 10\n",
    "coalescing": "coalesce = true\n",
    # Refuses one request in so many.
    "moody": "",
}
_MOOD: Final = Behaviour(status=503, every=12)
_TAKEN: Final = Behaviour(body='{"status":"SUCCESS"}', headers={"Content-Type": "application/json"})

# People come, are renamed and go all the time, and all of it is meant.
_ANY_LOSS: Final = "max_missing_percent = 100\nmax_missing_count = 1000000\nsmall_list = 0\n"
_ANY_CHANGE: Final = "max_percent = 100\nmax_count = 1000000\nsmall_directory = 0\n"


@dataclass(frozen=True, slots=True)
class House:
    """What runs, and what callers must show. ``tokens`` are those of the API and of the two mounts of web-hooks."""

    scene: Scene
    machine: Machine
    receiver: Receiver
    slapd: Slapd
    data: Path
    websocket_port: int
    tokens: dict[str, str]

    @property
    def near(self) -> str:
        """Where the slave is that makes the changes; it is not told of them, but /far is."""
        return self.receiver.url("/near")


@contextmanager
def house(folder: Path, slapd: Slapd, processes: int) -> Iterator[House]:
    """Everything but the server itself is started; ends it all."""
    directories = [OutboxDirectory("sql", folder, SIZE, 1), FileDirectory("file", folder, SIZE, 1)]
    with Receiver(folder / "receiver") as receiver:
        receiver.behave("/moody", _MOOD)
        for slave in ("/near", "/far"):
            receiver.behave(slave, _TAKEN)
        scene = Scene(folder, directories, receiver, _SUBSCRIPTIONS)
        config = scene.create()
        machine, websocket_port = Machine(config, options=["--processes", str(processes)]), free_port()
        text = _config(receiver, slapd, machine.port, websocket_port)
        (config / "soak.toml").write_text(text, encoding="utf-8")
        tokens = _prepare(config / "data")
        with machine:
            yield House(scene, machine, receiver, slapd, config / "data", websocket_port, tokens)


def _config(receiver: Receiver, slapd: Slapd, port: int, websocket_port: int) -> str:
    name, password = CALLER
    return f"""
[backends.ldap]
type = "ldap"
servers = "{slapd.uri}"
bases = "{Slapd.people}"
bind_dn = "{Slapd.reader_dn}"
bind_password = "{Slapd.reader_password}"
keep_memberships = true
[backends.ldap.groups]
bases = "{Slapd.groups}"
id_attribute = "cn"
[backends.ldap.map]
groups = "groups"
[backends.ldap.sync]
scan_seconds = 10
feed_seconds = 0.5
[backends.ldap.sync.guard]
{_ANY_CHANGE}
[backends.forum]
type = "ips_connect"

[frontends.archive]
type = "mailstore"
path = "/archive"
backends = ["ldap", "sql", "file"]
allow_anonymous = true
[frontends.archive.guard]
{_ANY_LOSS}
[frontends.shared]
type = "mailstore"
path = "/shared"
backends = ["ldap", "sql", "file"]
max_age_seconds = 5
username = "{name}"
password = "{password}"
[frontends.shared.guard]
{_ANY_LOSS}
[frontends.site]
type = "groupserver"
path = "/site"
backends = ["ldap"]
site_url = "https://site.example.org"
[frontends.site.guard]
{_ANY_LOSS}
[frontends.readers]
type = "groupserver"
path = "/readers"
backends = ["sql", "file"]
site_url = "https://readers.example.org"
[frontends.readers.guard]
{_ANY_LOSS}
[frontends.master]
type = "ips_connect"
path = "/gw"
backends = ["forum"]
master_key = "{MASTER_KEY}"
slave_networks = ["127.0.0.1"]
salts_per_minute = 0

[frontends.push]
type = "push"
path = "/push"
backends = ["ldap"]
public_url = "http://127.0.0.1:{port}/push"
websocket_port = {websocket_port}

[subscriptions.near]
type = "ips_connect"
backend = "forum"
url = "{receiver.url("/near")}"
key = "{"n" * 32}"
[subscriptions.far]
type = "ips_connect"
backend = "forum"
url = "{receiver.url("/far")}"
key = "{"f" * 32}"
"""


def _prepare(data: Path) -> dict[str, str]:
    """Tokens, an administrator and the accounts of the forum, in the server's store."""
    data.mkdir(exist_ok=True)
    store = Store("", data)
    try:
        accounts = Accounts("forum", store.storage(TABLES))
        for number in range(1, FORUM_PEOPLE + 1):
            accounts.register(NewPerson(f"user{number}", f"user{number}@example.org", FORUM_HASH, _FORUM_SALT))
        store.admins.create(ADMIN[0], hash_password(ADMIN[1], "argon2"))
        _, api = store.tokens.create("soak", ["events:read", "subscriptions:write"], [Resource("all")])
        return {"api": api, **{mount: store.frontend_tokens.rotate(mount) for mount in ("site", "readers")}}
    finally:
        store.close()
