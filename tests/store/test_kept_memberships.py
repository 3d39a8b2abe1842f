"""Memberships that are kept: what was kept last counts, and nothing is kept that the directory says itself."""

from __future__ import annotations

import threading

import sqlalchemy as sa

from integration_server.store.kept_memberships import KeptMembership, KeptMemberships

ANN = KeptMembership("hq", "ann", "hq", "staff", True)
ANN_OUT = KeptMembership("hq", "ann", "hq", "staff", False)


def kept(table: KeptMemberships, *ids: str) -> list[tuple[str, str, str, bool]]:
    return sorted((one.person_id, one.group_backend, one.group_id, one.is_member) for one in table.of("hq", ids))


def test_what_the_directory_lacks_is_kept_until_it_is_taken_back(engine: sa.Engine) -> None:
    table = KeptMemberships(engine, lambda: 5.0)
    assert table.keep(ANN, is_own=False)
    assert not table.keep(ANN, is_own=False)
    assert table.of("hq", ["ann"]) == [KeptMembership("hq", "ann", "hq", "staff", True, 5.0)]
    assert table.keep(ANN_OUT, is_own=False)
    assert not table.keep(ANN_OUT, is_own=False)
    assert table.all() == []


def test_what_the_directory_has_is_kept_out_until_it_is_put_back(engine: sa.Engine) -> None:
    table = KeptMemberships(engine)
    assert not table.keep(ANN, is_own=True)
    assert table.all() == []
    assert table.keep(ANN_OUT, is_own=True)
    assert not table.keep(ANN_OUT, is_own=True)
    assert kept(table, "ann") == [("ann", "hq", "staff", False)]
    assert table.keep(ANN, is_own=True)
    assert table.all() == []


def test_directory_that_changed_meanwhile_does_not_win(engine: sa.Engine) -> None:
    table = KeptMemberships(engine)
    table.keep(ANN, is_own=False)
    assert not table.keep(ANN, is_own=True), "it is in already, by both"
    assert table.keep(ANN_OUT, is_own=True), "the directory has her in by now, so that she is out must be kept"
    assert kept(table, "ann") == [("ann", "hq", "staff", False)]
    assert table.keep(ANN, is_own=False)
    assert kept(table, "ann") == [("ann", "hq", "staff", True)]


def test_people_groups_and_backends_are_not_mixed_up(engine: sa.Engine) -> None:
    table = KeptMemberships(engine)
    for person, home, group in (("ann", "hq", "b"), ("ann", "branch", "a"), ("Ann", "hq", "a"), ("bob", "hq", "a")):
        assert table.keep(KeptMembership("hq", person, home, group, True), is_own=False)
    assert table.keep(KeptMembership("branch", "ann", "hq", "c", True), is_own=False)
    assert kept(table, "ann", "nobody") == [("ann", "branch", "a", True), ("ann", "hq", "b", True)]
    assert table.of("hq", []) == []
    assert table.group_ids("hq") == ["a", "b", "c"]
    assert len(table.all()) == 5
    assert [one.person_id for one in table.all("branch")] == ["ann"]
    assert table.forget("hq", "ann") == 2
    assert table.forget("hq", None) == 2
    assert [one.group_id for one in table.all()] == ["c"]


def test_many_at_once_and_one_was_first(engine: sa.Engine) -> None:
    table = KeptMemberships(engine)
    for wanted in (ANN, ANN_OUT) * 3:
        found: list[bool] = []
        threads = [threading.Thread(target=lambda: found.append(table.keep(wanted, is_own=False))) for _ in range(6)]  # noqa: B023
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(found) == [False] * 5 + [True]
