"""SIGHUP: the server goes on with its files as they are now, if they can be used, and with the old ones if not.

The process starts itself anew under the same process id and takes the listening socket with it: callers wait for that
moment in the listen queue, and nobody is refused.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

logger = logging.getLogger(__name__)

#: Number of the listening socket, then host and port as they were asked for.
_VARIABLE = "INTEGRATION_SERVER_LISTENER"
_LOOK_SECONDS = 0.2
_CHECK_SECONDS = 120.0


class Reloading:
    """Hears SIGHUP while ``heard`` lasts. ``sock`` is the listening socket, which is kept open for the next start."""

    def __init__(self, check: Sequence[str], sock: socket.socket, host: str, port: int) -> None:
        """``check`` is the command line of a program that ends with 0 where the files can be used."""
        self._check = list(check)
        self._where = f"{host} {port}"
        self._sock = sock.dup() if _is_possible() else None
        self._is_asked = False
        self._is_over = False
        self._is_due = False

    @property
    def is_due(self) -> bool:
        """Whether the server is to begin anew."""
        return self._is_due

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Until the block ends, which SIGTERM is to bring about, SIGHUP is heard; in the main thread only."""
        is_main = threading.current_thread() is threading.main_thread()
        if sys.platform == "win32" or self._sock is None or not is_main:
            yield
            return

        def hear(*_: object) -> None:
            # A plain flag, since a lock may be held here.
            self._is_asked = True

        previous = signal.signal(signal.SIGHUP, hear)
        thread = threading.Thread(target=self._watch, name="reload", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._is_over = True
            thread.join(_LOOK_SECONDS * 5)
            signal.signal(signal.SIGHUP, previous)

    def _watch(self) -> None:
        pause = threading.Event()
        while not self._is_over:
            if self._is_asked:
                self._is_asked = False
                if self._is_usable():
                    logger.info("the configuration is read anew")
                    self._is_due = True
                    os.kill(os.getpid(), signal.SIGTERM)
                    return
            pause.wait(_LOOK_SECONDS)

    def _is_usable(self) -> bool:
        try:
            found = subprocess.run(
                self._check, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_CHECK_SECONDS
            )
        except (OSError, subprocess.TimeoutExpired) as exc:
            logger.error("the configuration cannot be checked, and the old one stays: %s", exc)
            return False
        if found.returncode:
            logger.error("the configuration is refused, and the old one stays: %s", found.stderr.strip())
        return not found.returncode

    def go_on(self) -> None:
        """Start anew if that was asked for; otherwise let go of the socket and return. Call it last of all."""
        if self._sock is None:
            return
        if not self._is_due:
            self._sock.close()
            return
        self._sock.set_inheritable(True)
        os.environ[_VARIABLE] = f"{self._sock.fileno()} {self._where}"
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        os.execv(sys.executable, sys.orig_argv)


def inherited_listener(host: str, port: int) -> socket.socket | None:
    """The listening socket of this process's former life, if it is on this address; None otherwise."""
    told = os.environ.pop(_VARIABLE, None)
    if told is None:
        return None
    number, _, where = told.partition(" ")
    sock = socket.socket(fileno=int(number))
    sock.set_inheritable(False)
    if where == f"{host} {port}":
        return sock
    sock.close()
    return None


def _is_possible() -> bool:
    """Windows has neither the signal nor a way to stay the same process; a terminal that hangs up ends the server."""
    return sys.platform != "win32" and not (sys.stdin is not None and sys.stdin.isatty())
