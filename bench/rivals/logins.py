"""Logins a second with as many processes or workers as cores: ours, the script, privacyIDEA and Dovecot in turn.

SQL holds SSHA256, slapd SSHA, for everybody the same. Before time is taken, everybody has to take a right password and
to refuse a wrong one and that of a disabled account.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench import people
from bench.measured import Measured, Median, taken_in_turn
from bench.rivals import dovecot, driver, ours, php, privacyidea, sources
from bench.rivals.driver import Asking, Http
from bench.rivals.sources import Source
from bench.serving import PATH, auth_body

CLIENTS = 8


@dataclass(frozen=True, slots=True)
class Door:
    """Where logins are asked about: how to connect, and in how much time of ours one is done."""

    connect: Callable[[], Asking]
    #: Logins of a round, for so many of ours.
    share: float = 1.0


def measure(folder: Path, source: Source, rounds: int, logins: int) -> list[Measured]:
    """The rates, in logins a second over 8 connections; ``logins`` of ours in a round."""
    numbers = sources.numbers(source.count)
    with ExitStack() as stack:
        doors = opened(stack, folder, source)
        takes = [_take(door, numbers, logins) for door in doors.values()]
        for take in takes:
            take()
        medians = taken_in_turn(rounds, *takes)
    return list(_lines(source, dict(zip(doors, medians, strict=True))))


def _take(door: Door, numbers: list[int], logins: int) -> Callable[[], float]:
    count = max(CLIENTS, int(logins * door.share))
    return lambda: driver.rate(door.connect, numbers, CLIENTS, count)


def opened(stack: ExitStack, folder: Path, source: Source) -> dict[str, Door]:
    """Everybody who answers logins from this source, started and found to be right."""
    workers = os.cpu_count() or 1
    own = stack.enter_context(ours.serving(folder, source, workers))
    rival = stack.enter_context(privacyidea.serving(folder, source, workers))
    doors = {
        "ours": Door(lambda: mailstore(own.port)),
        "privacyidea": Door(
            lambda: Http(rival.port, "/validate/check", privacyidea.check_body, b'"value": true'), share=0.05
        ),
    }
    if source.is_sql:
        script = stack.enter_context(php.serving(folder, source, workers))
        doors["php"] = Door(lambda: mailstore(script))
    if dovecot.can_run():
        auth = stack.enter_context(dovecot.serving(folder, source, workers))
        doors["dovecot"] = Door(lambda: dovecot.Auth(auth))
    for name, door in doors.items():
        _check(name, door)
    return doors


def mailstore(port: int) -> Asking:
    return Http(port, PATH, auth_body, b'{"succeeded":true}')


def _check(name: str, door: Door) -> None:
    left = next(number for number in range(1000) if people.has_left(number))
    questions = ((5, people.password_of(5), True), (5, "wrong", False), (left, people.password_of(left), False))
    for number, password, expected in questions:
        if driver.check(door.connect, f"user{number}", password) != expected:
            raise SystemExit(f"{name} should {'take' if expected else 'refuse'} user{number}, {password}")


def _lines(source: Source, rates: dict[str, Median]) -> Iterator[Measured]:
    workers = os.cpu_count() or 1
    name = f"auth, {source.title}, {CLIENTS} clients, {workers} process{'es' if workers > 1 else ''}"
    beside = (
        ("privacyidea", f"privacyIDEA {privacyidea.VERSION}, {workers} workers", 20),
        ("php", f"a PHP script, {workers} workers", 0.8),
        ("dovecot", "Dovecot (its own socket)", None),
    )
    for other, note, target in beside:
        if other in rates:
            yield Measured(name, rates["ours"], rates[other], "/s", target, note, is_least=True)
