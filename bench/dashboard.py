"""The dashboard's pages with very many people and stuck deliveries: how long the server takes for a page."""

from __future__ import annotations

import hashlib
import http.client
import random
import re
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from urllib.parse import quote, urlencode

import orjson
import sqlalchemy as sa

from bench import people
from bench.measured import Measured, Median
from bench.serving import free_port, running
from integration_server.sdk.passwords import hash_password
from integration_server.store import Store
from integration_server.store.differences import Change
from integration_server.store.resources import Resource
from integration_server.store.schema import attempts, deliveries
from integration_server.store.subscriptions import Subscription

_ADMIN, _PASSWORD = "bench", "a password of the bench"
_RECEIVERS = 50
_LIMIT_SECONDS = 0.3
_ERROR = "the receiver answered 500 Internal Server Error"


@dataclass(frozen=True, slots=True)
class _Site:
    """A running server, and the cookie of an administrator."""

    port: int
    cookie: str

    def get(self, path: str) -> tuple[float, str]:
        """Seconds until the whole page was here, and the page."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        began = time.perf_counter()
        connection.request("GET", f"/dashboard{path}", headers={"Cookie": self.cookie})
        response = connection.getresponse()
        text = response.read().decode()
        seconds = time.perf_counter() - began
        connection.close()
        if response.status != 200:
            raise SystemExit(f"{path}: {response.status} {text[-500:]}")
        return seconds, text


def _write_config(config: Path, port: int) -> None:
    config.mkdir()
    (config / "bench.toml").write_text(
        f'[server]\nport = {port}\ndata_dir = "data"\n[log]\nlevel = "warning"\n'
        '[backends.people]\ntype = "sql"\nurl = "sqlite:///people.db"\ntable = "people"\n'
        '[backends.people.map]\nid = "id"\nusername = "username"\nfull_name = "full_name"\n'
        'emails = ["email", "alias"]\n'
        "[backends.people.sync]\nscan_seconds = 86400\n"
        '[frontends.archive]\ntype = "mailstore"\npath = "/mailstore"\nbackends = ["people"]\nallow_anonymous = true\n',
        encoding="utf-8",
    )


def _document(number: int, full_name: str, email: str) -> dict[str, object]:
    return {
        "id": str(number),
        "username": f"user{number}",
        "full_name": full_name,
        "distinguished_name": None,
        "emails": [{"address": email, "is_verified": True, "is_preferred": True}],
        "groups": [f"team {number % 100}"],
        "nickname": None,
        "biography": None,
        "tz": None,
        "state": "active",
    }


def _fill(store: Store, count: int, stuck: int) -> None:
    """Everybody with an event, changes of some, and receivers which have not taken them."""
    page: list[Change] = []
    for number, _, full_name, email, _, _ in people.people(count):
        page.append(_change(_document(number, full_name, email)))
        if len(page) == 5_000:
            store.journal.apply("people", page, 0)
            page = []
    store.journal.apply("people", page, 0)
    changed = range(0, count, max(1, count // max(1, stuck // 3)))
    again = [_change(_document(number, f"Married {number}", f"user{number}@example.org")) for number in changed]
    for start in range(0, len(again), 5_000):
        store.journal.apply("people", again[start : start + 5_000], store.journal.last_serial())
    receivers = [_receiver(store, number) for number in range(_RECEIVERS)]
    _park(store, receivers, stuck)


def _change(document: dict[str, object]) -> Change:
    digest = hashlib.blake2b(orjson.dumps(document), digest_size=16).digest()
    return Change("update", str(document["id"]), digest, document)


def _receiver(store: Store, number: int) -> str:
    now = time.time()
    made = Subscription(
        id=f"sub_{number:024d}",
        owner="config",
        uid=f"receiver {number}",
        type="webhook",
        resource=Resource("all"),
        events=("*",),
        settings={"type": "webhook", "url": f"http://127.0.0.1:9/{number}"},
        secrets=(),
        batch_size=1,
        rate_per_second=None,
        is_coalescing=False,
        is_active=True,
        state="ok",
        state_reason=None,
        created_at=now,
        changed_at=now,
        cursor=store.journal.last_serial(),
    )
    store.subscriptions.add(made)
    return made.id


def _park(store: Store, receivers: Sequence[str], stuck: int) -> None:
    """Three events of a person each, the first one parked, the others behind it."""
    events, after = [], max(0, store.journal.last_serial() - stuck)
    while page := store.journal.events(after, 5_000):
        events += page
        after = page[-1].serial
    rows, tries, now = [], [], time.time()
    for number in range(stuck):
        event = events[number % len(events)]
        receiver = receivers[(number + number // len(events)) % _RECEIVERS]
        rows.append(
            {
                "subscription_id": receiver,
                "serial": event.serial,
                "lane": f"people/{event.person_id}",
                "event_id": event.id,
                "event_type": event.type,
                "backend": "people",
                "person_id": event.person_id,
                "state": ("parked", "held", "dead")[number % 3],
                "attempts": 3,
                "next_at": now + 3600,
                "error": _ERROR,
                "status": 500,
                "created_at": now - number,
                "changed_at": now - number,
            }
        )
        tries.append(
            {
                "subscription_id": receiver,
                "delivery_id": event.id,
                "serial": event.serial,
                "event_count": 1,
                "person_id": event.person_id,
                "at": now - number,
                "seconds": 0.1,
                "is_ok": False,
                "status": 500,
                "error": _ERROR,
                "response": "no such page " * 100,
            }
        )
    with store._engine.begin() as connection:
        connection.execute(sa.insert(deliveries), _distinct(rows))
        connection.execute(sa.insert(attempts), tries)


def _distinct(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """One row for a receiver and an event."""
    return list({(row["subscription_id"], row["event_id"]): row for row in rows}.values())


@contextmanager
def _site(folder: Path, count: int, stuck: int) -> Iterator[_Site]:
    port = free_port()
    config = folder / f"dashboard-{port}"
    _write_config(config, port)
    people.write_sqlite(config / "people.db", count)
    store = Store("", config / "data")
    store.admins.create(_ADMIN, hash_password(_PASSWORD, "argon2"))
    _fill(store, count, stuck)
    store.close()
    # Nobody delivers meanwhile, so that what is stuck stays so.
    with running(["-m", "integration_server", "serve", "--no-workers", str(config)], port, folder / "dashboard.log"):
        yield _Site(port, _signed_in(port))


def _signed_in(port: int) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/dashboard/sign-in", urlencode({"name": _ADMIN, "password": _PASSWORD}), headers)
    response = connection.getresponse()
    response.read()
    return (response.headers["Set-Cookie"] or "").partition(";")[0]


def _paths(site: _Site, count: int, chooser: random.Random) -> dict[str, list[str]]:
    """What is asked for, by what the table calls it."""
    some = [chooser.randrange(count) for _ in range(20)]
    names = ("Married", "user7", "Groß 99", "zzz-nobody", "user99999@example.org", "a")
    found = {
        "overview": ["/"] * 20,
        "what is stuck": ["/stuck", *_followed(site, "/stuck", r'href="/dashboard(/stuck\?[^"]+)"')],
        "guard": ["/guard"] * 20,
        "people": [f"/people?q={quote(name)}" for name in names for _ in range(4)],
        "a person": [f"/people/person?backend=people&id={number}" for number in some],
        "changes": ["/changes", *_followed(site, "/changes", r'href="/dashboard(/changes\?[^"]+)"')],
        "an event": _followed(site, "/changes", r'href="/dashboard(/changes/event\?[^"]+)"'),
        "subscriptions": ["/subscriptions"] * 20,
        "security": ["/security"] * 20,
        "configuration": ["/configuration"] * 20,
    }
    return {name: paths for name, paths in found.items() if paths}


def _followed(site: _Site, path: str, pattern: str) -> list[str]:
    """Links of a page."""
    return [unescape(found) for found in dict.fromkeys(re.findall(pattern, site.get(path)[1]))][:30]


def pages(folder: Path, rounds: int, count: int = 100_000, stuck: int = 10_000) -> list[Measured]:
    """The 95th percentile of each page's time."""
    chooser = random.Random(1)
    measured = []
    with _site(folder, count, stuck) as site:
        for name, paths in _paths(site, count, chooser).items():
            times = [site.get(path)[0] for _ in range(rounds) for path in paths]
            p95 = statistics.quantiles(times, n=20)[-1] if len(times) > 1 else times[0]
            note = f"{count:,} people, {stuck:,} stuck; median {Median(times) * 1000:.0f} ms"
            measured.append(Measured(f"dashboard, {name}: 95 %", p95, 0, "s", _LIMIT_SECONDS, note, is_ratio=False))
    return measured
