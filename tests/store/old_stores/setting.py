"""The installation to which the old stores belong: its configuration and its people, at each revision of the schema.

``produce`` runs the old code with it, and the tests today's. What an old version did not know is left out for it.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

#: Where the receivers of the dumps listen; whoever loads a dump puts another port there.
RECEIVER_PORT = 18181
SERVICE = ("mailstore", "the archive of old stores")
PERSON = ("u05", "the password of u05")
PASSWORD_HASH = "$argon2id$v=19$m=1024,t=1,p=1$2lSZn/smw4ck9tNw7o9mrQ$1kSblUTkjn/fybA6qHMLcqhYV4xbp+EeXhJY9lV3Fe4"
ADMIN = ("olga", "olga looks after the old stores")
WIKI_SECRET = "whsec_b2xkIHN0b3JlcyBhcmUgb3BlbmVkIGJ5IG5ldyBjb2Rl"
MASTER_KEY = "8c6a1f20d4b97e35a0c2f4e68b13d579"
#: A parked delivery is of this person, whom the receiver /crm did not take.
REFUSED = "u07"

_CORE = """
[server]
host = "127.0.0.1"
port = {port}
data_dir = "../data"
[store]
{store}
[backends.hq]
type = "csv"
path = "../hq.csv"
password_column = "password"
{hq}
[backends.hq.map]
id = "no"
username = "login"
full_name = "name"
emails = "mail"
groups = "team"
[backends.branch]
type = "csv"
path = "../branch.csv"
username_index = true
[backends.branch.map]
id = "no"
username = "{{login}}.{{no}}"
full_name = "name"
emails = "mail"
[frontends.archive]
type = "mailstore"
path = "/archive"
backends = ["hq"]
username = "{username}"
password = "{password}"
[frontends.branch]
type = "mailstore"
path = "/branch"
backends = ["branch"]
username = "{username}"
password = "{password}"
"""
_FORWARDING = """
[backends.hq.sync]
scan_seconds = 3600.0
[backends.branch.sync]
scan_seconds = 3600.0
[forwarding]
allow_networks = ["127.0.0.0/8"]
[subscriptions.wiki]
type = "webhook"
url = "http://127.0.0.1:{receiver_port}/wiki"
secret = "{wiki_secret}"
"""
_GROUPS = """
[frontends.groups]
type = "groupserver"
path = "/groups"
backends = ["hq"{guests}]
site_url = "https://groups.example.org"
{write_to}
"""
_ACCOUNTS = """
[backends.guests]
type = "accounts"
[backends.guests.sync]
[backends.forum]
type = "ips_connect"
[frontends.gateway]
type = "ips_connect"
path = "/connect"
backends = ["forum"]
master_key = "{master_key}"
slave_networks = ["127.0.0.0/8"]
"""
_PUSH = """
[frontends.push]
type = "push"
path = "/push"
backends = ["hq"]
"""


@dataclass(frozen=True)
class Setting:
    """An installation in ``folder``. ``store`` is its URL, or nothing for the one in ``data``."""

    folder: Path
    revision: str
    port: int
    receiver_port: int = RECEIVER_PORT
    store: str = ""

    @property
    def config(self) -> Path:
        return self.folder / "config.d"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def write(self) -> None:
        """The configuration, and everybody as they were in the beginning."""
        self.config.mkdir(parents=True)
        (self.config / "all.toml").write_text(self._text(), encoding="utf-8")
        self.write_hq()
        self.write_branch(30)

    def _text(self) -> str:
        is_kept = self.revision >= "0004"
        parts = [_CORE]
        parts += [text for since, text in _SINCE.items() if self.revision >= since]
        return "".join(parts).format(
            port=self.port,
            store=f"url = {json.dumps(self.store)}" if self.store else "",
            username=SERVICE[0],
            password=SERVICE[1],
            receiver_port=self.receiver_port,
            wiki_secret=WIKI_SECRET,
            master_key=MASTER_KEY,
            hq="keep_memberships = true" if is_kept else "",
            guests=', "guests"' if is_kept else "",
            write_to='write_to = "guests"' if is_kept else "",
        )

    def write_hq(self, changes: Mapping[str, Mapping[str, str]] | None = None, gone: tuple[str, ...] = ()) -> None:
        """30 people, of whom ``gone`` are not there; ``changes`` are by login, also of newcomers."""
        rows = {f"u{n:02}": _row(n) for n in range(1, 31)}
        for login, change in (changes or {}).items():
            number = int(login[1:])
            rows[login] = {**rows.get(login, _row(number)), **change}
        columns = ("no", "login", "name", "mail", "team", "password")
        lines = [",".join(f'"{row[column]}"' for column in columns) for login, row in rows.items() if login not in gone]
        _write(self.folder / "hq.csv", [",".join(columns), *lines])

    def write_branch(self, count: int) -> None:
        lines = [f"{n},b{n:02},Branch person {n},b{n:02}@branch.example.org" for n in range(1, count + 1)]
        _write(self.folder / "branch.csv", ["no,login,name,mail", *lines])

    def write_hq_changed(self, more: Mapping[str, Mapping[str, str]] | None = None) -> None:
        """As the old version saw them last, but for ``more``."""
        known = {
            REFUSED: {"name": "Renamed Seven", "mail": "seven@example.org"},
            "u08": {"mail": "eight@example.org"},
            "u31": {},
        }
        self.write_hq({**known, **(more or {})}, gone=("u30",))


def _row(number: int) -> dict[str, str]:
    return {
        "no": str(number),
        "login": f"u{number:02}",
        "name": f"Person {number} of Köln",
        "mail": f"u{number:02}@example.org",
        "team": "mail" if number % 2 else "sales",
        "password": PASSWORD_HASH,
    }


def _write(path: Path, lines: list[str]) -> None:
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    # One that was just written counts as still being written.
    past = time.time() - 3600
    os.utime(path, (past, past))


_SINCE = {"0002": _FORWARDING, "0003": _GROUPS, "0004": _ACCOUNTS, "0005": _PUSH}
