"""A change in each kind of backend arrives at a receiver, signed so that the public libraries verify it.

One ``serve`` process watches all of them. Everybody is compared only once an hour, so what arrives came by the change
feed; deletions that a feed cannot see are found by a comparison that ``sync scan`` asks for.
"""

from __future__ import annotations

import base64
import contextlib
import csv
import json
import logging
import os
import secrets
import tomllib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import ldap3
import pytest
import standardwebhooks
import svix.webhooks
from click.testing import CliRunner

from integration_server.builtin.sql import SqlSettings
from integration_server.builtin.sql.outbox_script import outbox_script
from integration_server.cli.group import cli
from tests.builtin.sql.feed_edits import run_script
from tests.builtin.sql.people_database import PeopleDatabase
from tests.crash.machine import Machine
from tests.receiver import Received, Receiver
from tests.servers import MariaDb, PostgreSql, Slapd, SlapdOptions
from tests.waiting import wait_for


@dataclass(frozen=True, slots=True)
class Someone:
    """A person as their directory has them."""

    id: int
    username: str
    full_name: str
    email: str
    team: str

    def document(self, person_id: str) -> dict[str, Any]:
        """What an event should say about them, of the fields that these directories have."""
        emails = [{"address": self.email, "is_verified": True, "is_preferred": True}]
        return {
            "id": person_id,
            "username": self.username,
            "full_name": self.full_name,
            "emails": emails,
            "groups": [self.team],
            "state": "active",
        }


#: Who is there from the beginning; of them, nobody is told anything.
CROWD: Final = tuple(Someone(n, f"user{n}", f"User {n}", f"user{n}@example.org", "crew") for n in range(1, 9))
NEW: Final = Someone(42, "jgross", "Jürgen Groß", "jgross@example.org", "staff")
CHANGED: Final = replace(NEW, full_name="李 雷", email="lei@example.net", team="night shift")

_SYNC: Final = "scan_seconds = 3600\nfeed_seconds = 0.1\n"
_MAP: Final = 'id = "id"\nusername = "username"\nfull_name = "full_name"\nemails = "email"\ngroups = "team"\n'


@dataclass
class Directory(ABC):
    """A place that holds people, and what an application does to them there."""

    name: str
    #: Whether a deletion is noticed without a comparison.
    tells_gone = True

    @abstractmethod
    def config(self) -> str:
        """The backend's keys as TOML, without those of [map] and [sync]."""

    def map(self) -> str:
        return _MAP

    def table(self) -> str:
        """All of the backend's configuration."""
        map, sync = f"[backends.{self.name}.map]\n{self.map()}", f"[backends.{self.name}.sync]\n{_SYNC}"
        return f"[backends.{self.name}]\n{self.config()}{map}{sync}"

    @abstractmethod
    def create(self) -> None:
        """Make it, with CROWD in it."""

    @abstractmethod
    def add(self, person: Someone) -> None: ...

    @abstractmethod
    def change(self, person: Someone) -> None: ...

    @abstractmethod
    def remove(self, person: Someone) -> None: ...

    def id_of(self, person: Someone) -> str:
        return str(person.id)


@dataclass
class CsvDirectory(Directory):
    """Written anew at each change, and then put in the place of the old one."""

    file: Path
    people: dict[int, Someone] = field(default_factory=lambda: {one.id: one for one in CROWD})

    def config(self) -> str:
        return f'type = "csv"\npath = {json.dumps(str(self.file))}\nquiet_seconds = 0.2\n'

    def create(self) -> None:
        fresh = self.file.with_suffix(".new")
        with fresh.open("w", encoding="utf-8", newline="") as output:
            writer = csv.writer(output)
            writer.writerow(("id", "username", "full_name", "email", "team"))
            writer.writerows((p.id, p.username, p.full_name, p.email, p.team) for p in self.people.values())
        os.replace(fresh, self.file)

    def add(self, person: Someone) -> None:
        self.people[person.id] = person
        self.create()

    change = add

    def remove(self, person: Someone) -> None:
        del self.people[person.id]
        self.create()


@dataclass
class SqlDirectory(Directory):
    """``updated_at`` stands there in any case; only StampedDirectory reads it."""

    url: str
    #: The column's type.
    time_type: str = "TIMESTAMP NULL"

    @property
    def database(self) -> PeopleDatabase:
        return PeopleDatabase(self.url)

    def config(self) -> str:
        return f'type = "sql"\nurl = {json.dumps(self.url)}\ntable = "person"\n{self.feed()}'

    @abstractmethod
    def feed(self) -> str:
        """The keys that choose the feed."""

    def create(self) -> None:
        self.database.run(
            "CREATE TABLE person (id INTEGER PRIMARY KEY, username VARCHAR(100) NOT NULL, full_name VARCHAR(100),"
            f" email VARCHAR(100), team VARCHAR(100), updated_at {self.time_type})"
        )
        for one in CROWD:
            self.add(one)

    def add(self, person: Someone) -> None:
        self._run(
            "INSERT INTO person (id, username, full_name, email, team, updated_at)"
            " VALUES (:id, :username, :full_name, :email, :team, CURRENT_TIMESTAMP)",
            person,
        )

    def change(self, person: Someone) -> None:
        self._run(
            "UPDATE person SET username = :username, full_name = :full_name, email = :email, team = :team,"
            " updated_at = CURRENT_TIMESTAMP WHERE id = :id",
            person,
        )

    def remove(self, person: Someone) -> None:
        self.database.run("DELETE FROM person WHERE id = :id", id=person.id)

    def _run(self, statement: str, p: Someone) -> None:
        values = {"username": p.username, "full_name": p.full_name, "email": p.email, "team": p.team}
        self.database.run(statement, id=p.id, **values)


class StampedDirectory(SqlDirectory):
    tells_gone = False

    def feed(self) -> str:
        return 'updated_at_column = "updated_at"\noverlap_seconds = 2\n'


class OutboxDirectory(SqlDirectory):
    def feed(self) -> str:
        return f'[backends.{self.name}.outbox_table]\ntable = "integration_outbox"\n'

    def create(self) -> None:
        """With the triggers of the script that is shipped, from the configuration itself."""
        super().create()
        settings = SqlSettings.model_validate(tomllib.loads(self.table())["backends"][self.name])
        run_script(self.database, outbox_script(settings))


@dataclass
class LdapDirectory(Directory):
    """A person's team is the ``ou`` of their entry."""

    tells_gone = False
    base = Slapd.people
    feed = 'change_feed = "modifyTimestamp"\noverlap_seconds = 2\n'
    slapd: Slapd

    def config(self) -> str:
        return (
            f'type = "ldap"\nservers = "{self.slapd.uri}"\nbases = "{self.base}"\nbind_dn = "{Slapd.reader_dn}"\n'
            f'bind_password = "{Slapd.reader_password}"\n{self.feed}'
        )

    def map(self) -> str:
        return 'groups = "ou"\n'

    def create(self) -> None:
        """The server has people of its own."""

    def add(self, person: Someone) -> None:
        self.slapd.add(
            f"dn: {self._dn(person)}\nobjectClass: inetOrgPerson\nuid: {person.username}\nsn: Somebody\n"
            f"{_value('cn', person.full_name)}\nmail: {person.email}\nou: {person.team}\n"
        )

    def change(self, person: Someone) -> None:
        self.slapd.modify(
            f"dn: {self._dn(person)}\nchangetype: modify\nreplace: cn\n{_value('cn', person.full_name)}\n-\n"
            f"replace: mail\nmail: {person.email}\n-\nreplace: ou\nou: {person.team}\n"
        )

    def remove(self, person: Someone) -> None:
        self.slapd.delete(self._dn(person))

    def id_of(self, person: Someone) -> str:
        server = ldap3.Server(self.slapd.uri, get_info=ldap3.NONE)
        with ldap3.Connection(server, Slapd.reader_dn, Slapd.reader_password) as connection:
            connection.search(self._dn(person), "(objectClass=*)", ldap3.BASE, attributes=["entryUUID"])
            found = connection.response
            assert found
            return str(found[0]["raw_attributes"]["entryUUID"][0].decode())

    def _dn(self, person: Someone) -> str:
        return f"uid={person.username},{self.base}"


class SyncedLdapDirectory(LdapDirectory):
    """The same by the feed that the server offers, syncrepl."""

    tells_gone = True
    base = f"ou=synced,{Slapd.base}"
    feed = ""

    def create(self) -> None:
        self.slapd.add(f"dn: {self.base}\nobjectClass: organizationalUnit\nou: synced\n")
        for person in CROWD:
            self.add(person)


def _value(name: str, value: str) -> str:
    """LDIF of a value that is not ASCII."""
    return f"{name}:: {base64.b64encode(value.encode()).decode()}"


# -- the installation -----------------------------------------------------------------------------------------------

#: The backends of the one installation. Each has a subscription of the same name, with a secret of its own.
NAMES: Final = (
    "csv",
    "sqlite_outbox",
    "sqlite_stamped",
    "pg_outbox",
    "pg_stamped",
    "mariadb_outbox",
    "ldap",
    "ldap_synced",
)


@dataclass(frozen=True)
class House:
    """The server that runs, what it watches, and whom it tells."""

    config: Path
    machine: Machine
    receiver: Receiver
    directories: Mapping[str, Directory]
    secrets: Mapping[str, str]

    def told(self, name: str, count: int) -> list[Received]:
        """What came of a backend, once it is at least so many requests."""

        def is_there() -> list[Received]:
            found = self.receiver.requests(f"/{name}")
            return found if len(found) >= count else []

        return wait_for(is_there, lambda: f"{self.receiver.requests(f'/{name}')}\n{self.machine.log()}")

    def scan(self, name: str) -> None:
        """``sync scan``: the server that runs compares everybody."""
        root = logging.getLogger()
        handlers, level = root.handlers[:], root.level
        result = CliRunner().invoke(cli, ["sync", "scan", name, "--config", str(self.config)])
        # Commands direct the log of their process, which here is everybody's.
        root.handlers[:] = handlers
        root.setLevel(level)
        assert "a running server compares everybody now" in result.output, result.output


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, postgresql: PostgreSql, mariadb: MariaDb) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("every backend")
    with contextlib.ExitStack() as stack:
        slapd = Slapd(folder / "slapd", SlapdOptions(database_lines="syncprov-sessionlog 1000\n"))
        # Somebody else's changes would be told as well, so not the one that all tests share.
        stack.callback(slapd.destroy)
        slapd.start()
        made = _directories(folder, slapd, postgresql, mariadb)
        directories = {directory.name: directory for directory in made}
        keys = {name: "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode() for name in directories}
        receiver = stack.enter_context(Receiver(folder / "receiver"))
        config = folder / "config"
        config.mkdir()
        (config / "all.toml").write_text(_config(directories, keys, receiver), encoding="utf-8")
        machine = stack.enter_context(Machine(config))
        for directory in directories.values():
            directory.create()
        machine.start()
        wait_for(lambda: len(_baselines(machine)) == len(directories), machine.log)
        yield House(config, machine, receiver, directories, keys)


def _directories(folder: Path, slapd: Slapd, postgresql: PostgreSql, mariadb: MariaDb) -> list[Directory]:
    return [
        CsvDirectory("csv", folder / "people.csv"),
        OutboxDirectory("sqlite_outbox", f"sqlite:///{folder / 'outbox.db'}", "TEXT"),
        StampedDirectory("sqlite_stamped", f"sqlite:///{folder / 'stamped.db'}", "TEXT"),
        OutboxDirectory("pg_outbox", postgresql.create_database()),
        StampedDirectory("pg_stamped", postgresql.create_database(), "TIMESTAMPTZ"),
        OutboxDirectory("mariadb_outbox", mariadb.create_database()),
        LdapDirectory("ldap", slapd),
        SyncedLdapDirectory("ldap_synced", slapd),
    ]


def _config(directories: Mapping[str, Directory], keys: Mapping[str, str], receiver: Receiver) -> str:
    tables = ['[server]\ndata_dir = "data"\n[forwarding]\nallow_networks = ["127.0.0.1"]\n']
    for name, directory in directories.items():
        tables += [
            directory.table(),
            f'[subscriptions.{name}]\ntype = "webhook"\nbackend = "{name}"\nurl = "{receiver.url(f"/{name}")}"\n'
            f'secret = "{keys[name]}"\n',
        ]
    return "\n".join(tables)


def _baselines(machine: Machine) -> list[str]:
    assert machine.is_running, machine.log()
    return [line for line in list(machine.said) if "people are known from now on" in line]


# -- what arrives ---------------------------------------------------------------------------------------------------


def _verified(received: Received, secret: str) -> dict[str, Any]:
    """The event in a request that both public libraries take for ours."""
    assert received.headers["content-type"] == "application/json"
    for verify in (standardwebhooks.Webhook(secret).verify, svix.webhooks.Webhook(secret).verify):
        verify(received.body, received.headers)
    event = received.document
    assert event["id"] == received.headers["webhook-id"]
    return event


def _about(event: dict[str, Any]) -> tuple[str, str | None]:
    return event["type"], event["data"].get("group")


def _facts(document: Mapping[str, Any]) -> dict[str, Any]:
    """Of a person in an event, what these directories know."""
    return {key: document[key] for key in NEW.document("")}


@pytest.mark.parametrize("name", NAMES)
def test_change_arrives_signed_and_says_what_changed(house: House, name: str) -> None:
    directory, secret = house.directories[name], house.secrets[name]

    directory.add(NEW)
    person_id = directory.id_of(NEW)
    new, changed = NEW.document(person_id), CHANGED.document(person_id)
    events = [_verified(one, secret) for one in house.told(name, 2)]
    assert [_about(one) for one in events] == [("user.created", None), ("membership.added", NEW.team)]
    assert [_facts(one["data"]["object"]) for one in events] == [new, new]

    directory.change(CHANGED)
    events += (fresh := [_verified(one, secret) for one in house.told(name, 5)[2:]])
    assert [_about(one) for one in fresh] == [
        ("membership.removed", NEW.team),
        ("user.updated", None),
        ("membership.added", CHANGED.team),
    ]
    assert [_facts(one["data"]["object"]) for one in fresh] == [changed] * 3
    assert fresh[1]["data"]["changed"] == {
        key: {"old": new[key], "new": changed[key]} for key in ("full_name", "emails")
    }

    directory.remove(CHANGED)
    if not directory.tells_gone:
        house.scan(name)
    events += (fresh := [_verified(one, secret) for one in house.told(name, 7)[5:]])
    assert [_about(one) for one in fresh] == [("membership.removed", CHANGED.team), ("user.deleted", None)]
    assert [one["data"]["object"] for one in fresh] == [None, None]
    assert [_facts(one["data"]["before"]) for one in fresh] == [changed, changed]

    assert len(events) == 7, "something was told that nobody did"
    assert {(one["source"], one["data"]["backend"]) for one in events} == {(f"/backends/{name}", name)}
    assert {(one["subject"], one["data"]["person_id"]) for one in events} == {(person_id, person_id)}
    serials = [one["data"]["serial"] for one in events]
    assert serials == sorted(set(serials))
    assert len({one["id"] for one in events}) == 7


def test_libraries_refuse_another_secret_and_another_body(house: House) -> None:
    """Or the test above would prove nothing."""
    directory = house.directories["csv"]
    before = len(house.receiver.requests("/csv"))
    directory.add(replace(NEW, id=43, username="other"))
    received = house.told("csv", before + 1)[before]
    _verified(received, house.secrets["csv"])
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(house.secrets["ldap"]).verify(received.body, received.headers)
    with pytest.raises(svix.webhooks.WebhookVerificationError):
        svix.webhooks.Webhook(house.secrets["ldap"]).verify(received.body, received.headers)
    forged = received.body.replace(b"other", b"admin")
    assert forged != received.body
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(house.secrets["csv"]).verify(forged, received.headers)
    with pytest.raises(svix.webhooks.WebhookVerificationError):
        svix.webhooks.Webhook(house.secrets["csv"]).verify(forged, received.headers)
