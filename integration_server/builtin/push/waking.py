"""Waking user agents that are not connected (KICK in the first API): what the post office and drivers agree on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

from integration_server import Deadline

#: What a user agent tells about how it is woken: plain JSON.
KickData = Mapping[str, object]


class Unwakeable(Exception):
    """Nobody can be woken with these kick data. The text says why to whoever sent them."""


class KickFailed(Exception):
    """A user agent could not be woken this time. The text is for the log; it holds nothing of the kick data."""


@dataclass(frozen=True, slots=True)
class Sleeper:
    """A user agent for whom something waits, with its kick data as it told them. ``is_in_flight``: an UPDATE is on its
    way to it."""

    uaid: str
    kick: KickData = field(repr=False)
    is_in_flight: bool = False


class KickDriver(ABC):
    """One way of waking. Called from several threads."""

    @abstractmethod
    def check(self, kick: KickData) -> None:
        """Whether user agents with these data can be woken. Quick, and asks nobody. Raises Unwakeable."""

    @abstractmethod
    def wake(self, sleeper: Sleeper, deadline: Deadline) -> None:
        """Wake one; when this returns, the wake-up is on its way. Raises KickFailed."""


class Waking(ABC):
    """What the post office tells whoever wakes. Called from several threads and returns at once."""

    @abstractmethod
    def check(self, kick: KickData) -> None:
        """Whether these data are worth keeping. Quick, and asks nobody. Raises Unwakeable."""

    @abstractmethod
    def register(self, uaid: str, kick: KickData) -> None:
        """A user agent came with this data, at registration or hello; the store has them."""

    @abstractmethod
    def wake(self, uaid: str) -> None:
        """Something came for a user agent that is not connected."""

    @abstractmethod
    def forget(self, uaid: str) -> None:
        """A user agent with data is not kept any more."""


class NoWaking(Waking):
    """Nobody can be woken. Kick data are kept for the day on which a driver is configured."""

    def check(self, kick: KickData) -> None:
        return

    def register(self, uaid: str, kick: KickData) -> None:
        return

    def wake(self, uaid: str) -> None:
        return

    def forget(self, uaid: str) -> None:
        return
