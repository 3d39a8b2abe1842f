"""Reading the admin's file once, from end to end, and believing it only when nothing about it is odd."""

from __future__ import annotations

import codecs
import csv
import difflib
import io
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO, NamedTuple, NoReturn

from integration_server import BackendUnavailable, IncompleteListing
from integration_server.builtin.csv_file.records import Dialect
from integration_server.builtin.csv_file.settings import DELIMITERS, Layout

#: Rows that are handled together, and that one login has to read again.
BLOCK = 250
_CHUNK = 1 << 20
#: Windows: another program has the file, or a part of it, to itself (ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION).
_HELD_BY_WRITER = (32, 33)

Row = Sequence[str | None]
Take = Callable[[Sequence[Row], list[str]], None]


class UnsettledFile(IncompleteListing):
    """The file is being written."""


class BrokenFile(IncompleteListing):
    """The file is not sound."""


class Signature(NamedTuple):
    """What is different after the file was changed or replaced."""

    size: int
    modified_ns: int
    changed_ns: int
    inode: int

    @classmethod
    def of(cls, found: os.stat_result) -> Signature:
        return cls(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


class Columns(NamedTuple):
    """The columns of the values that were read, in this order: those that the file has, and those it may lack."""

    present: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return self.present + self.missing


class SourceFile:
    """The admin's file. Thread-safe; holds nothing open."""

    def __init__(self, path: Path, layout: Layout) -> None:
        self.path = path
        self._layout = layout

    @property
    def encoding(self) -> str:
        """The codec that reads it."""
        return self._layout.encoding

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it must have."""
        return self._layout.required

    def signature(self) -> Signature:
        """The file's present state. Raises BackendUnavailable where there is no such file."""
        with translated(self.path):
            found = os.stat(self.path)
        if not stat.S_ISREG(found.st_mode):
            raise BackendUnavailable(f"{self.path} is no file")
        return Signature.of(found)

    def read(self, take: Take) -> Columns:
        """Hand every row to ``take``, in blocks: the mapped values, and the passwords (none without such a column).

        Returns the columns of the values. What was handed over counts only when this returns: raises
        BrokenFile with the line, UnsettledFile when the file changed meanwhile, BackendUnavailable.
        """
        with translated(self.path), self.path.open("rb") as raw:
            before = Signature.of(os.fstat(raw.fileno()))
            try:
                self.scan(raw)
                columns = self._parse(raw, take)
            except BrokenFile as exc:
                self._check_unchanged(raw, before, exc)
                raise
            self._check_unchanged(raw, before, None)
        return columns

    def _check_unchanged(self, raw: BinaryIO, before: Signature, cause: Exception | None) -> None:
        if Signature.of(os.fstat(raw.fileno())) != before:
            raise UnsettledFile(f"{self.path} changed while it was read") from cause

    def _broken(self, line: int, reason: str) -> NoReturn:
        raise BrokenFile(f"{self.path}, line {line}: {reason}")

    def scan(self, raw: BinaryIO) -> None:
        """Look at the text as a whole: encoding, NUL characters, the last line end. Raises BrokenFile."""
        decoder = codecs.getincrementaldecoder(self._layout.encoding)()
        lines, last = 1, ""
        while True:
            chunk = raw.read(_CHUNK)
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeError as exc:
                self._broken(lines + _lines_before(exc), f"this is not {self._layout.encoding.removesuffix('-sig')}")
            if "\0" in text:
                self._broken(lines + text[: text.index("\0")].count("\n"), "a NUL character; the file is damaged")
            lines += text.count("\n")
            last = text[-1:] or last
            if not chunk:
                break
        if not last:
            raise BrokenFile(f"{self.path} is empty")
        if self._layout.require_final_newline and last not in "\r\n":
            self._broken(
                lines,
                "no line end after the last row, so the rest may be missing (if the program that writes the file "
                "always leaves it out, set require_final_newline = false)",
            )

    def _parse(self, raw: BinaryIO, take: Take) -> Columns:
        raw.seek(0)
        text = io.TextIOWrapper(raw, encoding=self._layout.encoding, newline="")
        try:
            rows = self._rows(text)
            header = self.header(rows)
            columns = self._columns(header)
            pick = _picker([header.index(name) for name in columns.present], len(columns.missing))
            secret = None if self._layout.password_column is None else header.index(self._layout.password_column)
            is_empty = not self._layout.allow_empty
            for block in self._blocks(rows, len(header)):
                take(pick(block), [] if secret is None else [row[secret] for row in block])
                is_empty = False
        except (csv.Error, _UnevenRows, UnicodeError) as exc:
            self._complain(text, exc)
        finally:
            text.detach()
        if is_empty:
            raise BrokenFile(f"{self.path} holds nobody (if that is right, set allow_empty = true)")
        return columns

    def _rows(self, text: io.TextIOWrapper) -> Iterator[list[str]]:
        return self.dialect(text).reader(text)

    def dialect(self, text: io.TextIOWrapper) -> Dialect:
        """How the rows of ``text``, which is at its beginning, are written."""
        layout = self._layout
        return Dialect(self._sniff(text) if layout.delimiter == "auto" else layout.delimiter, layout.quote)

    def _sniff(self, text: io.TextIOWrapper) -> str:
        """The delimiter under which the first row names the most of the columns that are wanted."""
        first = next((line for line in iter(text.readline, "") if line.strip()), "")
        text.seek(0)
        wanted = {*self._layout.required, *self._layout.optional, self._layout.password_column}

        def score(delimiter: str) -> tuple[int, int]:
            try:
                names = next(csv.reader([first], delimiter=delimiter, quotechar=self._layout.quote or None))
            except (csv.Error, StopIteration):
                return 0, 0
            return len(wanted & {name.strip() for name in names}), len(names)

        return max(DELIMITERS, key=score)

    def header(self, rows: Iterator[list[str]]) -> list[str]:
        """The names of all columns, off the beginning of ``rows`` where a row names them. Raises BrokenFile."""
        layout = self._layout
        if layout.columns is not None:
            return list(layout.columns)
        header = [name.strip() for name in next((row for row in rows if any(row)), [])]
        wanted = [*layout.required, *([layout.password_column] if layout.password_column is not None else [])]
        is_header = any(name in header for name in wanted)
        for name in wanted:
            if name not in header:
                # Without a header the first row is somebody's, password included: then nothing of it may be shown.
                near = _nearest(name, header) if is_header or name != layout.password_column else None
                hint = f"; there is {near!r}" if near else "" if is_header else "; is it a header at all?"
                raise BrokenFile(f"{self.path}: the first row names no column {name!r}{hint}")
        for name in (*wanted, *layout.optional):
            if header.count(name) > 1:
                raise BrokenFile(f"{self.path}: the first row names the column {name!r} twice")
        return header

    def _columns(self, header: list[str]) -> Columns:
        names = (*self._layout.required, *self._layout.optional)
        return Columns(
            present=tuple(name for name in names if name in header),
            missing=tuple(name for name in names if name not in header),
        )

    @staticmethod
    def _blocks(rows: Iterator[list[str]], width: int) -> Iterator[list[list[str]]]:
        """The rows in blocks, blank ones left out."""
        while block := list(islice(rows, BLOCK)):
            if set(map(len, block)) != {width} or not all(map(any, block)):
                block = [row for row in block if any(row)]
                if set(map(len, block)) - {width}:
                    raise _UnevenRows
            if block:
                yield block

    def _complain(self, text: io.TextIOWrapper, cause: Exception) -> NoReturn:
        """Read again, row by row, for the line of the first fault."""
        line, width = 0, len(self._layout.columns or ())
        try:
            text.seek(0)
            rows = self._rows(text)
            for row in rows:
                if any(row):
                    width = width or len(row)
                    if len(row) != width:
                        raise BrokenFile(
                            f"{self.path}, line {line + 1}: {_width(len(row))} instead of {width}"
                        ) from None
                line = rows.line_num  # type: ignore[attr-defined]
        except (csv.Error, UnicodeError) as exc:
            raise BrokenFile(f"{self.path}, line {line + 1}: the row cannot be read: {exc}") from exc
        # The fault is not there any more, so somebody is writing.
        raise UnsettledFile(f"{self.path} changed while it was read") from cause


class _UnevenRows(Exception):
    """Rows of different length."""


def _picker(positions: list[int], missing: int) -> Callable[[list[list[str]]], Sequence[Row]]:
    """What takes the values at these positions out of rows and adds a None for each missing column."""
    if len(positions) > 1 and not missing:
        get = itemgetter(*positions)
        return lambda rows: list(map(get, rows))
    rest = (None,) * missing
    return lambda rows: [(*(row[i] for i in positions), *rest) for row in rows]


def _width(count: int) -> str:
    return "1 column" if count == 1 else f"{count} columns"


def _lines_before(exc: UnicodeError) -> int:
    if not isinstance(exc, UnicodeDecodeError):
        return 0
    return exc.object[: exc.start].decode(exc.encoding, "replace").count("\n")


def _nearest(name: str, header: list[str]) -> str | None:
    folded = {found.casefold(): found for found in header}
    near = difflib.get_close_matches(name.casefold(), folded, 1)
    return folded[near[0]] if near else None


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """The operating system's errors as BackendUnavailable, but a file that its writer holds as UnsettledFile."""
    try:
        yield
    except FileNotFoundError as exc:
        raise BackendUnavailable(f"{path} does not exist") from exc
    except OSError as exc:
        if getattr(exc, "winerror", None) in _HELD_BY_WRITER:
            raise UnsettledFile(f"{path} is held by the program that writes it") from exc
        raise BackendUnavailable(f"{path} cannot be read: {exc.strerror or exc}") from exc
