"""The guard of runs: holds one that would take too much away until somebody says yes. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from integration_server.sdk.settings import SyncGuardSettings
from integration_server.store.journal import Losses

NO_LOSSES = Losses()


@dataclass(slots=True)
class Tally:
    """How many people a run concerns. ``deleted`` includes those whose deletion only begins to wait; ``due`` are
    deletions that have waited. ``disabled`` and ``regrouped`` (in fewer groups than before) are updates, too."""

    created: int = 0
    updated: int = 0
    deleted: int = 0
    due: int = 0
    disabled: int = 0
    regrouped: int = 0

    @property
    def is_nothing(self) -> bool:
        return not (self.created or self.updated or self.deleted or self.due)

    @property
    def has_losses(self) -> bool:
        return bool(self.deleted or self.due or self.disabled or self.regrouped)

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


def why_held(
    tally: Tally,
    limits: SyncGuardSettings,
    people: int,
    *,
    is_empty: bool,
    is_preview: bool,
    earlier: Losses = NO_LOSSES,
    is_raised: bool = False,
) -> str | None:
    """Why a run must wait for a yes, or None.

    ``people`` is how many there are now, ``is_empty`` says that there would be nobody. ``is_preview``: settings that
    decide who is seen and how have changed. ``earlier`` are losses shortly before that count, too: what drips out of a
    feed one by one would each be harmless. ``is_raised``: somebody lifted the limits for this one run; an empty
    directory and changed settings have to be looked at all the same.
    """
    if tally.is_nothing:
        return None
    if is_empty and (tally.deleted or tally.due):
        return f"the directory is empty: all {people:,} people would be deleted"
    reasons = []
    if is_preview:
        reasons.append(f"the settings changed, and with them {_people(_total(tally))}")
    before = people + earlier.deleted
    losses = (
        ("deleted", tally.deleted, earlier.deleted),
        ("disabled", tally.disabled, earlier.disabled),
        ("taken out of groups", tally.regrouped, earlier.regrouped),
    )
    for what, count, already in losses:
        lost = count + already
        if count and not is_raised and _is_too_much(lost, before, limits):
            told = f", {already:,} of them were in the last hour" if already else ""
            share = f"{100 * lost / max(before, 1):.3g} %"
            reasons.append(f"{lost:,} of {_people(before)} ({share}) would be {what}{told}")
    if not reasons:
        return None
    told = "; ".join(reasons)
    return told if is_preview and len(reasons) == 1 else f"{told}. {_limit(before, limits)}"


def is_below_limits(lost: int, people: int, limits: SyncGuardSettings) -> bool:
    """Whether no run is held that takes something from ``lost`` people at most, those of shortly before included, in a
    directory that is not empty and has ``people`` at least."""
    return people > limits.small_directory and not _is_too_much(lost, people, limits)


def _is_too_much(count: int, people: int, limits: SyncGuardSettings) -> bool:
    if people <= limits.small_directory:
        return count * 2 > people
    return count > limits.max_count and count * 100 > limits.max_percent * people


def _limit(people: int, limits: SyncGuardSettings) -> str:
    if people <= limits.small_directory:
        return f"The limit is half, as there are no more than {limits.small_directory}"
    return f"The limit is {limits.max_percent:g} % and {limits.max_count:,}"


def _total(tally: Tally) -> int:
    return tally.created + tally.updated + tally.deleted + tally.due


def _people(count: int) -> str:
    return "1 person" if count == 1 else f"{count:,} people"
