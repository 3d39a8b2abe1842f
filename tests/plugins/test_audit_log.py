"""The example of the audit hook writes lines that programs can read."""

from __future__ import annotations

import json
import threading
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from integration_server.plugins import load_plugins
from tests.plugins.drop_ins import FOLDER, load_drop_in

plugin = load_drop_in("audit_log")


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    found = tmp_path / "audit.jsonl"
    monkeypatch.setenv("INTEGRATION_SERVER_AUDIT_LOG", str(found))
    return found


def test_each_action_is_a_line(file: Path) -> None:
    plugin.audit("sync.held", "hq", {"reason": "17 of 20 people\nwould go", "people": ["jörg", "\u2028"]})
    plugin.audit("delivery.dead", "sub_1", {"at": Path("x")})
    first, second = map(json.loads, file.read_bytes().split(b"\n")[:-1])
    assert datetime.now().astimezone() - datetime.fromisoformat(first.pop("time")) < timedelta(minutes=1)
    assert first == {
        "action": "sync.held",
        "subject": "hq",
        "details": {"reason": "17 of 20 people\nwould go", "people": ["jörg", "\u2028"]},
    }
    assert second["details"] == {"at": "x"}


def test_nothing_is_written_until_a_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for value in (None, ""):
        monkeypatch.delenv(plugin.VARIABLE, raising=False)
        if value is not None:
            monkeypatch.setenv(plugin.VARIABLE, value)
        plugin.audit("sync.held", "hq", {})
    assert list(tmp_path.iterdir()) == []


def test_threads_tear_no_lines(file: Path) -> None:
    threads = [
        threading.Thread(target=lambda n=n: [plugin.audit("a", f"{n}-{m}", {"x": "y" * 2000}) for m in range(50)])
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert {line["subject"] for line in lines} == {f"{n}-{m}" for n in range(8) for m in range(50)}
    assert len(lines) == 400


def test_file_may_be_moved_away(file: Path) -> None:
    plugin.audit("a", "1", {})
    file.rename(file.with_suffix(".1"))
    plugin.audit("a", "2", {})
    assert json.loads(file.read_text(encoding="utf-8"))["subject"] == "2"


def test_folder_that_is_not_there_is_an_error_for_the_servers_log(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(plugin.VARIABLE, str(file.parent / "nowhere" / "audit.jsonl"))
    with pytest.raises(OSError, match="nowhere"):
        plugin.audit("a", "1", {})


def test_server_loads_it() -> None:
    assert len(load_plugins(FOLDER).audits) == 1
