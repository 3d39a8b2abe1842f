"""A backend's whole listing, walked for ``check``: how many people, and everything in it that is wrong."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from integration_server.directory.names import NameTable, normalize_names
from integration_server.directory.source import Source
from integration_server.sdk.deadline import Deadline
from integration_server.sdk.errors import AmbiguousEntry, BackendError, BackendUnavailable, BadEntry
from integration_server.sdk.model import CLOSED_STATES, Batch, normalize_name
from integration_server.sdk.page import UserPage

_KEPT = 5
#: How many of the listed names are looked up again, as a login does it.
_TRIED_BACK = 20


@dataclass(slots=True)
class Survey:
    """What was seen. The lists hold the first few; the numbers count all."""

    people: int = 0
    out_of_scope: int = 0
    inactive: int = 0
    duplicate_count: int = 0
    duplicates: list[str] = field(default_factory=list)
    bad_count: int = 0
    bad: list[str] = field(default_factory=list)
    is_canary_missing: bool = False
    tried_back: int = 0
    lost: list[str] = field(default_factory=list)


@contextmanager
def asking(source: Source) -> Iterator[None]:
    """Turn whatever a plugin raises into BackendError: its own mistakes are no answer either."""
    try:
        yield
    except BackendError:
        raise
    except Exception as exc:
        raise BackendUnavailable(f"failed in an unforeseen way: {type(exc).__name__}: {exc}") from exc


def batches(source: Source, deadline: Deadline) -> Generator[Batch]:
    """Everything in a source as its backend gives it. Raises BackendError."""
    found = source.backend.users(deadline)
    try:
        with asking(source):
            for batch in found:
                deadline.remaining()
                yield batch
    finally:
        close = getattr(found, "close", None)
        if close is not None:
            close()


def survey(source: Source, deadline: Deadline) -> Survey:
    """Walk the whole listing of a source. Raises BackendError where it does not come to its end."""
    found = Survey()
    seen = NameTable()
    canary = normalize_name(source.settings.canary) if source.settings.canary is not None else None
    found.is_canary_missing = canary is not None
    first: list[str] = []
    for page in _pages(source, deadline, found):
        names = normalize_names(page.usernames)
        found.is_canary_missing = found.is_canary_missing and canary not in names
        kept = source.filter.keep(page)
        found.people += len(kept)
        found.out_of_scope += len(page) - len(kept)
        if kept.states is not None:
            found.inactive += sum(map(kept.states.count, CLOSED_STATES))
        for position in seen.add(normalize_names(kept.usernames)):
            found.duplicate_count += 1
            found.duplicates += [kept.usernames[position]][: _KEPT - len(found.duplicates)]
        first += kept.usernames[: _TRIED_BACK - len(first)]
    _try_back(source, first, deadline, found)
    return found


def _pages(source: Source, deadline: Deadline, found: Survey) -> Iterator[UserPage]:
    for batch in batches(source, deadline):
        with asking(source):
            page, bad = source.mapper.readable(batch)
            found.bad_count += len(bad)
            found.bad += [row.reason for row in bad[: _KEPT - len(found.bad)]]
            page = source.transformed(page)
        yield page


def _try_back(source: Source, names: list[str], deadline: Deadline, found: Survey) -> None:
    """Whether listed names find their entries again, which logins need."""
    if source.settings.username_index:
        return
    for name in names:
        found.tried_back += 1
        try:
            is_found = source.locate(name, deadline) is not None
        except (AmbiguousEntry, BadEntry):
            is_found = False
        if not is_found:
            found.lost.append(name)
