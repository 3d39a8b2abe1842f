"""The guard of runs: holds one that would take too much away until somebody says yes. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from integration_server.sdk.settings import SyncGuardSettings


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
    tally: Tally, limits: SyncGuardSettings, people: int, *, is_empty: bool, is_preview: bool, earlier_losses: int = 0
) -> str | None:
    """Why a run must wait for a yes, or None.

    ``people`` is how many there were before, ``is_empty`` says that there would be nobody. ``is_preview``: settings
    that decide who is seen and how have changed. ``earlier_losses`` are deletions shortly before that count, too.
    """
    if tally.is_nothing:
        return None
    if is_empty and (tally.deleted or tally.due):
        return f"the directory is empty: all {people:,} people would be deleted"
    reasons = []
    if is_preview:
        reasons.append(f"the settings changed, and with them {_people(_total(tally))}")
    losses = (
        ("deleted", tally.deleted, earlier_losses),
        ("disabled", tally.disabled, 0),
        ("taken out of groups", tally.regrouped, 0),
    )
    for what, count, earlier in losses:
        if count and _is_too_much(count + earlier, people, limits):
            already = f", {earlier:,} of them were in the last hour" if earlier else ""
            share = f"{100 * (count + earlier) / max(people, 1):.3g} %"
            reasons.append(f"{count + earlier:,} of {_people(people)} ({share}) would be {what}{already}")
    if not reasons:
        return None
    told = "; ".join(reasons)
    return told if is_preview and len(reasons) == 1 else f"{told}. {_limit(people, limits)}"


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
