"""A whole server, from a changing file to a bound channel, with kill -9 in between."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from integration_server.store import Store
from integration_server.store.resources import Resource
from integration_server.store.tokens import SCOPES
from tests.builtin.push.live_push import SECONDS, Client
from tests.builtin.push.push_site import new_channel
from tests.cli.conftest import Serving, serve
from tests.servers.server import free_port
from tests.waiting import wait_for

__all__ = ["serve"]

CONFIG = """
[server]
port = {http}
data_dir = "../data"
[backends.hq]
type = "csv"
path = "../people.csv"
[backends.hq.sync]
feed_seconds = 0.2
[frontends.push]
type = "push"
path = "/push"
backends = ["hq"]
public_url = "http://127.0.0.1:{http}/push"
websocket_port = {sockets}
"""


@dataclass
class Whole:
    """An installation in a folder, and the process that serves it."""

    folder: Path
    serve: Callable[..., Serving]
    store: Store
    token: str
    http: int
    sockets: int
    people: int = 0
    serving: Serving | None = None

    def start(self) -> None:
        self.serving = self.serve(self.folder / "config.d")
        wait_for(lambda: any("WebSocket clients are served" in line for line in self.log), "the service")
        wait_for(self._is_watched, "the first comparison")

    @property
    def log(self) -> list[str]:
        assert self.serving is not None
        return self.serving.log + self.serving.said

    def _is_watched(self) -> bool:
        return any(watch.baseline_at for watch in self.store.watches.all())

    def kill(self) -> None:
        assert self.serving is not None
        self.serving.process.kill()
        self.serving.process.wait(20)

    def add_person(self) -> None:
        """Somebody more stands in the file."""
        self.people += 1
        with (self.folder / "people.csv").open("a", encoding="utf-8") as file:
            file.write(f"{self.people},person{self.people},p{self.people}@example.org\n")

    def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        caller = http.client.HTTPConnection("127.0.0.1", self.http, timeout=SECONDS + 40)
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"}
        caller.request(method, path, json.dumps(body) if body is not None else None, headers)
        response = caller.getresponse()
        content = response.read()
        caller.close()
        return response.status, json.loads(content) if content else None

    def last_serial(self) -> int:
        found: int = self.call("GET", "/api/v1/events")[1]["last_serial"]
        return found

    @contextmanager
    def socket(self) -> Iterator[Client]:
        address = f"ws://127.0.0.1:{self.sockets}/"
        with connect(address, subprotocols=[Subprotocol("push-notification")], compression=None) as wire:
            yield Client(wire)


@pytest.fixture
def whole(tmp_path: Path, serve: Callable[..., Serving]) -> Iterator[Whole]:
    ports = free_port(), free_port()
    (tmp_path / "config.d").mkdir()
    (tmp_path / "config.d" / "all.toml").write_text(CONFIG.format(http=ports[0], sockets=ports[1]))
    (tmp_path / "people.csv").write_text("id,username,emails\n")
    store = Store("", tmp_path / "data")
    token = store.tokens.create("wiki", SCOPES, [Resource()])[1]
    made = Whole(tmp_path, serve, store, token, *ports)
    for _ in range(3):
        made.add_person()
    yield made
    store.close()


def test_channel_hears_of_a_changed_file_and_of_what_happened_around_a_kill(whole: Whole) -> None:
    whole.start()
    message = {"UAID": "", "APPID": new_channel(), "RESOURCE": {"kind": "backend", "backend": "hq"}}
    status, made = whole.call("POST", "/push/register", message)
    assert status == 200
    uaid, channel = made["UAID"], made["APPID"]
    with whole.socket() as client:
        client.hello(uaid, (channel,))
        whole.add_person()
        heard = client.notified()
        assert heard == {channel: whole.last_serial()}
        client.ack(heard)
        wait_for(lambda: whole.call("POST", "/push/connect", {"UAIDS": [uaid]})[0] == 204, "the ACK")
        whole.add_person()
        assert client.notified()[channel] > heard[channel]
        # It dies before that is acknowledged, and before it can see the next one.
        whole.kill()
    whole.add_person()
    whole.start()

    with whole.socket() as client:
        client.hello(uaid, (channel,))
        versions = [client.notified()[channel]]
        while versions[-1] < heard[channel] + 2:
            versions.append(client.notified()[channel])
        assert versions[-1] == whole.last_serial()
        client.ack({channel: versions[-1]})
    wait_for(lambda: whole.call("POST", "/push/connect", {"UAIDS": [uaid]})[0] == 204, "the ACK")
    _, page = whole.call("GET", f"/api/v1/events?after={heard[channel]}")
    assert [event["data"]["object"]["username"] for event in page["events"]] == ["person5", "person6"]

    (shown,) = whole.call("GET", "/api/v1/subscriptions")[1]["subscriptions"]
    one = f"/api/v1/subscriptions/{shown['id']}"
    assert whole.call("PATCH", one, {"active": False})[0] == 200
    whole.add_person()
    wait_for(lambda: whole.last_serial() > versions[-1], "the change")
    assert whole.call("POST", "/push/connect", {"UAIDS": [uaid]}) == (204, None)
    assert whole.call("POST", f"{one}/test")[0] == 409
    assert whole.call("PATCH", one, {"active": True})[0] == 200
    newest = {"UPDATE": {uaid: {channel: whole.last_serial()}}}
    assert whole.call("POST", "/push/connect?wait=30", {"UAIDS": [uaid]}) == (200, newest)
    whole.call("POST", "/push/ack", {"UAIDS": [uaid]})
    assert whole.call("POST", f"{one}/replay", {"from": heard[channel]})[0] == 202
    assert whole.call("POST", "/push/connect?wait=30", {"UAIDS": [uaid]}) == (200, newest)
