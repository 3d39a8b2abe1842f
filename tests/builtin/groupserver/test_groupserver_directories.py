"""The worked examples of the protocol by wget and curl, against a real server over SQL, CSV and LDAP; and kill -9."""

from __future__ import annotations

import contextlib
import json
import random
import re
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import quote

import pytest

from tests.builtin.csv_files import write_old
from tests.crash.machine import Machine
from tests.receiver import Receiver
from tests.servers.slapd import Slapd
from tests.waiting import wait_for

SECRET: Final = "whsec_" + "YSBzZWNyZXQgb2YgdGhlIGdyb3VwcyBvZiBhIHNpdGU="
NAMES: Final = ("sql", "csv", "ldap")
SITE: Final = "https://groups.example.com"

Tool = Literal["wget", "curl -d", "curl -F", "curl -G"]


def sql(folder: Path) -> str:
    connection = sqlite3.connect(folder / "people.db")
    connection.executescript(
        """
        PRAGMA journal_mode = WAL;
        CREATE TABLE person (id INTEGER PRIMARY KEY, login TEXT UNIQUE, name TEXT, mail TEXT UNIQUE, tz TEXT);
        CREATE TABLE team (id TEXT PRIMARY KEY, title TEXT);
        CREATE TABLE member (person INTEGER, team TEXT, PRIMARY KEY (person, team));
        INSERT INTO person VALUES (1, 'bob', 'Bob', 'bob@example.com', NULL);
        INSERT INTO team VALUES ('test', 'Test'), ('example', 'Example');
        INSERT INTO member VALUES (1, 'example');
        """
    )
    connection.close()
    return f"""
[backends.sql]
type = "sql"
url = "sqlite:///{folder / "people.db"}"
table = "person"
[backends.sql.group_table]
table = "member"
user_column = "person"
key_column = "id"
group_column = "team"
is_writable = true
[backends.sql.group_list]
table = "team"
id_column = "id"
title_column = "title"
[backends.sql.writing]
username_column = "login"
full_name_column = "name"
email_column = "mail"
tz_column = "tz"
[backends.sql.map]
id = "id"
username = "login"
full_name = "name"
emails = "mail"
groups = "groups"
tz = "tz"
"""


def csv(folder: Path) -> str:
    write_old(folder / "people.csv", "id,login,name,mail,teams,tz\n1,bob,Bob,bob@example.com,example,\n")
    write_old(folder / "teams.csv", "id,title\ntest,Test\nexample,Example\n")
    return f"""
[backends.csv]
type = "csv"
path = "{folder / "people.csv"}"
is_writable = true
[backends.csv.groups]
path = "{folder / "teams.csv"}"
id_column = "id"
title_column = "title"
[backends.csv.map]
id = "id"
username = "login"
full_name = "name"
emails = "mail"
groups = {{ from = "teams", separator = ";" }}
tz = "tz"
"""


def ldap(slapd: Slapd) -> str:
    guests, clubs = f"ou=guests,{Slapd.base}", f"ou=clubs,{Slapd.base}"
    for dn in (guests, clubs):
        slapd.add(f"dn: {dn}\nobjectClass: organizationalUnit\n")
    nobody = f"cn=nobody,{Slapd.base}"
    for name, member in (("test", nobody), ("example", f"uid=bob,{guests}")):
        slapd.add(
            f"dn: cn={name},{clubs}\nobjectClass: groupOfNames\ndescription: {name.capitalize()}\nmember: {member}\n"
        )
    slapd.add(f"dn: uid=bob,{guests}\nobjectClass: inetOrgPerson\nsn: Bob\ncn: Bob\nmail: bob@example.com\n")
    return f"""
[backends.ldap]
type = "ldap"
servers = "{slapd.uri}"
bind_dn = "{Slapd.admin_dn}"
bind_password = "{slapd.admin_password}"
bases = "{guests}"
[backends.ldap.groups]
bases = "{clubs}"
title_attribute = "description"
is_writable = true
placeholder_member = "{nobody}"
[backends.ldap.writing]
base = "{guests}"
[backends.ldap.map]
id = "entryUUID"
username = "uid"
full_name = "cn"
emails = "mail"
groups = "groups"
"""


@dataclass
class House:
    machine: Machine
    receiver: Receiver
    tokens: dict[str, str]

    def url(self, name: str, hook: str) -> str:
        return f"http://127.0.0.1:{self.machine.port}/{name}/{hook}.json"

    def ask(self, name: str, tool: Tool, hook: str, action: str, **fields: str) -> Any:
        """What the hook answers to one of the programs that people use; the token comes first, the bare action last."""
        given = {"token": self.tokens[name], **fields}
        url = self.url(name, hook)
        if tool == "wget":
            body = "&".join([*(f"{key}={quote(value)}" for key, value in given.items()), action])
            command = ["wget", "-q", "-O", "-", f"--post-data={body}", url]
        elif tool == "curl -F":
            command = [
                "curl",
                "-sS",
                *(w for k, v in given.items() for w in ("-F", f"{k}={v}")),
                "-F",
                f"{action}=",
                url,
            ]
        else:
            words = [w for k, v in given.items() for w in ("--data-urlencode", f"{k}={v}")]
            command = ["curl", "-sS", *(["-G"] if tool == "curl -G" else []), *words, "-d", action, url]
        done = subprocess.run(command, capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, (done.stderr, done.stdout, self.machine.log())
        assert done.stdout.isascii()
        return json.loads(done.stdout)

    def told(self, name: str) -> list[tuple[str, str | None, str]]:
        """Type, group and address of every event that the receiver of a backend took."""
        found = []
        for received in self.receiver.requests(f"/{name}"):
            received.verify(SECRET)
            data = received.document["data"]
            person = data["object"] or data["before"]
            address = person["emails"][0]["address"] if person["emails"] else ""
            found.append((received.document["type"], data.get("group"), address))
        return found


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("hooks over every backend")
    with contextlib.ExitStack() as stack:
        slapd = Slapd(folder / "slapd")
        # It is written to, so not the one that all tests share.
        stack.callback(slapd.destroy)
        slapd.start()
        receiver = stack.enter_context(Receiver(folder / "receiver"))
        parts = ['[server]\ndata_dir = "data"\n[forwarding]\nallow_networks = ["127.0.0.1"]\n']
        parts += [sql(folder), csv(folder), ldap(slapd)]
        for name in NAMES:
            parts.append(
                f'[backends.{name}.sync]\nscan_seconds = 1\n[subscriptions.{name}]\ntype = "webhook"\n'
                f'backend = "{name}"\nurl = "{receiver.url(f"/{name}")}"\nsecret = "{SECRET}"\n'
                f'[frontends.{name}]\ntype = "groupserver"\npath = "/{name}"\nbackends = ["{name}"]\n'
                f'site_url = "{SITE}"\n'
                # A handful of people who come and go are more than half of all.
                f"[frontends.{name}.guard]\nmax_missing_percent = 100\nsmall_list = 0\n"
            )
        config = folder / "config"
        config.mkdir()
        (config / "all.toml").write_text("\n".join(parts), encoding="utf-8")
        machine = stack.enter_context(Machine(config))
        machine.start()
        machine.wait_ready()
        shown = wait_for(lambda: re.findall(r"^(\w+): http.*\n.*shown this once: (\w+)", machine.log(), re.MULTILINE))
        found = House(machine, receiver, dict(shown))
        assert set(found.tokens) == set(NAMES), machine.log()
        wait_for(lambda: machine.run("sync", "status", "-c").count("never") == 0, machine.log)
        yield found


@pytest.mark.parametrize("tool", ["wget", "curl -d", "curl -F", "curl -G"])
@pytest.mark.parametrize("name", NAMES)
def test_worked_examples_are_answered_as_documented(house: House, name: str, tool: Tool) -> None:
    def ask(hook: str, action: str, **fields: str) -> Any:
        return house.ask(name, tool, hook, action, **fields)

    mail = f"ann.{tool.replace(' ', '')}@example.com"
    groups = {one["id"]: one for one in ask("gs-group-groups", "get")}
    assert groups["test"] == {
        "id": "test",
        "name": "Test",
        "url": f"{SITE}/groups/test",
        "email": "test@groups.example.com",
        "type": "Discussion group",
        "privacy": "private",
    }
    assert set(groups) == {"test", "example"}

    added = ask("gs-group-member-add", "add", groupId="test", email=mail, fn="Ann Lee")
    assert added["message"] == "Created a new profile for Ann Lee and added Ann Lee to Test"
    ann = added["user"]
    assert added == {"status": 0, "message": added["message"], "user": ann}
    assert ann == {
        "id": ann["id"],
        "name": "Ann Lee",
        "url": f"{SITE}/p/{ann['id']}",
        "email": {"all": [mail], "preferred": [mail], "other": [], "unverified": []},
        "groups": ["test"],
    }
    again = ask("gs-group-member-add", "add", groupId="test", email=mail, fn="Ann Lee")
    assert again == {"status": 256, "message": "Ann Lee is alredy a member of Test", "user": ann}
    other = ask("gs-group-member-add", "add", groupId="example", email=mail, fn="x")
    assert (other["status"], other["user"]["groups"]) == (1, ["example", "test"])

    found = ask("gs-search-people", "search", user=mail.upper())
    assert found == {**ann, "groups": ["example", "test"]}
    assert ask("gs-search-people", "search", user=ann["id"]) == found
    assert ask("gs-search-people", "search", user="no@example.com") == {}
    assert ann["id"] in ask("gs-site-member-list", "users")
    assert found in ask("gs-site-member", "user_groups")

    echoed = {"groupId": "test", "userId": ann["id"]}
    assert ask("gs-group-member-leave", "leave", **echoed) == {
        "status": 0,
        "message": "Ann Lee has left Test",
        **echoed,
    }
    assert ask("gs-group-member-leave", "leave", **echoed)["status"] == 4
    assert ask("gs-group-member-leave", "leave", groupId="example", userId=ann["id"])["status"] == 0
    assert ask("gs-group-member-leave", "leave", groupId="nope", userId=ann["id"])["status"] == 1
    assert ask("gs-group-member-leave", "leave", groupId="test", userId="nobody")["status"] == 2
    assert ann["id"] not in ask("gs-site-member-list", "users")
    assert ask("gs-group-groups", "nothing")["actions"] == {"get": "Get"}
    missing = ask("gs-group-member-add", "add", groupId="test", email=mail)
    assert missing == {"status": -1, "message": ["Name: Required input is missing."]}

    def is_told() -> bool:
        told = [(type, group) for type, group, address in house.told(name) if address == mail]
        return told == [
            ("user.created", None),
            ("membership.added", "test"),
            ("membership.added", "example"),
            ("membership.removed", "test"),
            ("membership.removed", "example"),
        ]

    wait_for(is_told, lambda: str(house.told(name)))


@pytest.mark.timeout(240)
def test_writes_survive_kill_9(house: House) -> None:
    """Callers repeat what was not answered, as they do; in the end everybody is there once, and was told of."""
    chance = random.Random(4)
    people = {name: [f"crash{number}@example.com" for number in range(12)] for name in NAMES}
    stop = threading.Event()

    def call(name: str) -> None:
        for address in people[name]:
            while not stop.is_set():
                with contextlib.suppress(AssertionError, ValueError):
                    answer = house.ask(
                        name, "curl -d", "gs-group-member-add", "add", groupId="test", email=address, fn="C"
                    )
                    if answer.get("status") in (0, 1, 256):
                        break
                time.sleep(0.05)

    threads = [threading.Thread(target=call, args=(name,)) for name in NAMES]
    for thread in threads:
        thread.start()
    try:
        for _ in range(4):
            time.sleep(chance.uniform(0.5, 2.0))
            house.machine.kill()
            house.machine.start()
            house.machine.wait_ready()
        for thread in threads:
            thread.join(120)
    finally:
        stop.set()
    assert not any(thread.is_alive() for thread in threads)

    for name in NAMES:
        profiles = house.ask(name, "curl -d", "gs-site-member-list", "user_groups")
        groups = sorted((one["email"]["all"][0], *one["groups"]) for one in profiles)
        assert groups == [("bob@example.com", "example"), *sorted((address, "test") for address in people[name])]

        def is_told(name: str = name) -> bool:
            told = house.told(name)
            wanted = {(type, a) for a in people[name] for type in ("user.created", "membership.added")}
            return wanted <= {(type, address) for type, _, address in told}

        wait_for(is_told, lambda name=name: f"{name}: {house.told(name)}\n{house.machine.log()}")  # type: ignore[misc]
