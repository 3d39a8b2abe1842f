"""Deliveries of a real server process to a real sink process."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import orjson

from bench import people
from bench.measured import Measured, Median
from bench.posting import document
from bench.serving import Server, free_port, running
from integration_server.store import Store
from integration_server.store.journal import Change
from tests.receiver import HANG, OK, Receiver

SECRET = "whsec_" + "YSBiZW5jaG1hcmsgb2YgZGVsaXZlcmllcyB0byBhIHNpbms="
_CHUNK = 1000
_PATIENCE = 600.0


class Sender:
    """A running server with subscriptions, and its store, into which events are put as detection would put them."""

    def __init__(self, server: Server, store: Store) -> None:
        self.server = server
        self.store = store
        self._round = 0

    def write(self, backend: str, count: int) -> None:
        """So many new events about so many people."""
        self._round += 1
        crowd = people.people(count)
        while some := list(islice(crowd, _CHUNK)):
            changes = [_change({**document(person), "tz": f"round {self._round}"}) for person in some]
            self.store.journal.apply(backend, changes, self.store.journal.last_serial())

    def hold(self, *names: str) -> None:
        """Hand nothing over to these subscriptions, until ``go``."""
        self._set(names, is_active=False)
        time.sleep(3)  # the server looks about once a second

    def go(self, *names: str) -> None:
        self._set(names, is_active=True)

    def _set(self, names: tuple[str, ...], **columns: object) -> None:
        for name in names:
            self.store.subscriptions.change(f"sub_config_{name}", **columns)


def _change(values: dict[str, object]) -> Change:
    digest = hashlib.blake2b(orjson.dumps(values), digest_size=16).digest()
    return Change("update", str(values["id"]), digest, values)


@contextmanager
def sender(
    folder: Path, receiver: Receiver, backends: tuple[str, ...], subscriptions: dict[str, str], connections: int
) -> Iterator[Sender]:
    """A server whose backends stand still; ``subscriptions`` maps names to keys of their tables."""
    port = free_port()
    # A port may come twice.
    config = Path(tempfile.mkdtemp(prefix=f"sender-{port}-", dir=folder))
    tables = [
        f'[server]\nport = {port}\ndata_dir = "data"\n[log]\nlevel = "warning"\n'
        f'[forwarding]\nallow_networks = ["127.0.0.0/8"]\nconnections = {connections}\n'
    ]
    for backend in backends:
        source = config / f"{backend}.db"
        people.write_sqlite(source, 0)
        tables.append(f'[backends.{backend}]\ntype = "sql"\nurl = "sqlite:///{source}"\ntable = "people"')
        tables.append(f'[backends.{backend}.map]\nid = "id"\nusername = "username"\n')
    for name, keys in subscriptions.items():
        url = receiver.url(f"/{name}")
        tables.append(f'[subscriptions.{name}]\ntype = "webhook"\nurl = "{url}"\nsecret = "{SECRET}"\n{keys}')
    (config / "bench.toml").write_text("\n".join(tables), encoding="utf-8")
    store = Store("", config / "data")
    try:
        arguments = ["-m", "integration_server", "serve", str(config)]
        with running(arguments, port, folder / "sender.log") as server:
            yield Sender(server, store)
    finally:
        store.close()


def wait_for(receiver: Receiver, path: str, events: int) -> None:
    """Until so many events came on a path since the receiver began."""
    deadline = time.monotonic() + _PATIENCE
    while (came := receiver.count(path).events) < events:
        if time.monotonic() > deadline:
            raise SystemExit(f"only {came} of {events} events came on {path}")
        time.sleep(0.02)


def _rate(receiver: Receiver, path: str, count: int, begin: Callable[[], object]) -> float:
    """Events a second from the first to the last that come on a path."""
    before = receiver.requests(path)
    came = receiver.count(path).events
    begin()
    wait_for(receiver, path, came + count)
    time.sleep(0.1)  # the receiver's file
    fresh = receiver.requests(path)[len(before) :]
    first = len(fresh[0].events) if path == "/batch" else 1
    return (count - first) / (fresh[-1].at - fresh[0].at)


def single(folder: Path, count: int, rounds: int) -> list[Measured]:
    """One subscription, one event per POST, over 1 and 4 connections; and in batches."""
    measured = []
    with Receiver(folder / "sink") as receiver:
        for connections in (1, 4):
            measured += _single(folder, receiver, count, rounds, connections)
    return measured


def _single(folder: Path, receiver: Receiver, count: int, rounds: int, connections: int) -> list[Measured]:
    name = f"single{connections}"
    bare = [sys.executable, "-m", "bench.posting", receiver.url(f"/bare{connections}"), str(count), str(connections)]
    subscriptions = {name: 'backend = "single"\n', "batch": 'backend = "many"\nbatch_size = 100\n'}
    rates: dict[str, list[float]] = {"bare": [], "single": [], "batch": []}
    with sender(folder, receiver, ("single", "many"), subscriptions, connections) as ours:
        wait_subscribed(ours, name)
        for _ in range(rounds):
            run = lambda: subprocess.run(bare, check=True)  # noqa: E731
            rates["bare"].append(_rate(receiver, f"/bare{connections}", count, run))
            for kind, backend, path in (("single", "single", name), ("batch", "many", "batch")):
                events = count * (10 if kind == "batch" else 1)
                ours.hold(path)
                ours.write(backend, events)
                rates[kind].append(_rate(receiver, f"/{path}", events, lambda path=path: ours.go(path)))  # type: ignore[misc]
    bare_rate, rate, batch = (Median(rates[kind]) for kind in ("bare", "single", "batch"))
    over = f"{connections} connection{'s' if connections > 1 else ''}"
    note = "a bare loop of the same client"
    return [
        Measured(f"delivery, one event per POST, {over}", rate, bare_rate, "/s", 0.6, note, is_least=True),
        Measured(f"delivery in batches of 100, {over}", batch, rate, "/s", 20, "our single events", is_least=True),
    ]


def wait_subscribed(ours: Sender, name: str) -> None:
    for _ in range(300):
        if ours.store.subscriptions.get(f"sub_config_{name}") is not None:
            return
        time.sleep(0.1)
    raise SystemExit(f"the server does not know the subscription {name}")


def hanging(folder: Path, events: int, rounds: int, receivers: int = 100) -> list[Measured]:
    """Many subscriptions to the same events: seconds until all but one have everything, while that one hangs or not."""
    names = [f"s{number}" for number in range(receivers)]
    seconds: dict[bool, list[float]] = {False: [], True: []}
    with (
        Receiver(folder / "many sinks") as receiver,
        sender(folder, receiver, ("people",), dict.fromkeys(names, ""), 4) as ours,
    ):
        wait_subscribed(ours, names[-1])
        time.sleep(2)
        came = 0
        for _ in range(rounds):
            for is_hanging in (False, True):
                receiver.behave("/s0", HANG if is_hanging else OK)
                ours.hold(*names)
                ours.write("people", events)
                came += events
                began = time.time()
                ours.go(*names)
                for name in names[1:]:
                    wait_for(receiver, f"/{name}", came)
                seconds[is_hanging].append(max(receiver.count(f"/{name}").last_at for name in names[1:]) - began)
                receiver.behave("/s0", OK)
                # What came while it hung is counted, too, and comes again.
                _wait_done(ours, "s0")
    return [
        Measured(
            f"{receivers} subscriptions to {events} events, one of which hangs: the others",
            Median(seconds[True]),
            Median(seconds[False]),
            "s",
            1.2,
            "the same, and it does not hang",
        )
    ]


def _wait_done(ours: Sender, name: str) -> None:
    """Until a subscription has caught up; one that rests is told to try again."""
    last = ours.store.journal.last_serial()
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        found = ours.store.subscriptions.get(f"sub_config_{name}")
        if found is not None and found.cursor >= last and found.state == "ok":
            return
        if found is not None and found.state != "ok":
            ours.store.subscriptions.change(found.id, is_active=True)
        time.sleep(2)
    raise SystemExit(f"{name} does not catch up")
