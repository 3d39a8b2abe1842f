"""Rows together with the text they are written as, so that what nobody changes stays as it is, letter for letter."""

from __future__ import annotations

import codecs
import csv
import io
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from integration_server import UnwritableValue

_MARKS = {
    "utf-8-sig": ((codecs.BOM_UTF8, "utf-8"), (b"", "utf-8")),
    "utf-16": (
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (b"", f"utf-16-{sys.byteorder[0]}e"),
    ),
    "utf-32": (
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
        (b"", f"utf-32-{sys.byteorder[0]}e"),
    ),
}


def written_as(encoding: str, head: bytes) -> tuple[bytes, str]:
    """The byte order mark of a file that begins with ``head``, and the codec of what follows it."""
    return next((mark, codec) for mark, codec in _MARKS.get(encoding, ((b"", encoding),)) if head.startswith(mark))


class Records:
    """Rows out of lines. ``taken`` gives the text of the rows since it was called last."""

    def __init__(self, lines: Iterable[str], dialect: Dialect) -> None:
        self._text: list[str] = []
        self._rows = dialect.reader(self._noted(lines))

    def _noted(self, lines: Iterable[str]) -> Iterator[str]:
        for line in lines:
            self._text.append(line)
            yield line

    def __iter__(self) -> Iterator[list[str]]:
        # The reader itself: a call less for each row.
        return self._rows

    @property
    def line(self) -> int:
        """How many lines were read."""
        return self._rows.line_num  # type: ignore[attr-defined,no-any-return]

    def taken(self) -> str:
        if len(self._text) == 1:
            return self._text.pop()
        text = "".join(self._text)
        self._text.clear()
        return text


@dataclass(frozen=True, slots=True)
class Dialect:
    """How rows are written. ``quote`` is empty where nothing is quoted."""

    delimiter: str
    quote: str

    def reader(self, lines: Iterable[str]) -> Iterator[list[str]]:
        """The rows in ``lines``, which have their line ends. Raises csv.Error."""
        if not self.quote:
            return csv.reader(lines, delimiter=self.delimiter, quoting=csv.QUOTE_NONE, quotechar=None, strict=True)
        return csv.reader(lines, delimiter=self.delimiter, quotechar=self.quote, strict=True)

    def cells(self, text: str) -> list[str]:
        """The cells of one row as they are written, quotes included."""
        end = len(text) - len(line_end(text))
        found: list[str] = []
        start = 0
        while True:
            at = self._past_quotes(text, start)
            stop = text.find(self.delimiter, at, end)
            if stop < 0:
                return [*found, text[start:end]]
            found.append(text[start:stop])
            start = stop + 1

    def _past_quotes(self, text: str, start: int) -> int:
        """Where the quoted part of a cell ends that begins at ``start``."""
        if not self.quote or not text.startswith(self.quote, start):
            return start
        at = start + 1
        while (at := text.index(self.quote, at) + 1) and text.startswith(self.quote, at):
            at += 1
        return at

    def is_all_quoted(self, text: str) -> bool:
        """Whether every cell of a row is quoted, needed or not."""
        return bool(self.quote) and all(cell.startswith(self.quote) for cell in self.cells(text))


@dataclass(frozen=True, slots=True)
class RowWriter:
    """Writes the cells of rows. ``labels`` says by which name an error calls a column, where it is not the column's."""

    dialect: Dialect
    codec: str
    header: Sequence[str]
    labels: Mapping[str, str]

    def changed(self, text: str, before: Sequence[str], after: Sequence[str]) -> str:
        """The row ``text`` with the cells ``after`` in place of ``before``. Raises UnwritableValue."""
        cells = self.dialect.cells(text)
        for at, (old, new) in enumerate(zip(before, after, strict=True)):
            if old != new:
                is_quoted = bool(self.dialect.quote) and cells[at].startswith(self.dialect.quote)
                cells[at] = self._cell(at, new, is_quoted)
        return self._joined(cells, after, line_end(text))

    def new(self, values: Sequence[str], end: str, *, is_all_quoted: bool) -> str:
        """A row with ``values``. Raises UnwritableValue."""
        cells = [self._cell(at, value, is_all_quoted) for at, value in enumerate(values)]
        return self._joined(cells, values, end)

    def _cell(self, at: int, value: str, is_quoted: bool) -> str:
        delimiter, quote = self.dialect.delimiter, self.dialect.quote
        if "\0" in value:
            self._refuse(at, "a NUL character cannot be written")
        try:
            value.encode(self.codec)
        except UnicodeEncodeError as exc:
            # As an escape: a log may not hold it either.
            self._refuse(at, f"the character {value[exc.start]!a} does not exist in {self.codec}")
        if not is_quoted and not any(char in value for char in (delimiter, quote or delimiter, "\r", "\n")):
            return value
        if not quote:
            what = f"a {delimiter!r}" if delimiter in value else "a line break"
            self._refuse(at, f"{what} cannot be written where nothing is quoted")
        return quote + value.replace(quote, quote * 2) + quote

    def _joined(self, cells: Sequence[str], values: Sequence[str], end: str) -> str:
        text = self.dialect.delimiter.join(cells)
        try:
            read = list(self.dialect.reader(io.StringIO(text, newline="")))
        except csv.Error as exc:
            raise UnwritableValue(f"the row cannot be written so that it can be read again: {exc}") from exc
        if read != [list(values)]:
            raise UnwritableValue("the row cannot be written so that it can be read again")
        return text + end

    def _refuse(self, at: int, reason: str) -> None:
        column = self.header[at]
        label = self.labels.get(column, column)
        shown = f"column {column!r}" if label == column else f"{label} (column {column!r})"
        raise UnwritableValue(f"{shown}: {reason}")


def line_end(text: str) -> str:
    """The line end of a row's text, empty where it has none."""
    return "\r\n" if text.endswith("\r\n") else text[-1:] if text[-1:] in ("\r", "\n") else ""
