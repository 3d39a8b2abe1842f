"""Callers at a constant and modest rate, each in a thread of its own, and what they may be refused."""

from __future__ import annotations

import base64
import http.client
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self

import orjson

_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}
_PATIENCE_SECONDS: Final = 60.0


class WrongAnswer(Exception):
    """An answer that a caller may not get. Says which."""


class Troubles:
    """When the server was killed, and when it was told to begin anew: what fails then need not be the server's fault.
    Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now = 0
        self._ended_at = 0.0

    @contextmanager
    def some(self) -> Any:
        """Trouble, until the block ends."""
        with self._lock:
            self._now += 1
        try:
            yield
        finally:
            with self._lock:
                self._now -= 1
                self._ended_at = time.monotonic()

    def excuse(self, began: float) -> bool:
        """Whether there was trouble at some time since then (monotonic seconds)."""
        with self._lock:
            return self._now > 0 or self._ended_at >= began


@dataclass(slots=True)
class Tally:
    """How often a caller asked, how often trouble excused a failure, and what else failed."""

    done: int = 0
    excused: int = 0
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Caller:
    """``ask`` raises WrongAnswer, OSError or HTTPException; it is called every ``pause`` seconds."""

    name: str
    pause: float
    ask: Callable[[], None]


class Load:
    """Callers who go on until the block ends. ``tallies`` are by their names."""

    def __init__(self, callers: list[Caller], troubles: Troubles) -> None:
        self.tallies = {caller.name: Tally() for caller in callers}
        self._troubles = troubles
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._go_on, args=(caller,), name=caller.name, daemon=True) for caller in callers
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(_PATIENCE_SECONDS)

    def failures(self) -> list[str]:
        """What went wrong without an excuse."""
        return [f"{name}: {told}" for name, tally in self.tallies.items() for told in tally.failures]

    def _go_on(self, caller: Caller) -> None:
        tally, due = self.tallies[caller.name], time.monotonic()
        while not self._over.wait(max(0.0, due - time.monotonic())):
            # Who is late does not hurry.
            due = max(due + caller.pause, time.monotonic())
            began = time.monotonic()
            try:
                caller.ask()
            except (OSError, http.client.HTTPException, WrongAnswer) as exc:
                if self._troubles.excuse(began):
                    tally.excused += 1
                else:
                    tally.failures.append(f"{type(exc).__name__}: {exc}")
            except BaseException as exc:
                tally.failures.append(f"the caller itself failed: {exc!r}")
                raise
            else:
                tally.done += 1


@dataclass(frozen=True, slots=True)
class Web:
    """Asks the server on a connection of its own each time."""

    port: int

    def ask(
        self,
        method: str,
        path: str,
        body: str | bytes | None = None,
        headers: Mapping[str, str] = _FORM,
        expected: tuple[int, ...] = (200,),
    ) -> tuple[http.client.HTTPMessage, bytes]:
        """Headers and body of the answer. Raises WrongAnswer for another status than those expected."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_PATIENCE_SECONDS)
        try:
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        if response.status not in expected:
            raise WrongAnswer(f"{method} {path.partition('?')[0]}: {response.status} {content[:300]!r}")
        return response.headers, content

    def json(self, method: str, path: str, body: str | bytes | None = None, **more: Any) -> Any:
        return orjson.loads(self.ask(method, path, body, **more)[1])


def basic(name: str, password: str) -> dict[str, str]:
    credentials = base64.b64encode(f"{name}:{password}".encode()).decode()
    return {**_FORM, "Authorization": f"Basic {credentials}"}
