"""From one change in a directory to every one of many WebSocket clients whose channels are bound to it."""

from __future__ import annotations

import json
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.latency import Outbox
from bench.measured import Measured, Median
from bench.serving import free_port, running
from integration_server.store import Store
from integration_server.store.resources import Resource
from integration_server.store.tokens import SCOPES


def measure(folder: Path, clients: int, rounds: int) -> list[Measured]:
    """All clients in one process, the server in another; each round changes one person in a database."""
    folder = folder / "bound"
    folder.mkdir()
    store = Store("", folder / "data")
    token = store.tokens.create("bench", SCOPES, [Resource()])[1]
    port, sockets = free_port(), free_port()
    way = Outbox(folder)
    (folder / "bench.toml").write_text(
        f'[server]\nport = {port}\ndata_dir = "data"\n[log]\nlevel = "warning"\n'
        f"{way.tables()}[backends.{way.name}.sync]\n"
        f'[frontends.push]\ntype = "push"\npath = "/push"\nbackends = ["{way.name}"]\n'
        f'public_url = "http://127.0.0.1:{port}/push"\nwebsocket_port = {sockets}\n',
        encoding="utf-8",
    )
    seconds: list[float] = []
    last: list[float] = []
    with (
        running(["-m", "integration_server", "serve", str(folder)], port, folder / "server.log") as server,
        _clients(sockets, clients, token) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        for number in range(1, rounds + 1):
            # The outbox is looked at once a second; not always at the same moment of that.
            time.sleep(2.0 + number % 4 * 0.23)
            way.change(number, f"Changed {number}")
            changed_at = time.time()
            process.stdin.write("\n")
            process.stdin.flush()
            told = [at - changed_at for at in json.loads(process.stdout.readline())]
            if len(told) != clients:
                raise SystemExit(f"only {len(told)} of {clients} clients were told of the change")
            seconds += told
            last.append(max(told))
        memory = server.peak_mb()
    store.close()
    p99 = statistics.quantiles(seconds, n=100)[-1]
    label = f"change to {clients:,} bound channels"
    return [
        Measured(f"{label}: 99 %", p99, 0, "s", 3.0, "", is_ratio=False),
        Measured(f"{label}: the last one", Median(last), 0, "s", 5.0, "", is_ratio=False),
        Measured(f"memory of the server with {clients:,} bound channels", memory, 0, "MB", 300, "", is_ratio=False),
    ]


@contextmanager
def _clients(port: int, count: int, token: str) -> Iterator[subprocess.Popen[str]]:
    _wait_for(port)
    arguments = [sys.executable, "-m", "bench.bound_clients", str(port), str(count), token]
    process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.startswith("ready"):
            raise SystemExit("the clients did not all register")
        yield process
    finally:
        process.kill()
        process.wait(30)


def _wait_for(port: int) -> None:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the server takes no WebSocket clients")
