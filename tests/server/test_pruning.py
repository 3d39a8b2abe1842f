"""Old events are forgotten by the server itself, without a command."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from integration_server.sdk.certificates import Certificate, Sighting
from integration_server.server.installation import opened
from integration_server.server.pruning import prune_records
from integration_server.server.workers import Workers
from integration_server.store import Store
from integration_server.store.audit_log import AuditLog
from integration_server.store.hourly_counts import HourlyCount
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


def test_records_of_the_dashboard_are_kept_for_a_while(tmp_path: Path) -> None:
    store, day, now = Store("", tmp_path), 86400.0, 10_000 * 86400.0
    for age in (9, 11):
        AuditLog(store._engine, lambda age=age: now - age * day).add(f"list.{age}", "x", None, {})
    hour = int(now // 3600)
    store.hourly_counts.add([HourlyCount("archive", hour - 24 * age, "lists", 1, 1.0) for age in (0, 13, 15)])
    seen = {"fresh": 1, "old": 31}
    store.certificates.put([Sighting(Certificate(name, 1.0), now - age * day) for name, age in seen.items()])
    prune_records(store, 10.0, now)
    assert [entry.action for entry in store.audit_log.page(None, 9)] == ["list.9"]
    assert [one.hour for one in store.hourly_counts.since(0)] == [hour - 24 * 13, hour]
    assert [one.certificate.holder for one in store.certificates.ending(2.0, 9)] == ["fresh"]
    store.close()
