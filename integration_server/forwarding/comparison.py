"""The full comparison: everybody in the directory beside everybody known."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice

from integration_server.directory.names import NameTable
from integration_server.directory.source import Source
from integration_server.forwarding.attendance import Attendance
from integration_server.forwarding.documents import as_text, checked_ids, digests, document
from integration_server.forwarding.staging import Staging
from integration_server.forwarding.walk import everybody
from integration_server.sdk.deadline import Deadline
from integration_server.sdk.errors import AmbiguousEntry, ConfigError
from integration_server.store.people import Left, People

logger = logging.getLogger(__name__)

#: So many missing people are asked for one by one; more, by a second walk over everybody.
MOST_ASKED = 1_000
_DAY = 86_400.0


def compare(source: Source, people: People, staging: Staging, now: Callable[[], float]) -> int:
    """Stage what differs between the directory and what is known; returns how many people the directory has.

    Nothing is written to the store. Raises BackendError (then what is staged means nothing), StoreUnavailable, OSError.
    """
    attendance = Attendance(people, source.name)
    count = 0
    for page in everybody(source):
        ids = checked_ids(page)
        found = digests(page)
        looked = attendance.look(ids, found)
        for i in looked.new:
            staging.create(ids[i], found[i], document(page, i))
        for i in looked.changed:
            staging.differ(ids[i], found[i], document(page, i))
        if looked.again:
            log_again(source, [ids[i] for i in looked.again])
        count += len(ids) - len(looked.again)
    staging.sort()
    stage_missing(source, attendance.missing(), staging, now())
    return count


def log_again(source: Source, ids: Sequence[str]) -> None:
    """Say that entries came twice."""
    logger.warning("backend %s lists ids twice, and the first entry of each counts: %s", source.name, ids[:10])


def stage_missing(source: Source, missing: Iterator[Left], staging: Staging, now: float) -> None:
    """Stage who is really gone: each of them is asked for once more."""
    sync = source.settings.sync
    delay = (sync.delete_after_days if sync is not None else 0.0) * _DAY
    for left in _confirmed(source, (one for one in missing if _is_news(one, now, delay))):
        if left.gone_at is not None:
            staging.delete(left.person_id, is_due=True)
        elif delay:
            staging.vanish(left.person_id)
        else:
            staging.delete(left.person_id)


def _is_news(left: Left, now: float, delay: float) -> bool:
    """Whether something is to be done about somebody who is missing."""
    return left.gone_at is None or now - left.gone_at >= delay


def _confirmed(source: Source, missing: Iterator[Left]) -> Iterator[Left]:
    first = list(islice(missing, MOST_ASKED + 1))
    if not first:
        return
    if len(first) <= MOST_ASKED and can_ask(source):
        deadline = Deadline(source.settings.list_seconds)
        yield from (left for left in first if not is_there(source, left.person_id, deadline))
        return
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
    except AmbiguousEntry:
        return True


def write_baseline(source: Source, people: People) -> int:
    """Write everybody down without an event; returns how many. Until the caller notes that this ended well, it counts
    for nothing. Raises BackendError, StoreUnavailable."""
    people.wipe(source.name)
    count = 0
    for page in everybody(source):
        ids = checked_ids(page)
        found = digests(page)
        texts = [as_text(page, i) for i in range(len(ids))]
        new = people.add(source.name, ids, found, texts)
        if new < len(ids):
            logger.warning("backend %s lists %d ids twice; the first entry of each counts", source.name, len(ids) - new)
        count += new
    return count
