"""The push server: many idle WebSocket clients in one process, and versions of app servers beside a bare view."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bench.logins import drive_bare
from bench.measured import Measured, Median
from bench.serving import Server, free_port, running

_CLIENTS = 8
_PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class _PushServer:
    """A running server; ``port`` is that of WebSocket clients."""

    server: Server
    port: int


@contextmanager
def _push_server(folder: Path) -> Iterator[_PushServer]:
    http_port, port = free_port(), free_port()
    config = folder / f"push-{http_port}"
    config.mkdir()
    (config / "bench.toml").write_text(
        f'[server]\nport = {http_port}\ndata_dir = "data"\n[log]\nlevel = "warning"\n'
        '[backends.people]\ntype = "csv"\npath = "people.csv"\n'
        '[frontends.push]\ntype = "push"\npath = "/push"\nbackends = ["people"]\nputs_per_minute = 0\n'
        f'websocket_port = {port}\npublic_url = "http://127.0.0.1:{http_port}/push"\n',
        encoding="utf-8",
    )
    arguments = ["-m", "integration_server", "serve", str(config)]
    with running(arguments, http_port, folder / "push.log") as server:
        _wait_for(port)
        yield _PushServer(server, port)


def _wait_for(port: int) -> None:
    ends = time.monotonic() + _PATIENCE
    while time.monotonic() < ends:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the WebSocket listener did not start")


@contextmanager
def _clients(port: int, count: int) -> Iterator[None]:
    """So many WebSocket clients in a process of their own, all registered."""
    arguments = [sys.executable, "-m", "bench.push_clients", str(port), str(count)]
    process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        if not process.stdout.readline().startswith("ready"):
            raise SystemExit("not all WebSocket clients could connect")
        yield
    finally:
        process.terminate()
        process.wait(30)


def idle(folder: Path, count: int = 10_000) -> list[Measured]:
    """Memory of the process while so many clients with a channel each are connected."""
    with _push_server(folder) as push:
        alone = push.server.peak_mb()
        with _clients(push.port, count):
            time.sleep(3)
            peak = push.server.peak_mb()
    return [
        Measured(f"memory with {count:,} idle WebSocket clients", peak, 0, "MB", 300, is_ratio=False),
        Measured("memory of each of them", (peak - alone) * 1024 / count, 0, "KB", 20, is_ratio=False),
    ]


def _register(port: int, count: int) -> list[str]:
    """Paths of endpoints of as many user agents."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    paths = []
    for _ in range(count):
        connection.request("POST", "/push/register", json.dumps({"APPID": str(uuid.uuid4())}))
        paths.append(urlsplit(json.loads(connection.getresponse().read())["ENDPOINT"]).path)
    connection.close()
    return paths


def _put(port: int, paths: Sequence[str], count: int, first: int) -> None:
    """So many versions, from 8 app servers at one time, each on a connection of its own."""
    failed: list[int] = []

    def app_server(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        for turn in range(count // _CLIENTS):
            path = paths[(number + turn * _CLIENTS) % len(paths)]
            connection.request("PUT", path, f"version={first + turn}", headers)
            response = connection.getresponse()
            response.read()
            if response.status != 202:
                failed.append(response.status)
                return

    threads = [threading.Thread(target=app_server, args=(i,)) for i in range(_CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise SystemExit(f"an app server was answered {failed[0]}")


def versions(folder: Path, rounds: int, count: int = 4000) -> list[Measured]:
    """CPU time of the server for a version that is stored, and for an answer of a bare view."""
    bare_port = free_port()
    ours, floor = [], []
    with (
        _push_server(folder) as push,
        running(["-m", "bench.bare", str(bare_port)], bare_port, folder / "push.log") as bare,
    ):
        port = push.server.port
        paths = _register(port, 200)
        _put(port, paths, 800, 1)
        drive_bare(bare_port, _CLIENTS, 50)
        for turn in range(rounds):
            before = bare.cpu_seconds()
            drive_bare(bare_port, _CLIENTS, count // _CLIENTS)
            floor.append((bare.cpu_seconds() - before) / count * 1e6)
            before = push.server.cpu_seconds()
            _put(port, paths, count, 1000 * (turn + 1))
            ours.append((push.server.cpu_seconds() - before) / count * 1e6)
    name = f"PUT of a version, {_CLIENTS} clients, CPU time"
    return [Measured(name, Median(ours), Median(floor), "us", 2.5, "an answer of a bare view")]


def measure(folder: Path, rounds: int) -> list[Measured]:
    """All of them."""
    return [*idle(folder), *versions(folder, rounds)]
