"""Old events are forgotten by the server itself, without a command."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from integration_server.server.installation import opened
from integration_server.server.workers import Workers
from integration_server.store.journal import Change, Journal
from tests.waiting import wait_for


def test_elected_process_removes_what_is_older_than_the_configured_days(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integration_server.server.workers._FIRST_PRUNE_SECONDS", 0.1)
    (tmp_path / "a.toml").write_text('[server]\ndata_dir = "data"\n[forwarding]\nkeep_days = 7.0\n')
    with opened(tmp_path) as installation:
        store = installation.store
        for number, days in enumerate((9, 8, 6)):
            past = Journal(store._engine, lambda days=days: time.time() - days * 86400)
            past.apply("hq", [Change("create", str(number), bytes(16), {"id": str(number), "groups": []})], 0)
        workers = Workers(installation)
        workers.start()
        wait_for(lambda: store.journal.pruned_serial() >= 2, "the removal")
        workers.stop()
        assert [event.serial for event in store.journal.events(0, 10)] == [3]
