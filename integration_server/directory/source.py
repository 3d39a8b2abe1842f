"""A configured backend with everything that stands between it and an answer: mapping, scope, breaker, name index."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from integration_server.directory.breaker import Breaker
from integration_server.directory.calls import Calls, Translation
from integration_server.directory.kept import Kept
from integration_server.directory.transforms import Transform, Transforms
from integration_server.sdk.contracts import Authenticator, Backend, ChangeFeed, GroupPaths, GroupReader
from integration_server.sdk.deadline import Deadline
from integration_server.sdk.errors import (
    BackendUnavailable,
    BadEntry,
    ConfigError,
)
from integration_server.sdk.filters import Filter
from integration_server.sdk.logins import LoginNames
from integration_server.sdk.mapping import Mapper
from integration_server.sdk.model import (
    AccountState,
    Batch,
    Entry,
    Group,
    Lookup,
    User,
    Verdict,
    normalize_name,
)
from integration_server.sdk.page import UserPage
from integration_server.sdk.settings import BackendSettings
from integration_server.store.name_index import NameIndex

logger = logging.getLogger(__name__)

T = TypeVar("T")

_STATE_VERDICTS = {
    AccountState.DISABLED: Verdict.DISABLED,
    AccountState.EXPIRED: Verdict.EXPIRED,
    AccountState.LOCKED: Verdict.DISABLED,
    AccountState.PASSWORD_EXPIRED: Verdict.EXPIRED,
}


class Located(NamedTuple):
    """The one entry behind a listed name, and the user it is mapped to (a page of one)."""

    entry: Entry
    page: UserPage

    @property
    def is_active(self) -> bool:
        return self.page.states is None or self.page.states[0] is AccountState.ACTIVE


@dataclass(frozen=True, slots=True)
class Step:
    """What one step of a change feed tells: people in scope as they are now, ids of those who are gone, ids of those
    who are there but not, or no longer, in scope."""

    position: str
    page: UserPage | None
    gone: tuple[str, ...] = ()
    out_of_scope: tuple[str, ...] = ()


class Source:
    """One backend as the directory asks it. Thread-safe. Closes its backend.

    ``max_calls`` bounds the calls in flight, so that a frozen backend cannot take every worker thread. ``kept`` is
    given where memberships are kept for any backend.
    """

    def __init__(
        self,
        name: str,
        backend: Backend,
        settings: BackendSettings,
        mapper: Mapper,
        index: NameIndex,
        transforms: Sequence[Transform] = (),
        max_calls: int = 12,
        kept: Kept | None = None,
    ) -> None:
        self.name = name
        self.backend = backend
        self.settings = settings
        self.mapper = mapper
        self.filter = Filter(settings.filter, f"backends.{name}.filter")
        self.index = index
        self.breaker = Breaker(settings.breaker_failures, settings.breaker_seconds)
        self.kept = kept
        self._transforms = Transforms(name, transforms, may_rename=settings.username_index)
        self._calls = Calls(name, self.breaker, max_calls, settings.auth_seconds)
        self._translation = Translation(name)
        self._authenticator = backend if isinstance(backend, Authenticator) else None
        self._domains = frozenset(normalize_name(d.removeprefix("@")) for d in settings.domains)
        try:
            self._pattern = re.compile(settings.pattern, re.IGNORECASE) if settings.pattern is not None else None
        except re.error as exc:
            raise ConfigError(f"[backends.{name}] pattern is no regular expression: {exc}") from exc

    @property
    def is_routed(self) -> bool:
        """Whether configuration says which names are this backend's."""
        return bool(self._domains) or self._pattern is not None

    @property
    def has_hooks(self) -> bool:
        """Whether transform_user hooks change what the mapping made of an entry."""
        return bool(self._transforms.hooks)

    @property
    def hooks(self) -> tuple[str, ...]:
        """The hooks that change or hide users here, each with a digest of its code."""
        return self._transforms.hooks

    def may_own(self, username: str) -> bool:
        """Whether this backend is asked about the name at all."""
        if self._domains:
            _, at, domain = username.rpartition("@")
            if not at or normalize_name(domain) not in self._domains:
                return False
        return self._pattern is None or self._pattern.fullmatch(username) is not None

    def owned(self, page: UserPage) -> UserPage:
        """The users of a page whom this backend is asked about; the others could never log in."""
        if not self.is_routed:
            return page
        kept = [i for i, username in enumerate(page.usernames) if self.may_own(username)]
        return page if len(kept) == len(page) else page.take(kept)

    # -- listing -------------------------------------------------------------------------------------------------

    def pages(self, deadline: Deadline, on_bad: Callable[[str], None]) -> Iterator[UserPage]:
        """Everybody, mapped and transformed but not filtered. Ends normally only when that was everybody.

        Up to ``bad_rows_allowed`` unreadable entries are told to ``on_bad``; one more raises BadEntry.
        """
        bad_left = self.settings.bad_rows_allowed
        with self._translation, _closing(self.backend.users(deadline)) as batches:
            for batch in batches:
                deadline.remaining()
                if not batch.rows:
                    continue
                page, bad = self._mapped(batch, bad_left)
                bad_left -= len(bad)
                for reason in bad:
                    on_bad(reason)
                yield self.transformed(page)

    def _mapped(self, batch: Batch, bad_left: int) -> tuple[UserPage, list[str]]:
        try:
            return self.mapper.page(batch), []
        except BadEntry:
            if not bad_left:
                raise
        page, bad = self.mapper.readable(batch)
        if len(bad) > bad_left:
            raise BadEntry(f"more than {self.settings.bad_rows_allowed} entries cannot be read; {bad[-1].reason}")
        return page, [row.reason for row in bad]

    def transformed(self, page: UserPage) -> UserPage:
        """The page with the memberships that are kept beside the backend, and after every ``transform_user`` hook;
        HIDDEN people are gone. Raises BackendError: fail closed."""
        return self._transforms.page(self.merged(page))

    def merged(self, page: UserPage) -> UserPage:
        """The page with the memberships that are kept beside the backend. Raises BackendError."""
        return page if self.kept is None else self.kept.merged(page)

    def groups(self, deadline: Deadline) -> tuple[Group, ...] | None:
        """The backend's own list of groups; None where it has none. Raises BackendError."""
        if not isinstance(self.backend, GroupReader):
            return None
        with self._translation:
            return self.backend.groups(deadline)

    # -- writing -------------------------------------------------------------------------------------------------

    def write(self, function: Callable[[Deadline], T]) -> T:
        """A call that writes, or asks for what is to be written to; counted and bounded as every call about one
        person. Raises BackendError."""
        with self._calls:
            return function(Deadline(self.settings.auth_seconds))

    # -- changes -------------------------------------------------------------------------------------------------

    @property
    def feed(self) -> ChangeFeed | None:
        """The backend's change feed, where it has one and the settings allow it."""
        backend = self.backend
        if not isinstance(backend, ChangeFeed) or self.settings.sync is None or self.settings.sync.feed == "off":
            return None
        with self._translation:
            return backend if backend.feed() is not None else None

    def feed_position(self, deadline: Deadline) -> str:
        """Where the feed stands now. Raises BackendError."""
        assert isinstance(self.backend, ChangeFeed)
        with self._translation:
            return self.backend.feed_position(deadline)

    def changes(self, position: str, deadline: Deadline) -> Iterator[Step]:
        """What the feed tells since ``position``, mapped, in steps. Raises ComparisonNeeded, other BackendErrors."""
        assert isinstance(self.backend, ChangeFeed)
        with self._translation, _closing(self.backend.changes(position, deadline)) as found:
            for changes in found:
                deadline.remaining()
                if changes.entries is None or not changes.entries.rows:
                    yield Step(changes.position, None, changes.gone)
                    continue
                page = self.mapper.page(changes.entries)
                kept = self.filter.keep(self.owned(self.transformed(page)))
                staying = set(kept.ids)
                out = tuple(dict.fromkeys(i for i in page.ids if i not in staying))
                yield Step(changes.position, kept, changes.gone, out)

    def by_id(self, person_id: str, deadline: Deadline) -> UserPage | None:
        """The person with this id as a page of one, or None where there is nobody, or nobody in scope.

        Raises ConfigError where the mapping's id is not one plain attribute, BackendError.
        """
        lookup = self.mapper.id_lookup(person_id)
        with self._calls:
            entry = self.backend.find(lookup, deadline)
        if entry is None:
            return None
        with self._translation:
            page = self.filter.keep(self.owned(self.transformed(self.mapper.entry_page(entry))))
        return page if len(page) and page.ids[0] == person_id else None

    def with_address(self, address: str, deadline: Deadline) -> UserPage:
        """The people one of whose addresses this is, whatever its case: mostly one or none. Raises BackendError."""
        wanted = normalize_name(address)
        lookups = self.mapper.address_lookups(address)
        if lookups is None:
            return self._all_with_address(wanted, deadline)
        for lookup in lookups:
            with self._calls:
                entry = self.backend.find(lookup, deadline)
            if entry is None:
                continue
            with self._translation:
                page = self.owned(self.transformed(self.mapper.entry_page(entry)))
            if len(page) and _has_address(page, 0, wanted):
                return page
        return UserPage(self.name, [], [])

    def _all_with_address(self, wanted: str, deadline: Deadline) -> UserPage:
        """The mapping cannot be undone, so everybody is looked at."""
        found: list[User] = []
        for page in self.pages(deadline, lambda reason: None):
            own = self.owned(page)
            found += [own.user(i) for i in range(len(own)) if _has_address(own, i, wanted)]
        return UserPage.of(self.name, found)

    def find(self, lookup: Lookup, deadline: Deadline) -> Entry | None:
        """The one entry that a lookup names, as the backend has it. Raises BackendError."""
        with self._calls:
            return self.backend.find(lookup, deadline)

    def group_paths(self, entry: Entry, deadline: Deadline) -> Mapping[str, Sequence[str]] | None:
        """How an entry is in each of its groups; see GroupPaths. None where the backend cannot tell. Raises
        BackendError."""
        if not isinstance(self.backend, GroupPaths):
            return None
        with self._calls:
            return self.backend.group_paths(entry, deadline)

    # -- one person ----------------------------------------------------------------------------------------------

    def locate(self, username: str, deadline: Deadline) -> Located | None:
        """The entry that is listed under just this name (case aside), before any filter. Raises BackendError."""
        wanted = normalize_name(username)
        for lookup in self._lookups(username, wanted):
            with self._calls:
                entry = self.backend.find(lookup, deadline)
            if entry is None:
                continue
            with self._translation:
                page = self.transformed(self.mapper.entry_page(entry))
            if len(page) and normalize_name(page.usernames[0]) == wanted:
                return Located(entry, page)
        return None

    def login_lookups(self, username: str, deadline: Deadline) -> Sequence[Lookup]:
        """Where to look for whoever types another name than that under which they are listed. Raises BackendError."""
        if not isinstance(self.backend, LoginNames):
            return ()
        with self._calls:
            return self.backend.login_lookups(username, deadline)

    def locate_by(self, lookups: Sequence[Lookup], deadline: Deadline) -> Located | None:
        """The first entry that these find, before any filter. Raises AmbiguousEntry, other BackendErrors."""
        for lookup in lookups:
            with self._calls:
                entry = self.backend.find(lookup, deadline)
            if entry is not None:
                with self._translation:
                    page = self.transformed(self.mapper.entry_page(entry))
                # Whom a hook hides has no name at all, but this one is not the next person's for that.
                return Located(entry, page) if len(page) else None
        return None

    def _lookups(self, username: str, wanted: str) -> tuple[Lookup, ...]:
        if not self.settings.username_index:
            return self.mapper.lookups(username)
        entry_id = self.index.entry_id(self.name, wanted)
        if entry_id is not None:
            return (self.mapper.id_lookup(entry_id),)
        if not self.index.is_built(self.name):
            raise BackendUnavailable(f"backend {self.name}: no list was made yet, so its names are not known")
        return ()

    def verify(self, located: Located, password: str, deadline: Deadline) -> Verdict:
        """The backend's verdict; a right password for an account that may not be used gives DISABLED or EXPIRED."""
        assert self._authenticator is not None
        with self._calls:
            verdict = self._authenticator.verify(located.entry, password, deadline)
        states = located.page.states
        if verdict is Verdict.ACCEPTED and states is not None:
            return _STATE_VERDICTS.get(states[0], verdict)
        return verdict

    def verify_nobody(self, password: str, deadline: Deadline) -> None:
        """Spend the time of a check. Raises BackendError."""
        assert self._authenticator is not None
        with self._calls:
            self._authenticator.verify_nobody(password, deadline)

    @property
    def can_verify(self) -> bool:
        return self._authenticator is not None

    def close(self) -> None:
        """Close the backend; its complaints are logged."""
        try:
            self.backend.close()
        except Exception:
            logger.warning("backend %s did not close cleanly", self.name, exc_info=True)


def _has_address(page: UserPage, i: int, wanted: str) -> bool:
    return page.emails is not None and wanted in map(normalize_name, page.emails[i])


@contextmanager
def _closing(found: Iterator[T]) -> Iterator[Iterator[T]]:
    """Close a generator that is left early; a plain iterator has nothing to close."""
    try:
        yield found
    finally:
        close = getattr(found, "close", None)
        if close is not None:
            close()
