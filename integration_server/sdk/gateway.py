"""What a frontend is, and what it may do: ask its mount's backends through a gateway, and nothing else."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from integration_server.sdk.model import Group, NewAccount, User, Verdict
from integration_server.sdk.settings import FrontendSettings
from integration_server.sdk.storage import Storage, Tables

if TYPE_CHECKING:
    import socket

    from integration_server.sdk.bindings import Bindings
    from integration_server.sdk.http import HttpClient
    from integration_server.sdk.page import UserPage
    from integration_server.sdk.receivers import Receivers


FrontendSettingsType = type[FrontendSettings]


class ListEncoder(Protocol):
    """Turns mapped users into the bytes of a list, page by page. Pure: no I/O, no state."""

    media_type: str
    opening: bytes
    separator: bytes
    closing: bytes

    def page(self, users: UserPage) -> bytes:
        """The users of one page, joined by ``separator``; neither opening nor closing."""
        ...


@dataclass(frozen=True, slots=True)
class SiteGroup:
    """A group of a mount. ``id`` is what the mount calls it: unique, and of letters, digits, ``-`` and ``_`` alone.
    ``backend`` holds it, under ``group.id``."""

    id: str
    backend: str
    group: Group


@dataclass(frozen=True, slots=True)
class Profile:
    """A person of a mount. ``id`` is opaque, and never changes; ``user.groups`` are ids of ``SiteGroup``, sorted."""

    id: str
    user: User


@dataclass(frozen=True, slots=True)
class Joined:
    """What became of putting somebody into a group: the person and the group as they are now."""

    profile: Profile
    group: SiteGroup
    is_new_person: bool
    is_new_member: bool


class ProfileEncoder(Protocol):
    """Turns people with public ids into the bytes of a list, page by page; see ListEncoder."""

    media_type: str
    opening: bytes
    separator: bytes
    closing: bytes
    #: Names the list where a mount has several.
    name: str

    def page(self, ids: Sequence[str], users: UserPage) -> bytes:
        """People with their public ids; ``users.groups`` are ids of ``SiteGroup``."""
        ...


class Gateway(ABC):
    """What a frontend may do: mostly ask about people, on behalf of the caller of the current request.

    Nothing is asked for a caller who was not admitted: the methods below do that themselves where the frontend did not.
    A frontend that lets their exceptions pass gets them answered: 401, 403 or 429 for CallerRefused, 429 for Throttled,
    503 with Retry-After for the others.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """The mount's name in the configuration."""

    @property
    @abstractmethod
    def backend_types(self) -> Mapping[str, str]:
        """The type of each backend of the mount, by its name, in their order."""

    @property
    @abstractmethod
    def http(self) -> HttpClient:
        """The only way out. Its own; do not close it."""

    @abstractmethod
    def storage(self, tables: Tables) -> Storage:
        """The store, open for tables of the frontend's plugin; see ``BackendContext``."""

    @abstractmethod
    def receivers(self, type: str) -> Receivers:
        """The receivers of a consumer type, for protocols that register them."""

    @abstractmethod
    def bindings(self, type: str) -> Bindings:
        """Channels of a consumer type that takes ``"versions"``, for protocols whose clients ask what changed. May be
        used outside of requests, too. Raises ConfigError where there is no such type."""

    @abstractmethod
    def signing_key(self, purpose: str) -> bytes:
        """32 secret bytes of this mount, the same at every start and in every process, others for each purpose."""

    @abstractmethod
    def wake_consumer(self, consumer: str, kick: Mapping[str, object]) -> None:
        """Have plugins wake a consumer that is not connected (the hook ``wake_consumer``). Raises what the first of
        them raises that fails, after all were called."""

    @property
    @abstractmethod
    def has_wakers(self) -> bool:
        """Whether there is a plugin that wakes."""

    @abstractmethod
    def listen(self, host: str, port: int, connections: int) -> socket.socket:
        """A TCP socket that listens, for a Service; the caller closes it. The process may open as many files as so many
        connections need, where the system allows that. Raises ConfigError with what to do."""

    @abstractmethod
    def waiting(self) -> AbstractContextManager[bool]:
        """Around the wait of a request that is answered when something happens: whether it may wait. Where it may not,
        too many do already, and it must be answered at once, or no thread would be left for others."""

    @property
    @abstractmethod
    def is_stopping(self) -> bool:
        """Whether the server is about to stop, so that who waits is answered now."""

    @abstractmethod
    def attempt(self, username: str, secret: str, is_right: Callable[[], bool], caller: str | None = None) -> bool:
        """Whether ``is_right``, under the brake on guessing that holds for logins: by user name and by ``caller``, or
        the address that asks. Raises Throttled, then ``is_right`` was not called; StoreUnavailable."""

    @abstractmethod
    def admit(self, has_token: bool = False) -> None:
        """Check the caller: encryption, credentials. Raises CallerRefused.

        Call it before anything is read from the request; further calls cost nothing. ``has_token``: callers of this
        protocol show a token instead, so that one who has no user name is let through to show it.
        """

    @abstractmethod
    def authenticate(self, username: str, password: str) -> Verdict:
        """The verdict on a login. Raises CallerRefused, Throttled, DirectoryUnavailable, StoreUnavailable, Busy."""

    @abstractmethod
    def list_response(self, encoder: ListEncoder) -> object:
        """A whole list as a ``flask.Response``.

        Raises CallerRefused, DirectoryUnavailable, ListingHeld, StoreUnavailable, Busy.
        """

    @abstractmethod
    def is_token(self, token: str) -> bool:
        """Whether this is the mount's token, looked up afresh and compared in constant time. Raises
        StoreUnavailable."""

    @abstractmethod
    def members_response(self, encoder: ProfileEncoder) -> object:
        """Everybody who is in some group, as a whole list, a ``flask.Response``. Raises as ``list_response``."""

    @abstractmethod
    def groups(self) -> Sequence[SiteGroup]:
        """All groups of the mount's backends, in their order. Raises CallerRefused, DirectoryUnavailable,
        StoreUnavailable."""

    @abstractmethod
    def group(self, group_id: str) -> SiteGroup | None:
        """The group with this public id, letter for letter. Raises as ``groups``."""

    @abstractmethod
    def profile(self, profile_id: str) -> Profile | None:
        """The person with this public id, letter for letter; None where there is nobody, or nobody in scope. Raises as
        ``groups``."""

    @abstractmethod
    def profile_of_address(self, address: str) -> Profile | None:
        """The person one of whose addresses this is, whatever its case, verified or not. Raises as ``groups``."""

    @abstractmethod
    def takes_new_people(self, backend: str) -> bool:
        """Whether people can be made in a backend of the mount, as far as its type says. Asks nothing."""

    @abstractmethod
    def join(self, group_id: str, account: NewAccount, write_to: str | None = None) -> Joined:
        """Put whoever has ``account.email`` into a group; who is not there is made, in the backend ``write_to`` or in
        that of the group.

        May be repeated, and called for one person many times at once. Raises WriteRefused,
        BackendMisconfigured (a person can mend these), CallerRefused, Busy, DirectoryUnavailable, StoreUnavailable.
        """

    @abstractmethod
    def leave(self, group: SiteGroup, profile: Profile) -> bool:
        """Take a person out of a group; whether they were in it. Raises as ``join``."""


class Frontend(ABC):
    """A protocol spoken to callers, mounted on a path. ``has_token``: they show a token that the server keeps, and
    makes at the first start; see ``Gateway.is_token``."""

    type: ClassVar[str]
    Settings: ClassVar[FrontendSettingsType]
    has_token: ClassVar[bool] = False

    @abstractmethod
    def __init__(self, settings: FrontendSettings, gateway: Gateway) -> None:
        """Keep the arguments; no I/O."""

    @abstractmethod
    def blueprint(self) -> object:
        """A ``flask.Blueprint``; its URLs are relative to the mount's path, which is ``/`` in it."""
