"""Wake-ups by a server in several processes of its own."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.builtin.push.push_site import new_channel, write_push
from tests.cli.conftest import Serving
from tests.servers.server import free_port
from tests.waiting import wait_for

PROCESSES = 2


@pytest.fixture
def ear() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        found.bind(("127.0.0.1", 0))
        found.settimeout(30)
        yield found


class Server:
    """Processes that are begun again on the same port and store."""

    def __init__(self, folder: Path) -> None:
        self._port = free_port()
        self._config = write_push(
            folder, kick="udp", kick_allow_networks=["127.0.0.0/8"], kick_seconds=1.0, public_url="http://x/push"
        )
        self.started: list[Serving] = []

    def serve(self) -> Serving:
        self.started.append(Serving(self._config, "--port", self._port, "--processes", PROCESSES, "--no-workers"))
        return self.started[-1]

    def call(self, method: str, path: str, body: str = "") -> tuple[int, bytes]:
        """Status 0 where nobody answers."""
        caller = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        try:
            caller.request(method, path, body)
            response = caller.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            caller.close()

    def register(self, ear: socket.socket) -> str:
        """The path of the endpoint of a new user agent that hears with ``ear``."""
        message = {"APPID": new_channel(), "KICK": {"ip": "127.0.0.1", "port": ear.getsockname()[1]}}
        content = wait_for(
            lambda: (answer := self.call("POST", "/push/register", json.dumps(message)))[0] == 200 and answer[1]
        )
        return urlsplit(json.loads(content)["ENDPOINT"]).path


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path)
    yield made
    for serving in made.started:
        if serving.process.poll() is None:
            serving.stop()


def drained(ear: socket.socket, seconds: float) -> int:
    """How many datagrams come until none has come for so long."""
    ear.settimeout(seconds)
    count = 0
    try:
        while True:
            assert ear.recv(100) == b"push"
            count += 1
    except TimeoutError:
        ear.settimeout(30)
        return count


def test_version_that_any_process_takes_wakes_once(server: Server, ear: socket.socket) -> None:
    serving = server.serve()
    endpoint = server.register(ear)
    serving.wait_until(
        lambda: [line for line in serving.log if "this process does the service of push" in line], "the service"
    )
    # Each on a connection of its own, so that both processes take some.
    for version in range(10):
        assert server.call("PUT", f"{endpoint}?version={version}")[0] == 202
    assert 1 <= drained(ear, 2.5) <= 4


def test_who_was_not_woken_before_a_kill_is_woken_after_it(server: Server, ear: socket.socket) -> None:
    serving = server.serve()
    endpoint = server.register(ear)
    server.call("PUT", f"{endpoint}?version=1")
    serving.process.send_signal(signal.SIGKILL)
    serving.process.wait(20)
    wait_for(lambda: server.call("PUT", f"{endpoint}?version=1")[0] == 0, "all processes to be gone")
    drained(ear, 0.5)
    server.serve()
    assert ear.recv(100) == b"push"


def test_another_process_wakes_when_the_first_is_killed(server: Server, ear: socket.socket) -> None:
    serving = server.serve()
    endpoint = server.register(ear)
    (line,) = serving.wait_until(
        lambda: [line for line in serving.log if "this process does the service of push" in line], "the service"
    )
    os.kill(int(line.partition("[")[2].partition("]")[0]), signal.SIGKILL)
    wait_for(lambda: server.call("PUT", f"{endpoint}?version=1")[0] == 202, "the other process to take it")
    assert ear.recv(100) == b"push"
