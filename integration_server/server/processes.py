"""Several worker processes behind one listening socket: a supervisor that starts, restarts and ends them.

The socket is handed over through the worker's standard input, which then stays open for as long as the
supervisor lives: its end tells a worker to stop, also after kill -9. On POSIX the first line names an
inherited descriptor, on Windows it holds the socket itself (WSADuplicateSocket wants to know the worker's
process id first).
"""

from __future__ import annotations

import base64
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from integration_server.sdk.errors import IntegrationError

logger = logging.getLogger(__name__)

WORKER_VARIABLE = "INTEGRATION_SERVER_WORKER"
"""Set in the environment of worker processes: their number, from 1."""

LOOK_SECONDS = 0.1


class WorkersFailed(IntegrationError):
    """The worker processes end as soon as they are started."""


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """When a worker that ended is started again.

    One that lived for ``settled_seconds`` is replaced at once. Otherwise the pause begins with
    ``first_pause_seconds`` and doubles with every quick end, up to ``longest_pause_seconds``. After
    ``quick_ends`` of them in a row, all workers counted together, the supervisor gives up, unless another
    worker is settled.
    """

    settled_seconds: float = 30.0
    first_pause_seconds: float = 0.5
    longest_pause_seconds: float = 30.0
    quick_ends: int = 5

    def pause(self, quick_ends: int) -> float:
        if not quick_ends:
            return 0.0
        return min(self.longest_pause_seconds, self.first_pause_seconds * 2.0 ** min(quick_ends - 1, 20))


@dataclass(slots=True)
class _Place:
    """One worker's place: the process that holds it, or the moment from which a new one may."""

    number: int
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_after: float = field(default=0.0)


def serve_processes(
    argv: Sequence[str],
    sock: socket.socket,
    processes: int,
    *,
    stop_seconds: float = 15.0,
    policy: RestartPolicy | None = None,
    on_started: Callable[[], None] | None = None,
    on_turn: Callable[[], None] | None = None,
) -> None:
    """Run ``processes`` workers, each by the command ``argv``, until SIGTERM, SIGINT or (Windows) SIGBREAK.

    A worker takes the listening ``sock`` from :func:`inherited_socket`. One that ends is replaced as
    ``policy`` says. At the end all are told to stop, and killed after ``stop_seconds``; then ``sock`` is
    closed. ``on_started`` is called once all are started (not: ready; until they are, callers wait in the
    listen queue), ``on_turn`` several times a second. Call it in the main thread. Raises WorkersFailed when it
    gives up.
    """
    supervisor = _Supervisor(argv, sock, processes, policy or RestartPolicy())
    with _stopped_by_signals(supervisor):
        try:
            supervisor.run(on_started, on_turn)
        finally:
            sock.close()
            supervisor.end_workers(stop_seconds)


class _Supervisor:
    def __init__(self, argv: Sequence[str], sock: socket.socket, processes: int, policy: RestartPolicy) -> None:
        self._argv = list(argv)
        self._sock = sock
        self._policy = policy
        self._places = [_Place(number) for number in range(1, processes + 1)]
        self._quick_ends = 0
        self._is_stopping = False

    def stop(self) -> None:
        # A plain flag: this runs in a signal handler, where a lock could be held by the code below it.
        self._is_stopping = True

    def run(self, on_started: Callable[[], None] | None, on_turn: Callable[[], None] | None) -> None:
        for place in self._places:
            self._start(place)
        if on_started is not None:
            on_started()
        while not self._is_stopping:
            now = time.monotonic()
            for place in self._places:
                if place.process is None:
                    if now >= place.start_after:
                        self._start(place)
                elif place.process.poll() is not None:
                    self._note_end(place, now)
            if on_turn is not None:
                on_turn()
            time.sleep(LOOK_SECONDS)

    def end_workers(self, seconds: float) -> None:
        running = [place.process for place in self._places if place.process is not None]
        for process in running:
            _tell_to_stop(process)
        deadline = time.monotonic() + seconds
        for process in running:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                logger.warning("worker process %d did not stop within %g s and was killed", process.pid, seconds)
                process.kill()
                process.wait()

    def _start(self, place: _Place) -> None:
        try:
            place.process = _spawn(self._argv, self._sock, place.number)
        except OSError as exc:
            raise WorkersFailed(f"cannot start a worker process: {exc.strerror or exc}") from exc
        place.started_at = time.monotonic()
        logger.info("worker process %d has the process id %d", place.number, place.process.pid)

    def _note_end(self, place: _Place, now: float) -> None:
        process = place.process
        assert process is not None
        place.process = None
        _tell_to_stop(process)
        is_quick = now - place.started_at < self._policy.settled_seconds
        self._quick_ends = self._quick_ends + 1 if is_quick else 0
        how = _how_it_ended(process.returncode)
        if self._quick_ends >= self._policy.quick_ends and not self._has_settled_worker(now):
            raise WorkersFailed(
                f"the worker processes end as soon as they are started ({self._quick_ends} times in a row, "
                f"the last one {how}); the messages above tell why, as does a start with one process"
            )
        pause = self._policy.pause(self._quick_ends)
        place.start_after = now + pause
        logger.error(
            "worker process %d (process id %d) %s; it is replaced in %g s",
            place.number,
            process.pid,
            how,
            pause,
        )

    def _has_settled_worker(self, now: float) -> bool:
        return any(
            place.process is not None and now - place.started_at >= self._policy.settled_seconds
            for place in self._places
        )


def _spawn(argv: list[str], sock: socket.socket, number: int) -> subprocess.Popen[bytes]:
    environment = {**os.environ, WORKER_VARIABLE: str(number)}
    # In a process group of their own, workers do not hear the terminal's Ctrl-C: stopping them is the
    # supervisor's.
    if sys.platform == "win32":
        argv = without_redirector(argv, environment)
        process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, env=environment, creationflags=subprocess.CREATE_NEW_PROCESS_GROUP
        )
        handed_over = {"share": base64.b64encode(sock.share(process.pid)).decode()}
    else:
        process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, env=environment, pass_fds=(sock.fileno(),), process_group=0
        )
        handed_over = {"descriptor": str(sock.fileno())}
    assert process.stdin is not None
    with suppress(OSError):  # it has ended already; poll() will tell
        process.stdin.write(json.dumps(handed_over).encode() + b"\n")
        process.stdin.flush()
    return process


def without_redirector(argv: list[str], environment: dict[str, str]) -> list[str]:
    """The command that runs at once what ``argv`` runs in the end; puts into ``environment`` what that takes.

    On Windows, python.exe of a virtual environment only starts the real one, as a process of its own: a socket that is
    shared with the process which we started would be out of the worker's reach. (multiprocessing does the same.)
    """
    base: str = getattr(sys, "_base_executable", None) or sys.executable
    if argv[0] != sys.executable or base == sys.executable:
        return argv
    environment["__PYVENV_LAUNCHER__"] = sys.executable
    return [base, *argv[1:]]


def _tell_to_stop(process: subprocess.Popen[bytes]) -> None:
    # The same on every system, and the same as our own sudden end. (On Windows terminate() would be kill().)
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


@contextmanager
def _stopped_by_signals(supervisor: _Supervisor) -> Iterator[None]:
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGBREAK") if hasattr(signal, name)]
    previous = {number: signal.signal(number, lambda *_: supervisor.stop()) for number in numbers}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def inherited_socket(stop_seconds: float = 15.0) -> socket.socket | None:
    """The listening socket that :func:`serve_processes` gave to this process; None if it did not start it.

    From then on the end of the supervisor stops this process as SIGTERM does, and ends it for good
    ``stop_seconds`` later. Takes standard input for itself. Call it once, early.
    """
    if os.environ.pop(WORKER_VARIABLE, None) is None:
        return None
    line = _first_line_of_input()
    if not line:
        raise SystemExit(0)  # the supervisor is gone already
    handed_over = json.loads(line)
    if sys.platform == "win32":
        sock = socket.fromshare(base64.b64decode(handed_over["share"]))
    else:
        sock = socket.socket(fileno=int(handed_over["descriptor"]))
        sock.set_inheritable(False)
    threading.Thread(target=_end_with_input, args=(stop_seconds,), name="supervisor-watch", daemon=True).start()
    return sock


def _first_line_of_input() -> bytes:
    # Not sys.stdin: the interpreter could not shut down while a thread is inside its buffer.
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            return b""
        line += byte
    return line


def _end_with_input(stop_seconds: float) -> None:
    while os.read(0, 4096):
        pass
    if sys.platform == "win32":
        signal.raise_signal(signal.SIGTERM)
    else:  # wakes the main thread out of what it waits for
        os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(stop_seconds)
    logger.error("this worker process did not stop within %g s and ends itself", stop_seconds)
    os._exit(1)
