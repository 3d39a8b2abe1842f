"""Everybody whom a backend's changes are about: mapped, in scope, and proved to be all."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from integration_server.directory.canary import Canary
from integration_server.directory.source import Source
from integration_server.sdk.deadline import Deadline
from integration_server.sdk.errors import BadEntry
from integration_server.sdk.page import UserPage

logger = logging.getLogger(__name__)


def everybody(source: Source) -> Iterator[UserPage]:
    """Pages of the people in scope, disabled ones included. Ends normally only when those were all.

    An entry that cannot be read makes it void even where a list may leave it out: that person would look deleted.
    Raises BackendError.
    """
    canary = Canary(source)
    for page in source.pages(Deadline(source.settings.list_seconds), _refuse):
        canary.look(page)
        kept = source.filter.keep(source.owned(page))
        if len(kept):
            yield kept
    canary.check()


def _refuse(reason: str) -> None:
    raise BadEntry(f"{reason}; nobody's changes are noticed until it can be read")
