"""What the processes and the store of a server take, looked at from outside once a second."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

_PAUSE_SECONDS: Final = 1.0
#: Lists stay for two minutes, in which somebody may be sending them, and until the next one.
_LIST_SECONDS: Final = 150.0
#: Counting rows takes longer.
_ROWS_EVERY: Final = 5
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class ProcessSample:
    """``at`` in seconds since the beginning; ``life`` counts the starts and reloads until then; ``rss`` in MB."""

    at: float
    life: int
    pid: int
    name: str
    rss: float
    fds: int
    threads: int


@dataclass(frozen=True, slots=True)
class StoreSample:
    """Sizes in MB. ``files`` are those of data_dir but for young lists; ``rows`` those of each table, where they were
    counted."""

    at: float
    store: float
    wal: float
    data: float
    files: int
    rows: dict[str, int] = field(default_factory=dict)


class Sampler:
    """Looks until the block ends. ``next_life`` says that the server was started, or begins anew, as this process."""

    def __init__(self, data: Path) -> None:
        self.processes: list[ProcessSample] = []
        self.stores: list[StoreSample] = []
        self._data = data
        self._life = 0
        self._pid: int | None = None
        self._began = time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="sampler", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(30)

    def next_life(self, pid: int) -> None:
        self._pid = pid
        self._life += 1

    def _look(self) -> None:
        turn = 0
        while not self._over.wait(_PAUSE_SECONDS):
            at = round(time.monotonic() - self._began, 2)
            if self._pid is not None:
                self.processes += _processes(self._pid, at, self._life)
            self.stores.append(_store(self._data, at, with_rows=turn % _ROWS_EVERY == 0))
            turn += 1


def _processes(parent: int, at: float, life: int) -> Iterator[ProcessSample]:
    children = workers(parent)
    for pid in (parent, *children):
        name = "the worker process" if pid != parent else "the supervisor" if children else "the process"
        # It may end at any time.
        with contextlib.suppress(OSError, IndexError):
            place = Path(f"/proc/{pid}")
            rss = int((place / "statm").read_text().split()[1]) * _PAGE_BYTES / 2**20
            fds, threads = len(os.listdir(place / "fd")), len(os.listdir(place / "task"))
            yield ProcessSample(at, life, pid, name, round(rss, 2), fds, threads)


def workers(parent: int) -> list[int]:
    """The child processes of a server."""
    try:
        return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
    except OSError:
        return []


def _store(data: Path, at: float, *, with_rows: bool) -> StoreSample:
    sizes, lists = {}, time.time() - _LIST_SECONDS
    for file in data.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            if file.is_file() and not (file.suffix in (".list", ".gz", ".tmp") and file.stat().st_mtime > lists):
                sizes[file.relative_to(data).as_posix()] = file.stat().st_size
    rows = _rows(data / "store.db") if with_rows else {}
    megabytes = [sizes.get("store.db", 0), sizes.get("store.db-wal", 0), sum(sizes.values())]
    return StoreSample(at, *(round(size / 2**20, 3) for size in megabytes), len(sizes), rows)


def _rows(file: Path) -> dict[str, int]:
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=30)) as connection:
        names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE '%VIRTUAL%'")
        return {
            name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]
            for (name,) in names.fetchall()
            if not name.startswith("sqlite_")
        }
