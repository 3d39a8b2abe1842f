"""What a plugin is: small abstract classes, taken on by inheritance.

A backend is called from many threads at once. It translates its library's exceptions into BackendError's family, and
it never answers when it could not ask: an outage is an exception, not an empty answer.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

from integration_server.sdk.deadline import Deadline, Watchdog
from integration_server.sdk.model import Batch, Entry, Group, Lookup, NewAccount, User, Verdict
from integration_server.sdk.settings import BackendSettings, FrontendSettings, MapSettings
from integration_server.sdk.storage import Storage, Tables, no_storage

if TYPE_CHECKING:
    import socket

    from integration_server.sdk.http import HttpClient
    from integration_server.sdk.page import UserPage
    from integration_server.sdk.receivers import Receivers


BackendSettingsType = type[BackendSettings]
FrontendSettingsType = type[FrontendSettings]


@dataclass(frozen=True, slots=True)
class BackendContext:
    """What the server hands a backend beside its settings.

    ``attributes`` are the attribute names that the mapping needs; a listing may leave all others out.
    ``base_dir`` is the folder that relative paths of the configuration start from. ``storage`` opens the server's own
    store for a plugin that keeps tables there; it asks nothing yet, and raises ConfigError for a name that cannot be.
    """

    name: str
    attributes: tuple[str, ...]
    base_dir: Path
    data_dir: Path
    watchdog: Watchdog
    storage: Callable[[Tables], Storage] = no_storage

    def path(self, value: str) -> Path:
        """A path of the configuration as an absolute one."""
        return (self.base_dir / value).resolve()


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of ``integration-server check``. ``level`` is ``ok``, ``warning`` or ``error``."""

    level: str
    message: str


class Backend(ABC):
    """A source of users. ``type`` is its name in ``type = "..."``; ``default_map`` fills what the admin leaves out."""

    type: ClassVar[str]
    Settings: ClassVar[BackendSettingsType]
    default_map: ClassVar[MapSettings] = MapSettings()

    @classmethod
    def default_mapping(cls, settings: BackendSettings) -> MapSettings:
        """What fills the fields of ``[map]`` that the admin leaves out, where that hangs on other settings."""
        return cls.default_map

    @abstractmethod
    def __init__(self, settings: BackendSettings, context: BackendContext) -> None:
        """Keep the arguments; no I/O. Raises ConfigError for settings that cannot work together."""

    @abstractmethod
    def users(self, deadline: Deadline) -> Iterator[Batch]:
        """Yield every entry, in batches. Returning normally says: that was everything, proved.

        Raises BackendError: IncompleteListing when the server cut the answer short (size limit, time limit, dropped
        connection), BackendTimeout after ``deadline``. Resources are released when the iterator is closed early.
        """

    @abstractmethod
    def find(self, lookup: Lookup, deadline: Deadline) -> Entry | None:
        """The one entry that ``lookup`` names, with at least the attributes of the context, or None.

        ``lookup.value`` is untrusted text: any character is matched literally. Raises AmbiguousEntry when several
        entries match, BackendError when it could not ask.
        """

    @abstractmethod
    def check(self, deadline: Deadline) -> Iterator[Finding]:
        """Try connection, permissions and settings and say what was found. Raises BackendError."""

    @abstractmethod
    def close(self) -> None:
        """Release connections. May be called twice."""


class Authenticator(ABC):
    """A backend that can check passwords."""

    @abstractmethod
    def verify(self, entry: Entry, password: str, deadline: Deadline) -> Verdict:
        """ACCEPTED or REJECTED (or DISABLED, EXPIRED where the directory says so) for an entry that ``find`` gave.

        ``password`` is never empty and holds no NUL. Raises BackendError when it could not ask, BadEntry when the
        entry's stored hash is of an unknown scheme.
        """

    @abstractmethod
    def verify_nobody(self, password: str, deadline: Deadline) -> None:
        """Spend what ``verify`` spends, for a user who is not there, so that time does not tell who exists."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What a change feed tells: some entries as they are now, ids of entries that are gone, and how far it has come.

    ``entries`` has the attributes of the context, as in ``users``. ``gone`` are ids as the mapping would give them.
    An entry may be told of although nothing of interest changed in it, and more than once.
    """

    position: str
    entries: Batch | None = None
    gone: tuple[str, ...] = ()


class ChangeFeed(ABC):
    """A backend that can tell what changed without giving everybody. It need not know everything: comparisons of
    everybody run beside it."""

    @abstractmethod
    def feed(self) -> str | None:
        """A short name of the feed that the settings allow, for people to read, or None where they allow none."""

    @abstractmethod
    def feed_position(self, deadline: Deadline) -> str:
        """Where the feed stands now: a text that means something to this backend only.

        Who lists everybody after this call, and then asks for ``changes`` from here on, misses nothing.
        Raises BackendError.
        """

    @abstractmethod
    def changes(self, position: str, deadline: Deadline) -> Iterator[Changes]:
        """What changed since ``position``, oldest first, in steps; each step's position says how far it brings one.

        Ends when there is no more for now. Raises ComparisonNeeded where the feed cannot say (its position is too old,
        or all it knows is that something changed), other BackendErrors when it could not ask.
        """


class GroupReader(ABC):
    """A backend that can say which groups there are. Who is in them is told by its entries, in what ``[map] groups``
    reads."""

    @abstractmethod
    def groups(self, deadline: Deadline) -> tuple[Group, ...] | None:
        """Every group, also one without members, in the backend's own order; whole, or an error.

        None where the settings name no list of groups: then those that people are in are all there are. Raises
        BackendError, IncompleteListing when the answer was cut short.
        """


class MembershipWriter(ABC):
    """A backend in which people can be put into groups and taken out of them.

    Both methods may be called again for what is done already, by several threads and processes at once, and after a
    crash at any point. What they did is in the backend when they return. Raise ReadOnlyBackend where the settings do
    not allow it (the message names the key to set), UnknownGroup, UnwritableValue, other BackendErrors when it may not
    have happened.
    """

    @abstractmethod
    def add_member(self, entry: Entry, group_id: str, deadline: Deadline) -> bool:
        """Put an entry that ``find`` gave into a group; whether that was new."""

    @abstractmethod
    def remove_member(self, entry: Entry, group_id: str, deadline: Deadline) -> bool:
        """Take it out again; whether it was in."""


class AccountWriter(ABC):
    """A backend in which people can be made. Raises as MembershipWriter."""

    @abstractmethod
    def create_account(self, account: NewAccount, deadline: Deadline) -> str:
        """Make a person, and return the id under which the mapping will know them. Whoever calls has seen that nobody
        has the address, and holds off others who would make the same person.

        Who was given a password can log in with it; a backend that cannot keep it raises UnwritableValue."""

    @abstractmethod
    def confirm_email(self, entry: Entry, address: str, deadline: Deadline) -> None:
        """Mark one of the entry's addresses as verified, and as preferred where it has no preferred one. Does nothing
        where the settings know no unverified addresses."""


class AccountRemover(ABC):
    """A backend out of which administrators can take people whom callers made. Raises as MembershipWriter."""

    @abstractmethod
    def remove_account(self, entry: Entry, deadline: Deadline) -> bool:
        """Remove the person of an entry that ``find`` gave; whether they were there."""


class OutboxScript(ABC):
    """A backend whose changes are noted by its own side, which somebody there has to prepare: it has the script."""

    @abstractmethod
    def outbox_script(self, dialect: str | None) -> str:
        """The script for ``dialect``, or for the kind that the settings name. Asks nothing.

        Raises ConfigError where the settings ask for no outbox, or no script can be made.
        """


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
