"""New files, never in the place of old ones; or old ones replaced at once."""

from __future__ import annotations

import os
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from integration_server import ConfigError
from integration_server.directory.spool import put_in_place


def write_new(path: Path, text: str, *, is_private: bool = False) -> None:
    """Write a file that is not there yet, readable by its owner alone where ``is_private`` (POSIX). Raises ConfigError.

    Newlines are written as they are in ``text``.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Private from the first byte on: a mode that is set later leaves a moment in between.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        descriptor = os.open(path, flags, 0o600 if is_private else 0o644)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError(f"{path} exists already; it is not overwritten") from None
    except OSError as exc:
        raise ConfigError(f"{path} cannot be written: {exc.strerror or exc}") from exc


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A file that is not there yet, its owner's alone, to be written piece by piece. It is there, whole, when the block
    has ended well, and not at all where it has not; a process that is killed leaves an empty one. Raises
    ConfigError."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    is_mine = False
    try:
        # The name is taken first, so that nobody's file is written over at the end.
        os.close(os.open(path, flags, 0o600))
        is_mine = True
        with os.fdopen(os.open(part, flags, 0o600), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        put_in_place(part, path)
    except OSError as exc:
        _give_up(path, part, is_mine)
        if isinstance(exc, FileExistsError) and not is_mine:
            raise ConfigError(f"{path} exists already; it is not overwritten") from None
        raise ConfigError(f"{path} cannot be written: {exc.strerror or exc}") from exc
    except BaseException:
        _give_up(path, part, is_mine)
        raise


def _give_up(path: Path, part: Path, is_mine: bool) -> None:
    part.unlink(missing_ok=True)
    if is_mine:
        path.unlink(missing_ok=True)


def replace_file(path: Path, content: bytes) -> None:
    """Write a file at once or not at all: readers find the old one or the new one, whole. Raises ConfigError.

    It keeps its mode and (POSIX) its owner; a new one is its owner's alone. Where ``path`` is a link, the file that it
    leads to is replaced.
    """
    target = path.resolve()
    new = target.with_name(f".{target.name}.{secrets.token_hex(4)}.new")
    try:
        try:
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            if target.exists():
                _take_after(target, new)
            put_in_place(new, target)
        finally:
            new.unlink(missing_ok=True)
    except OSError as exc:
        raise ConfigError(f"{path} cannot be written: {exc.strerror or exc}") from exc


def check_replaceable(path: Path) -> None:
    """See beforehand whether ``replace_file`` has a folder to write into. Raises ConfigError."""
    folder = path.resolve().parent
    if not folder.is_dir():
        raise ConfigError(f"{path} cannot be written: there is no folder {folder}")
    if not os.access(folder, os.W_OK):
        raise ConfigError(f"{path} cannot be written: the folder {folder} may not be written to")


def _take_after(old: Path, new: Path) -> None:
    known, made = old.stat(), new.stat()
    if sys.platform != "win32" and (known.st_uid, known.st_gid) != (made.st_uid, made.st_gid):
        # Before the mode, which this may change.
        os.chown(new, known.st_uid, known.st_gid)
    new.chmod(stat.S_IMODE(known.st_mode))
