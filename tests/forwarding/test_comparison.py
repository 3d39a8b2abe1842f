"""The full comparison: what it notices, and what it must not mistake for a change."""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integration_server import HIDDEN, BackendUnavailable, Batch, Deadline, Entry, Lookup, User
from integration_server.forwarding.audit import Audit
from integration_server.forwarding.detection import attendance, comparison, runner, spool
from integration_server.forwarding.detection.attendance import Attendance
from integration_server.forwarding.detection.documents import documents
from integration_server.forwarding.detection.staging import Staging
from integration_server.forwarding.detection.watcher import Watcher
from integration_server.sdk.page import UserPage
from integration_server.store import journal
from integration_server.store.applying import Applying, Step
from integration_server.store.engine import writing
from integration_server.store.journal import Applied, Change
from integration_server.store.schema import people as people_table
from tests.forwarding.watching import (
    HOUR,
    MAP,
    Scene,
    empty_sqlite,
    scene,
    shared_postgresql,
    sqlite_scene,
    sqlite_store,
    store,
)
from tests.waiting import wait_for

__all__ = ["empty_sqlite", "scene", "shared_postgresql", "sqlite_scene", "sqlite_store", "store"]


def test_the_first_scan_writes_everybody_down_and_tells_nobody(scene: Scene) -> None:
    scene.people.put("1", "ada", cn="Ada", mail="ada@x.org;a@x.org", ou="math;staff", off="0")

    result = scene.scan()

    assert (result.kind, result.events, scene.told()) == ("baseline", 0, [])
    assert scene.known() == {
        "1": {
            "id": "1",
            "username": "ada",
            "full_name": "Ada",
            "distinguished_name": None,
            "emails": [
                {"address": "ada@x.org", "is_verified": True, "is_preferred": True},
                {"address": "a@x.org", "is_verified": True, "is_preferred": False},
            ],
            "groups": ["math", "staff"],
            "nickname": None,
            "biography": None,
            "tz": None,
            "state": "active",
        }
    }
    watch = scene.store.watches.get("hq")
    assert (watch.baseline_at, watch.scanned_at, watch.people_count) == (scene.clock.now, scene.clock.now, 1)


def test_an_empty_directory_is_a_baseline_too(scene: Scene) -> None:
    assert scene.scan().kind == "baseline"
    scene.people.put("1", "ada")

    assert scene.scan().kind == "compared"
    assert scene.told() == ["user.created 1"]


def test_a_baseline_that_was_torn_is_begun_anew(scene: Scene) -> None:
    scene.people.put_all("1", "2")
    # As a process leaves it that was killed in the midst of one.
    scene.store.people.add("hq", [(no, b"0" * 16, "{}") for no in ("1", "gone")])

    assert scene.scan().kind == "baseline"

    assert sorted(scene.known()) == ["1", "2"]
    assert scene.known()["1"]["username"] == "1"


def test_a_baseline_that_fails_is_none(scene: Scene) -> None:
    scene.people.put_all("1", "2")
    result = scene.scan(canary="tweety")

    assert result.kind == "failed"
    assert scene.known() == {}
    watch = scene.store.watches.get("hq")
    assert watch.baseline_at is None
    assert watch.failure is not None
    assert "tweety" in watch.failure


def test_nothing_changed_is_nothing_told(scene: Scene) -> None:
    scene.people.put("1", "ada", ou="b;a")
    scene.scan()

    result = scene.scan()

    assert (result.kind, result.events, scene.told()) == ("compared", 0, [])


def test_who_comes_changes_and_goes_is_told_with_old_and_new(scene: Scene) -> None:
    for no in ("1", "2", "3"):
        scene.people.put(no, f"u{no}", cn="Old", ou="staff")
    scene.scan()
    scene.people.put("4", "u4", ou="math")
    scene.people.change("2", cn="New", mail="n@x.org")
    scene.people.remove("3")

    scene.scan()

    assert scene.told() == [
        "membership.removed 3 staff",
        "user.deleted 3",
        "user.updated 2",
        "user.created 4",
        "membership.added 4 math",
    ]
    events = scene.store.journal.events(0, 10)
    deleted, updated = events[1], events[2]
    assert deleted.after is None
    assert deleted.before is not None
    assert deleted.before["username"] == "u3"
    assert events[0].after is None
    assert events[0].before == deleted.before
    assert updated.changed == {
        "full_name": ("Old", "New"),
        "emails": ([], [{"address": "n@x.org", "is_verified": True, "is_preferred": True}]),
    }
    assert updated.after == scene.known()["2"]
    assert scene.scan().events == 0


def test_a_rename_is_an_update_and_a_freed_name_is_free_before_its_next_owner_comes(scene: Scene) -> None:
    scene.people.put("1", "ada")
    scene.people.put("2", "bob")
    scene.people.put("3", "eve")
    scene.scan()
    scene.people.remove("1")
    scene.people.change("2", login="robert")
    scene.people.put("0", "bob")
    scene.people.put("4", "ada")

    scene.scan()

    assert scene.told() == ["user.deleted 1", "user.updated 2", "user.created 0", "user.created 4"]
    assert scene.store.journal.events(1, 1)[0].changed == {"username": ("bob", "robert")}


def test_an_account_that_was_made_anew_is_another_person(scene: Scene) -> None:
    scene.people.put("1", "ada")
    scene.people.put("2", "bob")
    scene.scan()
    scene.people.remove("1")
    scene.people.put("9", "ada")

    scene.scan()

    assert scene.told() == ["user.deleted 1", "user.created 9"]


def test_memberships_are_events_of_their_own_and_their_order_means_nothing(scene: Scene) -> None:
    scene.people.put("1", "ada", ou="a;b")
    scene.people.put("2", "bob", ou="a;b")
    scene.scan()
    scene.people.change("1", ou="c;b", cn="Ada")
    scene.people.change("2", ou="b;a")

    scene.scan()

    assert scene.told() == ["membership.removed 1 a", "user.updated 1", "membership.added 1 c"]
    for event in scene.store.journal.events(0, 10):
        assert event.groups == ("a", "b", "c")
        assert event.after is not None
        assert event.after["groups"] == ["c", "b"]
    updated = scene.store.journal.events(1, 1)[0]
    assert updated.changed == {"full_name": (None, "Ada")}


def test_a_change_of_groups_alone_is_no_update(scene: Scene) -> None:
    scene.people.put("1", "ada", ou="a")
    scene.scan()
    scene.people.change("1", ou="a;b")

    scene.scan()

    assert scene.told() == ["membership.added 1 b"]


def test_disabled_people_are_known_and_their_state_is_a_field(scene: Scene) -> None:
    scene.people.put("1", "ada", off="1")
    scene.people.put_all("2", "3", "4")
    scene.scan()
    scene.people.change("1", off="0")
    scene.people.change("2", off="1")

    scene.scan()

    events = {event.person_id: event.changed for event in scene.store.journal.events(0, 10)}
    assert events == {"1": {"state": ("disabled", "active")}, "2": {"state": ("active", "disabled")}}


def test_passwords_appear_nowhere(sqlite_scene: Scene) -> None:
    scene = sqlite_scene
    scene.people.put("1", "ada", ou="x")
    scene.scan(password_column="password")
    scene.people.change("1", password="another-hash-of-a-secret", cn="Ada")
    scene.scan(password_column="password")

    assert scene.told() == ["user.updated 1"]
    assert all(b"hash-of-a-secret" not in file.read_bytes() for file in scene.folder.glob("store.db*"))


def test_the_filter_decides_who_is_seen(scene: Scene) -> None:
    scene.people.put("1", "ada", ou="staff")
    scene.people.put("2", "bob", ou="guests")
    scene.people.put("3", "eve", ou="staff")
    scope = {"filter": {"groups": ["staff"]}}
    scene.scan(**scope)
    scene.people.change("2", ou="guests;staff")
    scene.people.change("1", ou="guests")

    scene.scan(**scope)

    assert scene.told() == [
        "membership.removed 1 staff",
        "user.deleted 1",
        "user.created 2",
        "membership.added 2 guests",
        "membership.added 2 staff",
    ]


# -- what must change nothing ----------------------------------------------------------------------------------------


class Lying:
    """A backend that can be made to break off, to forget people in its lists, or to wait."""

    def __init__(self, scene: Scene, **more: object) -> None:
        self.source = scene.source(**more)
        self._users, self._find = self.source.backend.users, self.source.backend.find
        self.source.backend.users = self.users  # type: ignore[method-assign]
        self.source.backend.find = self.find  # type: ignore[method-assign]
        self.breaks_after: int | None = None
        self.leaves_out: frozenset[str] = frozenset()
        self.is_down_for_lookups = False
        self.found: list[str] = []
        self.walks = 0
        self.before_the_end = lambda: None

    def users(self, deadline: Deadline) -> Iterator[Batch]:
        self.walks += 1
        for batch in self._users(deadline):
            no = batch.names.index("no")
            rows = [row for row in batch.rows if row[no] not in self.leaves_out]
            if self.breaks_after is not None:
                yield Batch(batch.names, rows[: self.breaks_after], batch.unique)
                raise BackendUnavailable("the connection was lost")
            yield Batch(batch.names, rows, batch.unique)
        self.before_the_end()

    def find(self, lookup: Lookup, deadline: Deadline) -> Entry | None:
        if self.is_down_for_lookups:
            raise BackendUnavailable("the connection was lost")
        self.found.append(lookup.value)
        return self._find(lookup, deadline)


def test_an_incomplete_scan_changes_nothing(scene: Scene) -> None:
    scene.people.put_all("1", "2", "3")
    lying = Lying(scene)
    watcher = scene.watcher(lying.source)
    assert watcher.run_once().kind == "baseline"
    scene.people.put("4")
    scene.people.change("1", cn="Ada")
    before = scene.known()

    lying.breaks_after = 2
    assert watcher.run_once().kind == "failed"
    assert (scene.known(), scene.told()) == (before, [])
    failed = scene.store.watches.get("hq")
    assert failed.failure is not None
    assert "connection was lost" in failed.failure
    assert failed.scanned_at == scene.clock.now

    lying.breaks_after = None
    assert watcher.run_once().events == 2
    assert scene.store.watches.get("hq").failure is None


def test_a_missing_canary_voids_the_run(scene: Scene) -> None:
    scene.people.put_all("1", "2", "3", "4", "5")
    scene.scan(canary="1")
    scene.people.remove("1")

    assert scene.scan(canary="1").kind == "failed"
    assert scene.told() == []


def test_an_entry_that_cannot_be_read_voids_the_run_and_is_named(scene: Scene) -> None:
    scene.people.put_all("1", "2", "3", "4", "5")
    scene.scan()
    scene.people.change("3", login="")

    result = scene.scan()

    assert result.kind == "failed"
    assert result.reason is not None
    assert "no='3'" in result.reason
    assert scene.told() == []


def test_who_cannot_be_read_within_the_allowance_is_left_as_they_are(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """They are missing from the list, but something answers to their id; and the others go on."""
    scene.people.put_all("1", "2", "3", "4", "5")
    scene.scan(bad_rows_allowed=2)
    before = scene.known()["3"]
    scene.people.change("3", login="", cn="Unread")
    scene.people.change("4", cn="Four")
    scene.people.remove("5")
    scene.people.put("6")

    assert scene.scan(bad_rows_allowed=2).kind == "compared"

    assert scene.told() == ["user.deleted 5", "user.updated 4", "user.created 6"]
    assert scene.known()["3"] == before
    assert "no='3'" in caplog.text
    assert scene.scan(bad_rows_allowed=2).events == 0

    scene.people.change("3", login="three")
    scene.scan(bad_rows_allowed=2)
    assert scene.told(3) == ["user.updated 3"]


def test_who_could_not_be_read_at_first_comes_when_they_can_be(scene: Scene) -> None:
    scene.people.put_all("1", "2", "3")
    scene.people.change("2", login="")
    assert scene.scan(bad_rows_allowed=1).kind == "baseline"
    scene.people.change("2", login="two")

    scene.scan(bad_rows_allowed=1)

    assert scene.told() == ["user.created 2"]


def test_more_unreadable_entries_than_allowed_void_the_run(scene: Scene) -> None:
    scene.people.put_all("1", "2", "3", "4", "5")
    scene.scan(bad_rows_allowed=1)
    scene.people.change("3", login="")
    scene.people.change("4", login="")
    scene.people.put("6")

    assert scene.scan(bad_rows_allowed=1).kind == "failed"
    assert scene.told() == []


@pytest.mark.parametrize("why", ["many are missing", "the id is no attribute"])
def test_who_cannot_be_asked_for_may_be_the_entry_that_cannot_be_read(
    why: str, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second walk would not find them either, so the run is void."""
    more: dict[str, object] = {"bad_rows_allowed": 2}
    if why == "many are missing":
        monkeypatch.setattr(comparison, "MOST_ASKED", 1)
    else:
        more["map"] = {**MAP, "id": "x-{no}"}
    scene.people.put_all("1", "2", "3", "4", "5")
    assert scene.scan(**more).kind == "baseline"
    scene.people.change("3", login="")
    assert (scene.scan(**more).kind, scene.told()) == ("compared" if why == "many are missing" else "failed", [])
    scene.people.remove("5")
    scene.people.put("6")

    result = scene.scan(**more)

    assert result.kind == "failed"
    assert result.reason is not None
    assert "no='3'" in result.reason
    assert "cannot be asked for one by one" in result.reason
    assert scene.told() == []


@pytest.mark.parametrize("person_id", ["x" * 1025, "ü" * 513, "\N{GRINNING FACE}" * 257])
def test_an_id_that_the_store_cannot_keep_is_named(person_id: str, scene: Scene) -> None:
    scene.people.put(person_id, "ada")

    result = scene.scan()

    assert result.kind == "failed"
    assert result.reason is not None
    assert f"{len(person_id.encode()):,} bytes" in result.reason
    assert person_id[:9] in result.reason
    assert scene.known() == {}


@pytest.mark.parametrize("person_id", ["x" * 1024, "ü" * 512, "\N{GRINNING FACE}" * 256])
def test_the_longest_id_is_kept(person_id: str, scene: Scene) -> None:
    scene.people.put(person_id, "ada")

    assert scene.scan().kind == "baseline"
    assert scene.scan().events == 0


def test_a_missing_person_is_asked_for_before_they_are_deleted(scene: Scene) -> None:
    scene.people.put_all("1", "2", "3", "4", "5")
    lying = Lying(scene)
    watcher = scene.watcher(lying.source)
    watcher.run_once()
    lying.leaves_out = frozenset({"2", "3"})
    scene.people.remove("3")

    assert watcher.run_once().events == 1

    assert scene.told() == ["user.deleted 3"]
    assert sorted(lying.found) == ["2", "3"]


def test_a_missing_person_who_cannot_be_asked_for_is_not_deleted(scene: Scene) -> None:
    scene.people.put_all("1", "2", "3", "4", "5")
    lying = Lying(scene)
    watcher = scene.watcher(lying.source)
    watcher.run_once()
    scene.people.remove("3")
    lying.is_down_for_lookups = True

    assert watcher.run_once().kind == "failed"
    assert scene.told() == []


def test_many_missing_people_are_looked_for_in_a_second_walk(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "MOST_ASKED", 2)
    scene.people.crowd(30)
    lying = Lying(scene)
    watcher = scene.watcher(lying.source)
    watcher.run_once()
    scene.people.remove("p3", "p4")
    lying.leaves_out = frozenset({"p1", "p2", "p3", "p4"})
    walks = lying.walks

    def gives_everybody_from_now_on() -> None:
        lying.leaves_out = frozenset()

    lying.before_the_end = gives_everybody_from_now_on
    watcher.run_once()

    assert (lying.walks - walks, lying.found) == (2, [])
    assert sorted(scene.told()) == ["user.deleted p3", "user.deleted p4"]


def test_an_id_that_is_listed_twice_counts_once(scene: Scene) -> None:
    scene.people.run("CREATE TABLE twice (no TEXT, login TEXT, cn TEXT, mail TEXT, ou TEXT, off TEXT)")
    for no, login in (("1", "ada"), ("2", "bob"), ("1", "namesake")):
        scene.people.run("INSERT INTO twice (no, login) VALUES (?, ?)", no, login)
    assert scene.scan(table="twice").counts == {"created": 2}
    assert scene.known()["1"]["username"] == "ada"
    for no, login in (("3", "eve"), ("3", "other eve")):
        scene.people.run("INSERT INTO twice (no, login) VALUES (?, ?)", no, login)

    result = scene.scan(table="twice")

    assert result.counts["created"] == 1
    assert scene.told() == ["user.created 3"]
    assert scene.known()["3"]["username"] == "eve"
    assert scene.scan(table="twice").events == 0


def test_a_scan_leaves_alone_whoever_changed_while_it_looked(scene: Scene) -> None:
    """A feed, or a write through us, was there between the scan's look and its write: it knows better."""
    scene.people.put_all("1", "2", "3", "4", "5")
    lying = Lying(scene)
    watcher = scene.watcher(lying.source)
    watcher.run_once()
    document = {**scene.known()["1"], "full_name": "Newer"}
    scene.people.change("1", cn="Seen by the scan")
    scene.people.change("2", cn="Nobody else's")
    scene.people.put("6", cn="Seen by the scan")

    def somebody_writes() -> None:
        changes = [Change("update", "1", b"n" * 16, document), Change("delete", "3"), Change("create", "6", *new)]
        scene.store.journal.apply("hq", changes, scene.store.journal.last_serial())

    new = (b"n" * 16, {**document, "id": "6", "username": "6"})
    lying.before_the_end = somebody_writes
    result = watcher.run_once()

    assert (result.events, result.skipped) == (1, 2)
    assert scene.told() == ["user.updated 1", "user.deleted 3", "user.created 6", "user.updated 2"]
    assert scene.known()["1"]["full_name"] == "Newer"
    # What it could not tell then, the next one does.
    lying.before_the_end = lambda: None
    watcher.run_once()
    assert scene.told(4) == ["user.updated 1", "user.updated 6", "user.created 3"]


@pytest.mark.parametrize("is_counted_first", [True, False])
def test_a_run_that_no_guard_could_hold_needs_no_counting_before(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, is_counted_first: bool
) -> None:
    looks: list[object] = []
    look = Staging.look
    monkeypatch.setattr(Staging, "look", lambda staging: looks.append(look(staging)))
    if is_counted_first:
        monkeypatch.setattr(runner, "is_below_limits", lambda *_, **__: False)
    scene.people.crowd(100)
    scene.people.put("r", "r", ou="a;b")
    scene.scan()
    scene.people.change("p1", cn="Ada")
    scene.people.change("p2", off="1")
    scene.people.change("p99", cn="Bob")
    scene.people.change("r", ou="b")
    scene.people.put("new")
    scene.people.remove("p3")
    scene.store.people.add("other", [("p1", bytes(16), "{}")])
    ((_, key, _),) = scene.store.people.known("hq", ["p4"])
    with writing(scene.store._engine) as connection:
        forgotten = people_table.update().where(people_table.c.key == key).values(digest=b"another format..")
        connection.execute(forgotten)

    result = scene.scan()

    assert bool(looks) == is_counted_first
    counts = {"created": 1, "updated": 4, "deleted": 1, "due": 0, "disabled": 1, "regrouped": 1}
    assert (result.kind, result.counts, result.events, result.skipped) == ("compared", counts, 6, 0)
    told = ["user.deleted p3", "user.updated p1", "user.updated p2", "user.updated p99", "membership.removed r a"]
    assert scene.told() == [*told, "user.created new"]
    ((_, _, digest),) = scene.store.people.known("hq", ["p4"])
    assert bytes(digest) != b"another format.."
    assert scene.scan().events == 0


def test_who_was_written_to_between_a_look_and_the_writing_stays_newer(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else writes when the first step is through, and those of the next one have been looked at."""
    monkeypatch.setattr(journal, "APPLIED_AT_ONCE", 4)
    scene.people.crowd(100)
    scene.scan()
    for n in range(10):
        scene.people.change(f"p{n}", cn="Seen by the scan")
    newer = {**scene.known()["p5"], "full_name": "Newer"}
    begin, steps = Applying.begin, []

    def late(applying: Applying, connection: sa.Connection, step: Step, *more: Any) -> Any:
        steps.append(len(step.changes))
        if len(steps) == 2:
            scene.store.journal.apply("hq", [Change("update", "p5", b"n" * 16, newer)], 100)
        return begin(applying, connection, step, *more)

    monkeypatch.setattr(Applying, "begin", late)
    result = scene.scan()
    monkeypatch.undo()

    assert (result.events, result.skipped) == (9, 1)
    # The third one is that of the other writer.
    assert steps == [4, 4, 1, 2]
    events = scene.store.journal.events(0, 100)
    assert [event.serial for event in events] == list(range(1, 11))
    assert [event.person_id for event in events] == ["p0", "p1", "p2", "p3", "p5", "p4", "p6", "p7", "p8", "p9"]
    assert scene.known()["p5"]["full_name"] == "Newer"
    assert scene.scan().events == 1, "what it could not tell then, the next one does"


def test_another_format_of_digests_is_no_change(scene: Scene) -> None:
    scene.people.put("1", "ada", ou="x")
    scene.scan()
    document = scene.known()["1"]
    scene.store.people.wipe("hq")
    scene.store.journal.apply("hq", [Change("create", "1", b"o" * 16, document)], 0)
    told = len(scene.told())

    result = scene.scan()

    assert (result.events, result.counts["updated"]) == (0, 0)
    assert len(scene.told()) == told
    ((_, _, digest),) = scene.store.people.known("hq", ["1"])
    assert digest != b"o" * 16


def test_values_that_move_to_another_field_are_a_change(scene: Scene) -> None:
    scene.people.put("1", "ada", cn="x")
    scene.people.put_all("2", "3", "4")
    scene.scan()
    watch = scene.store.watches.get("hq")
    other = {"id": "no", "username": "login", "nickname": "cn"}

    scene.scan(map=other)

    held = scene.store.runs.get("hq")
    assert held is not None
    assert watch.fingerprint != held.fingerprint
    assert held.counts["updated"] == 1


def test_hidden_people_are_not_there(scene: Scene) -> None:
    def hide(user: User) -> object:
        return HIDDEN if user.username == "root" else user

    scene.people.put("1", "root")
    scene.people.put("2", "ada")

    scene.watcher(scene.source(hide)).run_once()  # type: ignore[arg-type]

    assert list(scene.known()) == ["2"]


def test_a_scan_takes_no_reader_of_the_store_with_it(sqlite_scene: Scene) -> None:
    """Everything is looked at before the store is written to, and each write is short."""
    scene = sqlite_scene
    scene.people.crowd(50)
    lying = Lying(scene)
    watcher = scene.watcher(lying.source)
    watcher.run_once()
    waiting, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        waiting.set()
        assert go_on.wait(20)

    lying.before_the_end = wait
    thread = threading.Thread(target=watcher.run_once)
    thread.start()
    assert waiting.wait(20)
    scene.store.watches.change("other", people_count=3)
    go_on.set()
    thread.join(20)

    assert scene.store.watches.get("other").people_count == 3


def test_what_is_staged_lies_in_a_private_file_without_a_name(
    sqlite_scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So nothing of it is left after a kill, and nobody else reads it meanwhile."""
    scene = sqlite_scene
    monkeypatch.setattr(spool, "_IN_MEMORY", 1)
    monkeypatch.setattr(spool, "_BLOCK", 1)
    folder = scene.folder / "staged"
    folder.mkdir()
    seen: list[tuple[int, int]] = []
    write = scene.store.journal.apply_all

    def look(*given: Any, **named: Any) -> Iterator[Applied]:
        for fd in os.listdir("/proc/self/fd"):
            with contextlib.suppress(FileNotFoundError):  # the list's own
                if os.readlink(f"/proc/self/fd/{fd}").startswith(f"{folder}/"):
                    status = os.fstat(int(fd))
                    seen.append((stat.S_IMODE(status.st_mode), status.st_nlink))
        assert list(folder.iterdir()) == []
        return write(*given, **named)

    scene.watcher().run_once()
    scene.people.put_all("1", "2")
    monkeypatch.setattr(scene.store.journal, "apply_all", look)
    audit = Audit([])
    Watcher(scene.source(), scene.store, audit, scene.bell, scene.clock, folder).run_once()

    assert sorted(scene.known()) == ["1", "2"]
    assert seen == [(0o600, 0)]
    assert list(folder.iterdir()) == []


# -- any order, any size ---------------------------------------------------------------------------------------------

STATES = st.lists(
    st.dictionaries(
        st.sampled_from([f"{n}" for n in range(12)]),
        st.tuples(
            st.sampled_from(["ada", "Ünal", "o'neil"]), st.sampled_from([None, "a", "a;b", "b;a;c"]), st.booleans()
        ),
    ),
    min_size=2,
    max_size=5,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(states=STATES, shuffled=st.booleans())
def test_the_snapshot_follows_the_directory_and_the_journal_the_snapshot(
    sqlite_scene: Scene, states: list[dict[str, tuple[str, str | None, bool]]], shuffled: bool
) -> None:
    """Whatever happens between runs: the snapshot is the directory, and baseline and events make the snapshot."""
    scene = sqlite_scene
    scene.store.people.wipe("hq")
    scene.store.watches.remove("hq")
    begun = scene.store.journal.last_serial()
    # A guard that never holds, since this is not about it; only an empty directory is always held.
    sync = {"feed": "off", "guard": {"max_percent": 100.0, "small_directory": 0}}
    watcher = scene.watcher(sync=sync)
    replayed: dict[str, object] = {}
    for number, state in enumerate(states):
        # What was lost within an hour adds up, to more than everybody.
        scene.clock.now += 2 * HOUR
        rows = list(state.items())
        for no, (login, ou, is_off) in reversed(rows) if shuffled and number % 2 else rows:
            scene.people.put(no, f"{login}{no}", ou=ou, off="1" if is_off else "0")
        scene.people.run(f"DELETE FROM people WHERE no NOT IN ({', '.join('?' * len(state)) or 'NULL'})", *state)
        if not state:
            scene.people.run("DELETE FROM people")
        result = watcher.run_once()
        if result.kind == "held":
            held = scene.store.runs.get("hq")
            assert held is not None
            assert not state
            assert scene.store.runs.approve("hq", held.id)
            watcher.run_once()
        known = scene.known()
        assert {no: (p["username"], p["state"]) for no, p in known.items()} == {
            no: (f"{login}{no}", "disabled" if is_off else "active") for no, (login, _, is_off) in state.items()
        }
        if not number:
            replayed = dict(known)
    events = scene.store.journal.events(begun, 10_000)
    assert [event.serial for event in events] == list(range(begun + 1, begun + 1 + len(events)))
    for event in events:
        if event.type == "user.deleted":
            del replayed[event.person_id]
        elif event.after is not None:
            replayed[event.person_id] = event.after
    # The order of groups means nothing, so it may be an older one.
    assert _unordered(replayed) == _unordered(scene.known())


def _unordered(people: object) -> object:
    assert isinstance(people, dict)
    return {no: {**person, "groups": sorted(person["groups"])} for no, person in people.items()}


@given(st.integers(0, 150), st.sets(st.integers(0, 149)))
def test_digests_that_differ_are_found(count: int, differing: set[int]) -> None:
    mine = [n.to_bytes(16, "big") for n in range(count)]
    known = [(n + 1000 * (n in differing)).to_bytes(16, "little" if n in differing else "big") for n in range(count)]

    found = attendance._differing(b"".join(mine), b"".join(known))

    assert found == [n for n in range(count) if mine[n] != known[n]]


ADDRESSES = st.lists(st.sampled_from(["a@x.org", "B@x.org", "c@x.org"]), max_size=3, unique=True)


@given(ADDRESSES, st.none() | ADDRESSES, st.none() | ADDRESSES)
def test_documents_have_the_addresses_of_their_page(
    emails: list[str], preferred: list[str] | None, unverified: list[str] | None
) -> None:
    page = UserPage(
        "hq",
        ["1"],
        ["ada"],
        emails=[emails],
        preferred_emails=None if preferred is None else [preferred],
        unverified_emails=None if unverified is None else [unverified],
    )

    (found,) = documents(page)

    assert found["emails"] == [asdict(email) for email in page.addresses(0)]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    stored=st.lists(st.integers(0, 40), unique=True, max_size=40),
    listed=st.lists(st.integers(0, 40), max_size=50),
    page=st.integers(1, 7),
    read=st.integers(1, 9),
    waiting=st.integers(0, 12),
    strange=st.integers(1, 9),
    is_alike=st.booleans(),
    leaving=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 40)), max_size=3),
)
def test_everybody_is_met_whatever_the_order(
    sqlite_scene: Scene,
    stored: list[int],
    listed: list[int],
    page: int,
    read: int,
    waiting: int,
    strange: int,
    is_alike: bool,
    leaving: list[tuple[int, int]],
) -> None:
    """``leaving`` are those whom somebody deletes meanwhile, after so many pages."""
    people = sqlite_scene.store.people
    people.wipe("x")
    people.add("x", [(str(n), n.to_bytes(16, "big"), "{}") for n in stored])
    keys = {int(id): key for id, key, _ in people.known("x", [str(n) for n in stored])}
    if is_alike:
        # As it is in life: a few are gone or come, and all others are in their places.
        listed = [n for n in stored if n not in listed[:3]] + listed[3:5]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attendance, "_READ_AT_ONCE", read)
        patch.setattr(attendance, "_MARGIN", read)
        patch.setattr(attendance, "_MOST_WAITING", waiting)
        patch.setattr(attendance, "_MOST_STRANGE", strange)
        patch.setattr(attendance, "_LONGEST_PAUSE", strange // 3)
        new, again = [], []
        changed: dict[int, int] = {}
        with Attendance(people, "x") as attended:
            for first in range(0, len(listed), page):
                some = listed[first : first + page]
                # Every third person differs from what is stored.
                digests = [(n + 100 * (n % 3 == 0)).to_bytes(16, "big") for n in some]
                looked = attended.look([str(n) for n in some], digests)
                new += [some[i] for i in looked.new]
                changed |= {some[i]: key for i, key in zip(looked.changed, looked.keys, strict=True)}
                again += [some[i] for i in looked.again]
                if leavers := [n for pages, n in leaving if pages == first // page and n in keys]:
                    _wait_for_reading(attended)
                    with writing(sqlite_scene.store._engine) as connection:
                        connection.execute(
                            people_table.delete().where(people_table.c.key.in_([keys[n] for n in leavers]))
                        )
            missing = [int(left.person_id) for left in attended.missing()]

    assert all(key == keys[n] for n, key in changed.items())
    left = {n for _, n in leaving}
    there, known = set(listed) - left, set(stored)
    assert sorted(set(new) - left) == sorted(there - known)
    assert sorted(changed.keys() - left) == sorted(n for n in there & known if n % 3 == 0)
    assert len([n for n in again if n not in left]) == len([n for n in listed if n not in left]) - len(there)
    assert [n for n in missing if n not in left] == [n for n in stored if n not in there | left]


def _wait_for_reading(attended: Attendance) -> None:
    """Until what is read ahead, if anything is, shows the store as it is now."""
    aside = attended._ahead._aside
    if aside.is_busy:
        wait_for(lambda: not aside._outcomes.empty(), pause=0.001)


@pytest.mark.parametrize("changed", ["p16", "p19"])
def test_who_is_deleted_behind_what_was_read_ahead_shifts_nobody(sqlite_scene: Scene, changed: str) -> None:
    """The row that a change is written to is that of its own person."""
    people = sqlite_scene.store.people
    names = [f"p{n}" for n in range(20)]
    people.add("hq", [(name, b"d" * 16, "{}") for name in names])
    keys = {id: key for id, key, _ in people.known("hq", names)}

    def deletes(name: str) -> None:
        sqlite_scene.store.journal.apply("hq", [Change("delete", name)], sqlite_scene.store.journal.last_serial())

    # Somebody who went long ago has left a gap, so keys do not follow from the first one.
    deletes("p12")
    names.remove("p12")
    with Attendance(people, "hq") as attended:
        attended.look(names[:10], [b"d" * 16] * 10)
        attended._ahead.begin(keys["p9"], 9)
        _wait_for_reading(attended)
        deletes("p14")

        looked = attended.look(names[10:], [(b"n" if name == changed else b"d") * 16 for name in names[10:]])

    assert ([names[10 + i] for i in looked.changed], looked.keys) == ([changed], [keys[changed]])
    assert [names[10 + i] for i in looked.new] == ["p14"]


def test_who_is_missing_is_noticed_though_somebody_else_is_deleted_meanwhile(scene: Scene) -> None:
    scene.people.crowd(20)
    lying = Lying(scene)
    watcher = scene.watcher(lying.source)
    watcher.run_once()
    scene.people.remove("p13")

    def somebody_deletes() -> None:
        scene.people.remove("p5")
        scene.store.journal.apply("hq", [Change("delete", "p5")], scene.store.journal.last_serial())

    lying.before_the_end = somebody_deletes
    watcher.run_once()

    assert scene.told() == ["user.deleted p5", "user.deleted p13"]


def test_changes_are_written_in_steps(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that dies between two steps leaves the rest to the next run."""
    monkeypatch.setattr(journal, "APPLIED_AT_ONCE", 10)
    scene.scan()
    scene.people.crowd(25)
    begin, steps = Applying.begin, []

    def dies(applying: Applying, connection: sa.Connection, step: Step, *more: Any) -> Any:
        steps.append(len(step.changes))
        if len(steps) == 3:
            raise KeyboardInterrupt
        return begin(applying, connection, step, *more)

    monkeypatch.setattr(Applying, "begin", dies)
    with pytest.raises(KeyboardInterrupt):
        scene.scan()
    assert (steps, len(scene.known())) == ([10, 10, 5], 20)
    monkeypatch.undo()

    assert scene.scan().events == 5
    assert [event.serial for event in scene.store.journal.events(0, 100)] == list(range(1, 26))
    assert len({event.person_id for event in scene.store.journal.events(0, 100)}) == 25
