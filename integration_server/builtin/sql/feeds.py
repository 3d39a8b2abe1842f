"""What the two feeds of a database have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from integration_server import Changes, Deadline, Finding
from integration_server.builtin.sql.connections import Connections
from integration_server.builtin.sql.driver import Session


@dataclass(frozen=True, slots=True)
class Access:
    """Ways to the database: pooled connections for quick questions, and one of one's own for a long answer."""

    connections: Connections
    own: Callable[[Deadline], AbstractContextManager[Session]]


class Feed(ABC):
    """One way to notice changes. ``name`` is for people to read."""

    name: str

    @abstractmethod
    def position(self, access: Access, deadline: Deadline) -> str:
        """Where the feed stands now; see ChangeFeed."""

    @abstractmethod
    def changes(self, access: Access, position: str, deadline: Deadline) -> Iterator[Changes]:
        """What changed since; see ChangeFeed."""

    @abstractmethod
    def check(self, session: Session) -> Iterator[Finding]:
        """Whether the feed can work. Raises the driver's exceptions."""
