"""The last good content of a file, as a private copy from which lists and logins are answered.

A copy is a file of JSON lines: for each block of rows one line with the mapped values and one with the passwords, then
an inventory, then the place of the inventory in the file. It is written under another name and renamed when it is
whole, and never changed afterwards, so that several processes may use it together.
"""

from __future__ import annotations

import json
import threading
import weakref
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from integration_server import BackendUnavailable, Deadline, normalize_name
from integration_server.builtin.csv_file.source import BLOCK, Columns, Row, Signature

_PLACE_DIGITS = 20
#: Lists are read in larger pieces than what a login has to read.
_BLOCKS_AT_ONCE = 4
#: An index entry is one number: 36 bits of a value's hash, then 28 bits of the row's position.
_POSITION_BITS = 28
_POSITIONS = (1 << _POSITION_BITS) - 1
_HASHES = (1 << 36) - 1

_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode


class DamagedCopy(BackendUnavailable):
    """The private copy cannot be read."""


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a copy holds and what it was made of.

    ``places`` are the offsets of the blocks, ``missing`` the optional columns that the file did not have, ``read_at``
    is in Unix seconds, ``layout`` the digest of the settings.
    """

    layout: str
    signature: Signature
    names: tuple[str, ...]
    missing: tuple[str, ...]
    read_at: float
    rows: int
    places: tuple[int, ...]

    @classmethod
    def parse(cls, found: dict[str, Any]) -> Inventory:
        """Raises KeyError, TypeError or ValueError for anything else than a copy's inventory."""
        return cls(
            str(found["layout"]),
            Signature(*found["signature"]),
            tuple(found["names"]),
            tuple(found["missing"]),
            float(found["read_at"]),
            int(found["rows"]),
            tuple(found["places"]),
        )


class Content:
    """An open copy. Thread-safe. Its file is closed by ``close``, or with the last reference."""

    def __init__(self, path: Path, handle: BinaryIO, inventory: Inventory) -> None:
        self.path = path
        self.inventory = inventory
        self._handle = handle
        self._reading = threading.Lock()
        self._indexes: dict[int, array[int]] = {}
        self.close: Callable[[], object] = weakref.finalize(self, handle.close)

    def blocks(self, deadline: Deadline) -> Iterator[list[Row]]:
        """All rows in the order of the file; ends normally only when their count is right. Raises BackendError."""
        count = 0
        blocks = range(len(self.inventory.places))
        for start in blocks[::_BLOCKS_AT_ONCE]:
            deadline.remaining()
            rows = list(chain.from_iterable(map(self._rows, blocks[start : start + _BLOCKS_AT_ONCE])))
            count += len(rows)
            yield rows
        if count != self.inventory.rows:
            raise DamagedCopy(f"{self.path} holds {count} rows instead of {self.inventory.rows}")

    def known_index(self, column: int) -> array[int] | None:
        """What ``index`` made before, if it did."""
        return self._indexes.get(column)

    def index(self, column: int) -> array[int]:
        """Where the values of a column are, blank ones left out. Takes seconds for millions of rows."""
        found: list[int] = []
        for number in range(len(self.inventory.places)):
            values = [(row[column] or "").strip() for row in self._rows(number)]
            start = number * BLOCK
            found += [_key(value) | position for position, value in enumerate(values, start) if value]
        found.sort()
        self._indexes[column] = index = array("Q", found)
        return index

    def candidates(self, index: array[int], value: str) -> Iterator[tuple[Row, str]]:
        """The rows, each with its password, that may hold ``value``, by an index that ``index`` made."""
        key = _key(value)
        for at in range(bisect_left(index, key), len(index)):
            if index[at] & ~_POSITIONS != key:
                return
            number, within = divmod(index[at] & _POSITIONS, BLOCK)
            rows, passwords = self._rows(number), self._passwords(number)
            yield rows[within], passwords[within] if passwords else ""

    def some_passwords(self) -> list[str]:
        """The passwords of the first people, to learn of what kind they are."""
        return self._passwords(0)[:20] if self.inventory.places else []

    def _rows(self, number: int) -> list[Row]:
        return self._block(number, 0)  # type: ignore[return-value]

    def _passwords(self, number: int) -> list[str]:
        return self._block(number, 1)  # type: ignore[return-value]

    def _block(self, number: int, line: int) -> list[object]:
        with damage_translated(self.path), self._reading:
            if self._handle.closed:
                raise BackendUnavailable("the backend is closed")
            self._handle.seek(self.inventory.places[number])
            for _ in range(line):
                self._handle.readline()
            text = self._handle.readline()
        with damage_translated(self.path):
            found = json.loads(text)
        assert isinstance(found, list)
        return found


def _key(value: str) -> int:
    # Python's own hash: salted for each process, and equal ones are compared letter by letter afterwards.
    return (hash(normalize_name(value)) & _HASHES) << _POSITION_BITS


class ContentWriter:
    """Writes a copy into a file that is open for writing. Raises BackendUnavailable where there is no room."""

    def __init__(self, path: Path, handle: BinaryIO) -> None:
        self._path = path
        self._handle = handle
        self._places: list[int] = []
        self._place = 0
        self._count = 0

    def add(self, rows: Sequence[Row], passwords: Sequence[str]) -> None:
        """Append one block."""
        self._places.append(self._place)
        self._count += len(rows)
        self._write(f"{_encode(rows)}\n{_encode(passwords)}\n")

    def finish(self, layout: str, signature: Signature, columns: Columns, at: float) -> None:
        """Append the inventory: from now on the copy is whole."""
        place = self._place
        places = tuple(self._places)
        inventory = Inventory(layout, signature, columns.names, columns.missing, at, self._count, places)
        self._write(f"{_encode(asdict(inventory))}\n")
        self._write(f"{place:0{_PLACE_DIGITS}d}\n")
        with damage_translated(self._path):
            self._handle.flush()

    def _write(self, text: str) -> None:
        data = text.encode()
        self._place += len(data)
        with damage_translated(self._path):
            self._handle.write(data)


def open_content(path: Path) -> Content:
    """A copy that was finished. Raises DamagedCopy."""
    with damage_translated(path):
        # Closed by Content, or below.
        handle = path.open("rb", buffering=1 << 17)
        try:
            handle.seek(-_PLACE_DIGITS - 1, 2)
            handle.seek(int(handle.read()))
            inventory = Inventory.parse(json.loads(handle.readline()))
        except BaseException:
            handle.close()
            raise
    return Content(path, handle, inventory)


@contextmanager
def damage_translated(path: Path) -> Iterator[None]:
    """Whatever is wrong with the copy as DamagedCopy."""
    try:
        yield
    except OSError as exc:
        raise DamagedCopy(f"the copy in {path} cannot be used: {exc.strerror or exc}") from exc
    except (ValueError, KeyError, TypeError) as exc:
        # Not chained: the text of the cause could hold a piece of the copy.
        raise DamagedCopy(f"the copy in {path} is damaged ({type(exc).__name__})") from None
