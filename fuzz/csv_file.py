"""The reader of CSV files. The first byte chooses how the file is written, the rest is the file.

What is read is what ``csv`` reads of the same text, or the file is refused. What is written back with one cell changed
differs in that cell alone. Of a copy of ours with damaged bytes no row comes out that is none.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from fuzz.target import Harness, Target
from integration_server import BackendError, Deadline, UnwritableValue
from integration_server.builtin.csv_file.content import ContentWriter, open_content
from integration_server.builtin.csv_file.records import Records, RowWriter, written_as
from integration_server.builtin.csv_file.settings import Layout
from integration_server.builtin.csv_file.source import Columns, Row, Signature, SourceFile


def _layout(delimiter: str, encoding: str, quote: str, *, is_strict: bool = True) -> Layout:
    return Layout(delimiter, encoding, quote, None, ("username",), ("email",), "password", is_strict, not is_strict)


_LAYOUTS = (
    _layout(",", "utf-8-sig", '"'),
    _layout(",", "utf-8-sig", '"', is_strict=False),
    _layout("auto", "utf-8-sig", '"'),
    _layout(";", "cp1252", "'"),
    _layout("\t", "utf-16", ""),
    Layout(",", "utf-8-sig", '"', ("username", "email", "password"), ("username", "email"), (), None, True, False),
)
_COPY = len(_LAYOUTS)
_NEW = 'a, "new"; \tvalue'


@contextmanager
def _opened() -> Iterator[Harness]:
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        path = Path(name, "people.csv")
        yield lambda data: _try(path, data)


def _try(path: Path, data: bytes) -> None:
    if not data:
        return
    kind = data[0] % (_COPY + 1)
    path.write_bytes(data[1:])
    if kind == _COPY:
        _read_copy(path)
        return
    source = SourceFile(path, _LAYOUTS[kind])
    rows: list[Row] = []
    secrets: list[str] = []

    def take(some: Sequence[Row], passwords: list[str]) -> None:
        rows.extend(some)
        secrets.extend(passwords)

    try:
        columns = source.read(take)
    except BackendError as exc:
        _check_one_line(str(exc))
        return
    _check_rows(source, _LAYOUTS[kind], rows, columns)
    assert len(secrets) in (0, len(rows))
    _check_writing(source)


def _check_one_line(reason: str) -> None:
    assert reason.isprintable(), "a log shows it"


def _check_rows(source: SourceFile, layout: Layout, rows: Sequence[Row], columns: Columns) -> None:
    text = source.path.read_bytes().decode(layout.encoding)
    dialect = source.dialect(io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8", newline=""))
    plain = [row for row in dialect.reader(io.StringIO(text, newline="")) if any(row)]
    header = list(layout.columns) if layout.columns else [name.strip() for name in plain.pop(0)]
    assert all(len(row) == len(header) for row in plain)
    given = [[row[header.index(name)] for name in columns.present] for row in plain]
    assert [list(row) for row in rows] == [[*row, *(None for _ in columns.missing)] for row in given]


def _check_writing(source: SourceFile) -> None:
    raw = source.path.read_bytes()
    _, codec = written_as(source.encoding, raw[:4])
    text = io.TextIOWrapper(io.BytesIO(raw), encoding=source.encoding, newline="")
    dialect = source.dialect(text)
    records = Records(text, dialect)
    header = source.header(iter(records))
    records.taken()
    writer = RowWriter(dialect, codec, header, {})
    for cells in records:
        written = records.taken()
        if any(cells):
            assert writer.changed(written, cells, cells) == written
            _check_change(writer, written, cells)


def _check_change(writer: RowWriter, written: str, cells: list[str]) -> None:
    after = [*cells[:-1], _NEW]
    try:
        changed = writer.changed(written, cells, after)
    except UnwritableValue:
        return
    assert list(writer.dialect.reader(io.StringIO(changed, newline=""))) == [after]
    assert writer.dialect.cells(changed)[:-1] == writer.dialect.cells(written)[:-1], "the others stay letter for letter"


def _read_copy(path: Path) -> None:
    try:
        content = open_content(path)
    except BackendError:
        return
    try:
        for rows in content.blocks(Deadline(20)):
            assert all(isinstance(row, list) for row in rows)
        list(content.candidates(content.index(0), "ann"))
        content.some_passwords()
    except BackendError:
        pass
    finally:
        content.close()


def _copy() -> bytes:
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        path = Path(name, "copy")
        with path.open("wb") as handle:
            writer = ContentWriter(path, handle)
            writer.add([["ann", "a@example.org"], ["bob", None]], ["x", ""])
            writer.finish("layout", Signature(1, 2, 3, 4), Columns(("username", "email"), ()), 7.5)
        return path.read_bytes()


_PLAIN = 'username,email,password\nann,"a ""b"", c",x\nbob,,\n'
_FILES = (
    _PLAIN,
    _PLAIN.replace("\n", "\r\n"),
    _PLAIN.replace("\n", "\r"),
    f"\n\n{_PLAIN}\n,,\n",
    _PLAIN + 'eve,"two\nlines",y\n',
    _PLAIN + "eve,short\n",
    _PLAIN + '"torn',
    _PLAIN + 'eve,"x"y,z\n',
    _PLAIN.replace(",", ";"),
    _PLAIN.replace(",", "\t"),
    "username,username,password\nann,x,y\n",
    "ann,a@example.org,x\n",
    "",
    "\0",
)

TARGET = Target(
    _opened,
    (
        *(bytes((kind,)) + text.encode(_LAYOUTS[kind].encoding) for kind in range(_COPY) for text in _FILES),
        b"\0" + _PLAIN.encode().replace(b"b", b"\xff"),
        b"\4" + _PLAIN.replace(",", "\t").encode("utf-16-be"),
        bytes((_COPY,)) + _copy(),
    ),
    (b"username", b"email", b"password", b'"', b"\r\n", b"\xef\xbb\xbf", b"\xff\xfe", b'""'),
)
