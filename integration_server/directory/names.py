"""A set of names for a million people: 64-bit hashes in an open-addressed array, 16 bytes a name at worst."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from integration_server.sdk.model import normalize_name

_FIRST_SIZE = 1 << 12


def normalize_names(names: Sequence[str]) -> list[str]:
    """``normalize_name`` of each name; in one go where all are ASCII. Names hold no NUL."""
    joined = "\0".join(names)
    if joined.isascii():
        lowered = joined.lower()
        return list(names) if lowered == joined else lowered.split("\0")
    return [normalize_name(name) for name in names]


class NameTable:
    """Which names have been seen, by Python's keyed string hash (SipHash), so valid within one process only.

    Two of a million names share a hash with a probability of 3 in 10^8.
    """

    def __init__(self, expected: int = 0) -> None:
        """``expected`` names fit in without the table having to grow."""
        size = max(_FIRST_SIZE, 1 << (2 * expected).bit_length())
        self._slots = array("q", bytes(8 * size))
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, name: str) -> bool:
        slots = self._slots
        mask = len(slots) - 1
        wanted = hash(name) or 1
        i = wanted & mask
        while found := slots[i]:
            if found == wanted:
                return True
            i = (i + 1) & mask
        return False

    def add(self, names: Sequence[str]) -> list[int]:
        """Add names; returns the positions of those that were there already (or earlier in ``names``)."""
        self._reserve(len(names))
        slots = self._slots
        mask = len(slots) - 1
        seen = []
        for position, wanted in enumerate(map(hash, names)):
            wanted = wanted or 1
            i = wanted & mask
            while found := slots[i]:
                if found == wanted:
                    seen.append(position)
                    break
                i = (i + 1) & mask
            else:
                slots[i] = wanted
        self._count += len(names) - len(seen)
        return seen

    def _reserve(self, more: int) -> None:
        """Keep at least half of the slots free, so that probes stay short."""
        size = len(self._slots)
        if (self._count + more) * 2 <= size:
            return
        while (self._count + more) * 2 > size:
            size *= 2
        old, self._slots = self._slots, array("q", bytes(8 * size))
        slots, mask = self._slots, size - 1
        for wanted in old:
            if wanted:
                i = wanted & mask
                while slots[i]:
                    i = (i + 1) & mask
                slots[i] = wanted
