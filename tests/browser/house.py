"""A server with something of everything in it, as an administrator meets it: people, changes, a receiver that refuses
one person, one that is gone, a backend that is down, a run and a list that the guard holds, and throttled names.

Everything is real: the server is a process, the receivers listen, the files are edited.
"""

from __future__ import annotations

import base64
import csv
import json
import os
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from tests.cli.conftest import Serving, command, environment
from tests.receiver import Behaviour, LocalReceiver
from tests.waiting import wait_for

ADMIN, PASSWORD = "root", "a password of the house"
CALLER, CALLER_PASSWORD = "mailstore", "of the mailstore alone"
#: Their names are what somebody once typed.
ODD_NAMES = ('<script>alert("x")</script>', "Zoë \N{RIGHT-TO-LEFT OVERRIDE}live", 'O\'Brien & "Sons" <b>', "名" * 200)
_FIRST_NAMES = ("Ada", "Bert", "Chidi", "Dora", "Emil", "Fatima", "Gero")
_FAMILY_NAMES = ("Abel", "Brandt", "Conrad", "Diaz", "Ellis", "Fischer", "Gupta", "Haddad", "Ivanov")
#: The person whom the wiki does not take.
JANE = "jane"

_CONFIG = """
[server]
port = 0
data_dir = "../data"
[plugins]
folder = "../plugins"
[forwarding]
allow_networks = ["127.0.0.0/8"]
[backends.staff]
type = "csv"
path = "../staff.csv"
password_column = "password"
allow_plain_passwords = true
[backends.staff.map]
id = "id"
username = "username"
full_name = "full_name"
emails = {{ from = ["email", "aliases"], separator = ";" }}
groups = {{ from = "groups", separator = ";" }}
[backends.staff.sync]
scan_seconds = 3600
[backends.branch]
type = "csv"
path = "../branch.csv"
[backends.branch.map]
id = "id"
username = "username"
full_name = "full_name"
emails = "email"
[backends.branch.sync]
scan_seconds = 3600
[backends.away]
type = "ldap"
servers = ["ldap://127.0.0.1:{closed}"]
bases = ["dc=example,dc=org"]
bind_dn = "cn=reader,dc=example,dc=org"
bind_password = "of the reader alone"
[frontends.archive]
type = "mailstore"
path = "/mailstore"
backends = ["staff"]
username = "{caller}"
password = "{caller_password}"
[frontends.branch]
type = "mailstore"
path = "/branch"
backends = ["branch"]
username = "{caller}"
password = "{caller_password}"
[frontends.site]
type = "groupserver"
path = "/site"
site_url = "http://site.example.org"
backends = ["staff"]
[subscriptions.wiki]
type = "webhook"
url = "{wiki}/people?key=of-the-wiki-alone"
headers = {{ Authorization = "Bearer of-the-wiki-alone" }}
[subscriptions.helpdesk]
type = "webhook"
url = "http://127.0.0.1:{closed}/hook"
"""


@dataclass
class House:
    """The running server. ``folder`` holds its files; ``receiver`` is the wiki."""

    folder: Path
    serving: Serving
    receiver: LocalReceiver
    url: str

    @property
    def config(self) -> Path:
        return self.folder / "config.d"

    def run(self, *args: object, typed: str = "") -> str:
        """A command on this configuration; what it printed."""
        done = subprocess.run(
            command(*args), input=typed, capture_output=True, text=True, timeout=60, env=environment(), check=False
        )
        assert done.returncode in (0, 1), (args, done.stdout, done.stderr)
        return done.stdout

    def ask(self, path: str, **fields: str) -> tuple[int, str]:
        """A caller's request."""
        request = urllib.request.Request(self.url + path, urllib.parse.urlencode(fields).encode())
        request.add_header("Authorization", "Basic " + _basic(CALLER, CALLER_PASSWORD))
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as exc:
            return exc.code, exc.read().decode()

    def write(self, file: str, people: Sequence[dict[str, str]]) -> None:
        """People as a CSV file, replaced as an editor does."""
        path = self.folder / file
        with (path.with_suffix(".new")).open("w", encoding="utf-8", newline="") as out:
            writer = csv.DictWriter(out, list(people[0]))
            writer.writeheader()
            writer.writerows(people)
        os.replace(path.with_suffix(".new"), path)

    def deliveries(self) -> list[dict[str, Any]]:
        """What receivers did not take."""
        found: list[dict[str, Any]] = json.loads(self.run("deliveries", "list", "--json", "--config", self.config))
        return found


def staff(count: int = 60) -> list[dict[str, str]]:
    """Jane, people with odd names, and others."""
    people = [_person(0, JANE, "Jane Doe", "staff;board")]
    people += [_person(n, f"odd{n}", name, "staff;<b>odd</b>") for n, name in enumerate(ODD_NAMES, 1)]
    return people + [_person(n, f"user{n}", _full_name(n), "staff") for n in range(len(people), count)]


def _full_name(number: int) -> str:
    return f"{_FIRST_NAMES[number % len(_FIRST_NAMES)]} {_FAMILY_NAMES[number % len(_FAMILY_NAMES)]}"


def _person(number: int, username: str, full_name: str, groups: str) -> dict[str, str]:
    return {
        "id": f"s-{number}" if number % 7 else f"s/{number}?x=<y>",
        "username": username,
        "full_name": full_name,
        "email": f"{username}@example.org",
        "aliases": f"{username}.alias@example.org",
        "groups": groups,
        "password": "{PLAIN}of " + username,
    }


def _branch(count: int) -> list[dict[str, str]]:
    rows = (("id", "b-{}"), ("username", "branch{}"), ("full_name", "Branch {}"), ("email", "branch{}@example.net"))
    return [{key: form.format(n) for key, form in rows} for n in range(count)]


def _basic(name: str, password: str) -> str:
    return base64.b64encode(f"{name}:{password}".encode()).decode()


@contextmanager
def house(folder: Path, closed: int) -> Iterator[House]:
    """A house in ``folder``; nobody listens on the port ``closed``."""
    receiver = LocalReceiver(folder / "wiki")
    with receiver:
        receiver.behave("/people", Behaviour(status=500, body="No such page: Jane", persons=(JANE, "s/0?x=<y>")))
        made = _open(folder, receiver, closed)
        try:
            _live(made)
            yield made
        finally:
            made.serving.process.terminate()
            made.serving.process.wait(40)


def _open(folder: Path, receiver: LocalReceiver, closed: int) -> House:
    (folder / "config.d").mkdir(parents=True)
    (folder / "plugins").mkdir()
    text = _CONFIG.format(closed=closed, wiki=receiver.url(""), caller=CALLER, caller_password=CALLER_PASSWORD)
    (folder / "config.d" / "all.toml").write_text(text, encoding="utf-8")
    made = House(folder, None, receiver, "")  # type: ignore[arg-type]
    made.write("staff.csv", staff())
    made.write("branch.csv", _branch(40))
    made.run("admin", "create", ADMIN, "--stdin", "--config", made.config, typed=PASSWORD + "\n")
    made.run("token", "create", "reporting", "--scope", "events:read", "--config", made.config)
    made.serving = Serving(made.config)
    made.url = made.serving.url.rsplit("/", 1)[0]
    return made


def _live(made: House) -> None:
    """A day in the life: lists, logins, changes, a loss, and guesses."""
    wait_for(lambda: "60" in made.run("sync", "status", "--config", made.config), "the baseline")
    for path in ("/mailstore", "/branch"):
        assert made.ask(path, cmd="list")[0] == 200
    for name in ("user9", "user10", JANE):
        made.ask("/mailstore", cmd="auth", user=name, **{"pass": f"of {name}"})
    for guess in range(7):
        made.ask("/mailstore", cmd="auth", user="user11", **{"pass": f"guess {guess}"})
    people = staff(61)
    for row in people[:12]:
        row["full_name"] += "-Berg"
    people[20]["groups"] = "staff;new group"
    del people[30]
    made.write("staff.csv", people)
    made.write("branch.csv", _branch(4))
    wait_for(lambda: made.ask("/branch", cmd="list")[0] == 503, "the list that is held")
    wait_for(lambda: "held" in made.run("sync", "status", "--config", made.config), "the run that is held")
    wait_for(lambda: made.deliveries(), "the event that the wiki does not take")


def sign_in(page: Page) -> None:
    """With the keyboard, as the form puts the focus."""
    expect(page.get_by_label("Name")).to_be_focused()
    page.keyboard.type(ADMIN)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Sign out").wait_for()
