"""People and groups of a mount under the public ids by which a frontend knows them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from integration_server.directory.mount import Mount
from integration_server.directory.source import Source
from integration_server.sdk.contracts import GroupReader
from integration_server.sdk.deadline import Deadline
from integration_server.sdk.errors import BackendError, ConfigError, DirectoryUnavailable
from integration_server.sdk.gateway import Profile, SiteGroup
from integration_server.sdk.model import Group
from integration_server.sdk.page import UserPage
from integration_server.store.identities import Identities

logger = logging.getLogger(__name__)

#: For so long a backend's list of groups is believed where somebody's groups are shown; it is read afresh when it is
#: asked for itself.
_GROUPS_SECONDS = 5.0


class Site:
    """One mount's people and groups. Thread-safe; owns nothing. Its methods raise DirectoryUnavailable where a backend
    could not be asked, and StoreUnavailable."""

    def __init__(self, mount: Mount, identities: Identities, clock: Callable[[], float] = time.monotonic) -> None:
        self._mount = mount
        self._identities = identities
        self._clock = clock
        self._listed: dict[str, tuple[float, frozenset[str] | None]] = {}

    # -- groups ------------------------------------------------------------------------------------------------------

    def groups(self) -> list[SiteGroup]:
        """Every group of every backend, in their order."""
        found: list[SiteGroup] = []
        for source in self._mount.sources:
            with _asking():
                groups = self._read_groups(source)
                if groups is None:
                    groups = self._groups_of_people(source)
            ids = self._identities.groups(self._mount.name, source.name, [group.id for group in groups])
            found += [SiteGroup(id, source.name, group) for id, group in zip(ids, groups, strict=True)]
        return found

    def group(self, group_id: str) -> SiteGroup | None:
        """The group with this public id, letter for letter; None where it is unknown or gone."""
        owner = self._identities.group(self._mount.name, group_id)
        if owner is None:
            # Nobody may have looked at the groups before.
            return next((one for one in self.groups() if one.id == group_id), None)
        source = self._source(owner[0])
        if source is None:
            return None
        with _asking():
            groups = self._read_groups(source)
            if groups is None:
                groups = self._groups_of_people(source)
        return next((SiteGroup(group_id, source.name, group) for group in groups if group.id == owner[1]), None)

    def _read_groups(self, source: Source) -> tuple[Group, ...] | None:
        """The backend's own list of groups, where it has one. Raises BackendError."""
        groups = source.groups(Deadline(source.settings.list_seconds))
        listed = None if groups is None else frozenset(group.id for group in groups)
        self._listed[source.name] = (self._clock() + _GROUPS_SECONDS, listed)
        return groups

    def _groups_of_people(self, source: Source) -> tuple[Group, ...]:
        """Those that somebody in scope is in, or is kept in or out of. Raises BackendError, StoreUnavailable."""
        found: dict[str, None] = {}
        deadline = Deadline(source.settings.list_seconds)
        for whole in source.pages(deadline, lambda reason: None):
            page = self._mount.in_scope(source, whole)
            for groups in page.groups or ():
                found.update(dict.fromkeys(groups))
        ids = {id for owner, id in (_meant(source, name) for name in found) if owner == source.name}
        if source.kept is not None:
            ids |= set(source.kept.group_ids(source.name))
        return tuple(map(Group, sorted(ids)))

    def _shown_groups(self, source: Source) -> frozenset[str] | None:
        """The groups that are shown of a backend; None for all that people are in. Raises BackendError."""
        if not isinstance(source.backend, GroupReader):
            return None
        until, listed = self._listed.get(source.name, (0.0, None))
        if self._clock() < until:
            return listed
        groups = self._read_groups(source)
        return None if groups is None else frozenset(group.id for group in groups)

    # -- people ------------------------------------------------------------------------------------------------------

    def known(self, source: Source, page: UserPage) -> tuple[list[str], UserPage]:
        """A page with the public ids of its people, and those of groups in place of the backend's own names. Raises
        BackendError, StoreUnavailable."""
        ids = self._identities.profiles(source.name, list(page.ids))
        if page.groups is None:
            return ids, page
        public = self._public({name for groups in page.groups for name in groups}, source)
        groups = [sorted(public[name] for name in each if name in public) for each in page.groups]
        return ids, replace(page, groups=groups)

    def _public(self, names: set[str], source: Source) -> dict[str, str]:
        """The public ids of groups that people of a backend are in, by what the backend's people have them called;
        without those that are not shown."""
        by_home: dict[str, dict[str, str]] = {}
        for name in self._shown_names(names, source):
            home, group_id = _meant(source, name)
            by_home.setdefault(home, {})[group_id] = name
        public: dict[str, str] = {}
        for home, called in by_home.items():
            ordered = sorted(called)
            ids = self._identities.groups(self._mount.name, home, ordered)
            public |= {called[group_id]: id for group_id, id in zip(ordered, ids, strict=True)}
        return public

    def _shown_names(self, names: Iterable[str], source: Source) -> list[str]:
        """Those of these names whose groups are shown."""
        homes: dict[str, frozenset[str] | None] = {}
        kept: list[str] = []
        for name in names:
            home, group_id = _meant(source, name)
            if home not in homes:
                owner = self._source(home)
                homes[home] = frozenset() if owner is None else self._shown_groups(owner)
            shown = homes[home]
            if shown is None or group_id in shown:
                kept.append(name)
        return kept

    def members(self, source: Source, page: UserPage) -> list[int]:
        """The positions of those who are in some group that is shown. Raises BackendError."""
        if page.groups is None:
            return []
        shown = frozenset(self._shown_names({name for groups in page.groups for name in groups}, source))
        return [i for i, groups in enumerate(page.groups) if not shown.isdisjoint(groups)]

    def page(self, page: UserPage) -> tuple[list[str], UserPage]:
        """``known``, by the page's own backend."""
        source = self._source(page.backend)
        assert source is not None
        return self.known(source, page)

    def source(self, name: str) -> Source:
        """The backend of this name. Raises KeyError where it is none of the mount's."""
        source = self._source(name)
        if source is None:
            raise KeyError(name)
        return source

    def _source(self, name: str) -> Source | None:
        return next((source for source in self._mount.sources if source.name == name), None)

    def profile(self, profile_id: str) -> Profile | None:
        """The person with this public id, or None where there is nobody, or nobody in scope."""
        owner = self._identities.owner(profile_id)
        source = None if owner is None else self._source(owner[0])
        if owner is None or source is None:
            return None
        with _asking():
            page = source.by_id(owner[1], Deadline(source.settings.auth_seconds))
            return None if page is None else self.shown(source, page)

    def profile_of_address(self, address: str) -> Profile | None:
        """The person one of whose addresses this is, whatever its case; an earlier backend's before a later one's."""
        for source in self._mount.sources:
            with _asking():
                page = _only(source, address)
                profile = self.shown(source, page) if len(page) else None
            if profile is not None:
                return profile
        return None

    def profile_in_waiting(self, address: str, group: SiteGroup) -> Profile | None:
        """The person with this address whom a filter hides only as long as they are not in the group."""
        home = self.source(group.backend)
        for source in self._mount.sources:
            if source is not home and not home.settings.keep_memberships:
                continue
            with _asking():
                page = _only(source, address)
                if len(self._mount.in_scope(source, _joining(source, page, group))):
                    return self._profile(source, page)
        return None

    def shown(self, source: Source, page: UserPage) -> Profile | None:
        """The one person of a page; None where the mount's filter hides them. Raises BackendError, StoreUnavailable."""
        page = self._mount.in_scope(source, page)
        return self._profile(source, page) if len(page) else None

    def _profile(self, source: Source, page: UserPage) -> Profile:
        ids, known = self.known(source, page)
        return Profile(ids[0], known.user(0))


def _only(source: Source, address: str) -> UserPage:
    """The one person of a backend with this address, in scope or not, or nobody. Raises BackendError."""
    page = source.with_address(address, Deadline(source.settings.auth_seconds))
    if len(page) > 1:
        raise BackendError(f"backend {source.name}: several people have the address {address!r}")
    return page


def _joining(source: Source, page: UserPage, group: SiteGroup) -> UserPage:
    """The page as it were if its people were in the group."""
    id = group.group.id
    name = id if source.kept is None else source.kept.called(source.name, group.backend, id)
    groups = page.groups if page.groups is not None else [()] * len(page)
    return replace(page, groups=[[*names, name] for names in groups])


def _meant(source: Source, name: str) -> tuple[str, str]:
    """Backend and id of a group that a person of ``source`` is in."""
    return (source.name, name) if source.kept is None else source.kept.meant(source.name, name)


@contextmanager
def _asking() -> Iterator[None]:
    """Whoever could not be asked is nobody's no."""
    try:
        yield
    except (BackendError, ConfigError) as exc:
        raise DirectoryUnavailable(str(exc)) from exc
