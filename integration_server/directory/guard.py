"""The guard: holds a list that would lose too many people until somebody says yes.

It compares names, not counts: a switch from short names to UPNs keeps the count and loses everybody.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from integration_server.directory.names import NameTable
from integration_server.sdk.settings import GuardSettings
from integration_server.store.name_lists import NameList, NameLists, StoredList


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

    def __init__(self, lists: NameLists, clock: Callable[[], float] = time.time) -> None:
        self._lists = lists
        self._clock = clock

    def judge(self, mount: str, limits: GuardSettings, names: NameList) -> str | None:
        """None for a list that may go out (it is noted), or why it is held (that is noted, too).

        Raises StoreUnavailable.
        """
        now = self._clock()
        since = now - limits.reference_hours * 3600
        reason, missing = _reason(limits, names, self._lists.reference(mount, since))
        if reason is None and (oldest := self._lists.oldest(mount, since)) is not None:
            # The largest list follows names that are replaced a few at a time; the oldest remembers all of them.
            reason, missing = _reason(limits, names, oldest)
        if reason is None:
            self._lists.release(mount, names, now, since)
        else:
            self._lists.hold(mount, names, now, missing, reason)
        return reason


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
    """A held list beside those that it is compared with. Names are in normalised form."""

    stored: StoredList
    missing: tuple[str, ...]
    new: tuple[str, ...]


def held(lists: NameLists, mount: str, limits: GuardSettings, now: float) -> Held | None:
    """What the guard holds on this mount, name by name, or None. Raises StoreUnavailable."""
    stored = lists.held(mount)
    if stored is None:
        return None
    since = now - limits.reference_hours * 3600
    compared = [found.content.names() for found in (lists.reference(mount, since), lists.oldest(mount, since)) if found]
    before = dict.fromkeys(name for names in compared for name in names)
    after = dict.fromkeys(stored.content.names())
    missing = tuple(name for name in before if name not in after)
    return Held(stored, missing, tuple(name for name in after if name not in before))
