"""Everybody whom a backend's changes are about: mapped, in scope, and proved to be all."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from integration_server.directory.canary import Canary
from integration_server.directory.source import Source
from integration_server.sdk.deadline import Deadline
from integration_server.sdk.errors import BadEntry
from integration_server.sdk.page import UserPage

logger = logging.getLogger(__name__)


def refuse(reason: str) -> None:
    """What becomes of an entry that cannot be read, where a person that is left out would look deleted."""
    raise BadEntry(f"{reason}; nobody's changes are noticed until it can be read")


def everybody(source: Source, on_bad: Callable[[str], None] = refuse) -> Iterator[UserPage]:
    """Pages of the people in scope, disabled ones included. Ends normally only when those were all.

    Entries that cannot be read are told to ``on_bad`` and left out, as long as ``bad_rows_allowed`` permits.
    Raises BackendError.
    """
    canary = Canary(source)
    for page in source.pages(Deadline(source.settings.list_seconds), on_bad):
        canary.look(page)
        kept = source.filter.keep(source.owned(page))
        if len(kept):
            yield kept
    canary.check()
