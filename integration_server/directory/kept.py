"""Memberships that are kept beside directories, and how groups are called where people of several are in them.

A person's own groups go by the names that the person's backend has for them. A group of another backend is called
``BACKEND/NAME``, and so is an own one whose name would else be read as that.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from integration_server.sdk.errors import BackendUnavailable, StoreUnavailable
from integration_server.sdk.page import UserPage
from integration_server.store.kept_memberships import KeptMembership, KeptMemberships


class Kept:
    """What is kept, as sources merge it into their people's groups. Thread-safe; owns nothing."""

    def __init__(self, table: KeptMemberships, backends: Collection[str], homes: Collection[str]) -> None:
        """``backends`` are all names of backends, ``homes`` those of whose groups memberships are kept."""
        self._table = table
        self._backends = frozenset(backends)
        self._homes = frozenset(homes)

    def merged(self, page: UserPage) -> UserPage:
        """The page with all groups of its people. Raises BackendUnavailable where the store cannot be asked."""
        backend = page.backend
        own = page.groups if page.groups is not None else [()] * len(page)
        groups = [[self._own(backend, name) for name in names] for names in own]
        changes = self._changes(page)
        if changes:
            for i, person_id in enumerate(page.ids):
                for one in changes.get(person_id, ()):
                    _apply(groups[i], self.called(backend, one.group_backend, one.group_id), one.is_member)
        return replace(page, groups=groups)

    def _changes(self, page: UserPage) -> dict[str, list[KeptMembership]]:
        if not len(page):
            return {}
        found: dict[str, list[KeptMembership]] = {}
        try:
            kept = self._table.of(page.backend, list(page.ids))
        except StoreUnavailable as exc:
            # A person without the groups that are kept would be another person: nothing is told of anybody.
            raise BackendUnavailable(f"memberships that are kept beside it: {exc}") from exc
        for one in kept:
            if one.group_backend in self._homes:
                found.setdefault(one.person_id, []).append(one)
        return found

    def called(self, backend: str, group_backend: str, group_id: str) -> str:
        """What a group is called among those of a person of ``backend``."""
        return self._own(backend, group_id) if group_backend == backend else f"{group_backend}/{group_id}"

    def _own(self, backend: str, name: str) -> str:
        return f"{backend}/{name}" if "/" in name and name.partition("/")[0] in self._backends else name

    def meant(self, backend: str, name: str) -> tuple[str, str]:
        """Backend and id of the group that is called so; the reverse of ``called``."""
        prefix, slash, rest = name.partition("/")
        return (prefix, rest) if slash and prefix in self._backends else (backend, name)

    def group_ids(self, group_backend: str) -> list[str]:
        """The groups of a backend that somebody is kept in or out of. Raises StoreUnavailable."""
        return self._table.group_ids(group_backend) if group_backend in self._homes else []

    def set_member(self, person: tuple[str, str], group: tuple[str, str], is_own: bool, is_member: bool) -> bool:
        """Keep that a person (backend and id) is in a group (the same) or not; whether that is new. ``is_own``: whether
        the directory itself says that they are in. Raises StoreUnavailable."""
        return self._table.keep(KeptMembership(*person, *group, is_member), is_own)


def _apply(groups: list[str], name: str, is_member: bool) -> None:
    if is_member and name not in groups:
        groups.append(name)
    elif not is_member and name in groups:
        groups.remove(name)
