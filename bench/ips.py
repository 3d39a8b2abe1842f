"""IPS Connect: logins of slaves beside a bare view, and changes on their way to slaves."""

from __future__ import annotations

import hashlib
import http.client
import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

from bench.logins import drive_bare
from bench.measured import Measured, Median
from bench.serving import Server, free_port, running
from integration_server.builtin.ips_connect.account import NewPerson
from integration_server.builtin.ips_connect.accounts import Accounts
from integration_server.builtin.ips_connect.tables import TABLES
from integration_server.sdk.deadline import Deadline, Watchdog
from integration_server.sdk.http import HttpClient
from integration_server.store import Store

_KEY = "0123456789abcdef0123456789abcdef"
_SLAVE_KEY = "a" * 32
_CLIENTS = 8
_HASH = "$2a$13$leEvXu77OIwPwNvtZIJvaeAx8EItGHuR3nIlq8416g0gXeJaQdrr2"
_SALT = "leEvXu77OIwPwNvtZIJval"
_PATIENCE = 600.0


@dataclass(frozen=True, slots=True)
class _Master:
    """A running master and its accounts, which may be changed beside it."""

    server: Server
    store: Store
    accounts: Accounts

    def hold(self, name: str, is_held: bool) -> None:
        self.store.subscriptions.change(f"sub_config_{name}", is_active=not is_held)


@contextmanager
def _master(folder: Path, people: int, slaves: dict[str, str]) -> Iterator[_Master]:
    """``slaves`` maps names of subscriptions to URLs."""
    port = free_port()
    # A port may come twice.
    config = Path(tempfile.mkdtemp(prefix=f"ips-{port}-", dir=folder))
    tables = [
        f'[server]\nport = {port}\ndata_dir = "data"\n[log]\nlevel = "warning"\n'
        '[forwarding]\nallow_networks = ["127.0.0.0/8"]\nworkers = 128\n'
        '[backends.forum]\ntype = "ips_connect"\n'
        f'[frontends.master]\ntype = "ips_connect"\npath = "/gw"\nbackends = ["forum"]\nmaster_key = "{_KEY}"\n'
        'slave_networks = ["127.0.0.1"]\nsalts_per_minute = 0\n'
    ]
    for name, url in slaves.items():
        tables.append(
            f'[subscriptions.{name}]\ntype = "ips_connect"\nbackend = "forum"\nurl = "{url}"\nkey = "{_SLAVE_KEY}"\n'
        )
    (config / "bench.toml").write_text("\n".join(tables), encoding="utf-8")
    store = Store("", config / "data")
    accounts = Accounts("forum", store.storage(TABLES))
    for number in range(1, people + 1):
        accounts.register(NewPerson(f"user{number}", f"user{number}@example.org", _HASH, _SALT))
    try:
        with running(["-m", "integration_server", "serve", str(config)], port, folder / "ips.log") as server:
            yield _Master(server, store, accounts)
    finally:
        store.close()


def _query(do: str, id: str, **more: str) -> str:
    key = hashlib.md5((_KEY + id).encode(), usedforsecurity=False).hexdigest()
    return urlencode({"do": do, "key": key, "id": id, **more}, quote_via=quote)


def _ask(connection: http.client.HTTPConnection, query: str) -> dict[str, object]:
    connection.request("GET", f"/gw?{query}")
    answer: dict[str, object] = json.loads(connection.getresponse().read())
    if answer["status"] != "SUCCESS":
        raise SystemExit(f"the master answers {answer}")
    return answer


def _log_in(port: int, people: int, pairs: int) -> None:
    """So many pairs of fetchSalt and login, each client on a connection of its own."""
    done: list[int] = []

    def client(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for turn in range(pairs // _CLIENTS):
            id = f"user{(number * 7919 + turn * 104729) % people + 1}@example.org"
            _ask(connection, _query("fetchSalt", id, idType="2"))
            _ask(connection, _query("login", id, idType="2", password=_HASH))
        done.append(number)

    threads = [threading.Thread(target=client, args=(i,)) for i in range(_CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(done) != _CLIENTS:
        raise SystemExit("a client failed")


def _cpu(server: Server, drive: Callable[[], object], pairs: int) -> float:
    before = server.cpu_seconds()
    drive()
    return (server.cpu_seconds() - before) / pairs * 1e6


def logins(folder: Path, rounds: int, people: int = 5000, pairs: int = 1000) -> list[Measured]:
    """CPU time of the server for a pair of fetchSalt and login, and for two answers of a bare view."""
    bare_port = free_port()
    ours, floor = [], []
    with (
        _master(folder, people, {}) as master,
        running(["-m", "bench.bare", str(bare_port)], bare_port, folder / "ips.log") as bare,
    ):
        _log_in(master.server.port, people, 200)
        drive_bare(bare_port, _CLIENTS, 50)
        for _ in range(rounds):
            floor.append(_cpu(bare, lambda: drive_bare(bare_port, _CLIENTS, 2 * pairs // _CLIENTS), pairs))
            ours.append(_cpu(master.server, lambda: _log_in(master.server.port, people, pairs), pairs))
    name = f"fetchSalt and login, {_CLIENTS} clients, CPU time"
    return [Measured(name, Median(ours), Median(floor), "us", 2.5, "two answers of a bare view")]


class _Slaves:
    """A running sink of so many slaves."""

    def __init__(self, port: int) -> None:
        self._port = port

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._port}{path}"

    def seen(self) -> dict[str, tuple[int, float, float]]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        connection.request("GET", "/count")
        found: dict[str, tuple[int, float, float]] = json.loads(connection.getresponse().read())
        connection.close()
        return found

    def wait(self, paths: list[str], count: int) -> float:
        """When the last of so many requests at each path was answered (Unix seconds)."""
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            seen = self.seen()
            if all(path in seen and seen[path][0] >= count for path in paths):
                return max(seen[path][2] for path in paths)
            time.sleep(0.02)
        raise SystemExit(f"not all slaves were told {count} times")


@contextmanager
def _slaves(folder: Path, delay: float) -> Iterator[_Slaves]:
    port = free_port()
    with running(["-m", "bench.slave_sink", str(port), str(delay)], port, folder / "slaves.log"):
        yield _Slaves(port)


def pushing(folder: Path, rounds: int, count: int = 50) -> list[Measured]:
    """Seconds from a slave's call to the last answer of so many others, which take 100 ms each; and of the call."""
    reached, called = [], []
    with _slaves(folder, 0.1) as slaves:
        names = {f"s{number}": slaves.url(f"/s{number}") for number in range(count + 1)}
        with _master(folder, 10, names) as master:
            time.sleep(3)
            connection = http.client.HTTPConnection("127.0.0.1", master.server.port, timeout=60)
            for turn in range(1, rounds + 2):
                began, at = time.perf_counter(), time.time()
                _ask(connection, _query("changeName", "1", name=f"name {turn}", url=names["s0"]))
                called.append(time.perf_counter() - began)
                reached.append(slaves.wait([f"/{name}" for name in names if name != "s0"], turn) - at)
                time.sleep(0.5)
    # The first is told over new connections, and by receivers of which nobody knows yet that they are well.
    return [
        Measured(f"a change at {count} slaves (100 ms)", Median(reached[1:]), 0, "s", 1.0, is_ratio=False),
        Measured("the same, the first of all", reached[0], 0, "s", 1.0, is_ratio=False),
        Measured("the call that asks for it", Median(called[1:]), 0, "s", 0.1, is_ratio=False),
    ]


def draining(folder: Path, rounds: int, count: int = 10_000) -> list[Measured]:
    """Changes a second at a slave that comes back, and of a bare loop of the same client."""
    rates, floor = [], []
    with _slaves(folder, 0.0) as slaves, _master(folder, 100, {"late": slaves.url("/late")}) as master:
        time.sleep(3)
        came = 0
        for turn in range(rounds):
            floor.append(_bare(slaves.url(f"/bare{turn}"), count // 2))
            master.hold("late", True)
            time.sleep(3)
            for number in range(count):
                master.accounts.change_name(number % 100 + 1, f"name {turn} {number}")
            began = slaves.seen().get("/late", (0, 0.0, 0.0))
            master.hold("late", False)
            while (slaves.seen().get("/late", began))[0] == began[0]:
                time.sleep(0.01)
            first = time.time()
            came += count
            rates.append(count / (slaves.wait(["/late"], came) - first))
    name = f"{count:,} changes for a slave that comes back"
    note = "a bare loop of the same client"
    return [Measured(name, Median(rates), Median(floor), "/s", 0.6, note, is_least=True)]


def _bare(url: str, count: int) -> float:
    client = HttpClient(["127.0.0.0/8"], Watchdog())
    query = urlencode({"do": "changeName", "id": "1", "name": "name 1 2345", "slaveCall": "1", "key": _SLAVE_KEY})
    began = time.perf_counter()
    for _ in range(count):
        if client.get(url, query, {}, Deadline(10.0)).status != 200:
            raise SystemExit("the sink failed")
    seconds = time.perf_counter() - began
    client.close()
    return count / seconds


def measure(folder: Path, rounds: int) -> list[Measured]:
    """All of them."""
    few = max(1, rounds // 2)
    return [*logins(folder, rounds), *pushing(folder, rounds), *draining(folder, few)]
