"""How cost grows: with people (a list), with subscriptions (deliveries), with clients (logins)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.deliveries import sender, wait_for, wait_subscribed
from bench.measured import Measured, Median, Series, taken_in_turn
from bench.rivals import driver, logins, ours, php, privacyidea, sources
from bench.rivals.driver import Asking
from bench.serving import fetch, fetch_list
from tests.receiver import Receiver

#: privacyIDEA holds a whole list in memory, several times over; more people than these are not asked of it.
_MOST_OF_RIVAL = 100_000
SUBSCRIPTIONS = (1, 10, 100)
CLIENTS = (1, 2, 4, 8, 16, 32, 64)

Results = tuple[list[Measured], list[Series]]


def measure(folder: Path, people: int, rounds: int, events: int, requests: int) -> Results:
    """All of them. People grow to ``people`` in steps of ten, from a hundredth."""
    measured: list[Measured] = []
    series: list[Series] = []
    for lines, curves in (
        _lists(folder, [people // 100, people // 10, people], rounds),
        _subscriptions(folder, events, rounds),
        _clients(folder, people // 10, rounds, requests),
    ):
        measured += lines
        series += curves
    return measured, series


def _lists(folder: Path, counts: Sequence[int], rounds: int) -> Results:
    """Seconds of a list out of SQLite: ours, the script, privacyIDEA."""
    seconds: dict[str, list[tuple[int, float]]] = {}
    for count in counts:
        for name, median in _list_seconds(folder, count, rounds).items():
            seconds.setdefault(name, []).append((count, median))
    (few, short), *_, (many, long) = seconds["ours"]
    line = Measured(
        f"list from SQLite, {few:,} → {many:,} users: time for 1,000 of them",
        long / many * 1e6,
        short / few * 1e6,
        "ms",
        1.3,
        f"the same of {few:,}",
    )
    return [line], [Series(f"list from SQLite: {name}", "users", "s", points) for name, points in seconds.items()]


def _list_seconds(folder: Path, count: int, rounds: int) -> dict[str, Median]:
    source = sources.sqlite(folder, count)
    output = folder / "growth.list"
    with ExitStack() as stack:
        own = stack.enter_context(ours.serving(folder, source, 1))
        script = stack.enter_context(php.serving(folder, source, 1))
        takes: dict[str, Callable[[], float]] = {
            "ours": lambda: fetch_list(own.port, output),
            "a PHP script": lambda: fetch_list(script, output),
        }
        if count <= _MOST_OF_RIVAL:
            rival = stack.enter_context(privacyidea.serving(folder, source, 1))
            takes["privacyIDEA"] = lambda: fetch(rival.port, privacyidea.list_request(rival), output)
        for take in takes.values():
            take()
        return dict(zip(takes, taken_in_turn(rounds, *takes.values()), strict=True))


def _subscriptions(folder: Path, events: int, rounds: int) -> Results:
    """Deliveries a second to all subscriptions together, one event for each POST; the same number of them each time."""
    points = [(count, _delivered(folder, count, max(1, events // count), rounds)) for count in SUBSCRIPTIONS]
    (few, slow), *_, (many, fast) = points
    line = Measured(
        f"{many} subscriptions: deliveries to all", fast, slow, "/s", 0.8, f"deliveries to {few}", is_least=True
    )
    return [line], [Series("deliveries to all subscriptions", "subscriptions", "/s", points)]


def _delivered(folder: Path, count: int, events: int, rounds: int) -> Median:
    names = [f"g{number}" for number in range(count)]
    rates = []
    place = folder / f"growth-{count}"
    place.mkdir()
    with (
        Receiver(place / "sinks") as receiver,
        sender(place, receiver, ("people",), dict.fromkeys(names, ""), 4) as server,
    ):
        wait_subscribed(server, names[-1])
        time.sleep(2)
        for number in range(1, rounds + 1):
            server.hold(*names)
            server.write("people", events)
            began = time.time()
            server.go(*names)
            for name in names:
                wait_for(receiver, f"/{name}", number * events)
            last = max(receiver.count(f"/{name}").last_at for name in names)
            rates.append(count * events / (last - began))
    return Median(rates)


def _clients(folder: Path, count: int, rounds: int, requests: int) -> Results:
    """Logins a second out of SQLite, with as many processes as cores: ours and the script."""
    source = sources.sqlite(folder, count)
    numbers = sources.numbers(count)
    workers = os.cpu_count() or 1
    with ExitStack() as stack:
        own = stack.enter_context(ours.serving(folder, source, workers))
        script = stack.enter_context(php.serving(folder, source, workers))
        doors = {"ours": lambda: logins.mailstore(own.port), "a PHP script": lambda: logins.mailstore(script)}
        takes = {
            (name, clients): _take(connect, numbers, clients, requests)
            for clients in CLIENTS
            for name, connect in doors.items()
        }
        for take in takes.values():
            take()
        rates = dict(zip(takes, taken_in_turn(rounds, *takes.values()), strict=True))
    line = Measured(
        f"auth, {CLIENTS[-1]} clients", rates["ours", 64], rates["ours", 8], "/s", 0.8, "8 clients", is_least=True
    )
    curves = [
        Series(f"auth from SQLite: {name}", "clients", "/s", [(clients, rates[name, clients]) for clients in CLIENTS])
        for name in doors
    ]
    return [line], curves


def _take(connect: Callable[[], Asking], numbers: list[int], clients: int, requests: int) -> Callable[[], float]:
    return lambda: driver.rate(connect, numbers, clients, requests)
