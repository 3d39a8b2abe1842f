"""``backup`` and ``restore``: everything comes back, and nothing is ever written over."""

from __future__ import annotations

import json
import os
import stat
import sys
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from integration_server.store import Store
from integration_server.store.upkeep import inspect_store
from tests.cli.conftest import Place, Run, Serving, subscription
from tests.forwarding.receivers import write_events
from tests.servers import PostgreSql


@pytest.fixture
def used(place: Place) -> Place:
    """An installation with events, a receiver, a token, a key and the last good content of a CSV file."""
    with_store(place, lambda store: write_events(store, ["ada", "bob", "cyd"]))
    with_store(place, lambda store: store.subscriptions.add(subscription("wiki")))
    (place.data / "secret.key").write_bytes(b"k" * 32)
    (place.data / "csv-staff").mkdir()
    (place.data / "csv-staff" / "content").write_text("login,name\nada,Ada\n", encoding="utf-8")
    (place.data / "spool" / "archive").mkdir(parents=True)
    (place.data / "spool" / "archive" / "x.list").write_text("[]", encoding="utf-8")
    return place


def with_store(place: Place, work: Callable[[Store], object]) -> None:
    store = Store("", place.data)
    work(store)
    store.close()


def copied(file: Path, target: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """A backup whose files are changed, or left out."""
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = change(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
    return target


def test_installation_comes_back_in_an_empty_folder(used: Place, run: Run, tmp_path: Path) -> None:
    file, new = tmp_path / "a backup.zip", tmp_path / "new place" / "config.d"
    made = run("backup", file, "--config", used.config)
    assert made.exit_code == 0, made.output
    assert "store of schema" in made.stdout
    if sys.platform != "win32":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600

    result = run("restore", file, new)

    assert result.exit_code == 0, result.output
    data = new.parent / "data"
    assert {path.name for path in new.iterdir()} == {path.name for path in used.config.glob("*.toml")}
    assert (data / "secret.key").read_bytes() == b"k" * 32
    assert (data / "csv-staff" / "content").read_text(encoding="utf-8") == "login,name\nada,Ada\n"
    assert not (data / "spool").exists(), "lists are made anew"
    assert inspect_store("", data).faults == ()
    was, now = Store("", used.data), Store("", data)
    assert now.journal.events(0, 10) == was.journal.events(0, 10)
    assert [one.uid for one in now.subscriptions.all()] == ["wiki"]
    was.close()
    now.close()
    assert not list(new.parent.glob(".*")), "something was left behind"
    if sys.platform != "win32":
        assert stat.S_IMODE((data / "store.db").stat().st_mode) == 0o600


def test_restored_server_serves(used: Place, run: Run, tmp_path: Path, serve: Callable[..., Serving]) -> None:
    file, new = tmp_path / "b.zip", tmp_path / "new" / "config.d"
    assert run("backup", file, "--config", used.config).exit_code == 0
    assert run("restore", file, new).exit_code == 0
    serving = serve(new)
    assert serving.url
    assert serving.stop() == 0


def test_what_comes_after_a_restore_has_serials_that_nobody_has_seen(used: Place, run: Run, tmp_path: Path) -> None:
    file, new = tmp_path / "b.zip", tmp_path / "new" / "config.d"
    run("backup", file, "--config", used.config)
    with_store(used, lambda store: write_events(store, ["dan", "eve"]))
    run("restore", file, new)
    store = Store("", new.parent / "data")
    seen = 5
    (serial,) = write_events(store, ["fay"])
    assert serial > seen
    assert [event.person_id for event in store.journal.events(seen, 10)] == ["fay"]
    store.close()


def test_backup_is_whole_while_others_write(used: Place, run: Run, tmp_path: Path) -> None:
    stop, failures = threading.Event(), []

    def write() -> None:
        store = Store("", used.data)
        try:
            while not stop.is_set():
                write_events(store, [f"p{number}" for number in range(20)])
        except Exception as exc:
            failures.append(exc)
        store.close()

    writer = threading.Thread(target=write)
    writer.start()
    files = [tmp_path / f"{number}.zip" for number in range(3)]
    results = [run("backup", file, "--config", used.config) for file in files]
    stop.set()
    writer.join(30)
    assert failures == []
    assert [result.exit_code for result in results] == [0, 0, 0], results[0].output
    for number, file in enumerate(files):
        new = tmp_path / f"new{number}" / "config.d"
        assert run("restore", file, new).exit_code == 0
        store = Store("", new.parent / "data")
        serials = [event.serial for event in store.journal.events(0, 10_000)]
        assert serials == list(range(1, len(serials) + 1))
        store.close()


def test_nothing_is_replaced(used: Place, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "b.zip"
    assert run("backup", file, "--config", used.config).exit_code == 0
    before = file.read_bytes()
    again = run("backup", file, "--config", used.config)
    assert again.exit_code == 3
    assert "exists already" in again.stderr
    assert file.read_bytes() == before
    store = (used.data / "store.db").read_bytes()
    result = run("restore", file, used.config)
    assert result.exit_code == 3
    assert "move it away" in result.stderr
    assert (used.data / "store.db").read_bytes() == store


def test_configuration_that_is_there_is_left_alone(used: Place, run: Run, tmp_path: Path) -> None:
    file, new = tmp_path / "b.zip", tmp_path / "new"
    run("backup", file, "--config", used.config)
    new.mkdir()
    (new / "own.toml").write_text('[server]\ndata_dir = "elsewhere"\n', encoding="utf-8")
    assert run("restore", file, new).exit_code == 0
    assert [path.name for path in new.glob("*.toml")] == ["own.toml"]
    assert (new / "elsewhere" / "store.db").exists()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda name, content: b"other" if name == "data/secret.key" else content, "data/secret.key is not what"),
        (lambda name, content: None if name == "data/secret.key" else content, "data/secret.key cannot be read"),
        (lambda name, content: None if name == "manifest.json" else content, "is no backup"),
        (lambda name, content: b"[]" if name == "manifest.json" else content, "is no backup"),
        (lambda name, content: b"{" if name == "manifest.json" else content, "is no backup"),
        (
            lambda name, content: content.replace(b"data/secret.key", b"data/../../evil"),
            "is no file of a backup",
        ),
        (lambda name, content: content.replace(b"data/secret.key", b"/etc/evil"), "is no file of a backup"),
        (lambda name, content: content.replace(b"data/secret.key", b"data/c:evil"), "is no file of a backup"),
        (lambda name, content: content.replace(b'"format": 1', b'"format": 2'), "in a form that this one cannot read"),
        (lambda name, content: content.replace(b'"schema": "0', b'"schema": "9'), "update it first"),
    ],
)
def test_damaged_backup_is_told_and_leaves_nothing(
    used: Place, run: Run, tmp_path: Path, change: Callable[[str, bytes], bytes | None], told: str
) -> None:
    file, new = tmp_path / "b.zip", tmp_path / "new" / "config.d"
    run("backup", file, "--config", used.config)

    def changed(name: str, content: bytes) -> bytes | None:
        return change(name, content) if name == "manifest.json" or name == "data/secret.key" else content

    result = run("restore", copied(file, tmp_path / "bad.zip", changed), new)
    assert result.exit_code == 3, result.output
    assert told in result.stderr
    assert not (new.parent / "data").exists()


@pytest.mark.parametrize("content", [b"", b"PK", b"no zip at all"])
def test_file_that_is_no_backup_is_told(run: Run, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "b.zip"
    file.write_bytes(content)
    result = run("restore", file, tmp_path / "new")
    assert result.exit_code == 3
    assert str(file) in result.stderr


def test_backup_that_is_cut_off_is_told(used: Place, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "b.zip"
    run("backup", file, "--config", used.config)
    file.write_bytes(file.read_bytes()[:-2000])
    result = run("restore", file, tmp_path / "new")
    assert result.exit_code == 3
    assert "cut off" in result.stderr


def test_missing_file_is_told(run: Run, tmp_path: Path) -> None:
    result = run("restore", tmp_path / "none.zip", tmp_path / "new")
    assert result.exit_code == 3
    assert "none.zip cannot be read" in result.stderr


def test_server_that_never_ran_has_nothing_to_back_up(place: Place, run: Run, tmp_path: Path) -> None:
    result = run("backup", tmp_path / "b.zip", "--config", place.config)
    assert result.exit_code == 3
    assert "there is nothing to back up" in result.stderr
    assert not (tmp_path / "b.zip").exists()


def test_store_on_postgresql_is_its_own_tools_to_back_up(
    place: Place, run: Run, tmp_path: Path, postgresql: PostgreSql
) -> None:
    place.write("store.toml", f"[store]\nurl = {json.dumps(postgresql.create_database())}\n")
    run("db", "upgrade", place.config)
    place.data.mkdir(exist_ok=True)
    result = run("backup", tmp_path / "b.zip", "--config", place.config)
    assert result.exit_code == 3
    assert "pg_dump" in result.stderr
    assert not (tmp_path / "b.zip").exists()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_folder_that_may_not_be_written_is_told(used: Place, run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    result = run("backup", folder / "b.zip", "--config", used.config)
    assert result.exit_code == 3
    assert "cannot be written" in result.stderr


def test_backup_whose_bytes_were_changed_is_told(used: Place, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "b.zip"
    run("backup", file, "--config", used.config)
    content = bytearray(file.read_bytes())
    # The store's own bytes come first.
    content[200:260] = bytes(60)
    file.write_bytes(content)
    result = run("restore", file, tmp_path / "new" / "config.d")
    assert result.exit_code == 3
    assert "is damaged: data/store.db" in result.stderr
    assert not (tmp_path / "new" / "data").exists()
