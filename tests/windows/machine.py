"""A Windows machine under Wine, with the wheel in a virtual environment of its own.

``python -m tests.windows.preparing`` makes it. Everything lies in one folder of the tree; its drive C: is ``drive_c``.
"""

from __future__ import annotations

import json
import os
import queue
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any, BinaryIO

from tests.waiting import wait_for

ROOT = Path(__file__).parents[2]
HOME = ROOT / "build" / "windows"
PYTHON = PureWindowsPath("C:/Python313")
VENV = PureWindowsPath("C:/Program Files/integration server/venv")
PROGRAM = VENV / "Scripts" / "integration-server.exe"
#: For what takes seconds where nothing else goes on.
WAIT_SECONDS = 240.0
#: The system's code page is 1252, as in Western Europe and America.
CODE_PAGE = "cp1252"


@dataclass(frozen=True, slots=True)
class Done:
    """A program that has ended. What it printed is bytes, with Windows' line ends."""

    code: int
    out: bytes
    errors: bytes

    @property
    def text(self) -> str:
        """Everything that it printed, in the code page, as people would see it."""
        return (self.out + self.errors).decode(CODE_PAGE, "replace").replace("\r\n", "\n")

    def json(self) -> Any:
        """What it printed for programs."""
        return json.loads(self.out)


class Machine:
    """Runs programs on it. Its name for a file is Windows', ours is this system's."""

    def __init__(self, home: Path = HOME) -> None:
        self._prefix = home / "prefix"

    @property
    def environment(self) -> dict[str, str]:
        """Wine's: nothing of its own on standard error but what the event log gets, no Mono, no browser, no menus."""
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PIP_"))},
            "WINEPREFIX": str(self._prefix),
            "WINEDEBUG": "-all,err+eventlog,warn+eventlog",
            "WINEDLLOVERRIDES": "mscoree,mshtml,winedbg.exe,winemenubuilder.exe=",
            "WINEARCH": "win64",
            "LC_ALL": "en_US.UTF-8",
        }

    def ours(self, path: PureWindowsPath) -> Path:
        """Where a file of drive C: lies for us."""
        return self._prefix / "drive_c" / Path(*path.parts[1:])

    def theirs(self, path: Path) -> PureWindowsPath:
        """What Windows calls a file of ours."""
        return PureWindowsPath("Z:/", *path.resolve().parts[1:])

    def start(self, program: PureWindowsPath | str, *words: object) -> subprocess.Popen[bytes]:
        """Start a program, with pipes for all its streams: CPython takes no others from Wine."""
        command = ["wine", str(program), *map(str, words)]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, env=self.environment, stdin=pipe, stdout=pipe, stderr=pipe)

    def run(self, program: PureWindowsPath | str, *words: object, given: bytes = b"", seconds: float = 600) -> Done:
        """Run a program to its end."""
        with self.start(program, *words) as process:
            try:
                out, errors = process.communicate(given, seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return Done(process.returncode, out, errors)

    def python(self, code: str, *words: object) -> Done:
        """Run a piece of Python in the virtual environment."""
        return self.run(VENV / "Scripts" / "python.exe", "-c", code, *words)

    def server(self, *words: object, given: bytes = b"") -> Done:
        """Run ``integration-server`` as it was installed."""
        return self.run(PROGRAM, *words, given=given)

    def begin(self) -> None:
        """Switch it on, and make its drive where there is none. Without this it would begin and end with each program,
        which takes seconds; and its own services would hold that program's pipes."""
        # One that an interrupted run left on would not begin again.
        self.end()
        self._prefix.mkdir(parents=True, exist_ok=True)
        for command in (["wineserver", "-p"], ["wine", "wineboot", "--init"]):
            nothing = subprocess.DEVNULL
            subprocess.run(
                command, env=self.environment, stdin=nothing, stdout=nothing, stderr=nothing, check=True, timeout=600
            )

    def end(self) -> None:
        """Switch it off, whatever still runs on it."""
        if self._prefix.is_dir():
            for option in ("-k", "-w"):
                subprocess.run(["wineserver", option], env=self.environment, check=False, timeout=120)


class Service:
    """A program that runs as a service: started and stopped as WinSW does it (manager.py). ``lines`` is what it said so
    far, on both streams."""

    def __init__(self, machine: Machine, *words: object) -> None:
        manager = machine.theirs(Path(__file__).with_name("manager.py"))
        self._process = machine.start(VENV / "Scripts" / "python.exe", manager, *words)
        self._told: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.lines: list[str] = []
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        for stream, take in ((self._process.stdout, self._hear), (self._process.stderr, self.lines.append)):
            threading.Thread(target=_read, args=(stream, take), daemon=True).start()

    def _hear(self, line: str) -> None:
        if line.startswith("MANAGER "):
            self._told.put(line)
        else:
            self.lines.append(line)

    def _tell(self, command: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(command.encode() + b"\n")
        self._process.stdin.flush()

    def has_said(self, pattern: str) -> bool:
        """Whether a line matches a regular expression."""
        return any(re.search(pattern, line) for line in [*self.lines])

    def wait_until_said(self, pattern: str) -> None:
        wait_for(lambda: self.has_said(pattern), lambda: f"{pattern!r} in\n" + "\n".join(self.lines), WAIT_SECONDS)

    def answered_by(self) -> set[str]:
        """The process ids that answered requests."""
        found = (re.search(r" INFO \[(\d+) [0-9a-f]+\] integration_server\.access", line) for line in [*self.lines])
        return {match[1] for match in found if match is not None}

    @property
    def is_over(self) -> bool:
        return self._process.poll() is not None

    def kill(self, pid: str) -> None:
        """TerminateProcess, as the task manager does it."""
        self._tell(f"kill {pid}")

    def ask_to_stop(self) -> None:
        """Ctrl-C to everything on its console, as WinSW does it."""
        self._tell("stop")

    def code(self) -> int:
        """Its exit code, once it has ended. It is killed where that takes longer than a service manager waits."""
        return int(self._told.get(timeout=WAIT_SECONDS).removeprefix("MANAGER ended "))

    def close(self) -> None:
        """End it, whatever it does."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(WAIT_SECONDS)


def _read(stream: BinaryIO, take: Callable[[str], None]) -> None:
    for line in stream:
        take(line.decode(errors="replace").rstrip())


@contextmanager
def service(machine: Machine, *words: object) -> Iterator[Service]:
    running = Service(machine, *words)
    try:
        yield running
    finally:
        running.close()
