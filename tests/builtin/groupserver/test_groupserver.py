"""The hooks over HTTP: what is told, what is written, and what a directory that is down is answered with."""

from __future__ import annotations

import json
import threading
from typing import Any

import flask
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from integration_server import (
    AmbiguousEntry,
    BackendMisconfigured,
    ConfigError,
    Deadline,
    Entry,
    Lookup,
    ReadOnlyBackend,
    UnwritableValue,
)
from integration_server.forwarding import writing
from integration_server.forwarding.writing import finish_left
from integration_server.server.workers import run_once
from integration_server.store import groupserver_option
from tests.builtin.groupserver.clubs import ClubBackend
from tests.builtin.groupserver.site import Hooks, MakeHooks
from tests.directory.memory import DOWN, WORLD, People
from tests.servers.postgresql import PostgreSql
from tests.store.groupserver import make_option_table


@pytest.fixture
def hooks(make_hooks: MakeHooks) -> Hooks:
    return make_hooks()


# -- reading ---------------------------------------------------------------------------------------------------------


def test_groups_are_told_in_the_order_of_the_backend(hooks: Hooks) -> None:
    found = hooks.post("gs-group-groups", "get")
    assert [one["id"] for one in found] == ["test", "example"]
    assert found[0] == {
        "id": "test",
        "name": "The test",
        "url": "https://groups.example.com/groups/test",
        "email": "test@groups.example.com",
        "type": "Discussion group",
        "privacy": "private",
    }


def test_groups_of_people_are_all_there_are_without_a_list(make_hooks: MakeHooks) -> None:
    hooks = make_hooks("")
    hooks.people.add("ann", ou=["b", "a"])
    hooks.people.add("bob", ou=["b"])
    assert [one["id"] for one in hooks.post("gs-group-groups", "get")] == ["a", "b"]


@pytest.mark.parametrize("action", [["user_groups"], ["users", "user_groups"]])
def test_members_are_those_in_some_group(hooks: Hooks, action: list[str]) -> None:
    hooks.people.add("ann", cn="Ann Lee", mail=["ann@x"], ou=["test", "unlisted"])
    hooks.people.add("bob", mail="bob@x")
    hooks.people.add("cyd", ou="unlisted")
    for hook in ("gs-site-member-list", "gs-site-member"):
        found = hooks.post(hook, "&".join(action))
        id = hooks.search("ann@x")["id"]
        assert found == [id] if "users" in action else [one["id"] for one in found] == [id]


def test_search_finds_by_id_and_by_any_address_in_any_case(hooks: Hooks) -> None:
    hooks.people.add("ann", cn="Ann Lee", mail=["ann@x.org", "a.lee@x.org"], off=["new@x.org"], ou=["test"])
    found = hooks.search("ANN@x.org")

    assert found["name"] == "Ann Lee"
    assert found["email"]["unverified"] == ["new@x.org"]
    assert list(found) == ["id", "name", "url", "groups", "email"]
    for wanted in (found["id"], "a.LEE@x.org", "New@X.org", "Ann <ann@x.org>", " ann@x.org "):
        assert hooks.search(wanted) == found
    for nobody in ("ann", "an%@x.org", "_nn@x.org", found["id"].swapcase(), "nobody@x.org"):
        assert hooks.search(nobody) == {}


def test_filter_of_the_mount_hides_people(make_hooks: MakeHooks) -> None:
    hooks = make_hooks(filter='{ exclude = ["bob"] }')
    hooks.people.add("ann", mail="ann@x", ou="test")
    hooks.people.add("bob", mail="bob@x", ou="test")
    assert hooks.search("bob@x") == {}
    assert hooks.post("gs-site-member-list", "users") == [hooks.search("ann@x")["id"]]


@pytest.mark.parametrize(
    ("hook", "fields"),
    [
        ("gs-group-groups", "get"),
        ("gs-search-people", "user=ann%40x&search"),
        ("gs-site-member-list", "users"),
        ("gs-site-member-list", "user_groups"),
        ("gs-group-member-add", "groupId=test&email=ann%40x&fn=Ann&add"),
        ("gs-group-member-leave", "groupId=test&userId=x&leave"),
    ],
)
def test_outage_is_not_an_answer(hooks: Hooks, hook: str, fields: str) -> None:
    hooks.people.add("ann", mail="ann@x", ou="test")
    hooks.people.error = DOWN
    form = "application/x-www-form-urlencoded"
    response = hooks.ask(hook, data=f"token={hooks.token}&{fields}", content_type=form)
    assert response.status_code == 503
    assert "Retry-After" in response.headers


# -- callers ---------------------------------------------------------------------------------------------------------


def test_fields_come_in_the_query_in_a_form_or_in_parts(hooks: Hooks) -> None:
    wanted = hooks.post("gs-group-groups", "get")
    query = f"token={hooks.token}&get"
    fields = {"token": hooks.token, "get": "Get"}
    parts = "".join(f'--X\nContent-Disposition: form-data; name="{k}"\n\n{v}\n' for k, v in fields.items()) + "--X--\n"
    multipart = "multipart/form-data; boundary=X"
    asked = [
        hooks.ask("gs-group-groups", method="GET", query_string=query),
        hooks.ask("gs-group-groups", query_string="get", data={"token": hooks.token}),
        hooks.ask("gs-group-groups", data=parts, content_type=multipart),
        hooks.ask("gs-group-groups", data=parts.replace("\n", "\r\n"), content_type=multipart),
        hooks.ask("gs-group-groups", data={"token": hooks.token, "get": ""}, content_type="multipart/form-data"),
        hooks.app.test_client().post("/site/gs-group-groups.json/", data={"token": hooks.token, "get": "x"}),
    ]
    assert [json.loads(one.data) for one in asked] == [wanted] * len(asked)
    assert {one.content_type for one in asked} == {"application/json"}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(body=st.binary(max_size=60) | st.text(alphabet="userachtokn=&+%40@x", max_size=60).map(str.encode))
@example(body=b"user=ann%40x&token=TOKEN&search")
@example(body=b"user=nobody%40x&token=TOKEN&search=")
@example(body=b"user=ann%40x&token=TOKEN")
@example(body=b"user=ann%40x&token=wrong&search")
@example(body=b"user=ann%40x&user=ann%40x&token=TOKEN&search")
@example(body=b"user=ann%40x%FF&token=TOKEN&search")
@example(body="user=änn%40x&token=TOKEN&search".encode())
@example(body=b"token=TOKEN&search")
def test_search_has_the_same_answer_without_flask(hooks: Hooks, body: bytes) -> None:
    hooks.add("ann@x")
    body = body.replace(b"TOKEN", hooks.token.encode())
    short, long = (
        hooks.ask("gs-search-people", data=body, content_type=f"application/x-www-form-urlencoded{parameter}")
        for parameter in ("", "; charset=utf-8")
    )

    assert (short.status_code, short.data, short.content_type) == (long.status_code, long.data, long.content_type)


def test_search_asks_no_flask(hooks: Hooks, monkeypatch: pytest.MonkeyPatch) -> None:
    found = hooks.add("ann@x")["user"]["id"]
    monkeypatch.delattr(flask.Flask, "full_dispatch_request")

    assert hooks.search("ann@x")["id"] == hooks.search(found)["id"] == found


@pytest.mark.parametrize("body", [b"", b"token=wrong", b'{"token": "T", "get": ""}', b"\xff\xfe%ff", b"&&&=&"])
def test_whoever_asks_for_nothing_is_told_of_the_hook(hooks: Hooks, body: bytes) -> None:
    for kind in ("application/x-www-form-urlencoded", "application/json", "text/plain"):
        response = hooks.ask("gs-group-groups", data=body, content_type=kind)
        assert response.status_code == 200
        assert json.loads(response.data)["actions"] == {"get": "Get"}
        assert response.content_type == "application/json; charset=utf-8"


def test_wrong_token_is_refused_with_200_and_not_repeated(hooks: Hooks) -> None:
    old = hooks.token
    response = hooks.ask("gs-group-groups", method="GET", query_string="token=hush%22hush&get")
    assert response.status_code == 200
    assert json.loads(response.data) == {
        "status": -1,
        "message": [
            "Token: The authentication token does not match the one in the database.",
            "Token: Required input is missing.",
        ],
    }
    assert b"hush" not in response.data
    hooks.token = hooks.store.frontend_tokens.rotate("site")
    assert hooks.post("gs-group-groups", "get")
    hooks.token = old
    assert hooks.post("gs-group-groups", "get")["status"] == -1


def test_token_does_not_travel_unencrypted_between_machines(hooks: Hooks) -> None:
    for url, status in (("http://x/", 403), ("https://x/", 200)):
        response = hooks.app.test_client().post(
            "/site/gs-group-groups.json",
            data={"token": hooks.token, "get": ""},
            base_url=url,
            environ_base={"REMOTE_ADDR": "192.0.2.1"},
        )
        assert response.status_code == status


# -- writing ---------------------------------------------------------------------------------------------------------


def test_new_person_is_made_joined_and_told_of(hooks: Hooks) -> None:
    run_once(hooks.installation, "club")
    added = hooks.add("Ann@x.org", fn="Ann Lee")

    assert (added["status"], added["message"]) == (0, "Created a new profile for Ann Lee and added Ann Lee to The test")
    user = added["user"]
    assert user["groups"] == ["test"]
    assert user["email"] == {"all": ["Ann@x.org"], "preferred": ["Ann@x.org"], "other": [], "unverified": []}
    assert hooks.search("ann@x.org")["id"] == user["id"]
    origin = "frontend:site"
    assert hooks.events() == [("user.created", None, origin), ("membership.added", "test", origin)]
    assert hooks.store.intents.left("club", 0) == []
    # What the next comparison finds is known already.
    run_once(hooks.installation, "club")
    assert len(hooks.events()) == 2


def test_second_add_says_that_it_is_done_and_another_group_is_joined(hooks: Hooks) -> None:
    first = hooks.add("ann@x.org")
    again = hooks.add("ANN@x.org", fn="Somebody Else")
    assert (again["status"], again["message"]) == (256, "Ann Lee is alredy a member of The test")
    assert again["user"] == first["user"]
    other = hooks.add("ann@x.org", "example")
    assert (other["status"], other["message"]) == (1, "Added Ann Lee to The example")
    assert other["user"]["groups"] == ["example", "test"]


def test_address_that_is_added_becomes_verified(hooks: Hooks) -> None:
    hooks.people.add("ann", cn="Ann", mail=["ann@x"], off=["New@x"], ou=[])
    added = hooks.add("new@x")
    assert added["status"] == 1
    assert added["user"]["email"]["other"] == ["New@x"]
    assert added["user"]["email"]["unverified"] == []


def test_leaving_keeps_the_profile_and_is_told_of(hooks: Hooks) -> None:
    user_id = hooks.add("ann@x")["user"]["id"]
    run_once(hooks.installation, "club")
    left = hooks.leave(user_id)
    assert left == {"status": 0, "message": "Ann Lee has left The test", "groupId": "test", "userId": user_id}
    assert hooks.leave(user_id)["status"] == 4
    assert hooks.search("ann@x")["groups"] == []
    assert hooks.events() == [("membership.removed", "test", "frontend:site")]


def test_leaving_says_what_is_unknown_the_group_first(hooks: Hooks) -> None:
    nobody = hooks.leave("nobody")
    assert nobody == {"status": 2, "message": 'No such user "nobody"', "groupId": "test", "userId": "nobody"}
    nothing = hooks.leave("nobody", "nope")
    assert nothing == {"status": 1, "message": 'No such group "nope"', "groupId": "nope", "userId": "nobody"}


@pytest.mark.parametrize("email", ["no address", "a@", "@x", "a@b@c d"])
def test_bad_address_and_unknown_group_are_257_with_a_reason(hooks: Hooks, email: str) -> None:
    assert hooks.add(email) == {"status": 257, "message": "The email address is not valid."}
    unknown = hooks.add("ann@x", "nope")
    assert unknown["status"] == 257
    assert "'nope'" in unknown["message"]
    assert hooks.people.rows == []


def test_group_that_vanishes_is_unknown(hooks: Hooks, monkeypatch: pytest.MonkeyPatch) -> None:
    user_id = hooks.add("ann@x")["user"]["id"]
    backend = hooks.installation.sources["club"].backend
    monkeypatch.setattr(backend, "_groups", ("example",))
    assert hooks.leave(user_id)["status"] == 1
    assert hooks.add("ann@x")["status"] == 257


def test_person_of_another_backend_is_not_put_into_a_group_of_this_one(make_hooks: MakeHooks) -> None:
    guests = '[backends.guests]\ntype = "accounts"\n'
    hooks = make_hooks(f"[backends.club.sync]\n{guests}", backends='["club", "guests"]', write_to='"guests"')
    hooks.people.add("bob", ou=["test"])
    refused = hooks.add("ann@x")
    assert refused["status"] == 257
    assert "guests" in refused["message"]
    assert "keep_memberships" in refused["message"]
    assert hooks.search("ann@x") == {}


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"write_to": '"other"'}, "write_to: 'other' is not among its backends: club"),
        ({"write_to": '"staff"', "backends": '["club", "staff"]'}, "write_to: nobody can be made in a backend of the"),
    ],
)
def test_write_to_that_cannot_be_is_told_at_the_start(make_hooks: MakeHooks, keys: dict[str, str], told: str) -> None:
    WORLD["staff"] = People()
    with pytest.raises(ConfigError, match=told):
        make_hooks('[backends.club.sync]\n[backends.staff]\ntype = "list_only"\n', **keys)


def test_two_adds_of_one_address_make_one_person(hooks: Hooks) -> None:
    run_once(hooks.installation, "club")
    found: list[Any] = []

    def add(email: str) -> None:
        found.append(hooks.add(email))

    threads = [threading.Thread(target=add, args=(email,)) for email in ("ann@x", "ANN@x", "Ann@X", "ann@x")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(one["status"] for one in found) == [0, 256, 256, 256]
    assert len({one["user"]["id"] for one in found}) == 1
    assert len(hooks.people.rows) == 1
    assert [type for type, _, _ in hooks.events()] == ["user.created", "membership.added"]


def test_add_whose_claim_ran_out_makes_nobody_a_second_time(hooks: Hooks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "_CLAIM_SECONDS", 0.1)
    find, has_asked, may_go_on = ClubBackend.find, threading.Event(), threading.Event()

    def find_slowly(self: ClubBackend, lookup: Lookup, deadline: Deadline) -> Entry | None:
        if threading.current_thread() is not thread or lookup.value != "ann@x":
            return find(self, lookup, deadline)
        has_asked.set()
        assert may_go_on.wait(20)
        return None

    monkeypatch.setattr(ClubBackend, "find", find_slowly)
    body = f"add&token={hooks.token}&groupId=test&email=ann@x&fn=Ann"
    slow: list[int] = []

    def add() -> None:
        form = "application/x-www-form-urlencoded"
        slow.append(hooks.ask("gs-group-member-add", data=body, content_type=form).status_code)

    thread = threading.Thread(target=add)
    thread.start()
    assert has_asked.wait(20)
    assert hooks.add("ann@x")["status"] == 0
    may_go_on.set()
    thread.join()
    assert slow == [503]
    assert len(hooks.people.rows) == 1
    assert hooks.add("ann@x")["status"] == 256


def test_leaving_the_scope_of_a_filter_is_told_of_before_the_next_comparison_is_due(make_hooks: MakeHooks) -> None:
    hooks = make_hooks('groups = ["test"]\nfilter = { groups = ["test"] }\n[backends.club.sync]\n')
    for name in ("ann", "bob", "cyd"):
        hooks.people.add(name, cn=name, mail=[f"{name}@x"], ou=["test"])
    run_once(hooks.installation, "club")
    assert hooks.add("new@x")["status"] == 0
    assert not hooks.store.watches.get("club").is_scan_wanted
    assert hooks.leave(hooks.search("ann@x")["id"])["status"] == 0
    assert hooks.store.watches.get("club").is_scan_wanted
    run_once(hooks.installation, "club")
    assert [type for type, _, _ in hooks.events()][2:] == ["membership.removed", "user.deleted"]


def test_refused_write_leaves_nothing_behind(hooks: Hooks) -> None:
    user_id = hooks.add("ann@x")["user"]["id"]
    run_once(hooks.installation, "club")
    refusals = (ReadOnlyBackend("set is_writable"), BackendMisconfigured("no right to"), UnwritableValue("a NUL"))
    for refusal, status in ((one, 257) for one in refusals):
        hooks.people.refusal = refusal
        assert hooks.add("ann@x", "example")["status"] == status
        assert hooks.leave(user_id)["status"] == status
        assert hooks.store.intents.left("club", 0) == []
    assert hooks.events() == []
    # Who was made before the group was refused is told of.
    assert hooks.add("bob@x", "example")["status"] == 257
    assert hooks.store.intents.left("club", 0) == []
    assert [type for type, _, _ in hooks.events()] == ["user.created"]


def test_write_whose_process_died_is_told_of_by_the_watcher(hooks: Hooks) -> None:
    run_once(hooks.installation, "club")
    installation, source = hooks.installation, hooks.installation.sources["club"]
    # As far as a process came that wrote, and then was killed.
    hooks.store.intents.begin("club", None, "ann@x", "frontend:site")
    hooks.people.add("ann", cn="Ann", mail="ann@x", ou="test")
    # And one that was killed before it wrote.
    hooks.store.intents.begin("club", None, "bob@x", "frontend:site")

    hooks.people.error = DOWN
    with pytest.raises(type(DOWN)):
        finish_left(source, hooks.store, installation.forwarding.bell, age=0)
    hooks.people.error = None
    assert finish_left(source, hooks.store, installation.forwarding.bell, age=0) == 2
    assert hooks.store.intents.left("club", 0) == []
    origin = "frontend:site"
    assert hooks.events() == [("user.created", None, origin), ("membership.added", "test", origin)]


def test_person_who_cannot_be_read_holds_up_nobody_whose_write_was_cut_off(hooks: Hooks) -> None:
    run_once(hooks.installation, "club")
    source = hooks.installation.sources["club"]
    for login, address in (("bob", "two@x"), ("cyd", "two@x"), ("ann", "ann@x")):
        hooks.people.add(login, cn=login, mail=address, ou="test")
    for address in ("two@x", "ann@x"):
        hooks.store.intents.begin("club", None, address, "frontend:site")
    with pytest.raises(AmbiguousEntry):
        finish_left(source, hooks.store, hooks.installation.forwarding.bell, age=0)
    assert [intent.address for intent in hooks.store.intents.left("club", 0)] == ["two@x"]
    assert [type for type, _, _ in hooks.events()] == ["user.created", "membership.added"]


# -- the token where GroupServer keeps it ----------------------------------------------------------------------------


def test_token_may_be_the_one_in_groupservers_own_database(make_hooks: MakeHooks, postgresql: PostgreSql) -> None:
    dsn = make_option_table(postgresql.create_database())
    hooks = make_hooks(token_source='"groupserver"', token_dsn=f'"{dsn}"')
    assert hooks.installation.first_token("site") is None
    assert hooks.post("gs-group-groups", "get")["status"] == -1
    hooks.token = groupserver_option.rotate(dsn)
    assert hooks.post("gs-group-groups", "get")[0]["id"] == "test"


@pytest.mark.parametrize("keys", [{"token_source": '"groupserver"'}, {"token_dsn": '"postgres://x/y"'}])
def test_token_source_and_dsn_go_together(make_hooks: MakeHooks, keys: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="go together"):
        make_hooks(**keys)


def test_token_that_cannot_be_looked_up_is_an_outage(make_hooks: MakeHooks) -> None:
    hooks = make_hooks(token_source='"groupserver"', token_dsn='"postgres://nobody@127.0.0.1:9/none"')
    response = hooks.ask("gs-group-groups", data={"token": "T", "get": ""})
    assert response.status_code == 503


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE"])
def test_other_methods_do_nothing(hooks: Hooks, method: str) -> None:
    asked = f"token={hooks.token}&add&groupId=test&email=ann@x&fn=Ann"
    response = hooks.ask("gs-group-member-add", method=method, query_string=asked)
    assert response.status_code == 405
    assert {"GET", "POST"} <= set(response.headers["Allow"].replace(" ", "").split(","))
    assert hooks.people.rows == []
