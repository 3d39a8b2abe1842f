"""People in files: CSV with a header (RFC 4180), tabs as MySQL's client writes them, and JSON, an object a line."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, BinaryIO

from integration_server.builtin.ips_connect.account import Account
from integration_server.builtin.ips_connect.people_read import COLUMNS, Source, UnreadableRow, Values

#: Bytes. What is longer is no row of people.
_LONGEST_LINE = 1_000_000
_BOM = "\ufeff"
_DELIMITERS = (",", ";", "\t")
_PLAIN_CELL = re.compile(r"\t((?:[^\t\\]|\\.)*)", re.DOTALL)
#: A line that ends in an odd number of backslashes goes on in the next.
_OPEN = re.compile(r"(?<!\\)(?:\\\\)*\\\n?\Z")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}


# -- reading ---------------------------------------------------------------------------------------------------------


def read_csv(stream: BinaryIO) -> Source:
    """The delimiter is the one that the header has. Raises UnreadableRow."""
    lines = _lines(stream)
    first = next(lines, "")
    delimiter = max(_DELIMITERS, key=first.count)
    # MySQL quotes nothing where it writes tabs, and escapes with backslashes.
    is_plain = delimiter == "\t" and '"' not in first
    lines = chain([first], lines)
    cells = _plain_cells(lines) if is_plain else _cells(csv.reader(lines, delimiter=delimiter, strict=True))
    _, names = next(cells, ("", []))
    return Source(tuple(name or "" for name in names), _records(cells, len(names)))


def read_json_lines(stream: BinaryIO) -> Source:
    """Every object has the members of the first. Raises UnreadableRow."""
    objects = _objects(stream)
    place, first = next(objects, ("line 1", {}))
    names = tuple(first)
    return Source(names, _members(chain([(place, first)], objects) if first else iter(()), names))


def _lines(stream: BinaryIO) -> Iterator[str]:
    number = 0
    while line := stream.readline(_LONGEST_LINE):
        number += 1
        if len(line) == _LONGEST_LINE:
            raise UnreadableRow(f"line {number}: is longer than {_LONGEST_LINE} bytes")
        try:
            text = line.decode()
        except UnicodeDecodeError as exc:
            raise UnreadableRow(f"line {number}: is not UTF-8 (byte {exc.start})") from None
        yield text.removeprefix(_BOM) if number == 1 else text


def _cells(reader: Any) -> Iterator[tuple[str, Values]]:
    """Every row but empty ones, with the line that it begins in."""
    while True:
        place = f"line {reader.line_num + 1}"
        try:
            row = next(reader, None)
        except csv.Error as exc:
            # It names what is wrong, and quotes nothing.
            raise UnreadableRow(f"{place}: {exc}") from None
        if row is None:
            return
        if row:
            yield place, row


def _plain_cells(lines: Iterable[str]) -> Iterator[tuple[str, Values]]:
    """The same of rows in which a backslash goes before a tab or the end of a line that is none."""
    row, begin = "", 1
    for number, line in enumerate(lines, 1):
        row += line
        if len(row) > _LONGEST_LINE:
            raise UnreadableRow(f"line {begin}: is longer than {_LONGEST_LINE} characters")
        if _OPEN.search(line):
            continue
        if row.strip("\r\n"):
            cells = _PLAIN_CELL.findall("\t" + row.removesuffix("\n").removesuffix("\r"))
            yield f"line {begin}", [_unescaped(cell) for cell in cells]
        row, begin = "", number + 1
    if row:
        raise UnreadableRow(f"line {begin}: ends in a backslash")


def _records(cells: Iterable[tuple[str, Values]], count: int) -> Iterator[tuple[str, Values]]:
    for place, row in cells:
        if len(row) != count:
            raise UnreadableRow(f"{place}: has {len(row)} cells, and the header {count}")
        yield place, row


def _unescaped(cell: str) -> str | None:
    if "\\" not in cell:
        return cell
    return None if cell == "\\N" else _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[1]), cell)


def _objects(stream: BinaryIO) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(_lines(stream), 1):
        if line.strip():
            try:
                found = json.loads(line)
            except (ValueError, RecursionError):
                found = None
            if not isinstance(found, dict) or not found:
                raise UnreadableRow(f"line {number}: is no JSON object")
            yield f"line {number}", found


def _members(objects: Iterable[tuple[str, dict[str, Any]]], names: tuple[str, ...]) -> Iterator[tuple[str, Values]]:
    for place, found in objects:
        if found.keys() != set(names):
            raise UnreadableRow(f"{place}: has other members than the first object")
        yield place, [_text(place, name, found[name]) for name in names]


def _text(place: str, name: str, value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    raise UnreadableRow(f"{place}: {name!r} is neither text, a whole number, true or false, nor null")


# -- writing ---------------------------------------------------------------------------------------------------------


def csv_lines(batches: Iterable[list[Account]]) -> Iterator[bytes]:
    """A CSV file, in pieces."""
    yield _csv([COLUMNS])
    for some in batches:
        yield _csv([_csv_cell(getattr(one, name)) for name in COLUMNS] for one in some)


def json_lines(batches: Iterable[list[Account]]) -> Iterator[bytes]:
    """A JSON object a line, in pieces."""
    for some in batches:
        lines = (json.dumps({name: getattr(one, name) for name in COLUMNS}, ensure_ascii=False) for one in some)
        yield "".join(f"{line}\n" for line in lines).encode()


def _csv(rows: Iterable[Iterable[object]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _csv_cell(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value
