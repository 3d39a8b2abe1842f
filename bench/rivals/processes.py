"""Processes of rivals: wait until one answers, end it and what it started."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

_START_SECONDS = 120


def wait_until(process: subprocess.Popen[bytes], is_ready: Callable[[], bool], log: Path) -> None:
    """Until it is ready. Ends the bench with the end of the log where it does not get there."""
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if is_ready():
            return
        time.sleep(0.1)
    raise SystemExit(f"{process.args!r} did not start: {log.read_text(errors='replace')[-2000:]}")


def wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    wait_until(process, lambda: listens(port), log)


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask it to end; one that does not within some seconds is killed."""
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def end_group(process: subprocess.Popen[bytes]) -> None:
    """The same, and then whatever else is in its group; for what was started with a session of its own."""
    end(process)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
