"""kill -9 of a relay and of the server before it, real processes both: no newest version is lost."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.builtin.push.liar import Liar
from tests.builtin.push.liar import http as http_answer
from tests.builtin.push.push_site import new_channel, write_push
from tests.cli.conftest import Serving
from tests.servers.server import free_port
from tests.waiting import wait_for

CHANNELS = 12
Start = Callable[..., Serving]


@pytest.fixture
def start() -> Iterator[Start]:
    """``start(verb, *args)``: a process, killed at the end."""
    started: list[Serving] = []

    def begin(verb: str, *args: object) -> Serving:
        started.append(Serving(*args, verb=verb))
        return started[-1]

    yield begin
    for serving in started:
        kill(serving)


def kill(serving: Serving) -> None:
    if serving.process.poll() is None:
        serving.process.kill()
    serving.process.wait(20)


def call(port: int, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, Any]:
    """Status and JSON; 0 where there is no answer."""
    caller = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        caller.request(method, path, body, headers)
        response = caller.getresponse()
        content = response.read()
        return response.status, json.loads(content) if content else None
    except (OSError, http.client.HTTPException):
        return 0, None
    finally:
        caller.close()


def post(port: int, path: str, message: object) -> tuple[int, Any]:
    return call(port, "POST", f"/push/{path}", json.dumps(message).encode())


class Pair:
    """An upstream server and its relay, which are killed and begun again on the same ports and stores."""

    def __init__(self, folder: Path, start: Start) -> None:
        self.up_port, self.relay_port = free_port(), free_port()
        url = f"http://127.0.0.1:{self.up_port}/push"
        (folder / "up").mkdir()
        self._config = write_push(folder / "up", public_url=url, in_flight_seconds=1.0, puts_per_minute=0)
        self._relay_args = ("--upstream", url, "--listen", f"127.0.0.1:{self.relay_port}", "--wait-seconds", 2)
        self._data = folder / "relay"
        self._start = start
        self.upstream, self.relay = self._begin_upstream(), self._begin_relay()

    def _begin_upstream(self) -> Serving:
        return self._start("serve", self._config, "--port", self.up_port, "--no-workers")

    def _begin_relay(self) -> Serving:
        return self._start("relay", *self._relay_args, "--data-dir", self._data)

    def kill_upstream(self) -> None:
        kill(self.upstream)
        self.upstream = self._begin_upstream()

    def kill_relay(self) -> None:
        kill(self.relay)
        self.relay = self._begin_relay()

    def put(self, endpoint: str, version: int) -> None:
        """As an app server does that tries until it is taken."""
        path = urlsplit(endpoint).path
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        wait_for(
            lambda: call(self.up_port, "PUT", path, f"version={version}".encode(), **form)[0] in (200, 202),
            "a version to be taken",
        )


def registered(port: int, uaid: str | None = None) -> dict[str, str]:
    message = {"UAID": uaid, "APPID": new_channel()}
    found: dict[str, str] = wait_for(
        lambda: (answer := post(port, "register", message))[0] == 200 and answer[1], "a registration"
    )
    return found


class Consumer(threading.Thread):
    """Polls the relay and acknowledges what it has written down; ``seen`` is the newest version of each channel."""

    def __init__(self, port: int, uaid: str) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._uaid = uaid
        self.seen: dict[str, int] = {}
        self.unknown = 0
        self.stopping = threading.Event()

    def run(self) -> None:
        while not self.stopping.is_set():
            status, answer = post(self._port, "connect?wait=1", {"UAIDS": [self._uaid]})
            self.unknown += status == 410
            if status != 200:
                time.sleep(0.05)
                continue
            update = answer["UPDATE"]
            for channel, version in update.get(self._uaid, {}).items():
                self.seen[channel] = max(version, self.seen.get(channel, -1))
            with suppress(OSError):
                post(self._port, "ack", {"UAIDS": update})


def test_no_newest_version_is_lost_when_either_is_killed(tmp_path: Path, start: Start) -> None:
    chance = random.Random(6)
    pair = Pair(tmp_path, start)
    first = registered(pair.relay_port)
    mine = [first] + [registered(pair.relay_port, first["UAID"]) for _ in range(CHANNELS - 1)]
    consumer = Consumer(pair.relay_port, first["UAID"])
    consumer.start()
    version, newest, killed = 0, {}, 0
    ends = time.monotonic() + 15
    kill_at = time.monotonic() + 1
    while time.monotonic() < ends:
        version += 1
        one = chance.choice(mine)
        pair.put(one["ENDPOINT"], version)
        newest[one["APPID"]] = version
        if time.monotonic() >= kill_at:
            killed += 1
            chance.choice((pair.kill_upstream, pair.kill_relay, pair.kill_relay))()
            kill_at = time.monotonic() + chance.uniform(1, 3)
    wait_for(lambda: consumer.seen == newest, lambda: f"{newest} to arrive: {consumer.seen}", 60)
    consumer.stopping.set()
    consumer.join(30)
    assert killed >= 2
    assert consumer.unknown == 0


def test_relay_that_is_killed_between_store_and_ack_has_the_version(tmp_path: Path, start: Start) -> None:
    uaid, go_on = "0" * 31 + "1", threading.Event()

    def hang(message: dict[str, Any]) -> bytes:
        go_on.wait(60)
        return http_answer({}, "503 Oops")

    with Liar() as liar:
        liar.answers["register"] = lambda message: http_answer(
            {"UAID": uaid, "APPID": message["APPID"], "ENDPOINT": liar.url("/x")}
        )
        liar.answers["ack"] = hang
        args = ("--upstream", liar.url("/push"), "--data-dir", tmp_path / "relay", "--listen")
        port = free_port()
        relay = start("relay", *args, f"127.0.0.1:{port}")
        mine = registered(port)
        liar.answers["connect"] = lambda message: http_answer({"UPDATE": {uaid: {mine["APPID"]: 7}}})
        wait_for(lambda: liar.messages("ack"), "the ACK to be on its way")
        kill(relay)
        go_on.set()
        acks = len(liar.messages("ack"))
        # Upstream is silent now: what the client gets is what the relay has kept.
        liar.answers["connect"] = lambda message: b"HTTP/1.1 204 No Content\r\n\r\n"
        start("relay", *args, f"127.0.0.1:{port}")
        update = {mine["UAID"]: {mine["APPID"]: 7}}
        found = wait_for(lambda: post(port, "connect", {"UAIDS": [mine["UAID"]]})[1], "the version")
        assert found == {"UPDATE": update}
        assert post(port, "ack", {"UAIDS": update})[0] == 204
        # And upstream has its ACK once it asks again.
        del liar.answers["ack"]
        liar.answers["connect"] = lambda message: http_answer({"UPDATE": {uaid: {mine["APPID"]: 7}}})
        wait_for(lambda: len(liar.messages("ack")) > acks, "the ACK after all")
        assert post(port, "connect", {"UAIDS": [mine["UAID"]]})[0] == 204
