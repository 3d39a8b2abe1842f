"""What the kinds of feeds have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar

from integration_server import Changes, Deadline, Finding
from integration_server.builtin.ldap.feeds.positions import Kind
from integration_server.builtin.ldap.pool import Pool
from integration_server.builtin.ldap.wire import Wire


class Feed(ABC):
    """One way to notice changes of an LDAP directory. Thread-safe. Constructors do no I/O."""

    kind: ClassVar[Kind]

    @abstractmethod
    def position(self, wire: Wire, deadline: Deadline) -> str:
        """Where the directory stands. Raises BackendMisconfigured where the server cannot tell this feed of changes,
        other BackendErrors."""

    @abstractmethod
    def changes(self, pool: Pool, content: object, deadline: Deadline) -> Iterator[Changes]:
        """What changed since the position with this content. Raises ComparisonNeeded, other BackendErrors."""

    @abstractmethod
    def check(self, wire: Wire, deadline: Deadline) -> Iterator[Finding]:
        """What an admin should know of it, after ``position`` went well. Raises BackendError."""

    def close(self) -> None:  # noqa: B027 (most hold nothing)
        """Let go of what is held open. May be called twice."""
