"""The push server in processes of its own: nothing accepted is lost by kill -9, and another process goes on."""

from __future__ import annotations

import http.client
import os
import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.builtin.push.live_push import Client
from tests.builtin.push.push_site import new_channel, write_push
from tests.cli.conftest import Serving
from tests.servers.server import free_port
from tests.waiting import wait_for


class Place:
    """A configuration, and the processes that serve it."""

    def __init__(self, folder: Path, url: str | None) -> None:
        self.http_port, self.port = free_port(), free_port()
        self.config = write_push(folder, websocket_port=self.port, public_url=f"http://127.0.0.1:{self.http_port}/push")
        if url is not None:
            (self.config / "store.toml").write_text(f'[store]\nurl = "{url}"\n')
        self.started: list[Serving] = []
        self.clients = ExitStack()

    def serve(self, processes: int = 1) -> Serving:
        serving = Serving(self.config, "--port", self.http_port, "--processes", processes, "--no-workers")
        self.started.append(serving)
        return serving

    def client(self) -> Client:
        """As soon as somebody listens."""

        def connected() -> Client | None:
            try:
                offered = [Subprotocol("push-notification")]
                wire = connect(f"ws://127.0.0.1:{self.port}", subprotocols=offered, close_timeout=1)
                return Client(self.clients.enter_context(wire))
            except OSError:
                return None

        return wait_for(connected, "the listener")

    def put(self, endpoint: str, version: int) -> int | None:
        """None where nobody answers."""
        caller = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=20)
        try:
            caller.request("PUT", f"{urlsplit(endpoint).path}?version={version}")
            return caller.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            caller.close()


@contextmanager
def placed(folder: Path, url: str | None = None) -> Iterator[Place]:
    made = Place(folder, url)
    try:
        with made.clients:
            yield made
    finally:
        for serving in made.started:
            if serving.process.poll() is None:
                serving.stop()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with placed(tmp_path) as made:
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def any_place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    url = None if request.param == "sqlite" else request.getfixturevalue("postgresql").create_database()
    with placed(tmp_path, url) as made:
        yield made


def test_what_was_accepted_survives_kill_9(place: Place) -> None:
    first = place.serve()
    client = place.client()
    channels = [new_channel() for _ in range(5)]
    uaid = client.hello()
    endpoints = [client.register(channel) for channel in channels]
    assert place.put(endpoints[0], 1) == 200
    assert client.notified() == {channels[0]: 1}
    client.wire.close()
    wait_for(lambda: place.put(endpoints[1], 1) == 202, "the client to be gone")
    for version in (2, 3):
        for endpoint in endpoints[1:]:
            assert place.put(endpoint, version) == 202
    os.kill(first.process.pid, signal.SIGKILL)
    first.process.wait(20)
    place.serve()
    client = place.client()
    assert client.hello(uaid) == uaid
    assert client.notified() == {channels[0]: 1, **dict.fromkeys(channels[1:], 3)}
    assert client.register(channels[0]) == endpoints[0]


def test_stopped_server_says_so_to_its_clients_and_ends_in_time(place: Place) -> None:
    serving = place.serve()
    client = place.client()
    client.hello()
    serving.process.send_signal(signal.SIGTERM)
    assert client.closed() == (1001, "the server stops")
    assert serving.process.wait(20) == 0
    assert not [line for line in serving.log if "Traceback" in line or "ERROR" in line]


def test_clients_are_served_by_another_process_when_theirs_is_killed(any_place: Place) -> None:
    place = any_place
    serving = place.serve(processes=2)
    channel = new_channel()
    client = place.client()
    uaid = client.hello()
    endpoint = client.register(channel)
    for version in range(1, 9):
        # Whichever process takes it, the client has it.
        assert place.put(endpoint, version) in (200, 202)
        assert client.notified() == {channel: version}
        client.ack({channel: version})
    does = "this process does the service of push"
    (line,) = [line for line in serving.log if does in line]
    found = re.search(r"\[(\d+)\]", line)
    assert found is not None
    os.kill(int(found.group(1)), signal.SIGKILL)
    assert client.closed()[0] in (None, 1001)
    wait_for(lambda: place.put(endpoint, 20) in (200, 202), "somebody to take a version")
    client = place.client()
    assert client.hello(uaid) == uaid
    latest: dict[str, int] = {}
    while latest != {channel: 20}:
        latest = client.notified()
