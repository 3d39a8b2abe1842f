"""Receivers that a protocol registers by itself, where otherwise a person would add a subscription."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from integration_server.sdk.settings import ConsumerSettings


@dataclass(frozen=True, slots=True)
class Receiver:
    """A subscription of one consumer type. ``settings`` hold its secrets.

    ``state`` is ``ok``, ``resting`` (it is down, and asked again and again), ``quarantined`` (it has been down for
    long, and is asked rarely) or ``ended``; ``reason`` says why, for people. ``is_configured``: its table stands in the
    configuration; ``is_registered``: this mount registered it. Any other was added by command.
    """

    id: str
    name: str
    settings: ConsumerSettings = field(repr=False)
    state: str
    reason: str | None
    is_active: bool
    is_configured: bool
    is_registered: bool

    @property
    def is_told(self) -> bool:
        """Whether it is handed events at all, be it later."""
        return self.is_active and self.state != "ended"

    @property
    def is_up(self) -> bool:
        """Whether it took what it was handed last, as far as is known."""
        return self.is_active and self.state == "ok"


class Receivers(ABC):
    """The receivers of one consumer type. Thread-safe; raises StoreUnavailable."""

    @abstractmethod
    def all(self) -> Sequence[Receiver]:
        """Those that this mount registered and those that people chose, in the order in which they came. One whose
        settings cannot be read any more is left out, and said so in the log."""

    @abstractmethod
    def register(self, name: str, values: Mapping[str, object]) -> Receiver:
        """Have a receiver of that name, with these settings, be told from now on.

        Where this mount registered it before, its settings become these, what waits for it goes there, and it is tried
        at once. One that has ended begins anew with what happens from now on. Where another mount registered the same
        receiver, this one goes on where that was, in its place. Raises ConfigError for settings that cannot work.
        """

    @abstractmethod
    def resume(self, id: str) -> None:
        """Tell one again that rests, is paused or has ended. What it was not told meanwhile comes, unless it had ended
        and consumers of this type end for good: then it begins with what happens from now on. Does nothing for one that
        is not there."""

    @abstractmethod
    def end(self, id: str, reason: str) -> None:
        """It wants no more: what waits for it is cancelled. Does nothing for one that is not there."""

    @abstractmethod
    def remove(self, id: str) -> bool:
        """Forget one that a protocol registered, with what waits for it; whether it was there."""
