"""What may be done to the rows of a file, one class for each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from integration_server import AmbiguousEntry, BackendError, BackendMisconfigured, UnwritableValue, normalize_name


class Edit(ABC):
    """Is shown every row of a file once, and says what becomes of it. ``labels`` are names of columns for errors.

    Whatever a method raises leaves the file as it is.
    """

    labels: Mapping[str, str] = {}

    @abstractmethod
    def start(self, header: Sequence[str]) -> None:
        """Find the columns."""

    @abstractmethod
    def row(self, cells: list[str]) -> list[str] | None:
        """The same list, another one in its place, or None to leave the row out."""

    @abstractmethod
    def end(self) -> list[str] | None:
        """A row to append, or None."""


class PersonEdit(Edit):
    """Changes the one row whose ``identity`` columns hold these values."""

    def __init__(self, identity: Mapping[str, str]) -> None:
        self._identity = identity
        self._key = list(identity.values())
        self._places: list[int] = []
        self._found = 0

    def start(self, header: Sequence[str]) -> None:
        self._places = [place(header, name) for name in self._identity]

    def row(self, cells: list[str]) -> list[str] | None:
        # Most rows are somebody else's, which one look tells.
        if self._key[0] not in cells[self._places[0]]:
            return cells
        if [cells[at].strip() for at in self._places] != self._key:
            return cells
        self._found += 1
        return self.person(cells)

    def end(self) -> None:
        if self._found != 1:
            shown = ", ".join(f"{name}={value[:60]!r}" for name, value in self._identity.items())
            if self._found:
                raise AmbiguousEntry(f"{self._found} rows have {shown}")
            raise BackendError(f"there is no row with {shown} any more")

    @abstractmethod
    def person(self, cells: list[str]) -> list[str]:
        """What becomes of the person's row: the same list, or another one."""


class CellMembership(PersonEdit):
    """Puts a person into a group, or takes them out of it, in a column with all their groups."""

    def __init__(
        self, identity: Mapping[str, str], column: str, separator: str | None, group: str, *, is_member: bool
    ) -> None:
        super().__init__(identity)
        if separator is not None and separator in group:
            raise UnwritableValue(f"group: {group[:60]!r} holds the separator {separator!r} of column {column!r}")
        self._column, self._separator = column, separator
        self._group, self._is_member = group, is_member
        self._at = 0
        self.labels = {column: "group"}

    def start(self, header: Sequence[str]) -> None:
        super().start(header)
        self._at = place(header, self._column)

    def person(self, cells: list[str]) -> list[str]:
        cell = cells[self._at]
        if (normalize_name(self._group) in names(cell, self._separator)) is self._is_member:
            return cells
        if not self._is_member:
            return with_cell(cells, self._at, without(cell, self._separator, self._group))
        if cell.strip() and self._separator is None:
            raise BackendMisconfigured(
                f"column {self._column!r} holds a group already; for more than one, set separator in [map] groups"
            )
        return with_cell(cells, self._at, joined(cell, self._separator, self._group))


class RowMembership(Edit):
    """Puts a person into a group, or takes them out of it, in a file with a row for each membership."""

    def __init__(self, columns: tuple[str, str], user: str, group: str, *, is_member: bool) -> None:
        self._columns = columns
        self._user, self._group = user, group
        self._is_member = is_member
        self._places = (0, 0)
        self._width = 0
        self._is_in = False
        self.labels = {columns[0]: "person", columns[1]: "group"}

    def start(self, header: Sequence[str]) -> None:
        self._places = place(header, self._columns[0]), place(header, self._columns[1])
        self._width = len(header)

    def row(self, cells: list[str]) -> list[str] | None:
        user, group = (cells[at].strip() for at in self._places)
        if user != self._user or normalize_name(group) != normalize_name(self._group):
            return cells
        self._is_in = True
        return cells if self._is_member else None

    def end(self) -> list[str] | None:
        if self._is_in or not self._is_member:
            return None
        cells = [""] * self._width
        cells[self._places[0]], cells[self._places[1]] = self._user, self._group
        return cells


def place(header: Sequence[str], column: str) -> int:
    """Where a column is. Raises BackendMisconfigured where it is not, or not clearly."""
    if header.count(column) != 1:
        found = "no column" if column not in header else "more than one column"
        raise BackendMisconfigured(f"there is {found} {column!r} to write to")
    return header.index(column)


def with_cell(cells: Sequence[str], at: int, value: str) -> list[str]:
    """A row with another value in one place."""
    return [*cells[:at], value, *cells[at + 1 :]]


def names(cell: str, separator: str | None) -> set[str]:
    """The values in a cell in the form in which they are compared."""
    return {normalize_name(part.strip()) for part in _parts(cell, separator) if part.strip()}


def joined(cell: str, separator: str | None, value: str) -> str:
    """A cell with one value more, set off as the others are. One without a separator takes it when it is blank."""
    if not cell.strip():
        return value
    assert separator is not None
    before = cell.rstrip()
    while before.endswith(separator):
        before = before.removesuffix(separator).rstrip()
    is_spaced = all(part.startswith(" ") for part in before.split(separator)[1:]) and separator in before
    return f"{before}{separator}{' ' if is_spaced else ''}{value}"


def without(cell: str, separator: str | None, value: str) -> str:
    """A cell without a value."""
    gone = normalize_name(value)
    return (separator or "").join(p for p in _parts(cell, separator) if normalize_name(p.strip()) != gone).strip()


def _parts(cell: str, separator: str | None) -> list[str]:
    return [cell] if separator is None else cell.split(separator)
