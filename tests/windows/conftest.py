"""The machine, and a configuration on it as ``init`` makes it."""

from __future__ import annotations

import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any
from urllib.parse import urlencode

import bcrypt
import pytest
import urllib3

from tests.waiting import wait_for
from tests.windows.machine import HOME, PROGRAM, WAIT_SECONDS, Machine, Service, service

#: Each test has at most this long; programs take seconds to start under Wine.
SECONDS = 900
#: bcrypt from a Linux machine; the check of the second one takes a second or more.
PASSWORD, SLOW_PASSWORD = "Grüße aus Köln", "in no hurry"
_HEADER = "username,full_name,email,password"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.timeout(SECONDS))


@pytest.fixture(scope="session")
def machine() -> Iterator[Machine]:
    if not (HOME / "made-of").exists():
        pytest.fail("there is no machine; run: make test-windows")
    found = Machine()
    found.begin()
    yield found
    found.end()


@dataclass(frozen=True, slots=True)
class Place:
    """A configuration on the machine, and who may ask it."""

    machine: Machine
    folder: PureWindowsPath
    port: int
    password: str

    @property
    def ours(self) -> Path:
        return self.machine.ours(self.folder)

    def write_people(self, *rows: str, start: bytes = b"\xef\xbb\xbf", end: str = "\r\n") -> None:
        """The CSV file as editors on Windows save it: with a mark before UTF-8, and CR LF."""
        text = "".join(f"{row}{end}" for row in (_HEADER, *rows))
        (self.ours / "people.csv").write_bytes(start + text.encode("utf-8"))

    def change(self, file: str, old: str, new: str) -> None:
        """Change a file of the configuration as an editor does."""
        path = self.ours / file
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    def ask(self, path: str = "/mailstore", **fields: str) -> urllib3.BaseHTTPResponse:
        """What a MailStore on this machine asks."""
        url = f"http://127.0.0.1:{self.port}{path}"
        if not fields:
            return urllib3.request("GET", url, timeout=60, retries=False)
        headers = urllib3.make_headers(basic_auth=f"mailstore:{self.password}", accept_encoding="gzip")
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        return urllib3.request("POST", url, body=urlencode(fields), headers=headers, timeout=60, retries=False)

    def listed(self) -> dict[str, Any]:
        """The people on the list, by user name."""
        answer = self.ask(cmd="list")
        assert answer.status == 200, answer.data
        return {person["userName"]: person for person in answer.json()}

    def logs_in(self, username: str, password: str) -> bool:
        answer = self.ask(cmd="auth", user=username, **{"pass": password})
        assert answer.status == 200, answer.data
        return bool(answer.json()["succeeded"])

    def serve(self, *options: object) -> AbstractContextManager[Service]:
        """``with place.serve() as running``: the server as a service."""
        return service(self.machine, PROGRAM, "serve", self.folder, "--port", self.port, *options)

    def wait_until_answered(self, running: Service) -> None:
        def answers() -> bool:
            assert not running.is_over, "\n".join(running.lines)
            try:
                return self.ask("/healthz").status == 200
            except urllib3.exceptions.HTTPError:
                return False

        wait_for(answers, lambda: "\n".join(["no answer:", *running.lines]), WAIT_SECONDS, 0.2)


def hashed(password: str, rounds: int = 4) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(rounds)).decode()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def place(machine: Machine, request: pytest.FixtureRequest) -> Place:
    """A new configuration in a folder with blanks in its name, and people in its file."""
    folder = PureWindowsPath("C:/Program Data/integration server") / request.module.__name__.rpartition(".")[2]
    shutil.rmtree(machine.ours(folder), ignore_errors=True)
    done = machine.server("init", folder)
    assert done.code == 0, done.text
    password = re.search(r"^  password   (\S+)$", done.text, re.MULTILINE)
    assert password is not None, done.text
    made = Place(machine, folder, free_port(), password[1])
    made.write_people(
        f"ada,Ada Lovelace,ada@example.org,{hashed(PASSWORD)}",
        f"łukasz,Łukasz Ωmega 张,lukasz@example.org;l@example.org,{hashed(SLOW_PASSWORD, 14)}",
    )
    return made
