"""A socket of which every wait ends with a deadline."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import sys

from integration_server import Deadline

#: Seconds, below which a limit is all that is left: to come back for the rest would take as long.
_SHORT = 0.1
_SHORTEST = 0.001
_IS_LINUX = sys.platform == "linux"
#: Asked for where ``_IS_LINUX`` alone; Windows knows no such flag.
_DO_NOT_WAIT: int = getattr(socket, "MSG_DONTWAIT", 0)


class TimedSocket:
    """Sends and receives, each within a deadline. Whoever opened the socket closes it.

    Python's own time-outs take three system calls for each of these, to set the limit, to wait and to act; and at each
    of them a thread gives the interpreter away and queues up for it again, which costs more than the questions of a
    login where many ask at once. So the limit is set ahead to less than what is left, is kept while it fits, and a
    wait that it ends is taken up again until the deadline; and where the system itself keeps it (SO_RCVTIMEO), sending
    and receiving are one call each.
    """

    __slots__ = ("_is_kept_by_system", "_seconds", "_socket")

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        #: OpenSSL's own reading takes no notice of what the system keeps.
        self._is_kept_by_system = _IS_LINUX and not isinstance(sock, ssl.SSLSocket)
        #: The limit that is set, 0 for none of ours.
        self._seconds = 0.0

    def send(self, data: bytes, deadline: Deadline) -> None:
        """Send all of it. Raises TimeoutError, BackendTimeout, OSError."""
        view: bytes | memoryview = data
        while True:
            self._limit(deadline)
            try:
                sent = self._socket.send(view)
            except (TimeoutError, BlockingIOError) as exc:
                _go_on(deadline, exc)
                continue
            if sent == len(view):
                return
            view = memoryview(view)[sent:]

    def receive(self, size: int, deadline: Deadline) -> bytes:
        """What has come, up to so many octets; nothing at the end. Raises TimeoutError, BackendTimeout, OSError."""
        while True:
            self._limit(deadline)
            try:
                return self._socket.recv(size)
            except (TimeoutError, BlockingIOError) as exc:
                _go_on(deadline, exc)

    def is_quiet(self) -> bool:
        """Whether nothing has come, not even the end."""
        try:
            if self._is_kept_by_system and self._seconds:
                self._socket.recv(1, _DO_NOT_WAIT)
            else:
                self._seconds = 0.0
                self._socket.setblocking(False)
                self._socket.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except (OSError, ValueError):
            return False
        return False

    def _limit(self, deadline: Deadline) -> None:
        """See that no wait goes beyond the deadline. Raises BackendTimeout where that is over."""
        left = deadline.remaining()
        if not left / 4 < self._seconds <= left:
            self._set(left / 2 if left > _SHORT else left)

    def _set(self, seconds: float) -> None:
        if self._is_kept_by_system:
            # A limit of 0 would be none.
            whole, rest = divmod(max(seconds, _SHORTEST), 1)
            limit = struct.pack("@ll", int(whole), int(rest * 1e6))
            self._is_kept_by_system = False
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
                self._is_kept_by_system = True
        if not self._is_kept_by_system:
            self._socket.settimeout(seconds)
        elif not self._seconds:
            self._socket.settimeout(None)
        self._seconds = seconds


def _go_on(deadline: Deadline, exc: OSError) -> None:
    """Raises TimeoutError where the deadline is over."""
    if deadline.is_over():
        raise TimeoutError("the deadline is over") from exc
