"""What a consumer plugin is: it hands events to one receiver, and says honestly how that went.

The engine around it keeps the order, tries again, rests a receiver that is down, and remembers. A consumer therefore
tries once, keeps no queue, and never swallows a failure.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from integration_server.sdk.deadline import Deadline, Watchdog
from integration_server.sdk.events import Event
from integration_server.sdk.settings import ConsumerSettings
from integration_server.sdk.storage import Storage, Tables, no_storage

if TYPE_CHECKING:
    from integration_server.sdk.http import HttpClient

ConsumerSettingsType = type[ConsumerSettings]


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is handed over at once.

    ``id`` names it towards the receiver and stays the same over all tries: the event's own, or a batch's. ``events``
    are in the order in which they happened; one, unless the subscription asks for batches. (Those of a batch may be
    made only when they are looked at; ``batch_json`` does not need them.) ``attempt`` counts from 1.
    ``secrets`` are those to sign with, the newest first; never log them.
    """

    id: str
    subscription_id: str
    events: Sequence[Event]
    attempt: int
    is_batch: bool
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Receipt:
    """The receiver took it. ``status`` is the HTTP status, ``response`` the beginning of its answer, for the log."""

    status: int | None = None
    response: str | None = None


@dataclass(frozen=True, slots=True)
class ConsumerContext:
    """What the server hands a consumer beside its settings.

    ``http`` is the only way out: it checks every address that it connects to. ``base_dir`` is the folder that relative
    paths of the configuration start from. ``storage``: see ``BackendContext``.
    """

    subscription_id: str
    http: HttpClient
    watchdog: Watchdog
    base_dir: Path
    clock: Callable[[], float]
    storage: Callable[[Tables], Storage] = no_storage


class Consumer(ABC):
    """Hands events to one receiver. Used from many threads.

    ``takes`` is ``"events"`` (each event, or batches of them) or ``"signal"``: then the consumer wants only to know
    that something changed; the engine waits until nothing has changed for ``quiet_seconds`` of the settings, calls
    ``deliver`` with the latest event alone, and all events before it count as delivered. With ``"versions"`` it is
    called by nobody: its receivers are channels that a frontend binds (see ``Bindings``), cannot be configured, and ask
    for the serial themselves; ``deliver`` then raises DeliveryRefused. ``lane`` says what keeps its
    order: each ``"person"``, or the whole ``"subscription"``; then two events at most come again after a crash.
    ``is_registrable`` consumers can be made over the API;
    ``operator_keys`` are settings that only configuration may give, because they open what the server keeps shut.

    ``own_types`` are types of events that plugins tell (see ``Notice``) and that it may be subscribed to beside the
    usual ones. Where there are ``backend_types``, ``backend`` must name a backend of one of them. One that never
    ``gives_up`` has no dead events: what it did not take is tried again for ever. ``ends_for_good``: when the receiver
    wants no more, what waits for it is cancelled. ``identity`` is the setting that tells its receivers apart, where one
    must not be told by two subscriptions: a table of the configuration takes the place of what was registered. With
    ``is_implied`` the settings of frontends ask for its subscriptions (see ``Subscriber``), and nobody else makes any.

    ``Settings`` dumped in JSON mode is what people may see: it must mask every secret.
    """

    type: ClassVar[str]
    Settings: ClassVar[ConsumerSettingsType]
    takes: ClassVar[Literal["events", "signal", "versions"]] = "events"
    lane: ClassVar[Literal["person", "subscription"]] = "person"
    is_registrable: ClassVar[bool] = False
    operator_keys: ClassVar[frozenset[str]] = frozenset()
    own_types: ClassVar[tuple[str, ...]] = ()
    backend_types: ClassVar[tuple[str, ...]] = ()
    gives_up: ClassVar[bool] = True
    ends_for_good: ClassVar[bool] = False
    identity: ClassVar[str | None] = None
    is_implied: ClassVar[bool] = False

    @abstractmethod
    def __init__(self, settings: ConsumerSettings, context: ConsumerContext) -> None:
        """Keep the arguments; no I/O. Raises ConfigError for settings that cannot work together."""

    @abstractmethod
    def deliver(self, delivery: Delivery, deadline: Deadline) -> Receipt:
        """Hand it over once. Returning says that the receiver took all of it.

        Raises DeliveryFailed (it may work later), DeliveryBlocked (the same, and it is about this event alone),
        ConsumerUnavailable (the receiver as a whole is down), DeliveryRefused (never again), ConsumerGone (the receiver
        wants no more: the subscription ends).
        """

    @abstractmethod
    def close(self) -> None:
        """Release connections. May be called twice."""


class Preparing(ABC):
    """Ability of a consumer whose next delivery can be made ready while the last one waits for its answer."""

    @abstractmethod
    def prepare(self, delivery: Delivery) -> Callable[[Deadline], Receipt]:
        """What is left of ``deliver`` for this delivery; it is called within a second, once, or not at all.

        Asks nobody on the network and takes no lock for long. Whatever it raises comes to nothing: ``deliver`` is
        called then, and raises it again.
        """


class Signing(ABC):
    """Ability of a consumer that signs what it sends. The server keeps its secrets; they come with each delivery."""

    @classmethod
    @abstractmethod
    def new_secret(cls) -> str:
        """A fresh secret, as the receiver is given it."""

    @classmethod
    @abstractmethod
    def check_secret(cls, secret: str) -> None:
        """Raise ValueError, whose text does not quote the secret, for one that cannot be signed with."""


class Verifiable(ABC):
    """Ability of a consumer that can find out whether its receiver wants the events (intent verification)."""

    @abstractmethod
    def verify_intent(self, secret: str, deadline: Deadline) -> None:
        """Return when the receiver proved it by giving ``secret`` back.

        Raises DeliveryError: it was not reached, or did not give it back.
        """
