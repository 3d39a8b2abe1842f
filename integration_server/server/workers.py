"""The work beside answering requests: noticing changes, delivering them, and forgetting old ones.

Several server processes may share one SQLite store: they elect one among them to do all of it. On PostgreSQL each node
delivers what it has leases for, each backend is watched by the node that has the lease for that.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from typing import TypeVar

from integration_server.forwarding.detection.watcher import RunResult
from integration_server.sdk.errors import StoreUnavailable
from integration_server.server.election import FileSeat, LeaseSeat, NoSeat, Seat, node_name
from integration_server.server.installation import Installation
from integration_server.server.posts import LOOK_SECONDS, STOP_SECONDS, Loop, Post, Work
from integration_server.server.pruning import prune, prune_records

logger = logging.getLogger(__name__)

R = TypeVar("R")

_SEAT = "workers.lock"
#: From one look for old events to the next; the first comes soon, so that a server restarted each night prunes, too.
_PRUNE_SECONDS = 6 * 3600.0
_FIRST_PRUNE_SECONDS = 60.0


class Workers:
    """Starts and stops all of it. Threads only; whether they do anything depends on the election."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._posts: list[Post] = []

    def start(self) -> None:
        """Begin as soon as this process is elected. Returns at once."""
        self._posts = _posts(self._installation)
        self._installation.duties.add(self._posts)
        for post in self._posts:
            post.start()

    def stop(self, timeout: float = STOP_SECONDS) -> None:
        """End everything within ``timeout`` seconds. Close the installation only afterwards."""
        for post in self._posts:
            post.ask_to_stop(timeout)
        for post in self._posts:
            post.join()
        self._posts = []


def _posts(installation: Installation) -> list[Post]:
    leases, is_stopping = installation.store.leases, installation.stopping.is_set
    watches = {name: partial(_watch, installation, name) for name in installation.forwarding.watched}

    def pruner() -> Work:
        return Loop("prune", partial(_prune_until, installation))

    if installation.store.is_sqlite:

        def everything() -> list[Work]:
            return [*(begin() for begin in watches.values()), _deliver(installation), pruner()]

        return [
            Post("watching and delivering", FileSeat(installation.config.data_dir / _SEAT), everything, is_stopping)
        ]
    posts = [
        Post(f"watching {name}", watch_seat(installation, name), partial(_alone, begin), is_stopping)
        for name, begin in watches.items()
    ]
    # The engine has leases of its own, one for each subscription.
    posts.append(Post("delivering", NoSeat(), partial(_alone, partial(_deliver, installation)), is_stopping))
    posts.append(Post("pruning", LeaseSeat(leases, node_name(), "prune"), partial(_alone, pruner), is_stopping))
    return posts


def _watch(installation: Installation, name: str) -> Work:
    return Loop(f"watch {name}", installation.forwarding.watcher(name).run)


def _deliver(installation: Installation) -> Work:
    installation.forwarding.bring_configured()
    return installation.forwarding.engine()


def _alone(begin: Callable[[], Work]) -> list[Work]:
    return [begin()]


def watch_seat(installation: Installation, backend: str) -> Seat:
    """What whoever watches a backend must hold."""
    if installation.store.is_sqlite:
        return FileSeat(installation.config.data_dir / _SEAT)
    return LeaseSeat(installation.store.leases, node_name(), f"watch/{backend}")


def is_seat_free(data_dir: Path) -> bool:
    """Whether none of the processes that share a SQLite store works. One that begins in this moment tries again."""
    seat = FileSeat(data_dir / _SEAT)
    if not seat.take():
        return False
    seat.release()
    return True


def run_once(installation: Installation, backend: str) -> RunResult | None:
    """One look at a backend, as its watcher takes it; None where another process watches it."""
    seat = watch_seat(installation, backend)
    if not seat.take():
        return None
    try:
        return _kept(seat, installation.forwarding.watcher(backend).run_once)
    finally:
        seat.release()


def _kept(seat: Seat, function: Callable[[], R]) -> R:
    """What ``function`` returns; the seat is kept meanwhile."""
    with ThreadPoolExecutor(1) as executor:
        future = executor.submit(function)
        while not future.done():
            wait([future], LOOK_SECONDS)
            seat.keep()
        return future.result()


def _prune_until(installation: Installation, stop: threading.Event) -> None:
    pause = _FIRST_PRUNE_SECONDS
    while not stop.wait(pause):
        pause = _PRUNE_SECONDS
        core = installation.config.core
        try:
            prune(installation.store, core.forwarding.keep_days, time.time())
            prune_records(installation.store, core.dashboard.audit_days, time.time())
        except StoreUnavailable:
            logger.warning("old events could not be removed; tried again in %g h", pause / 3600)
