"""Directories that take no writes: memberships are kept beside them, and new people in accounts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from integration_server.sdk.deadline import Deadline
from integration_server.sdk.errors import ReadOnlyBackend
from integration_server.server.workers import run_once
from integration_server.store.kept_memberships import KeptMembership
from tests.builtin.groupserver.site import Hooks, MakeHooks
from tests.directory.memory import DOWN, WORLD, People

BACKENDS = """
[backends.corp]
type = "list_only"
keep_memberships = true
[backends.corp.sync]
[backends.guests]
type = "accounts"
[backends.guests.sync]
[backends.guests.groups.board]
title = "The board"
privacy = "secret"
"""


@pytest.fixture
def hooks(make_hooks: MakeHooks) -> Hooks:
    """The directory corp, which nobody can write to, and guests."""
    corp = WORLD["corp"] = People()
    corp.add("bob", cn="Bob", mail=["bob@x"], ou=["staff"])
    corp.add("cyd", cn="Cyd", mail=["cyd@x"])
    hooks = make_hooks(BACKENDS, backends='["corp", "guests"]', write_to='"guests"')
    for name in ("corp", "guests"):
        run_once(hooks.installation, name)
    return hooks


def groups_of(hooks: Hooks, user: str) -> list[str]:
    return list(hooks.search(user)["groups"])


def members(hooks: Hooks) -> dict[str, list[str]]:
    """The groups of everybody who is in one, by name."""
    found = hooks.post("gs-site-member-list", "user_groups")
    return {one["name"]: one["groups"] for one in found}


def test_person_of_a_read_only_directory_joins_and_leaves(hooks: Hooks) -> None:
    assert hooks.add("cyd@x", "staff")["status"] == 1
    assert hooks.add("CYD@x", "staff")["status"] == 256
    assert groups_of(hooks, "cyd@x") == ["staff"]
    assert members(hooks) == {"Bob": ["staff"], "Cyd": ["staff"]}
    user_id = hooks.search("cyd@x")["id"]
    assert hooks.leave(user_id, "staff")["status"] == 0
    assert hooks.leave(user_id, "staff")["status"] == 4
    assert groups_of(hooks, "cyd@x") == []
    assert [row[4] for row in WORLD["corp"].rows] == [["staff"], None], "nothing was written to the directory"
    assert hooks.store.kept_memberships.all() == [], "what is as the directory says is not kept"
    assert hooks.events() == [
        ("membership.added", "staff", "frontend:site"),
        ("membership.removed", "staff", "frontend:site"),
    ]


def test_address_that_a_read_only_directory_cannot_mark_stays_unverified(make_hooks: MakeHooks, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("no,login,mail,off,team\n1,ann,ann@x.org,new@x.org,staff\n2,bob,,bob@x.org,\n")
    hooks = make_hooks(
        '[backends.corp]\ntype = "csv"\npath = "../people.csv"\nquiet_seconds = 0.0\nkeep_memberships = true\n'
        '[backends.corp.map]\nid = "no"\nusername = "login"\nfull_name = "login"\nemails = ["mail", "off"]\n'
        'unverified_emails = "off"\ngroups = "team"\n[backends.guests]\ntype = "accounts"\n'
        "[backends.guests.groups.board]\n",
        backends='["corp", "guests"]',
    )
    before = (tmp_path / "people.csv").read_bytes()
    for address, group in (("new@x.org", "board"), ("bob@x.org", "staff"), ("bob@x.org", "board")):
        added = hooks.add(address, group)
        assert (added["status"], added["user"]["email"]["unverified"]) == (1, [address])
    assert members(hooks) == {"ann": ["board", "staff"], "bob": ["board", "staff"]}
    assert (tmp_path / "people.csv").read_bytes() == before


def test_directory_that_is_only_read_says_both_ways_to_change_that(make_hooks: MakeHooks) -> None:
    hooks = make_hooks('groups = ["test"]\n')
    hooks.people.add("ann", cn="Ann", mail=["ann@x"], ou=[])
    hooks.people.refusal = ReadOnlyBackend("set is_writable = true")
    refused = hooks.add("ann@x")
    assert refused["status"] == 257
    assert "set is_writable = true; or keep_memberships = true in [backends.club]" in refused["message"]


def test_who_left_stays_out_whatever_the_directory_says(hooks: Hooks) -> None:
    user_id = hooks.search("bob@x")["id"]
    assert hooks.leave(user_id, "staff")["status"] == 0
    assert groups_of(hooks, "bob@x") == []
    run_once(hooks.installation, "corp")
    assert groups_of(hooks, "bob@x") == []
    assert hooks.add("bob@x", "staff")["status"] == 1
    assert groups_of(hooks, "bob@x") == ["staff"]


def test_new_person_goes_to_the_accounts_and_into_a_group_of_the_directory(hooks: Hooks) -> None:
    run_once(hooks.installation, "corp")
    joined = hooks.add("Ann@Example.com", "staff", fn="Ann Lee", biography="B\nb", tz="Asia/Tokyo")
    assert joined["status"] == 0
    assert joined["message"] == "Created a new profile for Ann Lee and added Ann Lee to staff"
    assert hooks.add("ann@example.COM", "staff")["status"] == 256
    assert hooks.add("ann@example.com", "board")["message"] == "Added Ann Lee to The board"
    found = hooks.search("ann@example.com")
    assert found == hooks.search(joined["user"]["id"])
    assert found["name"] == "Ann Lee"
    assert found["email"]["preferred"] == ["Ann@Example.com"]
    assert found["groups"] == ["board", "staff"]
    assert members(hooks) == {"Bob": ["staff"], "Ann Lee": ["board", "staff"]}
    events = [event for event in hooks.events() if event[0] != "user.updated"]
    assert events == [
        ("user.created", None, "frontend:site"),
        ("membership.added", "corp/staff", "frontend:site"),
        ("membership.added", "board", "frontend:site"),
    ]
    made = hooks.store.journal.events(0, 1)[0].after
    assert made is not None
    assert (made["tz"], made["biography"]) == ("Asia/Tokyo", "B\nb")
    run_once(hooks.installation, "guests")
    assert [event for event in hooks.events() if event[0] != "user.updated"] == events, (
        "a comparison has nothing to add"
    )
    assert hooks.leave(joined["user"]["id"], "staff")["status"] == 0
    assert hooks.leave(joined["user"]["id"], "board")["status"] == 0
    assert hooks.search("ann@example.com")["id"] == joined["user"]["id"], "the profile stays"


def test_groups_of_accounts_are_those_of_the_configuration(hooks: Hooks) -> None:
    found = {one["id"]: one for one in hooks.post("gs-group-groups", "get")}
    assert sorted(found) == ["board", "staff"]
    assert found["board"]["name"] == "The board"
    assert found["board"]["privacy"] == "secret"


def test_person_of_one_directory_joins_a_group_of_another(make_hooks: MakeHooks) -> None:
    WORLD["corp"] = People()
    WORLD["corp"].add("bob", cn="Bob", mail=["bob@x"], ou=["staff"])
    hooks = make_hooks(
        'keep_memberships = true\ngroups = ["test"]\n[backends.corp]\ntype = "list_only"\n',
        backends='["corp", "club"]',
    )
    assert hooks.add("bob@x", "test")["status"] == 1
    assert groups_of(hooks, "bob@x") == ["staff", "test"]
    assert hooks.add("new@x", "test")["status"] == 0, "the group's own backend takes new people, and they are kept, too"
    assert hooks.people.rows[0][4] == []
    refused = hooks.add("new@x", "staff")
    assert refused["status"] == 257
    assert "corp" in refused["message"]


def test_group_that_reads_like_one_of_another_backend_is_not_mistaken_for_it(make_hooks: MakeHooks) -> None:
    WORLD["corp"] = People()
    WORLD["corp"].add("bob", cn="Bob", mail=["bob@x"], ou=["club/test", "corp/x", "y/z"])
    hooks = make_hooks(
        'keep_memberships = true\ngroups = ["test"]\n[backends.corp]\ntype = "list_only"\nkeep_memberships = true\n'
        "[backends.corp.sync]\n",
        backends='["corp", "club"]',
    )
    named = {one["name"]: one["id"] for one in hooks.post("gs-group-groups", "get")}
    assert sorted(named) == ["The test", "club/test", "corp/x", "y/z"]
    assert sorted(groups_of(hooks, "bob@x")) == sorted(named[name] for name in ("club/test", "corp/x", "y/z"))
    user_id = hooks.search("bob@x")["id"]
    assert hooks.add("bob@x", "test")["status"] == 1
    assert hooks.leave(user_id, named["club/test"])["status"] == 0
    assert sorted(groups_of(hooks, "bob@x")) == sorted([named["corp/x"], named["y/z"], "test"])


def test_who_left_the_only_group_of_the_filter_is_not_made_again(make_hooks: MakeHooks) -> None:
    corp = WORLD["corp"] = People()
    corp.add("bob", cn="Bob", mail=["bob@x"], ou=["staff"])
    corp.add("eve", cn="Eve", mail=["eve@x"], ou=["staff"])
    scope = '{ groups = ["staff", "corp/staff"] }'
    hooks = make_hooks(BACKENDS, backends='["corp", "guests"]', write_to='"guests"', filter=scope)
    for email in ("bob@x", "new@x"):
        user_id = hooks.add(email, "staff")["user"]["id"]
        assert hooks.leave(user_id, "staff")["status"] == 0
        assert hooks.search(email) == {}
        joined = hooks.add(email, "staff")
        assert (joined["status"], joined["user"]["id"]) == (1, user_id)
        assert joined["user"]["groups"] == ["staff"]
    assert len(members(hooks)) == 3


def test_directory_that_is_down_is_no_answer(hooks: Hooks) -> None:
    WORLD["corp"].error = DOWN
    for hook, fields in (
        ("gs-group-member-add", "add&groupId=staff&email=ann@x&fn=Ann"),
        ("gs-search-people", "search&user=ann@x"),
    ):
        response = hooks.ask(
            hook, data=f"token={hooks.token}&{fields}", content_type="application/x-www-form-urlencoded"
        )
        assert response.status_code == 503
    WORLD["corp"].error = None
    assert hooks.search("ann@x") == {}


def test_many_add_one_address_and_one_person_is_made(hooks: Hooks) -> None:
    found: list[Any] = []

    def at_once(calls: list[Callable[[], Any]]) -> None:
        threads = [threading.Thread(target=lambda call=call: found.append(call())) for call in calls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    at_once([lambda email=email: hooks.add(email, "staff") for email in ("ann@x", "ANN@x", "Ann@X", "ann@x")])
    assert sorted(one["status"] for one in found) == [0, 256, 256, 256]
    assert len({one["user"]["id"] for one in found}) == 1
    user_id = found[0]["user"]["id"]
    found.clear()
    at_once([lambda: hooks.leave(user_id, "staff")] * 4)
    assert sorted(one["status"] for one in found) == [0, 4, 4, 4]


@pytest.mark.parametrize("another", ["", '[backends.guests]\ntype = "accounts"\n'])
def test_memberships_no_longer_kept_do_not_count(make_hooks: MakeHooks, another: str) -> None:
    hooks = make_hooks(f'groups = ["test", "example"]\n{another}')
    hooks.people.add("ann", cn="Ann", mail=["ann@x"], ou=["test"])
    one = KeptMembership("club", "1", "club", "example", True)
    hooks.store.kept_memberships.keep(one, is_own=False)
    assert groups_of(hooks, "ann@x") == ["test"]


def test_listing_merges_page_by_page(hooks: Hooks) -> None:
    corp = WORLD["corp"]
    for number in range(10):
        corp.add(f"p{number}", cn=f"P{number}", mail=[f"p{number}@x"], ou=["staff"] if number % 2 else [])
    for number in range(0, 10, 2):
        assert hooks.add(f"p{number}@x", "staff")["status"] == 1
    for number in (1, 3):
        assert hooks.leave(hooks.search(f"p{number}@x")["id"], "staff")["status"] == 0
    listed = [name for name in members(hooks) if name.startswith("P")]
    assert listed == ["P0", "P2", "P4", "P5", "P6", "P7", "P8", "P9"]
    source = hooks.installation.sources["corp"]
    pages = list(source.pages(Deadline(5), pytest.fail))
    assert all(page.groups is not None for page in pages)
