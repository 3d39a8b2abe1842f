"""A process that writes into a CSV backend's files: ``python -m tests.builtin.csv_writer FOLDER TASK START COUNT``."""

from __future__ import annotations

import sys
from pathlib import Path

from integration_server import Deadline, Lookup, NewAccount
from tests.builtin.csv_files import Reader

GROUPS_MAP = {
    "username": "username",
    "full_name": "full_name",
    "emails": "email",
    "groups": {"from": "groups", "separator": ";"},
}
KEYS = {"is_writable": True, "map": GROUPS_MAP, "delimiter": ";"}


def writable(folder: Path, **keys: object) -> Reader:
    """A backend that may write, with groups in a column."""
    return Reader(folder, **{**KEYS, **keys})


def join(reader: Reader, name: str, group: str) -> bool:
    entry = reader.backend.find(Lookup("username", name), Deadline(60))
    assert entry is not None
    return reader.backend.add_member(entry, group, Deadline(60))


def leave(reader: Reader, name: str, group: str) -> bool:
    entry = reader.backend.find(Lookup("username", name), Deadline(60))
    assert entry is not None
    return reader.backend.remove_member(entry, group, Deadline(60))


def main(folder: str, task: str, start: str, count: str) -> None:
    reader = writable(Path(folder))
    for number in range(int(start), int(start) + int(count)):
        if task == "join":
            assert join(reader, "ann", f"g{number}")
        elif task == "make":
            reader.backend.create_account(NewAccount(f"p{number}@x.org", f"P {number}"), Deadline(60))
        else:
            (join if number % 2 else leave)(reader, "ann", "toggled")
        print(number, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
