"""The two ways in which somebody gets into a group: written into the directory, or kept beside it."""

from __future__ import annotations

from typing import Protocol

from integration_server.directory.kept import Kept
from integration_server.directory.source import Source
from integration_server.sdk.contracts import MembershipWriter
from integration_server.sdk.errors import ReadOnlyBackend
from integration_server.sdk.gateway import SiteGroup
from integration_server.sdk.model import Entry


class Membership(Protocol):
    """A group, and how people of one backend get into it."""

    def set_member(self, entry: Entry, *, is_member: bool) -> bool:
        """Put the person of an entry in, or take them out; whether that changed anything. May be repeated. Raises
        BackendError, StoreUnavailable."""
        ...


class WrittenMembership:
    """In the directory itself, of which the person and the group are."""

    def __init__(self, source: Source, group: SiteGroup) -> None:
        """Raises ReadOnlyBackend where the backend's type cannot be written to."""
        if not isinstance(source.backend, MembershipWriter):
            raise ReadOnlyBackend(
                f"backend {source.name}: memberships cannot be written in a backend of its type; {_hint(source)}"
            )
        self._source = source
        self._backend = source.backend
        self._group_id = group.group.id

    def set_member(self, entry: Entry, *, is_member: bool) -> bool:
        change = self._backend.add_member if is_member else self._backend.remove_member
        try:
            return self._source.write(lambda deadline: change(entry, self._group_id, deadline))
        except ReadOnlyBackend as exc:
            raise ReadOnlyBackend(f"{exc}; or {_hint(self._source)}") from exc


def _hint(source: Source) -> str:
    return f"keep_memberships = true in [backends.{source.name}] keeps them beside it"


class KeptMembership:
    """In the server's own store. The person may be of another backend than the group."""

    def __init__(self, source: Source, group: SiteGroup, kept: Kept) -> None:
        """``source`` is the person's."""
        self._source = source
        self._group = group
        self._kept = kept

    def set_member(self, entry: Entry, *, is_member: bool) -> bool:
        page = self._source.write(lambda deadline: self._source.mapper.entry_page(entry))
        groups = page.groups[0] if page.groups is not None else ()
        is_own = self._group.backend == page.backend and self._group.group.id in groups
        person, group = (page.backend, page.ids[0]), (self._group.backend, self._group.group.id)
        return self._kept.set_member(person, group, is_own, is_member)
