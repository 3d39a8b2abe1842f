"""Abilities of frontends, declared by inheritance as those of backends are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from integration_server.sdk.settings import FrontendSettings


@dataclass(frozen=True, slots=True)
class ImpliedSubscription:
    """A subscription that a frontend's settings ask for.

    ``name`` tells it from the mount's others; people know it as ``MOUNT/NAME``. ``values`` are what could stand in a
    table ``[subscriptions.NAME]``. ``key`` is the frontend's key that asks for it, with which faults are told.
    """

    name: str
    key: str
    values: Mapping[str, object] = field(repr=False)


class Subscriber(ABC):
    """A frontend that is to be told of changes. Its subscriptions are begun, changed and ended as if they stood in the
    configuration."""

    @classmethod
    @abstractmethod
    def subscriptions(
        cls, name: str, settings: FrontendSettings, backend_types: Mapping[str, str]
    ) -> Sequence[ImpliedSubscription]:
        """Those of the mount ``name``. ``backend_types`` has the type of every backend of the configuration.

        Pure: called before anything is opened, also by commands. Raises ConfigError.
        """


class LoginObserver(ABC):
    """A frontend that hears of the logins that any mount of this process let in."""

    @abstractmethod
    def login_accepted(self, backend: str, person_id: str, password: str) -> None:
        """A backend took the password of a person, and the login was let in.

        It is waited for: return at once, and keep the password no longer than needed. What it raises is logged without
        its text, and changes nothing.
        """
