"""The guard: what would take too much away waits, whole, for a person's yes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_server.forwarding.detection import runner
from integration_server.forwarding.detection.brake import Tally, is_below_limits, why_held
from integration_server.forwarding.detection.staging import Staging
from integration_server.sdk.settings import SyncGuardSettings
from integration_server.store.engine import writing
from integration_server.store.journal import Change, Losses
from integration_server.store.runs import APPROVED, HeldRun
from integration_server.store.schema import people
from tests.forwarding.watching import HOUR, MAP, Scene, empty_sqlite, scene, shared_postgresql, store

__all__ = ["empty_sqlite", "scene", "shared_postgresql", "store"]

LIMITS = SyncGuardSettings()


def judged(people: int, **tally: int) -> str | None:
    return why_held(Tally(**tally), LIMITS, people, is_empty=False, is_preview=False)


@pytest.mark.parametrize("kind", ["deleted", "disabled", "regrouped"])
def test_each_kind_of_loss_is_counted_for_itself(kind: str) -> None:
    assert judged(100, updated=50, **{kind: 20}) is None
    reason = judged(100, updated=50, **{kind: 21})
    assert reason is not None
    assert "21 of 100 people (21 %)" in reason
    assert "The limit is 20 % and 10" in reason


def test_both_limits_must_be_passed() -> None:
    assert judged(1000, deleted=200) is None
    assert judged(40, deleted=10) is None
    assert judged(40, deleted=11) is not None


def test_a_small_directory_may_lose_half() -> None:
    assert judged(20, deleted=10) is None
    assert judged(20, deleted=11) is not None
    assert judged(1, deleted=1) is not None


@given(
    people=st.integers(0, 60),
    more=st.integers(0, 60),
    lost=st.tuples(*[st.integers(0, 40)] * 6),
    limits=st.builds(
        SyncGuardSettings,
        max_percent=st.sampled_from([0.0, 12.5, 20.0, 100.0]),
        max_count=st.sampled_from([0, 3, 10]),
        small_directory=st.sampled_from([0, 5, 20]),
    ),
)
def test_what_is_below_the_limits_whatever_it_is_would_never_be_held(
    people: int, more: int, lost: tuple[int, ...], limits: SyncGuardSettings
) -> None:
    deleted, disabled, regrouped, *earlier = lost
    losses, tally = Losses(*earlier), Tally(deleted=deleted, disabled=disabled, regrouped=regrouped)
    at_most = sum(lost)
    if is_below_limits(at_most, people, limits):
        for there in (people, people + more):
            assert why_held(tally, limits, there, is_empty=False, is_preview=False, earlier=losses) is None


def test_gains_are_never_held() -> None:
    assert judged(0, created=100_000) is None
    assert judged(10, updated=10) is None


def test_raised_limits_let_all_through_but_an_empty_directory_and_changed_settings() -> None:
    def raised(**more: bool) -> str | None:
        sort = {"is_empty": False, "is_preview": False, **more}
        return why_held(Tally(deleted=90, disabled=60), LIMITS, 100, is_raised=True, **sort)

    assert raised() is None
    assert raised(is_empty=True) is not None
    reason = raised(is_preview=True)
    assert reason is not None
    assert "would be" not in reason, "only what has to be looked at is named"


def held(scene: Scene) -> HeldRun:
    run = scene.store.runs.get("hq")
    assert run is not None
    return run


def told_held(scene: Scene) -> list[str]:
    return [action for action, _, _ in scene.audits]


def test_a_run_that_deletes_too_many_is_held_whole(scene: Scene) -> None:
    scene.people.crowd(40)
    scene.scan()
    before = scene.known()
    scene.people.remove_crowd(0, 11)
    scene.people.change("p20", cn="Somebody")
    scene.people.put("new")

    result = scene.scan()

    assert (result.kind, scene.told(), scene.known()) == ("held", [], before)
    run = held(scene)
    assert run.reason.startswith("11 of 40 people (27.5 %) would be deleted")
    assert {"created": 1, "updated": 1, "deleted": 11}.items() <= dict(run.counts).items()
    changes = scene.store.runs.changes(run.id, 0, 100)
    assert [change.number for change in changes] == list(range(1, 14))
    assert [change.kind for change in changes] == ["delete"] * 11 + ["update", "create"]
    assert {change.person_id for change in changes[:11]} == {f"p{n}" for n in range(11)}
    assert changes[11].document is not None
    assert changes[11].document["full_name"] == "Somebody"
    ((action, subject, details),) = scene.audits
    assert (action, subject, details["run"]) == ("sync.held", "hq", run.id)


def test_disabling_and_taking_out_of_groups_are_held_too(scene: Scene) -> None:
    for n in range(8):
        scene.people.put(f"{n}", ou="a;b")
    scene.scan()
    for n in range(5):
        scene.people.change(f"{n}", off="1")

    assert scene.scan().kind == "held"
    assert "5 of 8 people (62.5 %) would be disabled" in held(scene).reason
    for n in range(5):
        scene.people.change(f"{n}", off="0", ou="b")

    assert scene.scan().kind == "held"
    assert "would be taken out of groups" in held(scene).reason
    assert scene.told() == []


def test_an_empty_directory_is_always_held_but_as_a_baseline(scene: Scene) -> None:
    scene.people.put("1")
    guard = {"max_percent": 100.0, "max_count": 1000, "small_directory": 0}
    scene.scan(sync={"feed": "off", "guard": guard})
    scene.people.remove("1")

    assert scene.scan(sync={"feed": "off", "guard": guard}).kind == "held"
    assert "empty" in held(scene).reason


def test_an_approved_run_is_applied_and_nothing_else(scene: Scene) -> None:
    scene.people.crowd(40)
    scene.scan()
    scene.people.remove_crowd(0, 15)
    scene.people.change("p20", cn="Somebody")
    scene.scan()
    scene.people.remove("p39")  # after what was shown

    assert scene.store.runs.approve("hq", held(scene).id)
    result = scene.scan()

    assert (result.kind, result.events) == ("applied", 16)
    assert sorted(scene.told()[:15]) == sorted(f"user.deleted p{n}" for n in range(15))
    assert scene.told(15) == ["user.updated p20"]
    assert scene.store.runs.get("hq") is None
    assert told_held(scene) == ["sync.held", "sync.applied"]
    assert scene.store.watches.get("hq").is_scan_wanted
    assert scene.scan().events == 1
    assert scene.told(16) == ["user.deleted p39"]


def test_an_approved_run_leaves_alone_whoever_changed_since(scene: Scene) -> None:
    scene.people.crowd(40)
    scene.scan()
    scene.people.remove_crowd(0, 15)
    scene.scan()
    document = {**scene.known()["p3"], "full_name": "Came back"}
    scene.store.journal.apply("hq", [Change("update", "p3", b"x" * 16, document)], 0)

    scene.store.runs.approve("hq", held(scene).id)
    result = scene.scan()

    assert (result.events, result.skipped) == (14, 1)
    assert scene.known()["p3"]["full_name"] == "Came back"


@pytest.mark.parametrize("is_written_late", [True, False])
def test_what_is_held_is_nothing_older_than_what_somebody_wrote_meanwhile(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, is_written_late: bool
) -> None:
    """Digests of everybody are in another format, so all are looked at; somebody of whom nothing changed is written to
    before they are, or between the digest of the run and its list."""
    scene.people.crowd(60)
    scene.scan()
    with writing(scene.store._engine) as connection:
        connection.execute(people.update().values(digest=b"another format.."))
    for n in range(40):
        scene.people.change(f"p{n}", off="1")
    newer = {**scene.known()["p50"], "full_name": "Newer"}
    digest, writes = Staging.digest, [Change("update", "p50", bytes(16), newer)]

    def late(staging: Staging, fingerprint: str) -> str:
        found = digest(staging, fingerprint) if is_written_late else None
        if writes:
            scene.people.change("p50", cn="Newer")
            scene.store.journal.apply("hq", [writes.pop()], 0)
        return found or digest(staging, fingerprint)

    monkeypatch.setattr(Staging, "digest", late)
    scene.scan()
    first = held(scene)
    scene.scan()

    assert held(scene).id == first.id
    assert {one.person_id for one in scene.store.runs.changes(first.id, 0, 100)} == {f"p{n}" for n in range(40)}
    scene.store.runs.approve("hq", first.id)
    scene.scan()
    assert scene.known()["p50"]["full_name"] == "Newer"


def test_a_run_that_is_approved_while_the_next_is_held_stays(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.people.crowd(40)
    scene.scan()
    scene.people.remove_crowd(0, 15)
    scene.scan()
    first = held(scene)
    scene.people.remove("p20")
    digest = Staging.digest

    def late(staging: Staging, fingerprint: str) -> str:
        assert scene.store.runs.approve("hq", first.id)
        return digest(staging, fingerprint)

    monkeypatch.setattr(Staging, "digest", late)
    scene.scan()
    monkeypatch.undo()

    assert (held(scene).id, held(scene).state) == (first.id, APPROVED)
    assert scene.scan().kind == "applied"
    assert len(scene.told()) == 15


def test_a_discarded_run_is_forgotten_and_the_next_judged_anew(scene: Scene) -> None:
    scene.people.crowd(40)
    scene.scan()
    scene.people.remove_crowd(0, 15)
    scene.scan()
    first = held(scene).id

    assert scene.store.runs.discard("hq", first)
    assert scene.store.runs.get("hq") is None
    assert not scene.store.runs.approve("hq", first)
    assert scene.scan().kind == "held"
    assert held(scene).id > first
    assert scene.told() == []


def test_a_held_run_ends_by_itself_when_the_directory_is_whole_again(scene: Scene) -> None:
    scene.people.crowd(40)
    scene.scan()
    scene.people.remove_crowd(0, 15)
    scene.scan()
    scene.people.crowd(40)

    assert scene.scan().kind == "compared"
    assert (scene.store.runs.get("hq"), scene.told()) == (None, [])


def test_a_raised_limit_lets_the_next_run_through(scene: Scene) -> None:
    scene.people.crowd(40)
    scene.scan()
    scene.people.remove_crowd(0, 15)
    scene.scan()

    result = scene.scan(sync={"feed": "off", "guard": {"max_count": 15}})

    assert (result.kind, result.events, scene.store.runs.get("hq")) == ("compared", 15, None)


def test_the_same_run_keeps_its_id_and_is_told_once(scene: Scene) -> None:
    scene.people.crowd(40)
    scene.scan()
    scene.people.remove_crowd(0, 15)
    scene.scan()
    first = held(scene)
    scene.clock.now += HOUR

    scene.scan()
    again = held(scene)
    assert (again.id, again.first_at, again.last_at) == (first.id, first.first_at, first.last_at + HOUR)
    assert told_held(scene) == ["sync.held"]

    scene.people.remove("p20")
    scene.scan()
    other = held(scene)
    assert other.id > first.id
    assert not scene.store.runs.approve("hq", first.id)
    assert len(scene.store.runs.changes(other.id, 0, 100)) == 16
    assert scene.store.runs.changes(first.id, 0, 100) == []
    assert told_held(scene) == ["sync.held"] * 2


def test_an_approved_run_survives_a_kill_between_its_steps(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "APPLIED_AT_ONCE", 4)
    scene.people.crowd(40)
    scene.scan()
    scene.people.remove_crowd(0, 15)
    scene.scan()
    run = held(scene)
    scene.store.runs.approve("hq", run.id)
    write, steps = scene.store.journal.apply, []

    def dies(*arguments: object, **named: object) -> object:
        steps.append(1)
        if len(steps) == 3:
            raise KeyboardInterrupt
        return write(*arguments, **named)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(scene.store.journal, "apply", dies)
        with pytest.raises(KeyboardInterrupt):
            scene.scan()
    assert len(scene.store.runs.changes(run.id, 0, 100)) == 7

    assert scene.scan().events == 7
    assert len(scene.told()) == 15
    assert len(set(scene.told())) == 15


def test_a_run_that_died_in_the_holding_is_seen_by_nobody(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.people.crowd(40)
    scene.scan()
    scene.people.remove_crowd(0, 15)
    with monkeypatch.context() as patch:

        def dies(*_: object) -> object:
            raise KeyboardInterrupt

        patch.setattr("integration_server.store.runs._row", dies)
        with pytest.raises(KeyboardInterrupt):
            scene.scan()
    assert (scene.store.runs.all(), scene.store.runs.get("hq")) == ([], None)

    assert scene.scan().kind == "held"
    assert len(scene.store.runs.changes(held(scene).id, 0, 100)) == 15


# -- changed settings ------------------------------------------------------------------------------------------------


def test_a_changed_filter_makes_a_preview_even_of_one_person(scene: Scene) -> None:
    scene.people.crowd(40)
    scene.scan()
    scope = {"filter": {"exclude": ["p7"]}}

    assert scene.scan(**scope).kind == "held"
    assert held(scene).reason == "the settings changed, and with them 1 person"
    scene.store.runs.approve("hq", held(scene).id)
    assert scene.scan(**scope).kind == "applied"
    assert scene.told() == ["user.deleted p7"]
    scene.people.put("new")
    assert scene.scan(**scope).kind == "compared"


def test_changed_settings_need_a_yes_though_somebody_was_written_to_meanwhile(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.people.put_all("1", "2", "3")
    scene.people.put("4", cn="Ada")
    scene.scan()
    newer = {**scene.known()["4"], "nickname": "newer"}
    compare = runner.compare

    def late(*arguments: Any) -> int:
        found = compare(*arguments)
        scene.store.journal.apply("hq", [Change("update", "4", b"n" * 16, newer)], 0)
        return found

    other = {**MAP, "nickname": "cn"}
    monkeypatch.setattr(runner, "compare", late)
    first = scene.scan(map=other)
    monkeypatch.undo()

    assert (first.kind, first.events, first.skipped) == ("compared", 0, 1)
    assert scene.scan(map=other).kind == "held"
    assert scene.known()["4"] == newer


def test_who_is_deleted_while_a_run_is_held_is_not_in_it(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of them nothing differed but the format of the digest, so the digest of the run does not cover them."""
    scene.people.crowd(40)
    scene.scan()
    with writing(scene.store._engine) as connection:
        connection.execute(people.update().where(people.c.person_id == "p30").values(digest=b"another format.."))
    scene.people.remove_crowd(0, 15)
    digest = Staging.digest

    def late(staging: Staging, fingerprint: str) -> str:
        found = digest(staging, fingerprint)
        scene.people.remove("p30")
        scene.store.journal.apply("hq", [Change("delete", "p30")], 0)
        return found

    monkeypatch.setattr(Staging, "digest", late)
    scene.scan()
    monkeypatch.undo()

    scene.scan()
    assert {one.person_id for one in scene.store.runs.changes(held(scene).id, 0, 100)} == {f"p{n}" for n in range(15)}
    scene.store.runs.approve("hq", held(scene).id)
    scene.scan()
    scene.scan()
    assert [told for told in scene.told() if told.endswith("p30")] == ["user.deleted p30"]


def test_changed_settings_that_change_nobody_need_no_yes(scene: Scene) -> None:
    scene.people.crowd(5)
    scene.scan()

    assert scene.scan(filter={"exclude": ["nobody"]}).kind == "compared"
    scene.people.put("new")
    assert scene.scan(filter={"exclude": ["nobody"]}).events == 1


def test_limits_and_passwords_are_no_other_settings(scene: Scene) -> None:
    def mark(**more: object) -> str:
        return scene.watcher(**more)._runner.fingerprint

    url = f"sqlite:///{scene.people.path}"
    same = mark()
    assert mark(sync={"scan_seconds": 5.0}, list_seconds=7.0, auth_seconds=3.0, breaker_failures=2) == same
    assert mark(canary="p1", bad_rows_allowed=2, on_rejected="next") == same
    assert mark(map={**{"id": "no", "username": "login"}, "tz": "cn"}) != same
    assert mark(filter={"exclude": ["x"]}) != same
    assert mark(pattern="p.*") != same
    assert mark(keep_memberships=True) != same
    assert mark(keep_memberships=False) == same
    assert mark(table="others") != same
    assert mark(url=f"{url}.other") != same
    assert mark(url="postgresql://me:secret@db/x") == mark(url="postgresql://you:other@db/x")


# -- disabling first, deleting later ---------------------------------------------------------------------------------

WAITING = {"sync": {"feed": "off", "delete_after_days": 2.0}}
DAY = 86_400.0


def test_who_vanishes_is_disabled_first_and_deleted_days_later(scene: Scene) -> None:
    scene.people.put("1", ou="staff")
    scene.people.put_all("2", "3", "4")
    scene.scan(**WAITING)
    scene.people.remove("1")

    scene.scan(**WAITING)
    assert scene.told() == ["user.updated 1"]
    assert scene.store.journal.events(0, 1)[0].changed == {"state": ("active", "disabled")}
    gone = scene.store.journal.person("hq", "1")
    assert gone is not None
    assert gone.gone_at == scene.clock.now

    scene.clock.now += 1.9 * DAY
    assert scene.scan(**WAITING).events == 0
    scene.clock.now += 0.2 * DAY
    scene.scan(**WAITING)
    assert scene.told(1) == ["membership.removed 1 staff", "user.deleted 1"]
    assert scene.store.journal.person("hq", "1") is None


def test_who_reappears_is_not_deleted(scene: Scene) -> None:
    scene.people.put_all("1", "2", "3", "4")
    scene.people.change("2", off="1")
    scene.scan(**WAITING)
    scene.people.remove("1")
    scene.people.remove("2")
    scene.scan(**WAITING)
    scene.people.put("1")
    scene.people.put("2", off="1")

    scene.scan(**WAITING)

    assert scene.told() == ["user.updated 1", "user.updated 1"]
    scene.clock.now += 9 * DAY
    assert scene.scan(**WAITING).events == 0
    assert all(person.gone_at is None for person in scene.store.journal.people("hq", 0, 10))


def test_vanishing_counts_as_deletion_and_the_deletion_later_does_not_count_again(scene: Scene) -> None:
    scene.people.crowd(40)
    scene.scan(**WAITING)
    scene.people.remove_crowd(0, 15)

    assert scene.scan(**WAITING).kind == "held"
    assert {change.kind for change in scene.store.runs.changes(held(scene).id, 0, 100)} == {"vanish"}
    scene.store.runs.approve("hq", held(scene).id)
    scene.scan(**WAITING)
    scene.clock.now += 3 * DAY
    assert scene.scan(**WAITING).kind == "compared"
    assert len(scene.known()) == 25


def test_a_lifted_guard_lets_one_run_through(scene: Scene) -> None:
    scene.people.crowd(100)
    scene.scan()
    scene.people.remove_crowd(0, 30)
    assert scene.scan().kind == "held"
    scene.store.guard_lifts.lift("backend", "hq", "admin:ann")
    scene.people.remove_crowd(30, 35)

    result = scene.scan()

    assert (result.kind, result.counts["deleted"], result.events) == ("compared", 35, 35)
    assert scene.store.runs.get("hq") is None
    assert told_held(scene) == ["sync.held", "guard.passed"]
    assert scene.audits[-1][2]["lifted_by"] == "admin:ann"
    scene.people.remove_crowd(35, 40)
    assert scene.scan().kind == "compared", "what was let through counts no more"
    scene.people.remove_crowd(40, 80)
    assert scene.scan().kind == "held"


def test_a_lifted_guard_is_kept_for_a_run_that_needs_it(scene: Scene) -> None:
    scene.people.crowd(40)
    scene.scan()
    scene.store.guard_lifts.lift("backend", "hq", "admin:ann")
    scene.people.remove_crowd(0, 2)
    assert scene.scan().kind == "compared"
    scene.people.remove_crowd(2, 40)
    assert scene.scan().kind == "held", "nobody is left"
    assert scene.store.guard_lifts.all()
    scene.people.put("p39")
    assert scene.scan().kind == "compared"
    assert scene.store.guard_lifts.all() == []


def test_a_lifted_guard_does_not_let_changed_settings_through(scene: Scene) -> None:
    scene.people.crowd(40)
    scene.scan()
    scene.store.guard_lifts.lift("backend", "hq", "admin:ann")
    assert scene.scan(filter={"include": "p1*"}).kind == "held"
    assert scene.store.guard_lifts.all()
