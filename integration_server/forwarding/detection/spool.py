"""Tuples in a nameless file: more of them than fit into memory, and nothing of them left after a kill."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

_IN_MEMORY = 8 << 20
_BLOCK = 200

T = TypeVar("T", bound=tuple[Any, ...])


class Spool(Generic[T]):
    """Tuples of one kind, in the order in which they came. Close it. Raises OSError when the disk is full."""

    def __init__(self, folder: Path | None, block: int | None = None) -> None:
        """``block`` of them are written together, which takes a fraction of the time."""
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=str(folder) if folder is not None else None)  # noqa: SIM115
        self._block = _BLOCK if block is None else block
        self._fresh: list[T] = []
        self._blocks = 0

    def add(self, one: T) -> None:
        """Keep one more."""
        self._fresh.append(one)
        if len(self._fresh) >= self._block:
            self._file.write(pickle.dumps(self._fresh, pickle.HIGHEST_PROTOCOL))
            self._fresh = []
            self._blocks += 1

    def __iter__(self) -> Iterator[T]:
        self._file.seek(0)
        for _ in range(self._blocks):
            yield from pickle.load(self._file)
        yield from self._fresh

    def close(self) -> None:
        """Give the file back."""
        self._file.close()
