"""Abilities of frontends, declared by inheritance as those of backends are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

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


class Service(ABC):
    """A frontend with a listener or a loop of its own, beside the requests that it answers.

    Every process of ``serve`` answers requests, and one of them runs the service; when that one ends or is killed,
    another begins. So what the service knows, and requests need, belongs in the store. Both methods are called in turn,
    as often as the process is chosen, by a thread of the server's.
    """

    @abstractmethod
    def start(self) -> None:
        """Begin, in threads of its own, and return. What it raises is logged, and it is tried again seconds later:
        ConfigError for what a person must mend, such as a port that is taken, with its message alone."""

    @abstractmethod
    def stop(self, timeout: float) -> None:
        """End within ``timeout`` seconds, also after a ``start`` that failed. The store is open until it returns."""


class ShortAnswer(NamedTuple):
    """An answer with status 200 and no header fields of its own but these."""

    body: bytes
    content_type: str


class Shortcut(ABC):
    """A frontend that answers what it is asked most often without Flask, whose way to a view and back takes a quarter
    of a login."""

    short_paths: ClassVar[Sequence[str]] = ("/",)
    """The paths that have one, each of which the blueprint has, too; the mount's own is ``/``. What leads to another
    mount's blueprint stays there."""

    @abstractmethod
    def shortcut(self, environ: dict[str, Any]) -> ShortAnswer | None:
        """The answer to a request for one of these paths, whatever its method, but HEAD. None leaves it to the
        blueprint, which must find the body unread, and gives every other answer.

        ``environ`` is that of WSGI (PEP 3333), ``flask.request`` is not there. The gateway may be asked as in a view,
        ``admit`` before anything is read; what is raised is answered as if a view had raised it. Nothing is asked
        where a blueprint has Flask call functions before or after its requests, or those of all.
        """
