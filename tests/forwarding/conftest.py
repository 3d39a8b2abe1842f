"""What tests of delivery start with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from integration_server.store import Store
from tests.forwarding.receivers import POST


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Store]:
    """An empty store, and receivers that got nothing yet."""
    POST.__init__()  # type: ignore[misc]
    store = Store("", tmp_path)
    yield store
    store.close()
