"""A TCP proxy that misbehaves on demand: before any server, it refuses, swallows, freezes, drips, cuts or spoils.

    with TcpProxy(("127.0.0.1", server.port)) as proxy:
        proxy.fault = CutAfter(1000)
        ...  # connect to 127.0.0.1, proxy.port

A fault may be set at any time and holds for open connections as well as for new ones. Bytes are counted on the way from
the server to the client, from the moment the fault is set or the connection made, whichever is later.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Final, Self, TypeAlias

_CHUNK: Final = 65_536
#: SO_LINGER on with zero seconds: close() sends RST.
_RESET: Final = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Pass:
    """Hand everything on."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """New connections are refused, as by a port on which nobody listens. Open ones go on; see drop()."""


@dataclass(frozen=True, slots=True)
class BlackHole:
    """Take the connection and all the client sends, and never answer."""


@dataclass(frozen=True, slots=True)
class FreezeAfter:
    """Hand on so many bytes of the answer, then nothing more, with the connection open."""

    count: int


@dataclass(frozen=True, slots=True)
class CutAfter:
    """Hand on so many bytes of the answer, then end the connection: with a FIN, or with a reset."""

    count: int
    is_reset: bool = False


@dataclass(frozen=True, slots=True)
class Drip:
    """Hand on one byte of the answer at a time, with a pause before each."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Delay:
    """Hand on each piece of the answer after a pause."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Spoil:
    """Change so many bytes of the answer, ``skip`` bytes behind each ``marker`` that comes in one piece."""

    marker: bytes
    skip: int
    count: int

    def applied(self, piece: bytes) -> bytes:
        spoilt = bytearray(piece)
        at = piece.find(self.marker)
        while at >= 0:
            begin = at + len(self.marker) + self.skip
            for place in range(begin, min(begin + self.count, len(spoilt))):
                spoilt[place] ^= 0xFF
            at = piece.find(self.marker, at + 1)
        return bytes(spoilt)


Fault: TypeAlias = Pass | Refuse | BlackHole | FreezeAfter | CutAfter | Drip | Delay | Spoil


class TcpProxy:
    """A proxy for one server; ``port`` is fixed from the start on. close() ends all connections and threads."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self.port = 0
        #: Connections taken so far.
        self.accepted = 0
        self._fault: Fault = Pass()
        self._changed = threading.Condition()
        self._is_closed = False
        self._door: socket.socket | None = None
        self._links: set[_Link] = set()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        with self._changed:
            self._bind(is_open=True)

    @property
    def fault(self) -> Fault:
        return self._fault

    @fault.setter
    def fault(self, fault: Fault) -> None:
        with self._changed:
            was_open, is_open = not isinstance(self._fault, Refuse), not isinstance(fault, Refuse)
            self._fault = fault
            if was_open != is_open:
                self._bind(is_open=is_open)
            for link in self._links:
                link.passed = 0
            self._changed.notify_all()

    @property
    def connections(self) -> int:
        """How many connections are open."""
        with self._changed:
            return len(self._links)

    def drop(self) -> None:
        """Reset every open connection."""
        with self._changed:
            links = list(self._links)
        for link in links:
            link.end(is_reset=True)

    def close(self) -> None:
        with self._changed:
            self._is_closed = True
            _close(self._door)
            self._changed.notify_all()
        self.drop()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive(), "a thread of the proxy hangs"

    def _bind(self, *, is_open: bool) -> None:
        """Open the door, or hold the port without listening: connections to it are refused, and nobody else gets it."""
        _close(self._door)
        door = socket.socket()
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind(("127.0.0.1", self.port))
        self.port = door.getsockname()[1]
        self._door = door
        if is_open:
            door.listen(128)
            self._run(lambda: self._accept(door))

    def _run(self, work: Callable[[], None]) -> None:
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        thread = threading.Thread(target=work, name="tcp_proxy", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, door: socket.socket) -> None:
        while True:
            try:
                client, _ = door.accept()
            except OSError:
                return
            with self._changed:
                self.accepted += 1
                if self._is_closed or isinstance(self._fault, Refuse):
                    _close(client, is_reset=True)
                    continue
                link = _Link(client)
                self._links.add(link)
                self._run(partial(self._ask, link))

    def _ask(self, link: _Link) -> None:
        """Carry what the client sends, and begin with the connection to the server."""
        try:
            # At once: some servers speak first.
            if not isinstance(self._fault, BlackHole):
                self._connect(link)
            while data := link.client.recv(_CHUNK):
                if not isinstance(self._fault, BlackHole):
                    (link.server or self._connect(link)).sendall(data)
            if link.server is not None:
                link.server.shutdown(socket.SHUT_WR)
                link.answered.wait()
        except OSError:
            pass
        finally:
            link.end()
            with self._changed:
                self._links.discard(link)

    def _connect(self, link: _Link) -> socket.socket:
        server = socket.create_connection(self.target, 10)
        server.settimeout(None)
        link.server = server
        with self._changed:
            self._run(lambda: self._answer(link, server))
        return server

    def _answer(self, link: _Link, server: socket.socket) -> None:
        """Carry what the server sends, as the fault of the moment has it."""
        try:
            while data := server.recv(_CHUNK):
                while data:
                    data = self._hand_on(link, data)
            self._wait(lambda: isinstance(self._fault, BlackHole | FreezeAfter) and link.is_open)
            link.finish()
        except OSError:
            link.end()
        finally:
            link.answered.set()

    def _hand_on(self, link: _Link, data: bytes) -> bytes:
        """Send the part of ``data`` that may go now; what is left. Raises OSError when the connection is at its end."""
        match fault := self._fault:
            case BlackHole():
                return b""
            case FreezeAfter(count):
                piece = data[: max(0, count - link.passed)]
                if not piece:
                    self._wait(lambda: self._fault is fault and link.is_open)
            case CutAfter(count, is_reset):
                piece = data[: max(0, count - link.passed)]
                if not piece:
                    link.end(is_reset=is_reset)
                    raise ConnectionAbortedError
            case Drip(seconds) | Delay(seconds):
                piece = data[:1] if isinstance(fault, Drip) else data
                self._wait(lambda: self._fault is fault and link.is_open, seconds)
            case _:
                piece = data
        with self._changed:
            if not link.is_open:
                raise ConnectionAbortedError
            if self._fault is not fault:
                return data
            # Counted before the client can see it: whoever reads it and then sets a fault starts the count anew.
            link.passed += len(piece)
        link.client.sendall(fault.applied(piece) if isinstance(fault, Spoil) else piece)
        return data[len(piece) :]

    def _wait(self, is_so: Callable[[], bool], seconds: float = 3600) -> None:
        """Wait while it is so, for so long at most; the end of the proxy ends every wait."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while not self._is_closed and is_so() and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(min(left, 0.5))


class _Link:
    """One client's connection and the one to the server behind it."""

    def __init__(self, client: socket.socket) -> None:
        self.client = client
        self.server: socket.socket | None = None
        self.passed = 0
        self.is_open = True
        self.answered = threading.Event()
        self._lock = threading.Lock()

    def end(self, *, is_reset: bool = False) -> None:
        """End both connections. The first call decides how: a FIN sent meanwhile would spoil a reset."""
        with self._lock:
            if not self.is_open:
                return
            self.is_open = False
            _close(self.client, is_reset=is_reset)
            _close(self.server)
            self.answered.set()

    def finish(self) -> None:
        """Tell the client that the server has said everything."""
        with self._lock:
            if self.is_open:
                self.client.shutdown(socket.SHUT_WR)


def _close(connection: socket.socket | None, *, is_reset: bool = False) -> None:
    if connection is None:
        return
    with contextlib.suppress(OSError):
        # shutdown() wakes whoever waits in recv() or accept() on it, which close() does not; SHUT_RD sends nothing.
        if is_reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            connection.shutdown(socket.SHUT_RD)
        else:
            connection.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(OSError):
        connection.close()
