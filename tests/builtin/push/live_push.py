"""A push server that really listens, for clients over WebSocket and HTTP."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from integration_server.builtin.push.frontend import PushFrontend
from integration_server.server import HttpServer, ServerLimits, bind
from integration_server.server.installation import Installation, opened
from integration_server.web.app import Mounted
from tests.builtin.push.push_site import write_push
from tests.servers.server import free_port

SECONDS = 20.0


class Client:
    """One WebSocket, spoken to in JSON."""

    def __init__(self, wire: ClientConnection) -> None:
        self.wire = wire

    def say(self, *messages: object) -> None:
        for message in messages:
            self.wire.send(message if isinstance(message, str | bytes) else json.dumps(message))

    def hear(self, seconds: float = SECONDS) -> Any:
        return json.loads(self.wire.recv(seconds))

    def ask(self, message: object) -> Any:
        self.say(message)
        return self.hear()

    def hears_nothing(self, seconds: float = 0.5) -> bool:
        try:
            self.wire.recv(seconds)
        except TimeoutError:
            return True
        return False

    def hello(self, uaid: str = "", channels: tuple[str, ...] = (), **more: object) -> str:
        """The UAID that the server answers."""
        answer = self.ask({"messageType": "hello", "uaid": uaid, "channelIDs": list(channels), **more})
        assert answer["messageType"] == "hello"
        assert answer["status"] == 200
        found: str = answer["uaid"]
        return found

    def register(self, channel: str) -> str:
        """The endpoint."""
        answer = self.ask({"messageType": "register", "channelID": channel})
        assert answer == {
            "messageType": "register",
            "channelID": channel,
            "status": 200,
            "pushEndpoint": answer["pushEndpoint"],
        }
        found: str = answer["pushEndpoint"]
        return found

    def notified(self, seconds: float = SECONDS) -> dict[str, int]:
        """Channel -> version of the next message, which must be a notification."""
        message = self.hear(seconds)
        assert message["messageType"] == "notification", message
        return {one["channelID"]: one["version"] for one in message["updates"]}

    def ack(self, versions: dict[str, int]) -> None:
        updates = [{"channelID": channel, "version": version} for channel, version in versions.items()]
        self.say({"messageType": "ack", "updates": updates})

    def closed(self, seconds: float = SECONDS) -> tuple[int | None, str]:
        """Code and reason, once the server has closed."""
        try:
            while True:
                self.wire.recv(seconds)
        except ConnectionClosed as exc:
            return (exc.rcvd.code, exc.rcvd.reason) if exc.rcvd is not None else (None, "")


@dataclass
class LivePush:
    """A running server. ``port`` is that of WebSocket clients."""

    installation: Installation
    mounted: dict[str, Mounted]
    http_port: int
    port: int

    @property
    def frontend(self) -> PushFrontend:
        frontend = self.mounted["push"].frontend
        assert isinstance(frontend, PushFrontend)
        return frontend

    @contextmanager
    def client(
        self, subprotocol: str | None = "push-notification", path: str = "/", **options: Any
    ) -> Iterator[Client]:
        offered = None if subprotocol is None else [Subprotocol(subprotocol)]
        with connect(
            f"ws://127.0.0.1:{self.port}{path}", subprotocols=offered, compression=None, close_timeout=1, **options
        ) as wire:
            yield Client(wire)

    def put(self, endpoint: str, version: int | None = None) -> int:
        """What an app server is answered."""
        parts = urlsplit(endpoint)
        caller = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=SECONDS)
        body = None if version is None else urlencode({"version": version})
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
        caller.request("PUT", parts.path, body, headers)
        status = caller.getresponse().status
        caller.close()
        return status

    def post(self, call: str, message: object, wait: int | None = None) -> tuple[int, Any]:
        caller = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=SECONDS + (wait or 0))
        query = "" if wait is None else f"?wait={wait}"
        caller.request("POST", f"/push/{call}{query}", json.dumps(message))
        response = caller.getresponse()
        content = response.read()
        caller.close()
        return response.status, json.loads(content) if content else None


@contextmanager
def live_push(folder: Path, at: int = 0, **settings: object) -> Iterator[LivePush]:
    """A server with these settings, in threads of this process; those that are None are left out. ``at`` is its port
    for HTTP."""
    folder.mkdir(exist_ok=True)
    listener = bind("127.0.0.1", at)
    http_port, port = listener.getsockname()[1], free_port()
    known = {"websocket_port": port, "public_url": f"http://127.0.0.1:{http_port}/push"}
    chosen = {key: value for key, value in {**known, **settings}.items() if value is not None}
    with opened(write_push(folder, **chosen)) as installation:
        mounted = installation.mounted()
        server = HttpServer(installation.app(mounted), listener, ServerLimits())
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        live = LivePush(installation, mounted, http_port, port)
        live.frontend.start()
        try:
            yield live
        finally:
            with suppress(RuntimeError):
                live.frontend.stop(10)
            server.stop()
            thread.join(20)
