"""The full comparison: everybody in the directory beside everybody known."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice

from integration_server.directory.names import NameTable
from integration_server.directory.source import Source
from integration_server.forwarding.detection.attendance import Attendance
from integration_server.forwarding.detection.documents import check_ids, checked_ids, digests, documents, texts
from integration_server.forwarding.detection.staging import Staging
from integration_server.forwarding.detection.walk import everybody
from integration_server.sdk.deadline import Deadline
from integration_server.sdk.errors import AmbiguousEntry, BadEntry, ConfigError
from integration_server.sdk.page import UserPage
from integration_server.store.people import Left, NewPerson, People

logger = logging.getLogger(__name__)

#: So many missing people are asked for one by one; more, by a second walk over everybody.
MOST_ASKED = 1_000
#: People in one transaction of the baseline: the store's write lock is held for well under a second.
_WRITTEN_AT_ONCE = 10_000
_DAY = 86_400.0


def compare(source: Source, people: People, staging: Staging, now: Callable[[], float]) -> int:
    """Stage what differs between the directory and what is known; returns how many people the directory has.

    Nothing is written to the store. Raises BackendError (then what is staged means nothing), StoreUnavailable, OSError.
    """
    unreadable: list[str] = []
    count = 0
    with Attendance(people, source.name) as attendance:
        for page in everybody(source, unreadable.append):
            count += _look(page, attendance, source, staging)
        if unreadable:
            log_unreadable(source, unreadable)
        stage_missing(source, attendance.missing(), staging, now(), unreadable)
    return count


def _look(page: UserPage, attendance: Attendance, source: Source, staging: Staging) -> int:
    """Stage who of a page is new or differs; how many people it has."""
    ids = list(page.ids)
    found = digests(page)
    looked = attendance.look(ids, found)
    if looked.new:
        check_ids(page.backend, [ids[i] for i in looked.new])
        for i, person in zip(looked.new, documents(page.take(looked.new)), strict=True):
            staging.create(ids[i], found[i], person)
    if looked.changed:
        staging.differing.add(looked.keys, [found[i] for i in looked.changed], page.take(looked.changed))
    if looked.again:
        log_again(source, [ids[i] for i in looked.again])
    return len(ids) - len(looked.again)


def log_again(source: Source, ids: Sequence[str]) -> None:
    """Say that entries came twice."""
    logger.warning("backend %s lists ids twice, and the first entry of each counts: %s", source.name, ids[:10])


def log_unreadable(source: Source, reasons: Sequence[str]) -> None:
    """Say which entries were left out."""
    logger.warning(
        "backend %s: left out of the comparison, as bad_rows_allowed permits: %s", source.name, "; ".join(reasons[:10])
    )


def stage_missing(
    source: Source, missing: Iterator[Left], staging: Staging, now: float, unreadable: Sequence[str] = ()
) -> None:
    """Stage who is really gone: each of them is asked for once more.

    ``unreadable`` says why entries were left out; each of them may be somebody who is missing.
    """
    sync = source.settings.sync
    delay = (sync.delete_after_days if sync is not None else 0.0) * _DAY
    for left in _confirmed(source, (one for one in missing if _is_news(one, now, delay)), unreadable):
        if left.gone_at is not None:
            staging.delete(left.person_id, left.key, is_due=True)
        elif delay:
            staging.vanish(left.person_id, left.key)
        else:
            staging.delete(left.person_id, left.key)


def _is_news(left: Left, now: float, delay: float) -> bool:
    """Whether something is to be done about somebody who is missing."""
    return left.gone_at is None or now - left.gone_at >= delay


def _confirmed(source: Source, missing: Iterator[Left], unreadable: Sequence[str]) -> Iterator[Left]:
    first = list(islice(missing, MOST_ASKED + 1))
    if not first:
        return
    if len(first) <= MOST_ASKED and can_ask(source):
        deadline = Deadline(source.settings.list_seconds)
        yield from (left for left in first if not is_there(source, left.person_id, deadline))
        return
    if unreadable:
        raise BadEntry(
            f"backend {source.name}: {unreadable[0]}; it may be one of those who are missing, and they cannot be asked"
            " for one by one. Nobody's changes are noticed until it can be read"
        )
    there = NameTable()
    for page in everybody(source):
        there.add(page.ids)
    yield from (left for left in chain(first, missing) if left.person_id not in there)


def can_ask(source: Source) -> bool:
    """Whether people can be asked for by their ids."""
    try:
        source.mapper.id_lookup("")
    except ConfigError:
        return False
    return True


def is_there(source: Source, person_id: str, deadline: Deadline) -> bool:
    """Whether somebody in scope answers to the id now. Raises BackendError."""
    try:
        return source.by_id(person_id, deadline) is not None
    except (AmbiguousEntry, BadEntry):
        # Something answers to the id, whatever it is.
        return True


def write_baseline(source: Source, people: People) -> int:
    """Write everybody down without an event; returns how many. Until the caller notes that this ended well, it counts
    for nothing. Raises BackendError, StoreUnavailable."""
    people.wipe(source.name)
    unreadable: list[str] = []
    listed = written = 0
    fresh: list[NewPerson] = []
    for page in everybody(source, unreadable.append):
        fresh += zip(checked_ids(page), digests(page), texts(page), strict=True)
        listed += len(page)
        if len(fresh) >= _WRITTEN_AT_ONCE:
            written += people.add(source.name, fresh)
            fresh.clear()
    written += people.add(source.name, fresh)
    if unreadable:
        log_unreadable(source, unreadable)
    if written < listed:
        told = "backend %s lists %d ids twice; the first entry of each counts"
        logger.warning(told, source.name, listed - written)
    return written
