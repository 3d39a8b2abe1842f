"""The audit log: the latest first, by what was done and by whom, page by page."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from integration_server.store.audit_log import AuditLog


@pytest.fixture
def log(engine: sa.Engine) -> AuditLog:
    """With five entries."""
    log = AuditLog(engine, lambda: 7.0)
    for action, actor in [("sync.held", None), ("token.created", "admin:ann"), ("tokens_.x", "admin:bob")]:
        log.add(action, "hq", actor, {"n": 1})
    log.add("token.revoked", "wiki", "command line", {})
    log.add("token", "wiki", "admin:ann", {})
    return log


def actions(log: AuditLog, *args: int | None, **wanted: str | int) -> list[str]:
    return [entry.action for entry in log.page(*args, **wanted)]  # type: ignore[arg-type]


def test_latest_entries_come_first_page_by_page(log: AuditLog) -> None:
    first = log.page(None, 2)
    assert [entry.action for entry in first] == ["token", "token.revoked"]
    assert actions(log, first[-1].id, 9) == ["tokens_.x", "token.created", "sync.held"]
    assert actions(log, first[-1].id, 9, after=log.last_id() - 4) == ["tokens_.x", "token.created"]
    assert first[0].id == log.last_id()


def test_entries_are_found_by_action_group_and_actor(log: AuditLog) -> None:
    assert actions(log, None, 9, action="token") == ["token", "token.revoked", "token.created"]
    assert actions(log, None, 9, action="token.created") == ["token.created"]
    assert actions(log, None, 9, action="tok%") == []
    assert actions(log, None, 9, actor="admin:ann") == ["token", "token.created"]


def test_empty_log_has_no_last_entry(engine: sa.Engine) -> None:
    assert AuditLog(engine).last_id() == 0
