"""The guard: holds a list that would lose too many people until somebody says yes.

It compares names, not counts: a switch from short names to UPNs keeps the count and loses everybody.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, repeat

from integration_server.directory.names import NameTable
from integration_server.sdk.settings import GuardSettings
from integration_server.store.guard_lifts import GuardLifts
from integration_server.store.name_lists import NameList, NameLists, StoredList

logger = logging.getLogger(__name__)

#: What is told of a thing that happened: action, subject, details.
Tell = Callable[[str, str, Mapping[str, object]], None]

_ACCEPT_TRIES = 5
_SHOWN_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Loss:
    """How many names of the reference a list lacks."""

    missing: int
    reference: int

    def is_too_much(self, limits: GuardSettings) -> bool:
        if self.reference <= limits.small_list:
            return self.missing * 2 > self.reference
        return (
            self.missing > limits.max_missing_count and self.missing * 100 > limits.max_missing_percent * self.reference
        )


class Guard:
    """Judges each list against the largest and the oldest of its mount's recent ones. Thread-safe."""

    def __init__(
        self,
        lists: NameLists,
        lifts: GuardLifts,
        tell: Tell = lambda action, subject, details: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``tell`` hears of a list that went out because somebody had lifted the guard."""
        self._lists = lists
        self._lifts = lifts
        self._tell = tell
        self._clock = clock

    def judge(self, mount: str, limits: GuardSettings, names: NameList) -> str | None:
        """None for a list that may go out (it is noted), or why it is held (that is noted, too).

        Raises StoreUnavailable.
        """
        now = self._clock()
        since = now - limits.reference_hours * 3600
        reason, missing = self._compared(mount, limits, names, since)
        if reason is None:
            self._lists.release(mount, names, now, since)
        elif names.count and self._is_lifted(mount, reason, missing):
            # What was larger must not hold the very next list again, so nothing of before is compared with any more.
            self._lists.release(mount, names, now, math.inf)
            return None
        else:
            self._lists.hold(mount, names, now, missing, reason)
        return reason

    def _compared(self, mount: str, limits: GuardSettings, names: NameList, since: float) -> tuple[str | None, int]:
        """See ``_reason``."""
        if self._lists.released_digests(mount) == {names.digest}:
            # As mostly; then no list is taken out of the store.
            return None, 0
        reason, missing = _reason(limits, names, self._lists.reference(mount, since))
        if reason is None and (oldest := self._lists.oldest(mount, since)) is not None:
            # The largest list follows names that are replaced a few at a time; the oldest remembers all of them.
            return _reason(limits, names, oldest)
        return reason, missing

    def _is_lifted(self, mount: str, reason: str, missing: int) -> bool:
        """Whether somebody lifted the guard for this one list; that is used up now. An empty list is held all the
        same."""
        lift = self._lifts.use("frontend", mount)
        if lift is None:
            return False
        logger.warning("mount %s: a list goes out as %s lifted the guard once: %s", mount, lift.actor, reason)
        details = {"kind": "frontend", "reason": reason, "missing": missing, "lifted_by": lift.actor}
        self._tell("guard.passed", mount, details)
        return True


def _reason(limits: GuardSettings, names: NameList, reference: StoredList | None) -> tuple[str | None, int]:
    """Why the list is held (None for a good one), and how many names of the reference it lacks."""
    if reference is not None and reference.content.digest == names.digest:
        return None, 0
    if names.count == 0:
        return "the list is empty", reference.content.count if reference is not None else 0
    if reference is None:
        return None, 0
    table = NameTable()
    for some in names.chunks():
        table.add(some)
    loss = Loss(sum(name not in table for some in reference.content.chunks() for name in some), reference.content.count)
    if not loss.is_too_much(limits):
        return None, loss.missing
    return f"{loss.missing} of {loss.reference} names that were listed before are missing", loss.missing


@dataclass(frozen=True, slots=True)
class Held:
    """A held list beside those that it is compared with. Names are in normalised form; those who are missing, with the
    backend that listed them last, in its order."""

    stored: StoredList
    missing_from: tuple[tuple[str, str], ...]
    new: tuple[str, ...]

    @property
    def id(self) -> str:
        """What stands for the list: its names, so that it stays the same however often the same list is made."""
        return shown_id(self.stored.content.digest)

    @property
    def missing(self) -> tuple[str, ...]:
        """The names alone."""
        return tuple(name for name, _ in self.missing_from)


def shown_id(digest: str) -> str:
    """The part of a list's digest that people are shown."""
    return digest[:_SHOWN_DIGITS]


def held(lists: NameLists, mount: str, limits: GuardSettings, now: float) -> Held | None:
    """What the guard holds on this mount, name by name, or None. Raises StoreUnavailable."""
    stored = lists.held(mount)
    if stored is None:
        return None
    since = now - limits.reference_hours * 3600
    compared = {found.id: found for found in (lists.oldest(mount, since), lists.reference(mount, since)) if found}
    before: dict[str, str] = {}
    for found in compared.values():
        before |= _owned(found.content)
    after = dict.fromkeys(stored.content.names())
    owners = {owner: i for i, owner in enumerate(dict.fromkeys(before.values()))}
    missing = sorted((one for one in before.items() if one[0] not in after), key=lambda one: owners[one[1]])
    return Held(stored, tuple(missing), tuple(name for name in after if name not in before))


def _owned(names: NameList) -> Iterator[tuple[str, str]]:
    """Each name with the backend that listed it."""
    owners = chain.from_iterable(repeat(owner, count) for owner, count in names.owners)
    return zip(names.names(), owners, strict=True)


def accept(lists: NameLists, mount: str, shown: str, now: float) -> bool:
    """Let the held list go out of which somebody was shown this id, and no other; whether it was held still.

    Each request of a caller holds the list anew, in a row of its own. Raises StoreUnavailable.
    """
    for _ in range(_ACCEPT_TRIES):
        current = lists.held(mount)
        if current is None or shown_id(current.content.digest) != shown:
            return False
        if lists.accept(mount, current.id, now):
            return True
    return False


def accepted(held: Held) -> dict[str, object]:
    """What is told of an accepted list."""
    return {"list": held.id, "names": held.stored.content.count, "missing": len(held.missing_from)}
