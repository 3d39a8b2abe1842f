"""An installation with every frontend, called through WSGI with whatever bytes there are."""

from __future__ import annotations

import base64
import hashlib
import logging
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import flask
from werkzeug.test import Client, TestResponse

from fuzz.offline import offline
from integration_server.server.installation import Installation, open_installation

FORM = "application/x-www-form-urlencoded"
MASTER_KEY = "0123456789abcdef0123456789abcdef"
SERVICE = "Basic " + base64.b64encode(b"archive:service password").decode("ascii")
PASSWORD = "Ann's password"
#: A fault of the server, or that it cannot be asked now, which nothing here is a reason for.
_FIRST_FAULT = 500

_CONFIG = f"""
[server]
data_dir = "../data"
[throttle]
free_failures = 1000000
[forwarding]
allow_networks = ["127.0.0.1"]
[backends.hq]
type = "csv"
path = "../people.csv"
quiet_seconds = 0.0
password_column = "password"
keep_memberships = true
map.groups = {{ from = "groups", separator = ";" }}
[backends.forum]
type = "ips_connect"
[frontends.archive]
type = "mailstore"
path = "/mailstore"
backends = ["hq"]
username = "archive"
password = "service password"
[frontends.hooks]
type = "groupserver"
path = "/site"
backends = ["hq"]
site_url = "https://groups.example.com"
[frontends.gw]
type = "ips_connect"
path = "/gw"
backends = ["forum"]
master_key = "{MASTER_KEY}"
slave_networks = "127.0.0.1"
[frontends.push]
type = "push"
path = "/push"
backends = ["hq"]
"""


class Faults(logging.Handler):
    """Keeps what the application logs when it fails, to be raised where it did not raise it."""

    def __init__(self) -> None:
        super().__init__()
        self.last: BaseException | None = None

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1] is not None:
            self.last = record.exc_info[1]


@dataclass
class House:
    """An open installation. Everybody calls from this machine."""

    installation: Installation
    faults: Faults
    app: flask.Flask = field(init=False)
    client: Client = field(init=False)

    def __post_init__(self) -> None:
        self.app = cast(flask.Flask, self.installation.app())
        self.client = Client(self.app)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        query: bytes = b"",
        content_type: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> TestResponse:
        """The answer, which must be no fault of the server's. ``query`` stands in the URL as it is, without
        what a URL cannot hold."""
        self.faults.last = None
        response = self.client.open(
            path,
            method=method,
            data=body,
            content_type=content_type,
            headers=dict(headers or {}),
            environ_overrides={"REMOTE_ADDR": "127.0.0.1", "QUERY_STRING": plain_query(query).decode("ascii")},
        )
        if response.status_code >= _FIRST_FAULT:
            raise AssertionError(f"{method} {path} is answered with {response.status}") from self.faults.last
        for name, value in response.headers:
            assert value.isprintable(), (name, value)
        return response


def plain_query(query: bytes) -> bytes:
    """What of it our own server would pass on; tests/server/test_request.py holds it to that."""
    return bytes(byte for byte in query if 0x21 <= byte <= 0x7E and byte != 0x23)


@contextmanager
def opened_house() -> Iterator[House]:
    """One in a folder of its own, which is gone afterwards; nothing that it does leads out of it."""
    faults = Faults()
    root = logging.getLogger()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fuzz-")))
        (folder / "config.d").mkdir()
        (folder / "config.d" / "all.toml").write_text(_CONFIG, encoding="utf-8")
        (folder / "people.csv").write_text(_people(), encoding="utf-8")
        root.addHandler(faults)
        stack.callback(root.removeHandler, faults)
        installation = open_installation(folder / "config.d")
        stack.callback(installation.close)
        stack.enter_context(offline())
        yield House(installation, faults)


def _people() -> str:
    """Two people, whose passwords are quick to check."""
    salt = b"saltsalt"
    digest = hashlib.sha256(PASSWORD.encode() + salt).digest()
    stored = "{SSHA256}" + base64.b64encode(digest + salt).decode("ascii")
    return (
        "username,full_name,email,groups,password\n"
        f"ann,Ann Lee,ann@example.org,staff;choir,{stored}\nbob,Bob,bob@example.org,staff,{stored}\n"
    )
