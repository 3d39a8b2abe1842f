"""What one server process takes from its callers, at most."""

from __future__ import annotations

import logging
import select
import sys
from dataclasses import dataclass, field

logger = logging.getLogger(__name__)

HAS_POLL = hasattr(select, "poll")

SELECT_CONNECTIONS = 450
"""CPython's select() on Windows takes 512 sockets; the rest is left to the listener and its wake-up pair."""

FILES_PER_CONNECTION = 2
"""A connection and the file that is being sent over it."""

FILES_FOR_THE_REST = 256
"""Descriptors for databases, directories, logs and modules."""


def default_connection_limit() -> int:
    return 1000 if HAS_POLL else SELECT_CONNECTIONS


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """Limits of one server process. Sizes are in bytes; times in seconds are counted on the monotonic clock.

    ``threads``
        requests that are worked on at the same time, beside those that are over in a moment; further ones wait in line.
    ``connection_limit``
        open connections; when it is reached, idle ones make room and new ones wait in the listen queue.
    ``max_body_bytes``, ``max_header_bytes``
        larger ones get 413 and 431.
    ``header_seconds``
        from the first byte of a request to the end of its headers, however steadily bytes drip.
    ``body_seconds``
        from the end of the headers to the end of the body.
    ``idle_seconds``
        how long a connection may stay open without sending the first byte of a (further) request.
    ``send_stall_seconds``
        how long a caller may take nothing of an answer that is ready.
    ``stop_seconds``
        how long running requests may take to finish once the server was told to stop.
    """

    threads: int = 16
    connection_limit: int = field(default_factory=default_connection_limit)
    max_body_bytes: int = 1024 * 1024
    max_header_bytes: int = 32 * 1024
    header_seconds: float = 10.0
    body_seconds: float = 30.0
    idle_seconds: float = 60.0
    send_stall_seconds: float = 120.0
    stop_seconds: float = 10.0

    def check_interval(self) -> float:
        """Seconds between two looks at the deadlines: fine enough for the shortest of them."""
        shortest = min(self.header_seconds, self.body_seconds, self.idle_seconds, self.send_stall_seconds)
        return max(0.05, min(1.0, shortest / 4))


def usable_connection_limit(wanted: int) -> int:
    """``wanted`` connections, or as many as this process can really hold, with a warning where that is
    fewer."""
    possible = wanted if HAS_POLL else min(wanted, SELECT_CONNECTIONS)
    files = _open_file_limit(wanted * FILES_PER_CONNECTION + FILES_FOR_THE_REST)
    if files is not None:
        possible = min(possible, max(1, (files - FILES_FOR_THE_REST) // FILES_PER_CONNECTION))
    if possible < wanted:
        logger.warning(
            "this process can hold %d connections, not the configured %d; raise its limit of open files",
            possible,
            wanted,
        )
    return possible


def make_room(connections: int) -> None:
    """Let this process open as many files as so many connections need beside its requests, or warn."""
    files = _open_file_limit(connections + default_connection_limit() * FILES_PER_CONNECTION + FILES_FOR_THE_REST)
    if files is not None and files < connections + FILES_FOR_THE_REST:
        logger.warning(
            "this process may open %d files, too few for %d more connections; raise its limit", files, connections
        )


def _open_file_limit(needed: int) -> int | None:
    """How many files this process may open, raised to ``needed`` where the system allows; None for no limit.

    The usual soft limit is 1024, for the sake of programs that select(); the hard one is what the
    administrator meant.
    """
    if sys.platform == "win32":
        return None
    try:
        import resource
    except ImportError:
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return None
    raised = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
    except (OSError, ValueError):
        return soft
    return raised
