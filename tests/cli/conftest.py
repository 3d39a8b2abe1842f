"""A small installation in a folder with a blank in its name, and the command line run in this process or in its own."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import pty
import queue
import re
import select
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flask
import pytest
from click.testing import CliRunner, Result

from integration_server.cli.group import cli
from integration_server.server.installation import opened
from integration_server.store.resources import Resource
from integration_server.store.subscriptions import Subscription

ROOT = Path(__file__).parents[2]
DROP_IN = Path(__file__).parent / "drop_in"
PEOPLE = [
    {
        "no": 1,
        "login": "ada",
        "name": "Ada Lovelace",
        "mail": ["ada@example.org", "al@example.org"],
        "groups": ["mail"],
    },
    {"no": 2, "login": "Jörg", "name": "Jörg Müller", "mail": ["joerg@example.org"]},
    {"no": 3, "login": "leaver", "name": "Left Long Ago", "off": "yes"},
]
PASSWORDS = {"ada": "demo", "Jörg": "grüße aus köln", "leaver": "gone"}
CORE = """
[server]
port = 0
data_dir = "../data"
[plugins]
folder = {folder}
disabled = ["sql", "ldap", "csv_file"]
"""
BACKEND = """
[backends.hq]
type = "roster"
file = "../people.json"
"""
FRONTEND = """
[frontends.archive]
type = "mailstore"
path = "/mailstore"
backends = ["hq"]
username = "mailstore"
password = "sample of '$HOME'"
demo_password = true
"""


@dataclass(frozen=True)
class Place:
    """An installation on disk. Each ``write`` adds or replaces a file of its configuration."""

    path: Path

    @property
    def config(self) -> Path:
        return self.path / "config.d"

    @property
    def data(self) -> Path:
        return self.path / "data"

    def write(self, file: str, text: str) -> Path:
        self.config.mkdir(exist_ok=True)
        path = self.config / file
        path.write_text(text, encoding="utf-8")
        return path

    def people(self, people: Sequence[dict[str, Any]], file: str = "people.json") -> None:
        with_passwords = [{"password": PASSWORDS.get(person.get("login", "")), **person} for person in people]
        (self.path / file).write_text(json.dumps(with_passwords), encoding="utf-8")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path / "an installation")
    made.path.mkdir()
    made.write("10-server.toml", CORE.format(folder=json.dumps(str(DROP_IN))))
    made.write("20-hq.toml", BACKEND)
    made.write("30-archive.toml", FRONTEND)
    made.people(PEOPLE)
    return made


@pytest.fixture(autouse=True)
def _own_log() -> Iterator[None]:
    """Commands direct the log of their process, which here is everybody's."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def subscription(uid: str, **columns: Any) -> Subscription:
    """One that writes into a notebook."""
    values: dict[str, Any] = {
        "id": f"sub_{uid}",
        "owner": "cli",
        "uid": uid,
        "type": "notebook",
        "resource": Resource("all"),
        "events": ("*",),
        "settings": {"type": "notebook", "file": f"../{uid}.jsonl"},
        "secrets": (),
        "batch_size": 1,
        "rate_per_second": None,
        "is_coalescing": False,
        "is_active": True,
        "state": "ok",
        "state_reason": None,
        "created_at": 1.0,
        "changed_at": 1.0,
        "cursor": 0,
    }
    return Subscription(**{**values, **columns})


Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """``run("users", folder, input="...")``: the command line in this process, stdout and stderr apart."""
    monkeypatch.delenv("INTEGRATION_SERVER_CONFIG", raising=False)

    def call(*args: object, **extra: Any) -> Result:
        return CliRunner().invoke(cli, [str(arg) for arg in args], prog_name="integration-server", **extra)

    return call


def command(*args: object) -> list[str]:
    return [sys.executable, "-m", "integration_server", *map(str, args)]


def environment(**more: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("INTEGRATION_SERVER")}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


def run_process(*args: object, **extra: Any) -> subprocess.CompletedProcess[str]:
    """The command line as its own process, to its end."""
    options: dict[str, Any] = {"capture_output": True, "text": True, "timeout": 60, "env": environment()}
    return subprocess.run(command(*args), **{**options, **extra})


class Serving:
    """A ``serve`` (or ``work``) process. Reads what it says on both streams as it comes."""

    def __init__(self, *args: object, verb: str = "serve", **variables: str) -> None:
        self.process = subprocess.Popen(
            command(verb, *args),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(**variables),
            text=True,
        )
        self.said: list[str] = []
        self.log: list[str] = []
        self._news: queue.Queue[None] = queue.Queue()
        for stream, lines in ((self.process.stdout, self.said), (self.process.stderr, self.log)):
            threading.Thread(target=self._read, args=(stream, lines), daemon=True).start()

    def _read(self, stream: Any, lines: list[str]) -> None:
        for line in stream:
            lines.append(line.rstrip("\n"))
            self._news.put(None)
        self._news.put(None)

    def wait_until(self, condition: Callable[[], Any], what: str, seconds: float = 30) -> Any:
        give_up = time.monotonic() + seconds
        while not (found := condition()):
            left = give_up - time.monotonic()
            if left <= 0 or (self.process.poll() is not None and self._news.empty()):
                pytest.fail(f"{what} never came; it said {self.said} and logged {self.log}")
            try:
                self._news.get(timeout=min(left, 0.2))
            except queue.Empty:
                continue
        return found

    @property
    def url(self) -> str:
        """Where the first frontend is."""
        found = self.wait_until(lambda: re.search(r"http://\S+", "\n".join(self.said)), "a URL")
        return str(found.group())

    @property
    def curl_lines(self) -> list[str]:
        self.wait_until(lambda: len(self._curl_lines()) >= 2, "the curl lines")
        return self._curl_lines()

    def _curl_lines(self) -> list[str]:
        return [line.strip() for line in list(self.said) if line.strip().startswith("curl ")]

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(40)


@pytest.fixture
def serve() -> Iterator[Callable[..., Serving]]:
    """``serve(folder, "--port", 0)``: a server process, killed at the end if it still runs."""
    started: list[Serving] = []

    def start(*args: object, verb: str = "serve", **variables: str) -> Serving:
        started.append(Serving(*args, verb=verb, **variables))
        return started[-1]

    yield start
    for serving in started:
        if serving.process.poll() is None:
            serving.process.kill()
        serving.process.wait(20)


@pytest.fixture
def ask(place: Place) -> Callable[..., tuple[int, Any]]:
    """``ask(cmd="list")``: what the frontend answers, status and JSON."""

    def call(**fields: str) -> tuple[int, Any]:
        with opened(place.config) as installation:
            app = installation.app()
            assert isinstance(app, flask.Flask)
            answer = app.test_client().post("/mailstore", data=fields, auth=("mailstore", "sample of '$HOME'"))
            return answer.status_code, answer.get_json()

    return call


CTRL_C = "\x03"


def in_terminal(typed: Sequence[tuple[str, str]], *args: object, **variables: str) -> tuple[int, str]:
    """Run a command in a terminal: wait for each text, type what follows it. Exit code, and all that was shown.
    ``variables`` are of its environment."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        command(*args),
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env=environment(TERM="xterm", **variables),
        start_new_session=True,
        preexec_fn=lambda: _control(follower),
    )
    os.close(follower)
    shown = ""
    try:
        for expected, text in typed:
            start = len(shown)
            while expected not in shown[start:]:
                shown += os.read(leader, 4096).decode("utf-8", "replace")
            os.write(leader, text.encode())
        while True:
            if not select.select([leader], [], [], 5)[0] and typed and typed[-1][1] == CTRL_C:
                # One that comes just before the program begins to wait is noticed with the next key only, so people
                # press it again.
                os.write(leader, CTRL_C.encode())
            try:
                more = os.read(leader, 4096)
            except OSError:
                break
            if not more:
                break
            shown += more.decode("utf-8", "replace")
        return process.wait(30), shown
    finally:
        process.kill()
        process.wait(30)
        os.close(leader)


def _control(terminal: int) -> None:
    """Make it the process's own, so that Ctrl-C typed there is heard."""
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
