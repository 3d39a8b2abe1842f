"""Files for the CSV backend to read, and backends that read them."""

from __future__ import annotations

import hashlib
import os
from base64 import b64encode
from pathlib import Path
from typing import Any

from integration_server import Deadline, Entry, Lookup, User
from integration_server.builtin.csv_file import CsvBackend
from integration_server.sdk.testing import list_users, open_backend, open_mapper

#: Short, so that the tests are; long enough for a test to do something within it.
QUIET_SECONDS = 0.4


def ssha(password: str) -> str:
    """A stored password that is quick to check."""
    salt = hashlib.sha256(password.encode()).digest()[:8]
    return "{SSHA256}" + b64encode(hashlib.sha256(password.encode() + salt).digest() + salt).decode()


def write(path: Path, content: str | bytes) -> None:
    """Write the file now."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def write_old(path: Path, content: str | bytes) -> None:
    """Write a file that nobody has touched for a minute."""
    write(path, content)
    age(path)


def age(path: Path, seconds: float = 60) -> None:
    then = path.stat().st_mtime - seconds
    os.utime(path, (then, then))


def quoted(*values: str) -> str:
    """A row as spreadsheets write it."""
    return ",".join('"' + value.replace('"', '""') + '"' for value in values) + "\r\n"


class Reader:
    """One backend on ``users.csv`` in a folder, with its mapper."""

    def __init__(self, folder: Path, **keys: Any) -> None:
        self.path = folder / "users.csv"
        table = {"type": "csv", "path": "users.csv", "quiet_seconds": QUIET_SECONDS, **keys}
        backend = open_backend(CsvBackend, table, folder)
        assert isinstance(backend, CsvBackend)
        self.backend = backend
        self.mapper = open_mapper(CsvBackend, table, folder)

    def users(self) -> list[User]:
        return list_users(self.backend, self.mapper, Deadline(20))

    def names(self) -> list[str]:
        return [user.username for user in self.users()]

    def find(self, name: str, *, ignore_case: bool = False) -> Entry | None:
        return self.backend.find(Lookup("username", name, ignore_case), Deadline(20))

    def complaints(self) -> list[str]:
        return [f.message for f in self.backend.check(Deadline(20)) if f.level == "error"]

    def warnings(self) -> list[str]:
        return [f.message for f in self.backend.check(Deadline(20)) if f.level == "warning"]

    def copies(self) -> list[Path]:
        return sorted((self.path.parent / "data").rglob("*.*"))
