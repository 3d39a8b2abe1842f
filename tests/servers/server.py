"""One private server process: started, frozen, stopped and, whatever happens to the run, ended."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_START_SECONDS = 60
_STOP_SECONDS = 20
#: A port that was free a moment ago may be taken by the time the server binds it.
_START_TRIES = 3


class ServerFailed(Exception):
    """A server of the suite does not run; the message holds the end of its log."""


def free_port() -> int:
    """A loopback port that nobody listens on at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def program(name: str, *, package: str, folders: Sequence[str] = ()) -> str:
    """The path of a server's program, also where Debian keeps it outside PATH. Raises ServerFailed."""
    places = [*os.get_exec_path(), *folders, "/usr/local/sbin", "/usr/sbin", "/sbin"]
    found = shutil.which(name, path=os.pathsep.join(places))
    if found is None:
        raise ServerFailed(f"{name} is not installed; Debian has it in {package} (make test installs it)")
    return found


class Server(ABC):
    """A server in a folder. Whoever calls start() calls destroy()."""

    #: PostgreSQL refuses to run as root; the others need no other user.
    run_as: str | None = None
    stop_signal = signal.SIGTERM
    end_signal = signal.SIGKILL
    address = "127.0.0.1"

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._reaper: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def prepare(self) -> None:
        """Make the data folder; called once, before the first start."""

    @abstractmethod
    def command(self) -> list[str]:
        """The server's command line, for the foreground."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether the server answers its protocol by now."""

    @property
    def log(self) -> Path:
        return self.directory / "server.log"

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start, and return when the server answers. Raises ServerFailed. Keeps the port over a restart."""
        if self.is_running:
            return
        is_first = self.port == 0
        if is_first:
            self._hand_over()
            self.prepare()
        for attempt in range(_START_TRIES):
            if is_first:
                self.choose_ports()
            try:
                self._launch()
                return
            except ServerFailed:
                if not is_first or attempt == _START_TRIES - 1:
                    raise

    def choose_ports(self) -> None:
        self.port = free_port()

    def stop(self) -> None:
        """Shut down in order, as an administrator would."""
        self._end(self.stop_signal)

    def kill(self) -> None:
        """End without a chance to say goodbye to anybody."""
        self._end(self.end_signal)

    def restart(self) -> None:
        self.stop()
        self.start()

    def freeze(self) -> None:
        """Stop the processes but keep their sockets open: connections are taken by the kernel and never answered."""
        frozen: set[int] = set()
        # The parent is the first to stop; a child that it made meanwhile is met in the next round.
        while fresh := [pid for pid in self.pids() if pid not in frozen]:
            for pid in fresh:
                _signal(pid, signal.SIGSTOP)
                _await_stop(pid)
            frozen.update(fresh)

    def thaw(self) -> None:
        for pid in self.pids():
            _signal(pid, signal.SIGCONT)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        self.freeze()
        try:
            yield
        finally:
            self.thaw()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        self.stop()
        try:
            yield
        finally:
            self.start()

    def heal(self) -> None:
        """Undo what a test did to a server that others share."""
        self.thaw()
        self.start()

    def destroy(self) -> None:
        """End the server. Its folder goes in the background: that of a PostgreSQL with hundreds of databases takes
        longer than a test may."""
        self.kill()
        subprocess.run(["sh", "-c", 'rm -rf "$1" >/dev/null 2>&1 &', "sh", str(self.directory)], check=True)

    def pids(self) -> list[int]:
        """The server's process and its children (PostgreSQL has one for each connection), the parent first."""
        if self._process is None or self._process.poll() is not None:
            return []
        return [self._process.pid, *_children(self._process.pid)]

    def run(self, command: Sequence[str], **settings: object) -> subprocess.CompletedProcess[bytes]:
        """Run a tool of the server in its folder, as the server's user. Raises ServerFailed with what it printed."""
        done = subprocess.run(
            list(command),
            cwd=self.directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            **self._identity(),  # type: ignore[call-overload]
            **settings,
        )
        if done.returncode != 0:
            raise ServerFailed(f"{command[0]} failed ({done.returncode}):\n{done.stdout.decode(errors='replace')}")
        result: subprocess.CompletedProcess[bytes] = done
        return result

    def _identity(self) -> dict[str, object]:
        if self.run_as is None or os.geteuid() != 0:
            return {}
        account = pwd.getpwnam(self.run_as)
        environment = {**os.environ, "HOME": str(self.directory), "USER": self.run_as, "LOGNAME": self.run_as}
        return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": [], "env": environment}

    def _hand_over(self) -> None:
        """Let the server's user into the folder, however closed the one above was made."""
        self.directory.mkdir(parents=True, exist_ok=True)
        identity = self._identity()
        if identity:
            os.chown(self.directory, pwd.getpwnam(str(self.run_as)).pw_uid, pwd.getpwnam(str(self.run_as)).pw_gid)

    def _launch(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for the test run, which then stops its servers in order.
                start_new_session=True,
                **self._identity(),  # type: ignore[call-overload]
            )
        self._reaper = _reaper(self._process.pid, self.directory)
        self._await_ready()

    def _await_ready(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self.is_running:
            if self.is_ready():
                return
            time.sleep(0.02)
        self.kill()
        raise ServerFailed(f"{type(self).__name__} does not answer on port {self.port}:\n{self._log_end()}")

    def _log_end(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        reaper, self._reaper = self._reaper, None
        if reaper is not None:
            reaper.kill()
            reaper.wait()
            assert reaper.stdin is not None
            reaper.stdin.close()
        if process is None or process.poll() is not None:
            return
        for pid in [process.pid, *_children(process.pid)]:
            _signal(pid, signal.SIGCONT)
        process.send_signal(how)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def state_of(pid: int) -> str:
    """The letter of proc(5) for a process: T for a stopped one, Z or nothing for one that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _signal(pid: int, number: signal.Signals) -> None:
    """Send a signal; a child of PostgreSQL may have ended since it was listed."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _await_stop(pid: int) -> None:
    deadline = time.monotonic() + _STOP_SECONDS
    while state_of(pid) not in ("T", "Z", "") and time.monotonic() < deadline:
        time.sleep(0.001)


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def _reaper(pid: int, directory: Path) -> subprocess.Popen[bytes]:
    """A shell that outlives a killed test run: when our end of its input closes, it ends the server.

    PR_SET_PDEATHSIG would not do: it fires when the *thread* that started the server ends.
    """
    script = 'read -r _; kill -CONT "$1"; kill -KILL "$1"; sleep 1; rm -rf "$2"'
    return subprocess.Popen(
        ["sh", "-c", script, "reaper", str(pid), str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
