"""Logins: their price beside a bare view, and whether stalled readers of lists can slow them down."""

from __future__ import annotations

import http.client
import random
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import people
from bench.measured import Measured, Median
from bench.serving import Server, auth_body, free_port, integration_server, post, running

_CLIENTS = 8
_STALLED = 4


def _backend(source: Path) -> str:
    return (
        f'type = "sql"\nurl = "sqlite:///{source}"\ntable = "people"\npassword_column = "password"\n'
        '[backends.people.map]\nid = "id"\nusername = "username"\nfull_name = "full_name"\nemails = ["email", "alias"]'
    )


def _drive(port: int, clients: int, requests: int, count: int) -> list[float]:
    """Seconds of each request; every client on a connection of its own, right passwords of random people."""
    seconds: list[float] = []
    lock = threading.Lock()

    def client(seed: int) -> None:
        rng = random.Random(seed)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        own = []
        for _ in range(requests):
            number = rng.randrange(count)
            body = auth_body(f"user{number}", people.password_of(number))
            began = time.perf_counter()
            content = post(connection, body)
            own.append(time.perf_counter() - began)
            if content != b'{"succeeded":true}':
                raise SystemExit(f"user{number} was refused")
        with lock:
            seconds.extend(own)

    threads = [threading.Thread(target=client, args=(i,)) for i in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(seconds) != clients * requests:
        raise SystemExit("a client failed")
    return seconds


def drive_bare(port: int, clients: int, requests: int) -> None:
    """Ask a bare view as often as that, each client on a connection of its own."""
    _drive(port, clients, requests, 1)


def _cpu_per_request(server: Server, requests: int, count: int) -> float:
    before = server.cpu_seconds()
    _drive(server.port, _CLIENTS, requests, count)
    return (server.cpu_seconds() - before) / (_CLIENTS * requests) * 1e6


def cpu(folder: Path, count: int, rounds: int, requests: int = 400) -> list[Measured]:
    """CPU time of the server per login (SQL, SSHA256) and per answer of a bare view."""
    source = folder / "people.db"
    if not source.exists():
        people.write_sqlite(source, count)
    port = free_port()
    ours, floor = [], []
    with (
        integration_server(folder, _backend(source)) as server,
        running(["-m", "bench.bare", str(port)], port, folder / "server.log") as bare,
    ):
        for each in (server, bare):
            _drive(each.port, _CLIENTS, 25, count)
        for _ in range(rounds):
            floor.append(_cpu_per_request(bare, requests, count))
            ours.append(_cpu_per_request(server, requests, count))
    return [
        Measured(
            f"auth, SQL with SSHA256, {_CLIENTS} clients, CPU time",
            Median(ours),
            Median(floor),
            "us",
            3.0,
            "a bare Flask view",
        )
    ]


@contextmanager
def _stalled(port: int) -> Iterator[None]:
    """Clients that ask for the list, read its beginning and then nothing more."""
    sockets = []
    for _ in range(_STALLED):
        sock = socket.create_connection(("127.0.0.1", port))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        sock.sendall(
            b"POST /mailstore HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            b"Content-Length: 8\r\n\r\ncmd=list"
        )
        if not sock.recv(4096).startswith(b"HTTP/1.1 200"):
            raise SystemExit("a stalling client got no list")
        sockets.append(sock)
    try:
        yield
    finally:
        for sock in sockets:
            sock.close()


def _p99(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=100)[98] * 1e3


def stalled(folder: Path, count: int, rounds: int, requests: int = 300) -> list[Measured]:
    """The 99th percentile of logins while clients stall in the middle of a list, beside that of an idle server."""
    source = folder / "people.db"
    if not source.exists():
        people.write_sqlite(source, count)
    idle, busy = [], []
    measure: Callable[[int], float] = lambda port: _p99(_drive(port, 2, requests, count))  # noqa: E731
    with integration_server(folder, _backend(source), "max_age_seconds = 3600") as server:
        with _stalled(server.port):
            pass
        _drive(server.port, 2, 50, count)
        for _ in range(rounds):
            idle.append(measure(server.port))
            with _stalled(server.port):
                busy.append(measure(server.port))
    return [
        Measured(
            f"auth p99 while {_STALLED} clients stall in a list",
            Median(busy),
            Median(idle),
            "ms",
            2.0,
            "auth p99 when idle",
        )
    ]
