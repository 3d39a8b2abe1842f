"""Who may not write where the store lies is told which folder it is and whose it must be."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import filelock
import pytest

from integration_server import ConfigError
from integration_server.store import Store

NOBODY = 65534
REMEDY = "; [server] data_dir must be a folder of the account that runs the server and its commands"


@pytest.fixture
def closed_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that the running account may not write to, even where the suite runs as root."""
    folder = tmp_path / "closed"
    folder.mkdir()
    folder.chmod(0o555)
    was = os.geteuid()
    if was == 0:
        os.seteuid(NOBODY)
    try:
        yield folder
    finally:
        os.seteuid(was)


def test_a_data_folder_that_may_not_be_written_names_setting_and_remedy(closed_folder: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        Store("", closed_folder / "data")

    assert str(raised.value) == f"[store]: {closed_folder / 'data'} cannot be written: Permission denied{REMEDY}"


def test_a_read_only_file_system_is_told_likewise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path, *_: object, **__: object) -> None:
        # What a service with ProtectSystem=strict gets below /etc.
        raise OSError(errno.EROFS, "Read-only file system", str(folder))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(ConfigError) as raised:
        Store("", tmp_path / "data")
    assert str(raised.value) == f"[store]: {tmp_path / 'data'} cannot be written: Read-only file system{REMEDY}"


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("in the way")
    with pytest.raises(ConfigError) as raised:
        Store("", tmp_path / "data")
    assert str(raised.value) == f"[store]: {tmp_path / 'data'} cannot be written: File exists"


def test_a_process_that_is_stuck_while_opening_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("integration_server.store.engine._LOCK_SECONDS", 0.1)
    with filelock.FileLock(tmp_path / "migrate.lock"), pytest.raises(ConfigError, match="is one stuck"):
        Store("", tmp_path)
