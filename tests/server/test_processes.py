"""Servers in processes of their own: stopped by signals, several behind one socket, and no orphans."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from integration_server.server.processes import without_redirector
from tests.server.wire import Answer, ask, connect, read_answer
from tests.waiting import wait_for

ROOT = Path(__file__).parents[2]
MEGABYTE = 1 << 20


class Started:
    """A process that runs tests.server.worker."""

    def __init__(self, mode: str, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.server.worker", mode],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def get(self, path: str, timeout: float = 10.0) -> Answer:
        return ask(self.port, request(path), timeout)

    def wait_for_line(self, line: str) -> None:
        assert self.process.stdout is not None
        while self.process.stdout.readline() != line + "\n":
            assert self.process.poll() is None

    def workers(self) -> set[int]:
        """Process ids of its children."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return {int(pid) for pid in children.split()}

    def wait(self) -> tuple[int, str, str]:
        """Exit code, the rest of standard output, and standard error."""
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        with self.process.stdout as output, self.process.stderr as errors:
            return self.process.wait(30), output.read(), errors.read()


Start = Callable[..., Started]


def request(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def has_ended(pid: int) -> bool:
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[Started] = []

    def start_one(mode: str, **environment: str) -> Started:
        started.append(Started(mode, **environment))
        return started[-1]

    yield start_one
    for one in started:
        workers = one.workers() if one.process.poll() is None else set()
        one.process.kill()
        one.process.wait()
        for stream in (one.process.stdout, one.process.stderr):
            assert stream is not None
            stream.close()
        for worker in workers:
            wait_for(partial(has_ended, worker))


@pytest.fixture
def supervisor(start: Start) -> Started:
    """A supervisor whose two workers answer."""
    supervisor = start("supervisor")
    wait_for(lambda: len(supervisor.workers()) == 2)
    wait_for(lambda: answering_pids(supervisor) == supervisor.workers())
    return supervisor


def answering_pids(server: Started) -> set[int]:
    return {int(server.get("/pid").body) for _ in range(20)}


# One process.


@pytest.mark.parametrize("signal_", [signal.SIGTERM, signal.SIGINT])
def test_running_request_is_finished_before_the_process_ends(signal_: signal.Signals, start: Start) -> None:
    server = start("single")
    with connect(server.port) as running, connect(server.port) as idle:
        running.sendall(request("/sleep?1"))
        server.wait_for_line("running")
        server.process.send_signal(signal_)
        assert idle.recv(10) == b""
        with pytest.raises(ConnectionRefusedError):
            connect(server.port)
        assert read_answer(running).status == 200
    code, output, errors = server.wait()
    assert (code, output) == (0, "stopped\n")
    assert "Traceback" not in errors


def test_second_interrupt_cuts_running_requests_off(start: Start) -> None:
    server = start("single")
    with connect(server.port) as running:
        running.sendall(request("/sleep?30"))
        server.wait_for_line("running")
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT):
            server.process.send_signal(number)
            time.sleep(0.1)
        assert server.process.poll() is None
        server.process.send_signal(signal.SIGINT)
        with pytest.raises((EOFError, ConnectionResetError)):
            read_answer(running)
    assert server.wait()[:2] == (0, "stopped\n")


def peak_memory(pid: int) -> int:
    """In bytes, since the process began."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def test_large_file_is_sent_without_memory(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "list"
    with path.open("wb") as file:
        file.truncate(130 * MEGABYTE)
    server = start("single")
    server.get("/pid")
    before = peak_memory(server.process.pid)
    with connect(server.port) as stalled:
        stalled.sendall(request(f"/file?{path}"))
        assert len(server.get(f"/file?{path}").body) == 130 * MEGABYTE
    assert peak_memory(server.process.pid) - before < 6 * MEGABYTE


# Several processes.


def test_every_worker_answers_on_the_one_socket(supervisor: Started) -> None:
    assert answering_pids(supervisor) == supervisor.workers()
    assert supervisor.process.pid not in answering_pids(supervisor)


def test_killed_worker_is_replaced(supervisor: Started) -> None:
    victim, survivor = sorted(supervisor.workers())
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: len(supervisor.workers() - {victim}) == 2)
    assert survivor in supervisor.workers()
    wait_for(lambda: answering_pids(supervisor) == supervisor.workers())


def test_no_caller_is_turned_away_while_workers_are_replaced(supervisor: Started) -> None:
    for victim in supervisor.workers():
        os.kill(victim, signal.SIGKILL)
    assert supervisor.get("/pid").status == 200


def test_workers_do_not_outlive_a_killed_supervisor(supervisor: Started) -> None:
    workers = supervisor.workers()
    supervisor.process.kill()
    wait_for(lambda: all(map(has_ended, workers)))


def test_supervisor_ends_its_workers_and_waits_for_their_requests(supervisor: Started) -> None:
    workers = supervisor.workers()
    with connect(supervisor.port) as running:
        running.sendall(request("/sleep?1"))
        supervisor.wait_for_line("running")
        supervisor.process.terminate()
        assert read_answer(running).status == 200
    assert supervisor.wait()[0] == 0
    assert all(map(has_ended, workers))
    with pytest.raises(ConnectionRefusedError):
        connect(supervisor.port)


def test_workers_do_not_hear_the_terminal(supervisor: Started) -> None:
    assert all(os.getpgid(worker) == worker for worker in supervisor.workers())


def test_worker_of_a_virtual_environment_is_started_without_what_only_starts_it() -> None:
    """On Windows python.exe of a virtual environment is such a thing; a socket cannot be shared through it."""
    environment: dict[str, str] = {}
    words = without_redirector([sys.executable, "-c", "import sys; print(sys.version)"], environment)
    assert sys.prefix != sys.base_prefix
    assert Path(words[0]).is_relative_to(sys.base_prefix)
    assert environment == {"__PYVENV_LAUNCHER__": sys.executable}
    assert without_redirector(["other.exe", "x"], {}) == ["other.exe", "x"]


def test_supervisor_gives_up_when_workers_die_at_once(start: Start) -> None:
    code, _, errors = start("supervisor", DIE_AT_ONCE="1").wait()
    assert code == 1
    message = errors.splitlines()[-1]
    assert message.startswith("error: the worker processes end as soon as they are started (4 times in a row")
    assert "exit code 7" in message
    assert "Traceback" not in errors


def test_supervisor_does_not_give_up_for_one_bad_request(supervisor: Started) -> None:
    with pytest.raises((EOFError, ConnectionResetError)):
        supervisor.get("/crash")
    assert supervisor.get("/pid").status == 200
    assert supervisor.process.poll() is None


def test_request_of_a_new_connection_is_answered_although_the_server_stops(start: Start) -> None:
    server = start("single")
    with connect(server.port) as fresh, connect(server.port) as running:
        running.sendall(request("/sleep?1"))
        server.wait_for_line("running")
        # Both are accepted in the order in which they came.
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.1)
        fresh.sendall(request("/pid"))
        assert read_answer(fresh).status == 200
    assert server.wait()[0] == 0
