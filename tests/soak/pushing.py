"""A consumer behind a firewall: it holds a WebSocket, is told of versions, and connects again when that is cut."""

from __future__ import annotations

import json
import threading
import time
import uuid
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import ClientConnection, connect

from tests.soak.house import House
from tests.soak.load import Caller, Troubles, Web, WrongAnswer

_TURN_SECONDS: Final = 0.5


class Holder:
    """Has one channel to which an app server puts versions, and one that is bound to the directory.

    ``told`` is the highest version that was told of each channel; ``put`` the last one that was taken from the app
    server. ``retries`` counts how often it had to connect again in trouble; ``failures`` says what else went wrong.
    """

    def __init__(self, house: House, troubles: Troubles) -> None:
        self.told: dict[str, int] = {}
        self.put = 0
        self.retries = 0
        self.failures: list[str] = []
        self.plain, self.bound = str(uuid.uuid4()), str(uuid.uuid4())
        self._house = house
        self._troubles = troubles
        self._uaid = ""
        self._endpoint = ""
        self._version = 0
        self._passer_by, self._passing = "", str(uuid.uuid4())
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._hold, name="holder", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(30)

    def callers(self) -> list[Caller]:
        """Who asks over HTTP."""
        return [Caller("push", 1.0, self._put)]

    def passers_by(self) -> list[Caller]:
        """Who comes over a WebSocket."""
        return [Caller("push client that goes", 5.0, self._pass_by)]

    def _put(self) -> None:
        if not self._endpoint:
            return
        self._version += 1
        version = self._version
        Web(self._house.machine.port).ask("PUT", self._endpoint, f"version={version}", expected=(200, 202))
        self.put = version

    def _pass_by(self) -> None:
        """Another client, which comes back each time."""
        try:
            with self._connected() as connection:
                self._say(connection, messageType="hello", uaid=self._passer_by, channelIDs=[])
                self._passer_by = self._hear(connection, "hello")["uaid"]
                for kind in ("register", "unregister"):
                    self._say(connection, messageType=kind, channelID=self._passing)
                    self._hear(connection, kind)
        except (WebSocketException, TimeoutError) as exc:
            raise WrongAnswer(repr(exc)) from exc

    def _hold(self) -> None:
        while not self._over.is_set():
            began = time.monotonic()
            try:
                with self._connected() as connection:
                    self._greet(connection)
                    while not self._over.is_set():
                        began = time.monotonic()
                        self._listen(connection)
            except (OSError, WebSocketException, WrongAnswer) as exc:
                # The end of a connection may be seen a little before its cause is known here.
                if self._over.wait(_TURN_SECONDS) or self._troubles.excuse(began):
                    self.retries += 1
                else:
                    self.failures.append(repr(exc))

    def _greet(self, connection: ClientConnection) -> None:
        channels = [self.plain, self.bound] if self._uaid else []
        self._say(connection, messageType="hello", uaid=self._uaid, channelIDs=channels)
        uaid = self._hear(connection, "hello")["uaid"]
        if self._uaid and uaid != self._uaid:
            raise WrongAnswer("the server has forgotten this user agent")
        self._uaid = uaid
        self._say(connection, messageType="register", channelID=self.plain)
        self._endpoint = urlsplit(self._hear(connection, "register")["pushEndpoint"]).path
        token, resource = self._house.tokens["api"], {"kind": "all"}
        self._say(connection, messageType="register", channelID=self.bound, resource=resource, token=token)
        self._hear(connection, "register")

    def _listen(self, connection: ClientConnection) -> None:
        try:
            self._take(connection, json.loads(connection.recv(_TURN_SECONDS)))
        except TimeoutError:
            return
        except ConnectionClosed:
            if not self._over.is_set():
                raise

    def _take(self, connection: ClientConnection, message: dict[str, Any]) -> None:
        if message["messageType"] != "notification":
            return
        for update in message["updates"]:
            channel, version = update["channelID"], update["version"]
            self.told[channel] = max(version, self.told.get(channel, 0))
        self._say(connection, messageType="ack", updates=message["updates"])

    def _hear(self, connection: ClientConnection, kind: str) -> dict[str, Any]:
        while True:
            message: dict[str, Any] = json.loads(connection.recv(30))
            if message["messageType"] == kind:
                if message.get("status") != 200:
                    raise WrongAnswer(f"{kind}: {message.get('status')} {message.get('reason')}")
                return message
            self._take(connection, message)

    @staticmethod
    def _say(connection: ClientConnection, **message: object) -> None:
        connection.send(json.dumps(message))

    def _connected(self) -> ClientConnection:
        return connect(f"ws://127.0.0.1:{self._house.websocket_port}/", open_timeout=30)
