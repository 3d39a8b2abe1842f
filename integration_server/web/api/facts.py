"""What the API needs to know of the installation around it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from integration_server.forwarding.audit import Audit
from integration_server.sdk.consumers import Consumer, ConsumerContext, Receipt
from integration_server.store import Store
from integration_server.store.bell import Bell


class Tester(Protocol):
    """What sends a test event: the forwarding engine."""

    def test(self, subscription_id: str) -> Receipt:
        """The receiver took a test event. Raises DeliveryError, ConfigError, KeyError."""
        ...


@dataclass(frozen=True, slots=True)
class BackendFacts:
    """A backend of the configuration. ``is_watched``: its changes are noticed."""

    type: str
    is_watched: bool


@dataclass(frozen=True, slots=True)
class ApiLimits:
    """How much at once. ``waiters`` are long polls, ``tests`` are requests that wait for a receiver (a test event, or
    whether it wants events at all), and each occupies a thread; ``snapshots`` are whole snapshots being written, and
    ``snapshots_kept`` are those that lie on the disk until their readers have taken them; ``subscriptions`` is how many
    a token may have."""

    waiters: int = 4
    snapshots: int = 2
    snapshots_kept: int = 8
    tests: int = 4
    subscriptions: int = 100


@dataclass(frozen=True, slots=True)
class ApiFacts:
    """What ``create_api`` takes.

    ``engine`` is None where this process can send no test event; ``context`` makes what a consumer needs beside its
    settings, and is None where no receiver can be asked to confirm. ``spool`` is a folder for snapshots while they are
    sent; it is made when needed. ``is_stopping`` ends long polls.
    """

    store: Store
    backends: Mapping[str, BackendFacts]
    consumers: Mapping[str, type[Consumer]]
    bell: Bell
    audit: Audit
    spool: Path
    engine: Tester | None = None
    context: Callable[[str], ConsumerContext] | None = None
    limits: ApiLimits = ApiLimits()
    allow_plain_http: bool = False
    is_stopping: Callable[[], bool] = lambda: False
    clock: Callable[[], float] = time.time
