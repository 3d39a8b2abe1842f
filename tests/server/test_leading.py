"""The thread that turns the loop answers what is quick, and keeps nobody waiting with what is not."""

from __future__ import annotations

import errno
import random
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest

from integration_server.server.leading import Leading
from integration_server.server.pace import SAMPLE, Pace
from tests.server.conftest import StartServer
from tests.server.wire import ask, connect, hello, read_answer
from tests.waiting import wait_for

GET = b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n"


class Application:
    """Tells which thread answers. ``/wait`` waits until it may end, ``/pause`` for a moment."""

    def __init__(self) -> None:
        self.may_end = threading.Event()
        self.waiting = 0
        self.most = 0
        self._lock = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path != "/":
            with self._lock:
                self.waiting += 1
                self.most = max(self.most, self.waiting)
            self.may_end.wait(0.02 if path.startswith("/pause") else 30)
            with self._lock:
                self.waiting -= 1
        name = threading.current_thread().name.encode()
        start_response("200 OK", [("Content-Length", str(len(name)))])
        return [name]


@pytest.fixture
def application() -> Iterator[Application]:
    made = Application()
    yield made
    made.may_end.set()


def is_of_the_loop(name: bytes) -> bool:
    return name.startswith(b"loop-")


def test_quick_requests_are_answered_by_the_loop(start_server: StartServer, application: Application) -> None:
    running = start_server(application)
    with connect(running.port) as sock:
        names = []
        for _ in range(50):
            sock.sendall(GET % b"/")
            names.append(read_answer(sock).body)
    assert sum(map(is_of_the_loop, names)) > 25, names


def test_server_goes_on_where_somebody_fakes_the_clock(
    start_server: StartServer, application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failed = time.sleep, []

    def sleep(seconds: float) -> None:
        if not threading.current_thread().name.startswith("loop-"):
            return real(seconds)
        failed.append(seconds)
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(time, "sleep", sleep)
    running = start_server(application)
    for _ in range(20):
        assert ask(running.port).status == 200
    with connect(running.port) as waiting:
        waiting.sendall(GET % b"/wait")
        assert ask(running.port).status == 200
        application.may_end.set()
        assert read_answer(waiting).status == 200
    assert failed


def test_request_that_waits_keeps_nobody_waiting(start_server: StartServer, application: Application) -> None:
    running = start_server(application)
    with connect(running.port) as waiting:
        ask(running.port)
        waiting.sendall(GET % b"/wait")
        wait_for(lambda: application.waiting == 1)
        for _ in range(20):
            assert ask(running.port, timeout=5).status == 200
        application.may_end.set()
        assert read_answer(waiting).status == 200


def test_as_many_may_wait_as_there_are_threads(start_server: StartServer, application: Application) -> None:
    running = start_server(application, threads=6)
    socks = [connect(running.port) for _ in range(6)]
    for sock in socks:
        sock.sendall(GET % b"/wait")
    wait_for(lambda: application.waiting == 6)
    application.may_end.set()
    for sock in socks:
        assert read_answer(sock).status == 200
        sock.close()


def test_requests_that_wait_for_a_moment_come_to_wait_side_by_side(
    start_server: StartServer, application: Application
) -> None:
    running = start_server(application, threads=8)
    for _ in range(SAMPLE):
        ask(running.port, GET % b"/pause")
    socks = [connect(running.port) for _ in range(8)]
    for sock in socks:
        sock.sendall(GET % b"/pause")
    assert not any(is_of_the_loop(read_answer(sock).body) for sock in socks)
    assert application.most > 1
    for sock in socks:
        sock.close()


def test_requests_that_wait_on_paths_that_are_all_new_come_to_wait_side_by_side(
    start_server: StartServer, application: Application
) -> None:
    running = start_server(application, threads=8)
    for number in range(SAMPLE):
        ask(running.port, GET % b"/pause/%d" % number)
    socks = [connect(running.port) for _ in range(8)]
    for number, sock in enumerate(socks):
        sock.sendall(GET % b"/pause/more-%d" % number)
    assert not any(is_of_the_loop(read_answer(sock).body) for sock in socks)
    assert application.most > 1
    for sock in socks:
        sock.close()


def test_loop_answers_again_after_something_was_slow(start_server: StartServer, application: Application) -> None:
    running = start_server(application)
    with connect(running.port) as waiting:
        waiting.sendall(GET % b"/wait")
        wait_for(lambda: application.waiting == 1)
        application.may_end.set()
        assert read_answer(waiting).status == 200
    wait_for(lambda: is_of_the_loop(ask(running.port).body))


def test_server_stops_while_its_loop_waits_for_a_request(start_server: StartServer, application: Application) -> None:
    running = start_server(application, stop_seconds=20.0)
    with connect(running.port) as waiting:
        waiting.sendall(GET % b"/wait")
        wait_for(lambda: application.waiting == 1)
        running.server.stop()
        application.may_end.set()
        assert read_answer(waiting).status == 200
    running.thread.join(10)
    assert not running.thread.is_alive()
    wait_for(lambda: not any(thread.name.startswith("loop-") for thread in threading.enumerate()))


def test_many_at_once_are_all_answered(start_server: StartServer) -> None:
    running = start_server(hello)
    socks = [connect(running.port) for _ in range(100)]
    for _ in range(3):
        for sock in socks:
            sock.sendall(GET % b"/")
        for sock in socks:
            assert read_answer(sock).body == b"hello"
    for sock in socks:
        sock.close()


def test_any_mix_of_requests_is_answered(start_server: StartServer) -> None:
    """Those that compute or wait, for a moment or longer: the loop goes from one thread to the other and back."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        kind, _, milliseconds = environ["QUERY_STRING"].partition("-")
        until = time.monotonic() + int(milliseconds) / 1000
        if kind == "wait":
            time.sleep(int(milliseconds) / 1000)
        while kind == "compute" and time.monotonic() < until:
            pass
        body = environ["QUERY_STRING"].encode()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    def call(seed: int) -> None:
        rng = random.Random(seed)
        with connect(running.port) as sock:
            for _ in range(60):
                query = f"{rng.choice(['compute', 'wait'])}-{rng.choice([0, 0, 0, 0, 1, 3, 20])}".encode()
                sock.sendall(GET % (b"/?" + query))
                assert read_answer(sock).body == query
        done.append(seed)

    running = start_server(application, threads=4)
    done: list[int] = []
    callers = [threading.Thread(target=call, args=(seed,)) for seed in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(60)
    assert sorted(done) == list(range(8))


def test_loop_that_fails_ends_the_server_with_what_it_raised() -> None:
    def turn(is_waiting: bool) -> None:
        raise OSError("no loop")

    leading = Leading(turn, lambda task: None, Pace())
    with pytest.raises(OSError, match="no loop"):
        leading.run()
    leading.close(5)


def test_stop_before_the_beginning_is_heard() -> None:
    leading = Leading(lambda is_waiting: None, lambda task: None, Pace())
    leading.stop()
    leading.stop()
    leading.run()
    leading.close(5)


class HesitantLock:
    """A lock whose next taker, where it does not wait for it, does nothing for a moment once it has it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.hesitates = self.has_hesitated = False
        self.release = self._lock.release

    def acquire(self, blocking: bool = True) -> bool:
        has_it = self._lock.acquire(blocking)
        if has_it and self.hesitates and not blocking:
            self.hesitates = False
            time.sleep(0.2)
            self.has_hesitated = True
        return has_it


def test_leader_that_comes_back_while_the_loop_is_taken_over_stands_by() -> None:
    """The other one has the loop already, but the processor not yet."""
    names: list[str] = []
    asked: deque[str] = deque()

    class Asked:
        def __init__(self, path: str) -> None:
            self.path = path

        def service(self) -> None:
            names.append(threading.current_thread().name)
            if self.path == "/pause":
                lock.hesitates = True
                time.sleep(0.05)

    def turn(is_waiting: bool) -> None:
        time.sleep(0.001)
        if asked:
            leading.add(Asked(asked.popleft()))

    def wait_until_the_loop_answers() -> None:
        def answers() -> bool:
            asked.append("/")
            return any(name.startswith("loop-") for name in names)

        wait_for(answers)

    lock = HesitantLock()
    leading = Leading(turn, lambda task: names.append("worker"), Pace())
    leading._role = lock  # type: ignore[assignment]
    running = threading.Thread(target=leading.run)
    running.start()
    wait_until_the_loop_answers()
    asked.append("/pause")
    wait_for(lambda: lock.has_hesitated)
    names.clear()
    wait_until_the_loop_answers()
    leading.stop()
    running.join(10)
    leading.close(5)
