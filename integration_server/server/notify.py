"""What systemd is told: that the server is ready, that it stops, and that its loop still turns (sd_notify(3))."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress

READY, STOPPING, _ALIVE = "READY=1", "STOPPING=1", "WATCHDOG=1"


def tell(state: str) -> None:
    """Send one line to whoever started the server with ``NOTIFY_SOCKET``; to nobody where that is not set."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path or not hasattr(socket, "AF_UNIX"):
        return
    # An @ stands for the zero byte with which names begin that are no files.
    address = "\0" + path[1:] if path.startswith("@") else path
    # Who does not listen any more cannot be told; that is no reason to fail.
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.sendto(state.encode(), address)


class Heartbeat:
    """Says that the loop turns, as often as systemd's ``WatchdogSec`` wants to hear it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pause = _pause()
        self._told_at = float("-inf")

    def beat(self) -> None:
        """The loop has turned once more."""
        if self._pause is None:
            return
        now = self._clock()
        if now - self._told_at >= self._pause:
            self._told_at = now
            tell(_ALIVE)


def _pause() -> float | None:
    """Seconds between two beats, or None where nobody wants any."""
    wanted, pid = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
    if not wanted.isdigit() or not int(wanted) or pid not in ("", str(os.getpid())):
        return None
    return int(wanted) / 1e6 / 3
