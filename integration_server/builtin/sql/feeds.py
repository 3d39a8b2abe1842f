"""What the two feeds of a database have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

from integration_server import Changes, Deadline, Finding
from integration_server.builtin.sql.connections import Connections
from integration_server.builtin.sql.driver import Session


class Feed(ABC):
    """One way to notice changes. ``name`` is for people to read."""

    name: str

    @abstractmethod
    def position(self, connections: Connections, deadline: Deadline) -> str:
        """Where the feed stands now; see ChangeFeed."""

    @abstractmethod
    def changes(self, connections: Connections, position: str, deadline: Deadline) -> Iterator[Changes]:
        """What changed since; see ChangeFeed. Whoever stops after any step may go on from its position."""

    @abstractmethod
    def check(self, session: Session) -> Iterator[Finding]:
        """Whether the feed can work. Raises the driver's exceptions."""
