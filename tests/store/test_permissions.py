"""Who may not write where the store lies is told which folder it is and whose it must be."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration_server import ConfigError
from integration_server.store import Store

NOBODY = 65534


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

    told = str(raised.value)
    assert told.startswith(f"[store]: {closed_folder / 'data'} may not be written; [server] data_dir must belong to")
    assert "Errno" not in told
