"""The GroupServer hooks: the price of a search beside a bare view, and whole lists of members."""

from __future__ import annotations

import http.client
import json
import random
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

from bench import people
from bench.bare import HAND_TOKEN
from bench.logins import drive_bare
from bench.measured import Measured, Median
from bench.serving import Server, free_port, running
from integration_server.store import Store

_CLIENTS = 8
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_TEAMS = 100


def _write(path: Path, count: int) -> None:
    """People with addresses that can be looked up in any case, each in one of a hundred teams."""
    people.write_sqlite(path, count)
    connection = sqlite3.connect(path)
    connection.execute("ALTER TABLE people ADD COLUMN team TEXT")
    connection.execute(f"UPDATE people SET team = 'team' || (id % {_TEAMS})")
    connection.execute("CREATE INDEX people_email ON people (email)")
    connection.execute("CREATE INDEX people_email_any_case ON people (email COLLATE NOCASE)")
    connection.commit()
    connection.close()


class _Site:
    """A running server with the hooks, and its token."""

    def __init__(self, server: Server, token: str) -> None:
        self.server = server
        self.token = token

    def ask(self, connection: http.client.HTTPConnection, hook: str, fields: dict[str, str]) -> bytes:
        connection.request("POST", f"/{hook}.json", urlencode({"token": self.token, **fields}), _FORM)
        response = connection.getresponse()
        content = response.read()
        if response.status != 200:
            raise SystemExit(f"{hook}: {response.status} {content[:500]!r}")
        return content

    def search(self, users: list[str]) -> list[str]:
        """Search for all of these over a few connections; the ids that were found."""
        found: list[str] = []
        lock = threading.Lock()

        def client(some: list[str]) -> None:
            connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
            own = [json.loads(self.ask(connection, "gs-search-people", {"user": one, "search": ""})) for one in some]
            with lock:
                found.extend(profile["id"] for profile in own)

        threads = [threading.Thread(target=client, args=(users[i::_CLIENTS],)) for i in range(_CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if len(found) != len(users):
            raise SystemExit("a client failed")
        return found


def _config(folder: Path, source: Path, port: int) -> tuple[Path, str]:
    # A port may come twice.
    config = Path(tempfile.mkdtemp(prefix=f"hooks-{port}-", dir=folder))
    (config / "bench.toml").write_text(
        f'[server]\nport = {port}\ndata_dir = "data"\n[log]\nlevel = "warning"\n'
        f'[backends.people]\ntype = "sql"\nurl = "sqlite:///{source}"\ntable = "people"\nlist_seconds = 600\n'
        '[backends.people.map]\nid = "id"\nusername = "username"\nfull_name = "full_name"\nemails = "email"\n'
        'groups = "team"\n'
        '[frontends.site]\ntype = "groupserver"\npath = "/"\nbackends = ["people"]\nsite_url = "https://x.example"\n',
        encoding="utf-8",
    )
    store = Store("", config / "data")
    token = store.frontend_tokens.rotate("site")
    store.close()
    return config, token


def searching(folder: Path, count: int, rounds: int, requests: int = 2000) -> list[Measured]:
    """CPU time of the server for each search, by address and by id, and for each answer of a bare view; then the time
    and the memory that whole profiles of everybody take."""
    source = folder / "teams.db"
    _write(source, count)
    port, bare_port = free_port(), free_port()
    config, token = _config(folder, source, port)
    rng = random.Random(1)
    addresses = [f"user{rng.randrange(count)}@example.org" for _ in range(requests)]
    by_address, by_id, floor, hand = [], [], [], []
    with (
        running(["-m", "integration_server", "serve", str(config)], port, folder / "server.log") as server,
        running(["-m", "bench.bare", str(bare_port), str(source)], bare_port, folder / "server.log") as bare,
    ):
        site, written = _Site(server, token), _Site(bare, HAND_TOKEN)
        ids = site.search(addresses)
        drive_bare(bare_port, _CLIENTS, 50)
        for _ in range(rounds):
            floor.append(_cpu(bare, lambda: drive_bare(bare_port, _CLIENTS, requests // _CLIENTS), requests))
            hand.append(_cpu(bare, lambda: written.search(addresses), requests))
            by_address.append(_cpu(server, lambda: site.search(addresses), requests))
            by_id.append(_cpu(server, lambda: site.search(ids), requests))
        lists = _members(site, count)
    note, hand_note = "a bare Flask view", "Flask: form, token, one SELECT, JSON"
    return [
        Measured("gs-search-people by address, CPU time", *_medians(by_address, floor), "us", 2.0, note),
        Measured("gs-search-people by id, CPU time", *_medians(by_id, floor), "us", 2.0, note),
        Measured("by address, beside a view for this table alone", *_medians(by_address, hand), "us", 2.0, hand_note),
        *lists,
    ]


def _medians(ours: list[float], floor: list[float]) -> tuple[float, float]:
    return Median(ours), Median(floor)


def _cpu(server: Server, drive: Callable[[], object], requests: int) -> float:
    before = server.cpu_seconds()
    drive()
    return (server.cpu_seconds() - before) / requests * 1e6


def _members(site: _Site, count: int) -> list[Measured]:
    seconds = []
    for _ in range(2):
        # The first makes a public id for everybody.
        connection = http.client.HTTPConnection("127.0.0.1", site.server.port, timeout=900)
        began = time.perf_counter()
        size = len(site.ask(connection, "gs-site-member-list", {"user_groups": ""}))
        seconds.append(time.perf_counter() - began)
    if size < 100 * count:
        raise SystemExit(f"profiles of {count} people are no {size} bytes")
    first, second = seconds
    return [
        Measured(f"user_groups, {count:,} members, ids known, beside the first time", second, first, "s", 1.0, "first"),
        Measured(f"peak memory of the server, {count:,} profiles", site.server.peak_mb(), 0, "MB", 200, is_ratio=False),
    ]
