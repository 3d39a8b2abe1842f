"""A real server between a directory and those who ask: what is answered, and what is noticed."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from tests.crash.memory import Memory
from tests.faults.directories.directory import Directory, Outage
from tests.faults.served import Served
from tests.tcp_proxy import Fault as NetworkFault
from tests.waiting import wait_for

#: The configured limit of a list.
LIST_SECONDS: Final = 1.5
#: How long a caller waits, whatever was configured: longer than the server waits for its own store.
_PATIENCE: Final = 40.0
#: How long a comparison may say nothing before it counts as one that waits.
_SCAN_PATIENCE: Final = 5.0

_CONFIG: Final = """\
[server]
data_dir = "data"
threads = 8
[log]
level = "warning"
[backends.people]
auth_seconds = {login}
list_seconds = {list}
# The brake that leaves a broken directory alone has tests of its own; here, each question reaches it.
breaker_failures = 1000
{table}
[backends.people.sync]
scan_seconds = 3600
feed_seconds = 0.5
[frontends.archive]
type = "mailstore"
path = "/mailstore"
backends = ["people"]
auth_seconds = {login}
{more}
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """``kind``: "right"; "503", with ``reason``; of a comparison, "fails" with a reason or "waits"; "none", where the
    connection ended before an answer was whole; anything else is wrong, and says how."""

    kind: str
    seconds: float
    reason: str = ""


class Scene(Served):
    """The server before one directory. Close it, and then the directory."""

    def __init__(self, directory: Directory) -> None:
        super().__init__(directory.folder, directory.own_port)
        self.directory = directory
        values = {
            "list": LIST_SECONDS,
            "login": directory.login_seconds,
            "table": directory.table(),
            "more": directory.more(),
        }
        (directory.folder / "all.toml").write_text(_CONFIG.format(**values), encoding="utf-8")

    def is_ready(self, memory: Memory) -> bool:
        return memory.baselines() == {"people"}

    def settle(self) -> None:
        self.directory.settle()

    @property
    def outages(self) -> Mapping[str, Outage]:
        return {**self.directory.outages, "bad cookie": self._spoilt_token}

    @property
    def is_far(self) -> bool:
        return self.directory.proxy is not None

    def network(self, fault: NetworkFault, *, drops: bool = False) -> AbstractContextManager[None]:
        return self.directory.network(fault, drops=drops)

    # -- those who ask -----------------------------------------------------------------------------------------------

    def _post(self, **form: str) -> tuple[int, bytes, float]:
        """Status (0 where the connection ended before the answer did), body, seconds."""
        began = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.machine.port, timeout=_PATIENCE)
        try:
            headers = {"Content-Type": "application/x-www-form-urlencoded", "Connection": "close"}
            connection.request("POST", "/mailstore", urlencode(form), headers)
            response = connection.getresponse()
            body = response.read()
            return response.status, body, time.monotonic() - began
        except (OSError, http.client.HTTPException):
            return 0, b"", time.monotonic() - began
        finally:
            connection.close()

    def list(self) -> Answer:
        """ "right" is everybody, and nobody else."""
        return self._judged(self._post(cmd="list"), lambda found: self._names(found) or "right")

    def _names(self, found: object) -> str:
        assert isinstance(found, list)
        names = {user["userName"] for user in found}
        people = self.directory.people
        return "" if names == people else f"{len(names)} of {len(people)} people, {len(names - people)} strangers"

    def login(self) -> Answer:
        """With the right password: "right" is yes."""
        user, password = self.directory.login
        return self._judged(self._post(cmd="auth", user=user, **{"pass": password}), self._said("right", "no"))

    def wrong_login(self) -> Answer:
        """With a wrong password: "right" is no."""
        user, password = self.directory.login
        return self._judged(self._post(cmd="auth", user=user, **{"pass": password + "?"}), self._said("yes", "right"))

    def _said(self, yes: str, no: str) -> Callable[[object], str]:
        return lambda found: yes if found == {"succeeded": True} else no

    def _judged(self, came: tuple[int, bytes, float], judge: Callable[[object], str]) -> Answer:
        status, body, seconds = came
        if status == 0:
            return Answer("none", seconds)
        found = json.loads(body)
        if status == 503:
            return Answer("503", seconds, found["error"])
        return Answer(judge(found) if status == 200 else f"status {status}", seconds)

    def want_scan(self) -> Callable[[], Answer]:
        """Have everybody compared, now; what is given waits for what comes of it."""
        began = time.monotonic()
        with self.memory() as memory:
            before = memory.rows("SELECT scanned_at FROM watches")[0].scanned_at
            memory.do("UPDATE watches SET is_scan_wanted = true, failed_at = NULL")
        return lambda: self._scanned(began, before)

    def scan(self) -> Answer:
        return self.want_scan()()

    def _scanned(self, began: float, before: float | None) -> Answer:
        with self.memory() as memory:
            while time.monotonic() < began + _SCAN_PATIENCE and self.machine.is_running:
                row = memory.rows("SELECT scanned_at, failed_at, failure, is_scan_wanted FROM watches")[0]
                if row.is_scan_wanted:
                    # One that began before may end meanwhile.
                    before = row.scanned_at
                elif row.scanned_at != before:
                    return Answer("right", time.monotonic() - began)
                elif row.failed_at is not None:
                    return Answer("fails", time.monotonic() - began, row.failure)
                time.sleep(0.02)
        return Answer("waits" if self.machine.is_running else "none", time.monotonic() - began)

    @contextmanager
    def asked(self, scanned: Callable[[], Answer] | None = None) -> Iterator[Callable[[], dict[str, Answer]]]:
        """Ask everything at one time, as in life; what is given waits for the answers. ``scanned``: what want_scan()
        gave, where that was done before."""
        questions = {"list": self.list, "scan": scanned or self.scan}
        if self.directory.has_logins:
            questions |= {"login": self.login, "wrong login": self.wrong_login}
        with ThreadPoolExecutor(len(questions)) as pool:
            asked = {name: pool.submit(question) for name, question in questions.items()}
            yield lambda: {name: done.result() for name, done in asked.items()}

    def ask(self, scanned: Callable[[], Answer] | None = None) -> dict[str, Answer]:
        with self.asked(scanned) as answers:
            return answers()

    def ask_again(self) -> None:
        """More of the same, so that what leaks does so more than once. Answers are judged as any."""
        questions = [self.list, *([self.login] * 3 if self.directory.has_logins else [])]
        with ThreadPoolExecutor(len(questions)) as pool:
            for answer in [pool.submit(question) for question in questions]:
                kind = answer.result().kind
                assert kind in ("right", "503", "none"), kind

    def exercise(self) -> None:
        self.ask_again()
        found = self.ask()
        # On a busy machine, costly hashes may take longer than a login may.
        assert found["list"].kind == found["scan"].kind == "right", found

    def wait_scanning(self) -> None:
        """Until the comparison that was asked for has begun."""
        with self.memory() as memory:
            wait_for(lambda: not memory.rows("SELECT is_scan_wanted FROM watches")[0].is_scan_wanted)

    @contextmanager
    def _spoilt_token(self) -> Iterator[None]:
        """What the change feed goes on from; beside it, cookies of the directory's own."""
        own = self.directory.outages.get("bad cookie", nullcontext)
        with self.memory() as memory, own():
            memory.do("UPDATE watches SET feed_position = 'spoilt'")
            yield
