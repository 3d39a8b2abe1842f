"""A webhook receiver as a process of its own: ``with Receiver(folder) as receiver: ... receiver.url("/hook") ...``.

It writes down every request whole, in the order in which they came, before it answers; whatever happens to the sender,
the file of requests stays. What it answers is set for each path and may change at any time: see Behaviour. Refusal is
not a path's but a door's (a port): ``Receiver(folder, doors=2)`` listens on two, and each may be shut by itself.

The same thing in a thread of the caller is LocalReceiver. ``python -m tests.receiver FOLDER`` runs one by hand.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import hmac
import itertools
import json
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Literal, Self

import orjson
from standardwebhooks import Webhook

#: A frame of the file: time, status that was answered (0 = something else), lengths of head and body.
_FRAME: Final = struct.Struct("<dHII")
_FLUSH_SECONDS: Final = 0.02
_BIG: Final = 10_000_000
_REASONS: Final = {200: "OK", 204: "No Content", 302: "Found", 410: "Gone", 429: "Too Many Requests"}

Kind = Literal["answer", "hang", "drip", "cut", "nonsense", "big"]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What happens to requests of a path.

    ``answer`` sends ``status``, ``headers`` and ``body``; ``hang`` never answers; ``drip`` sends a good one, a byte
    a second; ``cut`` closes the connection in the middle of a good answer; ``nonsense`` sends what is not HTTP; ``big``
    answers with ten million bytes. Restricted by ``every`` (each n-th request of the path), ``persons`` (requests with
    one of these in them) and ``seconds`` (for so long from now on): all other requests are answered with 200. ``delay``
    is in seconds.
    """

    kind: Kind = "answer"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = "taken"
    delay: float = 0.0
    every: int = 1
    persons: tuple[str, ...] = ()
    seconds: float | None = None


OK: Final = Behaviour()
HANG: Final = Behaviour("hang")
DRIP: Final = Behaviour("drip")
CUT: Final = Behaviour("cut")
NONSENSE: Final = Behaviour("nonsense")
BIG: Final = Behaviour("big")
#: 200, but with a body that is no text in any encoding and no JSON.
GARBAGE: Final = Behaviour(body="\x00\xff{[\ud7ff" * 50, headers={"Content-Type": 'application/json; charset="x'})
GONE: Final = Behaviour(status=410)
UNAVAILABLE: Final = Behaviour(status=503)


def redirect(location: str) -> Behaviour:
    return Behaviour(status=302, headers={"Location": location})


def too_many(retry_after: int | str) -> Behaviour:
    return Behaviour(status=429, headers={"Retry-After": str(retry_after)})


@dataclass(frozen=True)
class Received:
    """One request as it came. ``number`` counts from 0 over all paths; ``status`` is 0 where no answer was complete."""

    number: int
    at: float
    status: int
    head: bytes
    body: bytes

    @property
    def is_taken(self) -> bool:
        """Whether a whole 2xx was sent. (The sender may have died before it could read it.)"""
        return 200 <= self.status < 300

    @property
    def path(self) -> str:
        """With the query."""
        return self.head.split(b" ", 2)[1].decode("latin-1")

    @cached_property
    def headers(self) -> dict[str, str]:
        """By lower-case name."""
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @cached_property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(self.body)
        return found

    @property
    def is_batch(self) -> bool:
        return self.document.get("type") == "batch"

    @property
    def events(self) -> list[dict[str, Any]]:
        """The envelopes in it, one or many."""
        found: list[dict[str, Any]] = self.document["data"]["events"] if self.is_batch else [self.document]
        return found

    @property
    def serials(self) -> list[int]:
        return [event["data"]["serial"] for event in self.events]

    @property
    def persons(self) -> list[str]:
        return [event["data"]["person_id"] for event in self.events]

    def is_signed_with(self, secret: str) -> bool:
        """Whether a v1 signature of this secret is among those sent, and the timestamp is that of the sending.

        Not ``Webhook.verify``, which compares with the clock of now: a long run is looked at in the end.
        """
        stamp = int(self.headers["webhook-timestamp"])
        if abs(self.at - stamp) > 60:
            return False
        key = base64.b64decode(secret.removeprefix("whsec_"))
        content = f"{self.id}.{stamp}.".encode() + self.body
        expected = "v1," + base64.b64encode(hmac.digest(key, content, "sha256")).decode()
        return expected in self.headers["webhook-signature"].split()

    def verify(self, secret: str) -> None:
        """Check the signature with the public library. Raises WebhookVerificationError, also five minutes later."""
        Webhook(secret).verify(self.body, self.headers)


def read_requests(file: Path, start: int = 0) -> tuple[list[Received], int]:
    """The requests from this offset on, and the offset behind the last whole one. Numbers count from the offset."""
    with file.open("rb") as source:
        source.seek(start)
        content = source.read()
    found: list[Received] = []
    position = 0
    while position + _FRAME.size <= len(content):
        at, status, head, body = _FRAME.unpack_from(content, position)
        begin = position + _FRAME.size
        middle, end = begin + head, begin + head + body
        if end > len(content):
            break  # still in the writing
        found.append(Received(len(found), at, status, content[begin:middle], content[middle:end]))
        position = end
    return found, start + position


# -- the receiving side ---------------------------------------------------------------------------------------------


class _Connection(asyncio.Protocol):
    """One client's connection, kept alive; requests one after the other."""

    def __init__(self, desk: _Desk, door: int) -> None:
        self._desk = desk
        self.door = door
        self._buffer = b""
        self._is_busy = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._desk.connections.add(self)
        self._desk.accepted += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._desk.connections.discard(self)

    def drop(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        if not self._is_busy:
            self._take()

    def _take(self) -> None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end]
        begin = end + 4
        size = _content_length(head)
        if len(self._buffer) < begin + size:
            return
        body = self._buffer[begin : begin + size]
        self._buffer = self._buffer[begin + size :]
        self._is_busy = True
        behaviour = self._desk.take(head, body)
        if behaviour.delay:
            asyncio.get_running_loop().call_later(behaviour.delay, self._answer, behaviour)
        else:
            self._answer(behaviour)

    def _answer(self, behaviour: Behaviour) -> None:
        transport = self._transport
        if transport is None:
            return
        match behaviour.kind:
            case "answer":
                transport.write(_response(behaviour))
                self._is_busy = False
                if self._buffer:
                    self._take()
            case "hang":
                pass
            case "drip":
                self._drip(_response(OK))
            case "cut":
                transport.write(_response(OK)[:-3])
                transport.close()
            case "nonsense":
                transport.write(b"\x16\x03\x01 220 this is not HTTP\r\n\r\n")
                transport.close()
            case "big":
                transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % _BIG + b"x" * _BIG)
                self._is_busy = False

    def _drip(self, rest: bytes) -> None:
        if self._transport is not None and rest:
            self._transport.write(rest[:1])
            asyncio.get_running_loop().call_later(1.0, self._drip, rest[1:])


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        if line[:15].lower() == b"content-length:":
            return int(line[15:])
    return 0


_GOOD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\ntaken"


def _response(behaviour: Behaviour) -> bytes:
    if behaviour is OK:
        return _GOOD
    body = b"" if behaviour.status == 204 else behaviour.body.encode("latin-1", "replace")
    lines = [f"HTTP/1.1 {behaviour.status} {_REASONS.get(behaviour.status, 'Whatever')}"]
    lines += [f"{name}: {value}" for name, value in behaviour.headers.items()]
    lines += [f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


@dataclass(slots=True)
class _Count:
    requests: int = 0
    events: int = 0
    first_at: float = 0.0
    last_at: float = 0.0


class _Desk:
    """Decides about each request, and writes it down."""

    def __init__(self, file: BinaryIO) -> None:
        self.connections: set[_Connection] = set()
        self.accepted = 0
        self.counts: dict[str, _Count] = {}
        self._file = file
        self._behaviours: dict[str, tuple[Behaviour, float]] = {}
        self._seen: dict[str, Iterator[int]] = {}
        self._is_dirty = False

    def behave(self, path: str, behaviour: Behaviour) -> None:
        until = float("inf") if behaviour.seconds is None else time.monotonic() + behaviour.seconds
        self._behaviours[path] = behaviour, until
        self._seen[path] = itertools.count(1)

    def take(self, head: bytes, body: bytes) -> Behaviour:
        path = head.split(b" ", 2)[1].partition(b"?")[0].decode("latin-1")
        behaviour = self._behaviour(path, body)
        now = time.time()
        status = behaviour.status if behaviour.kind == "answer" else 200 if behaviour.kind == "big" else 0
        self._file.write(_FRAME.pack(now, status, len(head), len(body)) + head + body)
        if not self._is_dirty:
            self._is_dirty = True
            asyncio.get_running_loop().call_later(_FLUSH_SECONDS, self.flush)
        count = self.counts.get(path)
        if count is None:
            count = self.counts[path] = _Count(first_at=now)
        count.requests += 1
        count.events += body.count(b'"specversion"')
        count.last_at = now
        return behaviour

    def flush(self) -> None:
        self._is_dirty = False
        self._file.flush()

    def _behaviour(self, path: str, body: bytes) -> Behaviour:
        found = self._behaviours.get(path)
        if found is None:
            return OK
        behaviour, until = found
        if time.monotonic() >= until:
            del self._behaviours[path]
            return OK
        if next(self._seen[path]) % behaviour.every:
            return OK
        if behaviour.persons and set(behaviour.persons).isdisjoint(Received(0, 0, 0, b"", body).persons):
            return OK
        return behaviour


class _Receiving:
    """The doors and the desk behind them, inside a running loop."""

    def __init__(self, file: Path, doors: int) -> None:
        self._desk = _Desk(file.open("ab", buffering=1 << 20))
        self._sockets = [_bound() for _ in range(doors)]
        self.ports = [sock.getsockname()[1] for sock in self._sockets]
        self._servers: list[asyncio.Server | None] = [None] * doors

    async def open(self, door: int) -> None:
        if self._servers[door] is not None:
            return
        loop = asyncio.get_running_loop()
        sock = self._sockets[door]
        self._servers[door] = await loop.create_server(lambda: _Connection(self._desk, door), sock=sock, backlog=512)

    async def shut(self, door: int) -> None:
        """Connections are refused; the port stays ours."""
        server, self._servers[door] = self._servers[door], None
        if server is None:
            return
        server.close()
        for connection in [one for one in self._desk.connections if one.door == door]:
            connection.drop()
        self._sockets[door] = _bound(self.ports[door])

    async def obey(self, command: dict[str, Any]) -> Any:
        match command["do"]:
            case "behave":
                values = command["behaviour"]
                behaviour = Behaviour(**{**values, "persons": tuple(values["persons"])})
                self._desk.behave(command["path"], OK if behaviour == OK else behaviour)
            case "open":
                await self.open(command["door"])
            case "shut":
                await self.shut(command["door"])
            case "counts":
                return {path: asdict(count) for path, count in self._desk.counts.items()}
            case "accepted":
                return self._desk.accepted
            case "connected":
                return len(self._desk.connections)
        return None

    async def close(self) -> None:
        for door in range(len(self._servers)):
            await self.shut(door)
        for sock in self._sockets:
            sock.close()
        self._desk.flush()


def _bound(port: int = 0) -> socket.socket:
    """Bound and not listening: connections are refused and nobody else gets the port."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    sock.setblocking(False)
    return sock


# -- the test's side ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Count:
    """What came on one path so far; times in Unix seconds."""

    requests: int = 0
    events: int = 0
    first_at: float = 0.0
    last_at: float = 0.0


class _Handle:
    """What a test does with a receiver, wherever that runs."""

    ports: Sequence[int] = ()

    def __init__(self, folder: Path, doors: int = 1) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "requests"
        self.file.touch()
        self._doors = doors
        self._requests: list[Received] = []
        self._offset = 0

    def url(self, path: str, door: int = 0) -> str:
        return f"http://127.0.0.1:{self.ports[door]}{path}"

    def behave(self, path: str, behaviour: Behaviour) -> None:
        """From the next request of this path on."""
        self._ask({"do": "behave", "path": path, "behaviour": asdict(behaviour)})

    def refuse(self, door: int = 0) -> None:
        """Stop listening, and reset the open connections."""
        self._ask({"do": "shut", "door": door})

    def listen(self, door: int = 0) -> None:
        """Listen again, on the same port."""
        self._ask({"do": "open", "door": door})

    def count(self, path: str) -> Count:
        """How much came on this path so far, without reading the file."""
        return Count(**self._ask({"do": "counts"}).get(path, {}))

    @property
    def connections(self) -> int:
        """How many connections were taken so far."""
        return int(self._ask({"do": "accepted"}))

    @property
    def connected(self) -> int:
        """How many connections there are at the moment: none once everything of a sender that died was read."""
        return int(self._ask({"do": "connected"}))

    def requests(self, path: str | None = None) -> list[Received]:
        """Everything that came, at the latest a twentieth of a second ago; of one path (without its query), or all."""
        fresh, self._offset = read_requests(self.file, self._offset)
        self._requests += [
            Received(number, one.at, one.status, one.head, one.body)
            for number, one in enumerate(fresh, len(self._requests))
        ]
        return [one for one in self._requests if path is None or one.path.partition("?")[0] == path]

    def wait_for(self, path: str, events: int, seconds: float = 30.0) -> list[Received]:
        """The requests of a path, once so many events came with those that were taken. Raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while True:
            found = self.requests(path)
            if sum(len(one.events) for one in found if one.is_taken) >= events:
                return found
            if time.monotonic() > deadline:
                raise TimeoutError(f"{events} events expected on {path}, came: {[one.serials for one in found][-50:]}")
            time.sleep(0.02)

    def _ask(self, command: dict[str, Any]) -> Any:
        raise NotImplementedError

    def start(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Receiver(_Handle):
    """A receiver in a process of its own, which ends with ours at the latest."""

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.receiver", str(self.file.parent), "--doors", str(self._doors)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parent.parent,
        )
        self._lock = threading.Lock()
        self.ports = self._read()

    @property
    def pid(self) -> int:
        return self._process.pid

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()

    def _ask(self, command: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        with self._lock:
            self._process.stdin.write(json.dumps(command).encode() + b"\n")
            self._process.stdin.flush()
            return self._read()

    def _read(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the receiver has ended")
        return json.loads(line)


class LocalReceiver(_Handle):
    """A receiver in a thread of this process."""

    def start(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="receiver", daemon=True)
        self._thread.start()
        self._receiving = _Receiving(self.file, self._doors)
        self.ports = self._receiving.ports
        for door in range(self._doors):
            self.listen(door)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._receiving.close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _ask(self, command: dict[str, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(self._receiving.obey(command), self._loop).result(10)


async def _run(folder: Path, doors: int) -> None:
    """Obey commands on standard input until it ends; the first line of output names the ports."""
    receiving = _Receiving(folder / "requests", doors)
    for door in range(doors):
        await receiving.open(door)
    commands = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    print(json.dumps(receiving.ports), flush=True)
    while line := await commands.readline():
        print(json.dumps(await receiving.obey(json.loads(line))), flush=True)
    await receiving.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--doors", type=int, default=1)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(_run(arguments.folder, arguments.doors))


if __name__ == "__main__":
    main()
