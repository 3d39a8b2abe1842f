"""The watcher: when it looks, what it does with a change feed, and how it fails."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from integration_server import Backend, BackendUnavailable, Batch, ChangeFeed, Changes, ComparisonNeeded, Deadline
from integration_server.forwarding.audit import Audit
from integration_server.forwarding.detection import feeding, runner
from integration_server.forwarding.detection.watcher import Watcher
from integration_server.store.bell import Bell
from integration_server.store.journal import Change, Losses
from tests.directory.full_disk import full_disk
from tests.forwarding.impatience import impatient
from tests.forwarding.watching import (
    HOUR,
    Scene,
    empty_sqlite,
    scene,
    shared_postgresql,
    sqlite_scene,
    sqlite_store,
    store,
)

__all__ = ["empty_sqlite", "scene", "shared_postgresql", "sqlite_scene", "sqlite_store", "store"]

FED = {"sync": {"feed_seconds": 0.1, "scan_seconds": 3600.0}}
COLUMNS = ("no", "login", "cn", "mail", "ou", "off")


class Feeding(Backend, ChangeFeed):
    """The SQL backend with a feed whose every word the test decides."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.steps: list[tuple[list[tuple[str | None, ...]], tuple[str, ...]]] = []
        self.error: Exception | None = None
        self.walks = 0
        self.type = backend.type  # type: ignore[misc]
        self.find, self.check, self.close = backend.find, backend.check, backend.close  # type: ignore[method-assign]

    def users(self, deadline: Deadline) -> Iterator[Batch]:
        self.walks += 1
        return self.backend.users(deadline)

    def tell(self, *rows: tuple[str | None, ...], gone: tuple[str, ...] = ()) -> None:
        self.steps.append(([(*row, *[None] * (6 - len(row))) for row in rows], gone))

    def feed(self) -> str | None:
        return "test"

    def feed_position(self, deadline: Deadline) -> str:
        return str(len(self.steps))

    def changes(self, position: str, deadline: Deadline) -> Iterator[Changes]:
        if self.error is not None:
            raise self.error
        for number in range(int(position), len(self.steps)):
            rows, gone = self.steps[number]
            yield Changes(str(number + 1), Batch(COLUMNS, rows) if rows else None, gone)


Feeding.__abstractmethods__ = frozenset()  # type: ignore[attr-defined]


def fed(scene: Scene, **more: object) -> tuple[Watcher, Feeding]:
    source = scene.source(**{**FED, **more})
    feed = Feeding(source.backend)
    source.backend = feed
    return scene.watcher(source), feed


def position(scene: Scene) -> str | None:
    return scene.store.watches.get("hq").feed_position


def test_a_feed_tells_of_who_comes_changes_and_goes(scene: Scene) -> None:
    scene.people.put_all("1", "2", "3", "4")
    watcher, feed = fed(scene)
    assert watcher.feed_once() is None
    watcher.run_once()
    scene.people.remove("3")
    feed.tell(("1", "one", "Ada"), ("2", "2"))
    feed.tell(("9", "nine"), gone=("3", "nobody we know"))

    result = watcher.feed_once()

    assert result is not None
    assert (result.kind, result.events) == ("fed", 3)
    assert scene.told() == ["user.deleted 3", "user.updated 1", "user.created 9"]
    assert position(scene) == "2"
    assert watcher.feed_once().events == 0  # type: ignore[union-attr]


def test_who_was_written_to_while_a_feed_was_read_is_told_of_by_the_next(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which of the two is newer nobody knows; the feed goes no further until it was looked at again."""
    scene.people.put_all("1", "2", "3", "4")
    watcher, feed = fed(scene)
    watcher.run_once()
    server = {**scene.known()["1"], "full_name": "Written through the server"}
    feed.tell(("1", "1", "Written by somebody else, later"), ("2", "2", "Bob"))
    read_news = runner.read_news

    def late(*arguments: Any) -> Any:
        scene.store.journal.apply("hq", [Change("update", "1", b"n" * 16, server)], 0)
        return read_news(*arguments)

    monkeypatch.setattr(runner, "read_news", late)
    result = watcher.feed_once()
    monkeypatch.undo()

    assert result is not None
    assert (result.events, result.skipped, position(scene)) == (1, 1, "0")
    watcher.feed_once()
    assert scene.known()["1"]["full_name"] == "Written by somebody else, later"
    assert scene.told() == ["user.updated 1", "user.updated 2", "user.updated 1"]
    assert position(scene) == "1"


def test_a_missing_canary_voids_what_a_feed_tells(scene: Scene) -> None:
    scene.people.put_all("1", "2", "3", "4")
    watcher, feed = fed(scene, canary="4")
    watcher.run_once()
    scene.people.remove("4")
    feed.tell(("1", "one"), gone=("4",))

    for _ in range(2):
        result = watcher.feed_once()
        assert result is not None
        assert result.kind == "failed"
        assert "the canary '4' is missing" in str(scene.store.watches.get("hq").failure)
    assert scene.told() == []
    scene.people.put("4")
    assert watcher.feed_once() is not None
    assert scene.told() == ["user.updated 1"]


def test_a_step_told_again_changes_nothing(scene: Scene) -> None:
    scene.people.put_all("1", "2")
    watcher, feed = fed(scene)
    watcher.run_once()
    feed.tell(("1", "one"))
    watcher.feed_once()
    scene.store.watches.change("hq", feed_position="0")

    watcher.feed_once()

    assert scene.told() == ["user.updated 1"]


def test_the_latest_word_on_a_person_counts(scene: Scene) -> None:
    scene.people.put_all("1", "2", "3")
    watcher, feed = fed(scene)
    watcher.run_once()
    feed.tell(("1", "older"))
    feed.tell(("1", "newer"), ("9", "nine"))
    feed.tell(gone=("9",))

    watcher.feed_once()

    assert scene.told() == ["user.updated 1"]
    assert scene.known()["1"]["username"] == "newer"


def test_who_is_said_to_be_gone_is_asked_for(scene: Scene) -> None:
    scene.people.put_all("1", "2", "3")
    watcher, feed = fed(scene)
    watcher.run_once()
    scene.people.change("1", cn="Came back")
    feed.tell(gone=("1",))

    watcher.feed_once()

    assert scene.told() == ["user.updated 1"]


def test_who_leaves_the_scope_is_gone(scene: Scene) -> None:
    scene.people.put_all("1", "2", "3", ou="staff")
    watcher, feed = fed(scene, filter={"groups": ["staff"]})
    watcher.run_once()
    feed.tell(("1", "1", None, None, "guests"), ("8", "8", None, None, "guests"))

    watcher.feed_once()

    assert scene.told() == ["membership.removed 1 staff", "user.deleted 1"]


def test_the_feed_begins_where_it_stood_before_the_scan(scene: Scene) -> None:
    scene.people.put_all("1", "2", "3")
    watcher, feed = fed(scene)
    watcher.run_once()
    users = feed.users

    def told_meanwhile(deadline: Deadline) -> Iterator[Batch]:
        yield from users(deadline)
        feed.tell(("1", "while it looked"))

    feed.users = told_meanwhile  # type: ignore[method-assign]
    watcher.run_once()
    assert (position(scene), scene.told()) == ("0", [])

    watcher.feed_once()
    assert scene.told() == ["user.updated 1"]


def test_a_feed_that_cannot_say_makes_everybody_be_compared(scene: Scene) -> None:
    scene.people.put_all("1", "2", "3")
    watcher, feed = fed(scene)
    watcher.run_once()
    scene.people.change("1", cn="Ada")
    feed.error = ComparisonNeeded()
    watcher._compare_at = 0.0

    result = watcher.feed_once()

    assert result is not None
    assert (result.kind, result.events) == ("compared", 1)
    # Not again and again without a pause.
    watcher._compare_at = time.monotonic() + 60
    walks = feed.walks
    watcher.feed_once()
    assert feed.walks == walks


def test_deletions_that_drip_are_held_together(scene: Scene) -> None:
    scene.people.crowd(100)
    watcher, feed = fed(scene)
    watcher.run_once()
    for n in range(20):
        scene.people.remove(f"p{n}")
        feed.tell(gone=(f"p{n}",))
        assert watcher.feed_once().kind == "fed"  # type: ignore[union-attr]
    scene.people.remove("p20")
    feed.tell(gone=("p20",))

    assert watcher.feed_once().kind == "held"  # type: ignore[union-attr]
    run = scene.store.runs.get("hq")
    assert run is not None
    assert "21 of 100 people (21 %) would be deleted, 20 of them" in run.reason
    assert position(scene) == "20"
    # Everything else of that backend waits, too.
    feed.tell(("p50", "renamed"))
    assert watcher.feed_once() is None
    scene.store.runs.approve("hq", run.id)
    assert watcher.run_once().kind == "applied"
    assert watcher.feed_once().events == 1  # type: ignore[union-attr]
    assert scene.told(20) == ["user.deleted p20", "user.updated p50"]
    # A yes begins a new count, and so does an hour.
    scene.people.remove("p21")
    feed.tell(gone=("p21",))
    assert watcher.feed_once().kind == "fed"  # type: ignore[union-attr]


def test_people_who_are_disabled_by_and_by_are_held_together(scene: Scene) -> None:
    scene.people.crowd(100)
    watcher, feed = fed(scene)
    watcher.run_once()
    for n in range(20):
        scene.people.change(f"p{n}", off="1")
        feed.tell((f"p{n}", f"p{n}", None, None, None, "1"))
        assert watcher.feed_once().kind == "fed"  # type: ignore[union-attr]
    scene.people.change("p20", off="1")
    feed.tell(("p20", "p20", None, None, None, "1"))

    assert watcher.feed_once().kind == "held"  # type: ignore[union-attr]
    run = scene.store.runs.get("hq")
    assert run is not None
    assert "21 of 100 people (21 %) would be disabled, 20 of them were in the last hour" in run.reason


def test_people_who_are_locked_are_told_of_and_never_held(scene: Scene) -> None:
    """Guesses at many passwords lock many accounts for a while: nobody is lost by that."""
    rules = {
        "id": "no",
        "username": "login",
        "is_disabled": {"from": "off", "bit": 2},
        "is_locked": {"from": "off", "bit": 16},
    }
    scene.people.crowd(100)
    assert scene.scan(map=rules).kind == "baseline"
    for n in range(60):
        scene.people.change(f"p{n}", off="16")
    assert scene.scan(map=rules).kind == "compared"
    assert scene.told() == [f"user.updated p{n}" for n in range(60)]
    assert scene.store.journal.losses("hq", 0) == Losses(0, 0, 0)
    # Who is disabled from there is lost like anybody else.
    for n in range(15):
        scene.people.change(f"p{n}", off="18")
    assert scene.scan(map=rules).kind == "compared"
    assert scene.store.journal.losses("hq", 0) == Losses(0, 15, 0)
    for n in range(15, 25):
        scene.people.change(f"p{n}", off="2")
    assert scene.scan(map=rules).kind == "held"


def test_groups_that_are_lost_by_and_by_count_together(scene: Scene) -> None:
    for n in range(100):
        scene.people.put(f"p{n}", ou="a;b")
    scene.people.put("mallory", cn='"state":{"old":"active"')
    assert scene.scan().kind == "baseline"
    for n in range(21):
        scene.people.change(f"p{n}", ou="a")
        # A name that looks like an event changes no count.
        scene.people.change("mallory", cn=f'"state":{{"old":"active" {n}')
        assert (n, scene.scan().kind) == (n, "compared" if n < 20 else "held")
    scene.people.remove("p99")
    assert scene.store.journal.losses("hq", 0) == Losses(0, 0, 20)


def test_a_discarded_preview_does_not_look_well(scene: Scene) -> None:
    scene.people.put_all("1", "2", "3")
    fed(scene)[0].run_once()
    watcher, _ = fed(scene, map={"id": "no", "username": "login", "full_name": "login"})
    watcher.step()
    run = scene.store.runs.get("hq")
    assert run is not None
    watcher.step()
    assert scene.store.watches.get("hq").failure is None
    scene.store.runs.discard("hq", run.id)

    watcher.step()

    assert "was discarded" in (scene.store.watches.get("hq").failure or "")
    # A comparison, wanted by somebody, ends that.
    scene.store.watches.want_scan("hq")
    watcher.step()
    assert scene.store.watches.get("hq").failure is None


def test_deletions_of_another_hour_do_not_count(scene: Scene) -> None:
    scene.people.crowd(100)
    watcher, feed = fed(scene)
    watcher.run_once()
    scene.people.remove_crowd(0, 20)
    feed.tell(gone=tuple(f"p{n}" for n in range(20)))
    watcher.feed_once()
    scene.clock.now += HOUR + 1
    scene.people.remove("p20")
    feed.tell(gone=("p20",))

    assert watcher.feed_once().kind == "fed"  # type: ignore[union-attr]


def test_changed_settings_are_judged_before_the_feed_goes_on(scene: Scene) -> None:
    scene.people.put_all("1", "2", "3")
    fed(scene)[0].run_once()
    watcher, feed = fed(scene, map={"id": "no", "username": "cn"})
    feed.tell(("1", "1", "one"))

    assert watcher.feed_once() is None


def test_a_long_feed_is_taken_in_by_and_by(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeding, "MOST_PEOPLE", 3)
    watcher, feed = fed(scene)
    watcher.run_once()
    for n in range(7):
        feed.tell((f"{n}", f"{n}"))

    results = [watcher.feed_once() for _ in range(3)]

    assert [result.is_all for result in results if result] == [False, False, True]
    assert len(scene.told()) == 7


def test_vanishing_by_feed_waits_too(scene: Scene) -> None:
    scene.people.put_all("1", "2", "3")
    watcher, feed = fed(scene, sync={**FED["sync"], "delete_after_days": 1.0})
    watcher.run_once()
    scene.people.remove("1")
    feed.tell(gone=("1",))
    feed.tell(gone=("1",))

    watcher.feed_once()
    watcher.feed_once()

    assert scene.told() == ["user.updated 1"]


# -- when ------------------------------------------------------------------------------------------------------------


def test_what_is_due_is_done(scene: Scene) -> None:
    watcher, feed = fed(scene)
    watcher.step()
    assert feed.walks == 1
    watcher.step()
    assert feed.walks == 1
    scene.store.watches.want_scan("hq")
    watcher.step()
    assert feed.walks == 2
    assert not scene.store.watches.get("hq").is_scan_wanted
    scene.clock.now += 3601
    watcher.step()
    assert feed.walks == 3


def test_a_clock_that_is_set_back_keeps_nobody_waiting(scene: Scene) -> None:
    scene.people.put_all("1", "2", "3")
    watcher, feed = fed(scene)
    watcher.step()
    scene.people.put("4")
    scene.clock.now -= 30 * 86_400
    watcher.step()
    assert feed.walks == 2
    assert scene.told() == ["user.created 4"]
    scene.people.put("5")
    watcher.run_once()
    assert [event.serial for event in scene.store.journal.events(0, 10)] == [1, 2]


def test_an_approval_is_noticed_by_the_loop(scene: Scene) -> None:
    scene.people.crowd(40)
    watcher, _ = fed(scene)
    watcher.step()
    scene.people.remove_crowd(0, 20)
    watcher.run_once()
    run = scene.store.runs.get("hq")
    assert run is not None
    assert watcher.step() > 0
    scene.store.runs.approve("hq", run.id)
    watcher.step()

    assert len(scene.told()) == 20


def test_the_thread_notices_and_rings_and_stops(scene: Scene) -> None:
    watcher, feed = fed(scene)
    stop = threading.Event()
    thread = threading.Thread(target=watcher.run, args=(stop,))
    thread.start()
    try:
        until = time.monotonic() + 20
        while position(scene) is None and time.monotonic() < until:
            time.sleep(0.02)
        seen = scene.bell.count
        feed.tell(("1", "ada"))
        assert scene.bell.wait(seen, 20) > seen
        assert scene.told() == ["user.created 1"]
    finally:
        stop.set()
        thread.join(20)
    assert not thread.is_alive()


def test_failures_are_noted_and_said_once(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    watcher, feed = fed(scene)
    watcher.step()
    feed.error = BackendUnavailable("the server refuses connections")
    caplog.clear()
    for _ in range(3):
        watcher._retry_at = watcher._feed_at = 0.0
        watcher.step()

    watch = scene.store.watches.get("hq")
    assert watch.failure is not None
    assert "refuses connections" in watch.failure
    assert watch.failed_at == scene.clock.now
    assert watcher.step() > 0
    assert len([record for record in caplog.records if record.levelname == "ERROR"]) == 1
    assert watcher._retry_at > time.monotonic() + 10
    feed.error = None
    watcher._retry_at = watcher._feed_at = 0.0
    watcher.step()
    assert scene.store.watches.get("hq").failure is None


# -- a store in trouble ----------------------------------------------------------------------------------------------


def test_a_locked_store_is_a_failure_that_heals(sqlite_scene: Scene) -> None:
    scene = sqlite_scene
    impatient(scene.store)
    scene.people.put_all("1", "2")
    scene.scan()
    scene.people.put("3")
    other = sqlite3.connect(scene.folder / "store.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    result = scene.scan()

    assert result.kind == "failed"
    assert result.reason is not None
    assert "locked" in result.reason
    other.execute("ROLLBACK")
    other.close()
    assert scene.scan().events == 1


def test_a_full_disk_loses_nothing(sqlite_scene: Scene) -> None:
    scene = sqlite_scene
    scene.people.crowd(30)
    scene.scan()
    for n in range(30):
        scene.people.change(f"p{n}", cn="x" * 60_000)
    size = max(file.stat().st_size for file in scene.folder.iterdir())

    with full_disk(size):
        result = scene.scan()

    assert result.kind == "failed"
    assert scene.told() == []
    assert scene.scan().events == 30


# -- small parts -----------------------------------------------------------------------------------------------------


def test_a_bell_that_rang_before_the_wait_is_heard() -> None:
    bell = Bell()
    seen = bell.count
    bell.ring()

    assert bell.wait(seen, 20) == seen + 1
    assert bell.wait(seen + 1, 0.01) == seen + 1


def test_a_failing_audit_hook_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    told = []

    def fails(action: str, subject: str, details: object) -> None:
        raise RuntimeError("no")

    Audit([fails, lambda action, subject, details: told.append((action, subject))]).tell("sync.held", "hq", {})

    assert told == [("sync.held", "hq")]
    assert "sync.held" in caplog.text


def test_other_backends_go_on_while_one_is_held(scene: Scene) -> None:
    scene.people.crowd(40)
    scene.scan()
    crm = scene.watcher(scene.source(name="crm"))
    crm.run_once()
    scene.people.remove_crowd(0, 20)
    assert scene.scan().kind == "held"
    scene.people.crowd(40)
    scene.people.put("new")

    assert crm.run_once().events == 1
    assert scene.store.runs.get("hq") is not None
    assert [event.backend for event in scene.store.journal.events(0, 10)] == ["crm"]


def test_the_journal_takes_an_origin(scene: Scene) -> None:
    scene.store.journal.apply("hq", [Change("create", "1", b"x" * 16, {"username": "ada"})], 0, origin="sub_1")

    assert scene.store.journal.events(0, 1)[0].origin == "sub_1"
