"""The entry that must be there, or a listing is void."""

from __future__ import annotations

from integration_server.directory.names import normalize_names
from integration_server.directory.source import Source
from integration_server.sdk.deadline import Deadline
from integration_server.sdk.errors import IncompleteListing
from integration_server.sdk.model import normalize_name
from integration_server.sdk.page import UserPage


class Canary:
    """Looks for it while a listing passes by."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._wanted = normalize_name(source.settings.canary) if source.settings.canary is not None else None
        self._is_seen = self._wanted is None

    def look(self, page: UserPage) -> None:
        if not self._is_seen:
            self._is_seen = self._wanted in normalize_names(page.usernames)

    def ask(self, deadline: Deadline) -> None:
        """The same where nobody is listed: the backend is asked for it. Raises IncompleteListing, BackendError."""
        name = self._source.settings.canary
        if name is not None and self._source.locate(name, deadline) is None:
            raise IncompleteListing(f"backend {self._source.name}: the canary {name!r} is missing")

    def check(self) -> None:
        """Raises IncompleteListing where it was not seen."""
        if not self._is_seen:
            raise IncompleteListing(
                f"backend {self._source.name}: the canary {self._source.settings.canary!r} is missing from the listing"
            )
