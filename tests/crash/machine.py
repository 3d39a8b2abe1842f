"""The real server as a process, to be killed."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.servers.server import free_port


class Machine:
    """``integration-server serve`` (or another command) on a configuration folder. Ends with the test at the latest.

    What it says is read all the time and kept in ``said``, over all its lives; nothing of it goes to a file, so that a
    full disk of the process does not silence it.
    """

    def __init__(
        self,
        config: Path,
        command: str = "serve",
        port: int | None = None,
        environment: Mapping[str, str] | None = None,
        options: Sequence[str] = (),
    ) -> None:
        self.said: list[str] = []
        #: When each life began; Unix seconds.
        self.births: list[float] = []
        self.port = port or free_port()
        self._config = config
        self._command = command
        self._environment = {**os.environ, **(environment or {})}
        self._options = list(options)
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start; it is ready some time later."""
        assert not self.is_running
        self.births.append(time.time())
        options = [*(["--port", str(self.port)] if self._command == "serve" else []), *self._options]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "integration_server", self._command, *options, str(self._config)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            env=self._environment,
        )
        self._reader = threading.Thread(target=self._listen, args=(self._process,), daemon=True)
        self._reader.start()

    def wait_ready(self, seconds: float = 30) -> None:
        """Wait until it takes connections."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert self.is_running, f"the server ended:\n{self.log()}"
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.02)
        raise AssertionError(f"the server does not answer:\n{self.log()}")

    def kill(self) -> None:
        """kill -9 for the process and all that it started; nobody gets to say goodbye."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)
        if self._reader is not None:
            self._reader.join(10)

    def stop(self, seconds: float = 30) -> int:
        """Stop it in order; the exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(seconds)

    def run(self, *arguments: str, seconds: float = 60) -> str:
        """Run another command of ours on the same configuration, whose folder is put at the end; what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "integration_server", *arguments, str(self._config)],
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def log(self, lines: int = 60) -> str:
        return "\n".join(self.said[-lines:])

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                self.said.append(line.rstrip("\n"))
