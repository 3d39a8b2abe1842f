"""A frontend's view of the directory: which sources, in which order, under which filter."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from integration_server.directory.source import Source
from integration_server.sdk.filters import Filter
from integration_server.sdk.page import UserPage
from integration_server.sdk.settings import FrontendSettings


@dataclass(frozen=True, slots=True)
class Mount:
    """One configured frontend, as the directory knows it."""

    name: str
    settings: FrontendSettings
    sources: tuple[Source, ...]
    filter: Filter
    fingerprint: str

    @classmethod
    def of(cls, name: str, settings: FrontendSettings, sources: tuple[Source, ...]) -> Mount:
        scope = Filter(settings.filter, f"frontends.{name}.filter")
        return cls(name, settings, sources, scope, _fingerprint(settings, sources))

    def in_scope(self, source: Source, page: UserPage) -> UserPage:
        """The users of a source's page who are the source's own and whom its and the mount's filter let through."""
        return self.filter.keep(source.filter.keep(source.owned(page)))

    def why_not(self, source: Source, page: UserPage, i: int) -> str | None:
        """Which setting leaves the user at position ``i`` out, or None."""
        if not source.may_own(page.usernames[i]):
            return f"backends.{source.name}: domains or pattern exclude this name"
        return source.filter.reason(page, i) or self.filter.reason(page, i)


def _fingerprint(settings: FrontendSettings, sources: tuple[Source, ...]) -> str:
    """Changes when settings change what a list may hold; a spooled list of another fingerprint is void."""
    parts = [settings.model_dump_json(exclude={"guard", "password", "password_hash"})]
    parts += [source.settings.model_dump_json() for source in sources]
    parts += sorted({hook for source in sources for hook in source.hooks})
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
