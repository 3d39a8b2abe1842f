"""Channels that a protocol binds to the directory: their holders cannot be called, so they ask whether something
changed, and are told its serial."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass

#: How far somebody has looked for changes; a pair of numbers that means something to ``Bindings`` alone.
Mark = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Binding:
    """A channel that is bound to a resource: everything, a backend, or a group of one.

    ``version`` is the serial of the latest event that touches the resource, as a subscription of all its events would
    get it; ``acknowledged`` is what the holder knows. ``resource`` is what ``changed_since`` calls the resource.
    ``is_told``: nobody paused the channel, and the token that bound it was neither revoked nor has it expired.
    """

    id: str
    resource: int
    version: int
    acknowledged: int
    is_told: bool

    @property
    def is_pending(self) -> bool:
        """Whether the holder is to be told the version."""
        return self.is_told and self.version > self.acknowledged


class Bindings(ABC):
    """The channels of one consumer type, one that takes ``"versions"``. They are subscriptions like any other: listed,
    paused, replayed and removed where those are. Thread-safe; everything raises StoreUnavailable.

    Keep ``Binding.id`` with the channel. What has an id that is no binding's any more was removed by somebody.
    """

    @abstractmethod
    def bind(self, name: str, token: str, resource: Mapping[str, object]) -> Binding:
        """Bind the channel ``name`` (at most 200 printable characters; people see it) for the holder of a bearer
        token, whom it belongs to. ``resource`` is as the API has it: ``{"kind": "all"}``, ``{"kind": "backend",
        "backend": "hq"}`` or ``{"kind": "group", "backend": "hq", "group": "staff"}``.

        It knows of everything that happened until now. Where the token has bound this name already, that binding is
        given, with what waits for it, and another resource takes the place of the first one.

        Raises CallerRefused: 401 for a token that is none, 403 for one without the scope ``subscriptions:write`` or
        that may not see all of the resource, 404 where there is no such backend, 409 where the token has too many;
        ValueError for a name or resource that is none. See to it that the token comes over an encrypted connection.
        """

    @abstractmethod
    def find(self, ids: Collection[str]) -> Mapping[str, Binding]:
        """Those of these bindings that are there, in one look, however many."""

    @abstractmethod
    def pending(self, ids: Collection[str]) -> Mapping[str, int]:
        """The versions that the holders of these bindings are to be told, in one look, however many."""

    @abstractmethod
    def pending_of(self, resources: Collection[int]) -> Mapping[str, int]:
        """The versions that holders of all bindings of these resources (``Binding.resource``) are to be told; bindings
        of other mounts of the type are among them."""

    @abstractmethod
    def acknowledge(self, versions: Mapping[str, int]) -> None:
        """The holders know these versions, by binding. Lower ones than before, and ids that are no binding's, change
        nothing; higher ones than the binding's own count as that. May be undone by a power cut."""

    @abstractmethod
    def remove(self, ids: Collection[str]) -> None:
        """End bindings for good. Ids that are no binding's are passed over."""

    @abstractmethod
    def mark(self) -> Mark:
        """How far one has looked who looks now. Costs next to nothing, so it may be asked several times a second."""

    @abstractmethod
    def changed_since(self, mark: Mark) -> frozenset[int]:
        """Resources (``Binding.resource``) of which something changed since: an event, or somebody paused, resumed,
        replayed or removed a binding. Take the next mark before; nothing is missed then, and something may come twice.
        """

    @abstractmethod
    def wait(self, mark: Mark, timeout: float) -> Mark:
        """Wait for at most ``timeout`` seconds until there may be a change after ``mark``, whichever process made it,
        and give the mark then. Changes of this process wake it at once, those of others within a quarter second."""
