"""Waking user agents that are not connected (KICK in the first API)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

#: What a user agent tells about how it is woken: plain JSON.
KickData = Mapping[str, object]


class Waking(ABC):
    """What the post office tells whoever can wake. Called from several threads, after the store has it; what takes
    long belongs in a thread of its own."""

    @abstractmethod
    def register(self, uaid: str, kick: KickData) -> None:
        """A user agent came with this data, at registration or hello."""

    @abstractmethod
    def wake(self, uaid: str) -> None:
        """A version waits for a user agent that is not connected to this process."""

    @abstractmethod
    def forget(self, uaid: str) -> None:
        """A user agent with data is not kept any more."""


class NoWaking(Waking):
    """Nobody can be woken."""

    def register(self, uaid: str, kick: KickData) -> None:
        return

    def wake(self, uaid: str) -> None:
        return

    def forget(self, uaid: str) -> None:
        return
