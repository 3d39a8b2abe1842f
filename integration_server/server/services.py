"""Frontends with a listener or a loop of their own: run by one process each, and by the next when that one ends."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from urllib.parse import quote

from integration_server.sdk.frontend_abilities import Service
from integration_server.server.election import FileSeat, LeaseSeat, Seat, node_name
from integration_server.server.installation import Installation
from integration_server.server.posts import STOP_SECONDS, Post, Work
from integration_server.web.app import Mounted


class Services:
    """Starts and stops those of the frontends that are a ``Service``."""

    def __init__(self, installation: Installation, mounted: Mapping[str, Mounted]) -> None:
        self._posts = [
            Post(
                f"the service of {name}",
                _seat(installation, name),
                partial(_alone, mount.frontend),
                installation.stopping.is_set,
            )
            for name, mount in mounted.items()
            if isinstance(mount.frontend, Service)
        ]
        installation.duties.add(self._posts)

    def start(self) -> None:
        """Begin as soon as this process is elected. Returns at once."""
        for post in self._posts:
            post.start()

    def stop(self, timeout: float = STOP_SECONDS) -> None:
        """End all within ``timeout`` seconds. Close the installation only afterwards."""
        for post in self._posts:
            post.ask_to_stop(timeout)
        for post in self._posts:
            post.join()


def _alone(service: Work) -> list[Work]:
    return [service]


def _seat(installation: Installation, mount: str) -> Seat:
    """What whoever runs a mount's service must hold: on SQLite among the processes that share the folder, on
    PostgreSQL among all nodes, since the clients of a listener must all be in one place."""
    if installation.store.is_sqlite:
        return FileSeat(installation.config.data_dir / f"service-{quote(mount, safe='')}.lock")
    return LeaseSeat(installation.store.leases, node_name(), f"service/{mount}")
