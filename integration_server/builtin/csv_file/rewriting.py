"""Replacing a file by a changed one: whole, one writer at a time, and with the file before it kept."""

from __future__ import annotations

import contextlib
import csv
import errno
import io
import os
import shutil
import stat
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import filelock

from integration_server import BackendError, BackendMisconfigured, BackendTimeout, BackendUnavailable, Deadline
from integration_server.builtin.csv_file.edits import Edit
from integration_server.builtin.csv_file.records import Dialect, Records, RowWriter, line_end, written_as
from integration_server.builtin.csv_file.sharing import SharedWork
from integration_server.builtin.csv_file.source import BrokenFile, Signature, SourceFile, UnsettledFile, translated
from integration_server.builtin.csv_file.watched import WatchedFile

_POLL_SECONDS = 0.01
#: Windows lets nobody replace a file that somebody reads; our own readers are done within moments.
_REPLACE_SECONDS = 5.0
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
#: Some file systems cannot write a folder to the disk, and some folders cannot be opened.
_NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.EISDIR)
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)


class FileRewriter:
    """Changes one file. Thread-safe, and safe beside other processes, which it meets at ``NAME.lock``.

    The new file is written beside the old one and takes its place when it is whole and on the disk; a process that is
    killed leaves the one or the other, and its lock ends with it. ``NAME.bak`` is the file before the last change.
    """

    def __init__(self, name: str, source: SourceFile, watched: WatchedFile) -> None:
        self._source = source
        self._watched = watched
        self._path = source.path
        self._new_path = self._path.with_name(f".{self._path.name}.new")
        self._work = SharedWork(f"backend {name}, writing")
        self._threads = threading.Lock()

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self._path

    def apply(self, edit: Edit, deadline: Deadline) -> bool:
        """Carry out ``edit`` on the file as it is now; whether there was something to change.

        When this returns the change is on the disk and in force. Raises what the edit raises, UnwritableValue,
        BrokenFile for a file that is not sound, UnsettledFile where another program changes it, BackendMisconfigured
        where it may not be written, other BackendErrors: then nothing was written, but for BackendTimeout and
        UnsettledFile, after which it may have been.
        """
        return self._work.result(object(), lambda: self._apply(edit, deadline), deadline)

    def _apply(self, edit: Edit, deadline: Deadline) -> bool:
        with self._translated(), self._alone(deadline):
            before = self._watched.settled()
            try:
                if not self._write_new(edit):
                    return False
                deadline.remaining()
                after = self._replace(before, deadline)
            finally:
                with contextlib.suppress(OSError):
                    self._new_path.unlink(missing_ok=True)
            _sync_folder(self._path.parent)
            self._watched.believe(after)
        return True

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            kind = BackendMisconfigured if exc.errno in _FORBIDDEN else BackendUnavailable
            raise kind(f"{self._path} cannot be written: {exc.strerror or exc}") from exc

    @contextmanager
    def _alone(self, deadline: Deadline) -> Iterator[None]:
        """No other thread or process writes meanwhile."""
        if not self._threads.acquire(timeout=deadline.remaining()):
            raise BackendTimeout(f"{self._path}: others were writing all the time")
        try:
            path = self._path.with_name(f"{self._path.name}.lock")
            lock = filelock.FileLock(path, thread_local=False)
            try:
                held = lock.acquire(timeout=deadline.remaining(), poll_interval=_POLL_SECONDS)
            except filelock.Timeout:
                raise BackendTimeout(f"{self._path}: another process holds {path.name}") from None
            with held:
                with contextlib.suppress(OSError):
                    # Whoever may write the file may take the lock, whichever account came first.
                    _adopt(path, self._path.stat())
                yield
        finally:
            self._threads.release()

    def _write_new(self, edit: Edit) -> bool:
        """The changed file beside the old one, and the old one's backup; whether anything is different."""
        with translated(self._path):
            raw = self._path.open("rb")
        with raw:
            self._source.scan(raw)
            with _created(self._new_path, raw) as new:
                if not self._rewrite(raw, new, edit):
                    return False
            backup = self._path.with_name(f"{self._path.name}.bak")
            unfinished = self._path.with_name(f".{backup.name}.new")
            try:
                with _created(unfinished, raw) as kept:
                    raw.seek(0)
                    shutil.copyfileobj(raw, kept, 1 << 20)
                unfinished.replace(backup)
            finally:
                unfinished.unlink(missing_ok=True)
        return True

    def _rewrite(self, raw: BinaryIO, new: BinaryIO, edit: Edit) -> bool:
        raw.seek(0)
        mark, codec = written_as(self._source.encoding, raw.read(4))
        raw.seek(0)
        new.write(mark)
        text = io.TextIOWrapper(raw, encoding=self._source.encoding, newline="")
        written = io.TextIOWrapper(new, encoding=codec, newline="")
        try:
            dialect = self._source.dialect(text)
            rows = Records(text, dialect)
            try:
                return self._copy(rows, dialect, codec, written, edit)
            except (csv.Error, UnicodeError) as exc:
                raise BrokenFile(f"{self._path}, line {rows.line + 1}: the row cannot be read: {exc}") from exc
        finally:
            text.detach()
            written.detach()

    def _copy(self, rows: Records, dialect: Dialect, codec: str, written: io.TextIOWrapper, edit: Edit) -> bool:
        """Everything from ``rows`` to ``written``, changed by ``edit``; whether anything is different."""
        header = self._source.header(iter(rows))
        last = rows.taken()
        written.write(last)
        before_last, is_changed, is_blank = last, False, not last
        with self._named():
            edit.start(header)
            writer = RowWriter(dialect, codec, header, edit.labels)
            for cells in rows:
                text = rows.taken()
                if any(cells):
                    if len(cells) != len(header):
                        raise BrokenFile(f"line {rows.line}: {len(cells)} columns instead of {len(header)}")
                    changed = edit.row(cells)
                    is_changed = is_changed or changed is not cells
                    if changed is None:
                        continue
                    if changed is not cells:
                        text = writer.changed(text, cells, changed)
                    before_last, last = last, text
                written.write(text)
                is_blank = False
            added = edit.end()
            end = line_end(last) or line_end(before_last) or "\n"
            if added is not None:
                # As the rows before it: quoted or not, with a line end or, where the last one has none, without.
                is_open = bool(last) and not line_end(last)
                is_all_quoted = bool(last) and dialect.is_all_quoted(last.lstrip("\r\n"))
                row = writer.new(added, "" if is_open else end, is_all_quoted=is_all_quoted)
                written.write(end + row if is_open else row)
            elif is_blank:
                # A file of no bytes at all looks like one that was cut off.
                written.write(end)
        written.flush()
        return is_changed or added is not None

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Put the file's name before what the edit has to say."""
        try:
            yield
        except BackendError as exc:
            raise type(exc)(f"{self._path}: {exc}") from exc

    def _replace(self, before: Signature, deadline: Deadline) -> Signature:
        """Put the new file in the old one's place, unless that is another one by now; the new file's state."""
        made = self._new_path.stat()
        give_up = time.monotonic() + min(_REPLACE_SECONDS, deadline.remaining())
        while True:
            if self._source.signature() != before:
                raise UnsettledFile(f"{self._path} was changed by another program meanwhile; nothing was written")
            try:
                os.replace(self._new_path, self._path)
                break
            except PermissionError:
                if sys.platform != "win32" or time.monotonic() >= give_up:
                    raise
                time.sleep(_POLL_SECONDS)
        after = self._source.signature()
        # The time at which it was changed is that of the renaming.
        if (after.size, after.modified_ns, after.inode) != (made.st_size, made.st_mtime_ns, made.st_ino):
            raise UnsettledFile(f"{self._path} was changed by another program at once; look whether it kept ours")
        return after


@contextmanager
def _created(path: Path, like: BinaryIO) -> Iterator[BinaryIO]:
    """A new file with the mode and, where we may, the owner of another one; on the disk when the body is done."""
    # What a process left that was killed; nobody else writes now.
    path.unlink(missing_ok=True)
    # Until its owner is known nobody else may read it: there may be password hashes in it.
    with os.fdopen(os.open(path, _NEW, 0o600), "wb") as new:
        try:
            _adopt(path, os.fstat(like.fileno()))
            yield new
            new.flush()
            os.fsync(new.fileno())
        except BaseException:
            with contextlib.suppress(OSError):
                path.unlink()
            raise


def _adopt(path: Path, like: os.stat_result) -> None:
    """Give a file the mode of another one and, where we may, its owner. Folders do that on Windows."""
    if sys.platform == "win32":
        return
    try:
        os.chown(path, like.st_uid, like.st_gid)
    except OSError:
        with contextlib.suppress(OSError):
            os.chown(path, -1, like.st_gid)
    with contextlib.suppress(OSError):
        path.chmod(stat.S_IMODE(like.st_mode))


def _sync_folder(path: Path) -> None:
    """Make a renaming durable. Windows has no such thing, and needs none."""
    if sys.platform == "win32":
        return
    try:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as exc:
        if exc.errno not in _NO_FOLDER_SYNC:
            raise
