"""What the post office asks about channels that are bound to the directory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence

from integration_server.builtin.push.letters import Bond, BondRefused
from integration_server.builtin.push.versions import Update

#: How far one has looked for changes in the directory.
Mark = tuple[int, int]


class Bonds(ABC):
    """The bound channels of one mount. Their versions come from the journal, and who acknowledged what is kept there.
    Thread-safe; raises StoreUnavailable. To be called outside of transactions, since it has its own."""

    @abstractmethod
    def bind(self, channel: str, endpoint: str, bond: Bond | None) -> str | BondRefused:
        """Make a subscription for a channel, which need not be registered yet; its id."""

    @abstractmethod
    def attach(self, subscriptions: Mapping[str, str]) -> None:
        """Channels that are registered, by endpoint, have their versions from these; from others no more."""

    @abstractmethod
    def give_up(self, subscriptions: Sequence[str]) -> None:
        """Nothing was registered for them after all."""

    @abstractmethod
    def detach(self, endpoints: Sequence[str]) -> None:
        """These were unregistered."""

    @abstractmethod
    def prune(self) -> None:
        """Unregister channels whose subscription somebody removed, and the other way round."""

    @abstractmethod
    def pending(self, uaids: Iterable[str]) -> Update:
        """What waits for these in bound channels."""

    @abstractmethod
    def send(self, uaids: Iterable[str]) -> Update:
        """The same; and it is on its way to them from now on."""

    @abstractmethod
    def confirm(self, uaids: Iterable[str]) -> None:
        """These have what was on its way."""

    @abstractmethod
    def acknowledge(self, versions: Mapping[str, int]) -> None:
        """By endpoint, whether bound or not: user agents have these versions."""

    @abstractmethod
    def mark(self) -> Mark:
        """How far one has looked who looks now."""

    @abstractmethod
    def changes(self, after: Mark) -> Update:
        """What waits in channels about which something changed since. Take the next mark before."""


class NoBonds(Bonds):
    """Nothing can be bound."""

    def bind(self, channel: str, endpoint: str, bond: Bond | None) -> str | BondRefused:
        return BondRefused(403, "channels cannot be bound here")

    def attach(self, subscriptions: Mapping[str, str]) -> None:
        return

    def give_up(self, subscriptions: Sequence[str]) -> None:
        return

    def detach(self, endpoints: Sequence[str]) -> None:
        return

    def prune(self) -> None:
        return

    def pending(self, uaids: Iterable[str]) -> Update:
        return {}

    def send(self, uaids: Iterable[str]) -> Update:
        return {}

    def confirm(self, uaids: Iterable[str]) -> None:
        return

    def acknowledge(self, versions: Mapping[str, int]) -> None:
        return

    def mark(self) -> Mark:
        return (0, 0)

    def changes(self, after: Mark) -> Update:
        return {}
