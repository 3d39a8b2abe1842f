"""Spool files: whole lists on disk, already encoded, with a record of how they came to be.

A mount's folder holds one record, ``outcome.json``, replaced atomically; processes on one machine share it. The files
it names are never changed, only removed when they are old.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import logging
import os
import secrets
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from integration_server.sdk.aside import Aside

logger = logging.getLogger(__name__)

_KEEP_SECONDS = 120.0
_BLOCK = 1 << 18
_REPLACE_PAUSES = (0.01, 0.05, 0.2, 0.5)
#: Names that Windows keeps for devices, in every folder and whatever follows their first dot.
_DEVICES = frozenset({"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))})


@dataclass(frozen=True, slots=True)
class Release:
    """A list that may go out. Times are Unix seconds, ``digest`` the file's SHA-256 in hexadecimal."""

    file: str
    size: int
    digest: str
    count: int
    backends: tuple[str, ...]
    collisions: int
    bad_rows: int
    began_at: float
    ended_at: float
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the latest attempt ended. ``release`` is the latest good one, of this attempt where ``error`` is None."""

    began_at: float
    ended_at: float
    error: str | None
    is_held: bool
    release: Release | None


class SpoolWriter:
    """Writes one list file in blocks, digesting as it goes. Use as a context manager: a file not kept is removed.

    What is more than a block is written in a thread of its own, one block at a time, while the next one is gathered: to
    write and to digest lets go of the interpreter. An OSError of the thread comes with the next block, or the end.
    """

    def __init__(self, folder: Path, opening: bytes, separator: bytes) -> None:
        _make(folder)
        self.path = folder / f"{secrets.token_hex(8)}.list"
        self._separator = separator
        self._digest = hashlib.sha256()
        self._size = 0
        self._is_first = True
        self._is_kept = False
        self._gathered: list[bytes] = []
        self._gathered_size = 0
        self._aside: Aside[None] = Aside("spool")
        self._file = open(self.path, "xb")  # noqa: SIM115
        self._gather(opening)

    def __enter__(self) -> SpoolWriter:
        return self

    def __exit__(self, *exc: object) -> None:
        try:
            self._aside.end()
        finally:
            self._close()

    def _close(self) -> None:
        try:
            # Writes what is buffered, which fails once more on a full disk.
            self._file.close()
        finally:
            if not self._is_kept:
                self.path.unlink(missing_ok=True)

    def _gather(self, data: bytes) -> None:
        self._gathered.append(data)
        self._gathered_size += len(data)
        self._size += len(data)
        if self._gathered_size >= _BLOCK:
            block = self._block()
            self._settle()
            self._aside.begin(lambda: self._write(block))

    def _block(self) -> bytes:
        block = b"".join(self._gathered)
        self._gathered, self._gathered_size = [], 0
        return block

    def _settle(self) -> None:
        """Wait until the block before is written. Raises OSError."""
        if self._aside.is_busy:
            self._aside.outcome()

    def _write(self, block: bytes) -> None:
        self._digest.update(block)
        self._file.write(block)

    def add(self, data: bytes) -> None:
        """Append an encoded page; an empty one is nothing. Raises OSError."""
        if not data:
            return
        if not self._is_first:
            self._gather(self._separator)
        self._is_first = False
        self._gather(data)

    def finish(self, closing: bytes) -> tuple[int, str]:
        """Complete the file; its size in bytes and its SHA-256. Raises OSError."""
        self._gather(closing)
        self._settle()
        self._write(self._block())
        self._file.flush()
        return self._size, self._digest.hexdigest()

    def keep(self) -> None:
        """Let the finished file outlive the writer."""
        self._is_kept = True


def folder_name(*names: str) -> str:
    """What the folder of a mount, or of one view of it, is called; ``aux~.members`` where Windows takes the name for a
    device."""
    first, *rest = names
    return ".".join([f"{first}~" if first in _DEVICES else first, *rest])


class SpoolFolder:
    """One mount's folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def lock_path(self) -> Path:
        _make(self.path)
        return self.path / "build.lock"

    def outcome(self) -> Outcome | None:
        """The record, or None where there is none that can be read. Without the release where its file is not whole:
        somebody removed it, or the machine went down before it reached the disk.
        """
        try:
            raw = json.loads((self.path / "outcome.json").read_text(encoding="utf-8"))
            release = raw.pop("release")
            if release is not None:
                release = Release(**{**release, "backends": tuple(release["backends"])})
            return Outcome(**raw, release=release if release is not None and self._is_whole(release) else None)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None

    def _is_whole(self, release: Release) -> bool:
        try:
            return (self.path / release.file).stat().st_size == release.size
        except OSError:
            return False

    def record(self, outcome: Outcome) -> None:
        """Replace the record, and remove files that nobody should be sending any more."""
        _make(self.path)
        with self._replacing(self.path / "outcome.json") as temporary:
            temporary.write_text(json.dumps(asdict(outcome)), encoding="utf-8")
        self._remove_old(outcome.release.file if outcome.release is not None else "", outcome.ended_at)

    @contextmanager
    def _replacing(self, path: Path) -> Iterator[Path]:
        """A new file that takes the place of ``path`` at the end of the block, or is removed when that fails."""
        temporary = self.path / f"{secrets.token_hex(8)}.tmp"
        try:
            yield temporary
            put_in_place(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def _remove_old(self, current: str, now: float) -> None:
        for path in self.path.glob("*"):
            is_list = path.suffix in (".list", ".gz", ".tmp")
            try:
                is_other = path.name.split(".")[0] != current.split(".")[0]
                if is_list and is_other and path.stat().st_mtime < now - _KEEP_SECONDS:
                    path.unlink()
            except OSError:
                # Windows keeps a file that is being sent; the next list removes it.
                continue

    def compressed(self, release: Release) -> tuple[Path, int, str]:
        """The gzip form of a list's file, made on first use: path, size and SHA-256 in hexadecimal."""
        path = self.path / (release.file + ".gz")
        if not path.exists():
            # Level 1: five times smaller at a price near that of writing the plain file; mtime=0 keeps it repeatable.
            try:
                self._compress(self.path / release.file, path)
            except PermissionError:
                # Windows, when somebody else made the same file a moment earlier, and it is being sent.
                if not path.exists():
                    raise
        with open(path, "rb") as packed_file:
            digest = hashlib.file_digest(packed_file, "sha256").hexdigest()
        return path, path.stat().st_size, digest

    def _compress(self, source: Path, target: Path) -> None:
        with (
            open(source, "rb") as plain,
            self._replacing(target) as temporary,
            open(temporary, "wb") as raw,
            gzip.GzipFile("", "wb", 1, raw, mtime=0) as packed,
        ):
            shutil.copyfileobj(plain, packed, _BLOCK)


def _make(folder: Path) -> None:
    """The folder of one mount and the one above, readable to the server's account alone: lists are personal data."""
    for each in (folder.parent, folder):
        each.mkdir(mode=0o700, parents=True, exist_ok=True)


def put_in_place(source: Path, target: Path) -> None:
    """``os.replace``, with patience: Windows refuses while another process is just reading the target."""
    for pause in _REPLACE_PAUSES if sys.platform == "win32" else ():
        try:
            os.replace(source, target)
            return
        except PermissionError:
            time.sleep(pause)
    os.replace(source, target)


def content_digest(hexdigest: str) -> str:
    """The value of a Content-Digest header (RFC 9530 §2)."""
    return f"sha-256=:{base64.b64encode(bytes.fromhex(hexdigest)).decode()}:"
