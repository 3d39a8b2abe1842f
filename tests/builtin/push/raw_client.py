"""A WebSocket client without manners: bytes over TCP."""

from __future__ import annotations

import json
import socket
import struct
import time
from types import TracebackType

REQUEST = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def frame(content: bytes, opcode: int = 1, is_final: bool = True, length: int | None = None) -> bytes:
    """A frame with a mask that changes nothing; ``length`` may lie about what follows."""
    size = len(content) if length is None else length
    first = bytes(((0x80 if is_final else 0) | opcode,))
    if size < 126:
        head = bytes((0x80 | size,))
    elif size < 1 << 16:
        head = struct.pack("!BH", 0x80 | 126, size)
    else:
        head = struct.pack("!BQ", 0x80 | 127, size)
    return first + head + b"\0\0\0\0" + content


class RawClient:
    """Reads what comes into ``got``, and nothing by itself."""

    def __init__(self, port: int, request: bytes = REQUEST, receive_buffer: int | None = None) -> None:
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(20)
        self.socket.connect(("127.0.0.1", port))
        self.socket.sendall(request)
        self.got = b""

    def __enter__(self) -> RawClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def say(self, message: object) -> None:
        self.socket.sendall(frame(json.dumps(message).encode()))

    def read_until(self, text: bytes) -> bytes:
        """What came up to there and a little beyond."""
        while text not in self.got:
            more = self.socket.recv(65536)
            assert more, f"closed after {self.got[-200:]!r}"
            self.got += more
        return self.got

    def seconds_until_closed(self) -> float:
        """The client does nothing about it itself."""
        began = time.monotonic()
        try:
            while more := self.socket.recv(65536):
                self.got += more
        except ConnectionError:
            pass
        return time.monotonic() - began

    def is_reset_within(self, seconds: float) -> bool:
        """Whether the server has given the connection up, and not just said that it sends no more."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            try:
                self.socket.sendall(frame(b"", opcode=10))
            except OSError:
                return True
            time.sleep(0.1)
        return False

    @property
    def close_code(self) -> int:
        """That of a close frame at the end of what came."""
        at = self.got.rindex(b"\x88")
        return int.from_bytes(self.got[at + 2 : at + 4], "big")
