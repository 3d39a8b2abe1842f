"""What a backend is: small abstract classes, taken on by inheritance.

A backend is called from many threads at once. It translates its library's exceptions into BackendError's family, and
it never answers when it could not ask: an outage is an exception, not an empty answer.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from integration_server.sdk.certificates import Certificate
from integration_server.sdk.deadline import Deadline, Watchdog
from integration_server.sdk.model import Batch, Entry, Group, Lookup, NewAccount, Verdict
from integration_server.sdk.settings import BackendSettings, MapSettings
from integration_server.sdk.storage import Storage, Tables, no_storage

BackendSettingsType = type[BackendSettings]


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
    """One line of ``integration-server check``. ``level`` is ``ok``, ``warning`` or ``error``; ``certificates`` are
    those that were seen on the way, whose end the dashboard tells."""

    level: str
    message: str
    certificates: tuple[Certificate, ...] = ()


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


class GroupPaths(ABC):
    """A backend with groups in groups, which can say how somebody came to be in each of theirs."""

    @abstractmethod
    def group_paths(self, entry: Entry, deadline: Deadline) -> Mapping[str, Sequence[str]]:
        """For each group of an entry that ``find`` gave the groups between the two, the one that the entry is itself in
        first; nothing between for a direct membership. Of several ways a shortest one. Raises BackendError."""


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
