"""A name index that takes nothing, for those who look at lists without making one."""

from __future__ import annotations

from collections.abc import Sequence

from integration_server.store.name_index import NameIndex


class Unindexed(NameIndex):
    """Looking at a list changes nothing: the index that logins use stays as the last real list left it."""

    def __init__(self) -> None:
        """No engine is needed where nothing is kept."""

    def begin(self, backend: str, now: float) -> int:
        return 0

    def add(self, generation: int, names: Sequence[str], entry_ids: Sequence[str]) -> None:
        return

    def complete(self, backend: str, generation: int, now: float) -> None:
        return

    def abandon(self, generation: int) -> None:
        return

    def entry_id(self, backend: str, name: str) -> str | None:
        return None

    def is_built(self, backend: str) -> bool:
        return False
