"""One person, asked for now: what their directory says, where each field came from, and which lists they are on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from integration_server.directory.explain import Origin, Seen, see, why_not_listed
from integration_server.directory.mount import Mount
from integration_server.directory.source import Located, Source
from integration_server.directory.survey import asking
from integration_server.sdk.deadline import Deadline
from integration_server.sdk.errors import AmbiguousEntry, BackendError, ConfigError
from integration_server.sdk.logins import AccountNotes
from integration_server.sdk.model import Batch, Entry, User
from integration_server.sdk.page import UserPage


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether somebody is on a mount's list now. ``reason`` says why not, None where they are; an outage is told as a
    reason, too."""

    mount: str
    reason: str | None
    is_outage: bool = False


@dataclass(frozen=True, slots=True)
class Present:
    """Somebody who is there. ``user`` is None where a hook hides them. ``paths`` says for each group which others lead
    to it (see GroupPaths), None where that is not known; ``paths_fault`` why it could not be told."""

    user: User | None
    origins: tuple[Origin, ...]
    notes: tuple[str, ...]
    paths: Mapping[str, Sequence[str]] | None
    paths_fault: str | None
    standings: tuple[Standing, ...]


def ask(
    source: Source, mounts: Iterable[Mount], person_id: str, username: str | None, deadline: Deadline
) -> Present | None:
    """The person with this id as their directory has them now, None where there is nobody. Where people are not found
    by their id, the name counts under which they were last known.

    Raises BackendError where the backend could not be asked; whatever else could not be is told in its place.
    """
    with asking(source):
        entry = _entry(source, person_id, username, deadline)
        if entry is None:
            return None
        seen = see(source, Batch(tuple(entry.attributes), [tuple(entry.attributes.values())]))
        notes = (*seen.notes, *_account_notes(source, entry, deadline))
    paths, fault = _paths(source, entry, deadline)
    located: dict[str, Located | BackendError | None] = {}
    standings = tuple(_standing(mount, source, seen, deadline, located) for mount in mounts if source in mount.sources)
    user = seen.page.user(0) if len(seen.page) else None
    return Present(user, seen.origins, notes, paths, fault, standings)


def _entry(source: Source, person_id: str, username: str | None, deadline: Deadline) -> Entry | None:
    if source.mapper.is_id_plain:
        return source.find(source.mapper.id_lookup(person_id), deadline)
    located = source.locate(username, deadline) if username else None
    return located.entry if located is not None and located.page.ids[0] == person_id else None


def _account_notes(source: Source, entry: Entry, deadline: Deadline) -> Sequence[str]:
    backend = source.backend
    return backend.account_notes(entry, deadline) if isinstance(backend, AccountNotes) else ()


def _paths(source: Source, entry: Entry, deadline: Deadline) -> tuple[Mapping[str, Sequence[str]] | None, str | None]:
    try:
        return source.group_paths(entry, deadline), None
    except BackendError as exc:
        return None, str(exc)


def _standing(
    mount: Mount, source: Source, seen: Seen, deadline: Deadline, located: dict[str, Located | BackendError | None]
) -> Standing:
    """``located`` holds who bears the name in other sources, which are asked once each."""
    reason, claims = why_not_listed(mount, source, seen.page)
    if not claims:
        return Standing(mount.name, reason)
    username = seen.page.usernames[0]
    for earlier in mount.sources[: mount.sources.index(source)]:
        if earlier.name not in located:
            located[earlier.name] = _bearer(earlier, username, deadline)
        bearer = located[earlier.name]
        if isinstance(bearer, BackendError):
            return Standing(mount.name, f"nobody knows whether an earlier backend has the name, too: {bearer}", True)
        if bearer is not None and mount.why_not(earlier, bearer.page, 0) is None:
            return Standing(mount.name, f"the name is taken: backend {earlier.name} comes earlier and has it, too")
    return Standing(mount.name, reason)


def _bearer(source: Source, username: str, deadline: Deadline) -> Located | BackendError | None:
    try:
        return source.locate(username, deadline)
    except BackendError as exc:
        return exc
    except ConfigError as exc:
        return BackendError(str(exc))


def look_up(source: Source, text: str, deadline: Deadline) -> list[User]:
    """Those whose user name, id or address is just this text, as far as the mapping lets a backend be asked for it
    without looking at everybody. Raises BackendError."""
    found: dict[str, User] = {}
    with asking(source):
        for page in _pages(source, text, deadline):
            found |= {user.id: user for user in page.users()}
    return list(found.values())


def _pages(source: Source, text: str, deadline: Deadline) -> Iterable[UserPage]:
    if source.mapper.is_reversible or source.settings.username_index:
        located = source.locate(text, deadline)
        if located is not None:
            yield located.page
    if source.mapper.is_id_plain:
        try:
            page = source.by_id(text, deadline)
        except AmbiguousEntry:
            page = None
        if page is not None:
            yield page
    if "@" in text and source.mapper.address_lookups(text):
        yield source.with_address(text, deadline)
