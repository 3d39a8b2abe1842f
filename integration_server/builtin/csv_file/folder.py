"""The folder of private copies: at most one that is in force, and whatever other processes are still busy with."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from integration_server.builtin.csv_file.content import (
    Content,
    ContentWriter,
    DamagedCopy,
    damage_translated,
    open_content,
)
from integration_server.builtin.csv_file.source import Columns, Signature

#: Raised whenever copies are written differently, so that old ones are not read.
_FORMAT = 1
#: An unfinished copy this old belongs to a process that is gone.
_ABANDONED_SECONDS = 3600.0
_FINISHED = ".copy"
_UNFINISHED = ".part"
_BINARY = getattr(os, "O_BINARY", 0)


class ContentFolder:
    """Where one backend keeps its copies. ``layout`` is the digest of its settings: copies of others are not taken."""

    def __init__(self, path: Path, layout: str) -> None:
        self._path = path
        self._layout = f"{_FORMAT}-{layout}"

    def copy_of(self, signature: Signature) -> Content | None:
        """The copy of exactly this state of the file, if there is one."""
        return self._open(self._path / self._name(signature), lambda content: content.inventory.signature == signature)

    def newest(self) -> Content | None:
        """The copy that was made last, if there is any."""
        with damage_translated(self._path):
            found = sorted(self._finished(), key=_age)
        return next((content for path in found if (content := self._open(path, lambda content: True))), None)

    def make(self, signature: Signature, fill: Callable[[ContentWriter], Columns]) -> Content:
        """Write a copy with ``fill``, which returns the columns of what it added, and put it in force.

        Whatever ``fill`` raises leaves no trace. Raises DamagedCopy where there is no room.
        """
        path = self._path / f"{os.getpid()}-{secrets.token_hex(4)}{_UNFINISHED}"
        try:
            with damage_translated(path):
                self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
                # The copy holds the file's password hashes: nobody else may read it.
                handle = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o600), "wb")
            with handle:
                writer = ContentWriter(path, handle)
                columns = fill(writer)
                writer.finish(self._layout, signature, columns, time.time())
            finished = self._path / self._name(signature)
            with damage_translated(finished):
                _rename(path, finished)
        except BaseException:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
            raise
        self._tidy(finished)
        return open_content(finished)

    def drop(self, content: Content) -> None:
        """Forget a copy that is damaged."""
        content.close()
        with contextlib.suppress(OSError):
            content.path.unlink(missing_ok=True)

    def _name(self, signature: Signature) -> str:
        return hashlib.sha256(f"{self._layout} {tuple(signature)}".encode()).hexdigest()[:24] + _FINISHED

    def _finished(self) -> Iterator[Path]:
        return self._path.glob(f"*{_FINISHED}")

    def _open(self, path: Path, is_wanted: Callable[[Content], bool]) -> Content | None:
        try:
            content = open_content(path)
        except DamagedCopy:
            return None
        if content.inventory.layout == self._layout and is_wanted(content):
            return content
        content.close()
        return None

    def _tidy(self, kept: Path) -> None:
        """Remove older copies. One that another process has open stays on Windows until a later time."""
        for path in [*self._finished(), *self._path.glob(f"*{_UNFINISHED}")]:
            with contextlib.suppress(OSError):
                if path != kept and (path.suffix == _FINISHED or _age(path) > _ABANDONED_SECONDS):
                    path.unlink()


def _rename(path: Path, finished: Path) -> None:
    try:
        path.replace(finished)
    except PermissionError:
        # Windows, when another process made the same copy a moment earlier and has it open.
        if not finished.exists():
            raise
        path.unlink()


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return float("inf")
