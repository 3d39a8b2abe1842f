"""The journal for people to read, and what became of each change for every receiver."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest

from integration_server.sdk.storage import Notice
from integration_server.store.engine import writing
from integration_server.store.event_rows import write_notices
from tests.receiver import Behaviour
from tests.waiting import wait_for
from tests.web.dashboard.telling import HOSTILE, House
from tests.web.dashboard.test_stuck import text_of


def serials(page: str) -> list[int]:
    return [int(one) for one in re.findall(r'aria-label="Change (\d+):', page)]


def found(house: House, **query: Any) -> list[int]:
    response = house.browser.get("/changes", query_string=query)
    assert response.status_code == 200, response.text
    return serials(response.text)


@pytest.fixture
def told(house: House) -> House:
    """Five changes: Ann comes, is renamed, joins; Bob comes, Ann goes."""
    house.put("ann", username="Annette")
    house.put("ann", username="Annette", full_name="Ann <Two>")
    house.put("ann", "staff", username="Annette", full_name="Ann <Two>")
    house.put("bob")
    house.remove("ann")
    return house


def event_id(house: House, serial: int) -> str:
    return house.store.journal.events(serial - 1, 1)[0].id


# -- the journal -----------------------------------------------------------------------------------------------------


def test_the_newest_change_stands_first_with_what_was_before_and_after(told: House) -> None:
    page = told.browser.page("/changes")
    assert serials(page) == list(range(told.store.journal.last_serial(), 0, -1))
    assert "full_name: <del>Ann</del> → <ins>Ann &lt;Two&gt;</ins>" in page
    assert "<ins>staff</ins>" in page
    assert "<del>staff</del>" in page


def test_changes_are_filtered(told: House) -> None:
    last = told.store.journal.last_serial()
    assert found(told, type="user.created") == [4, 1]
    assert found(told, group="staff") == [one for one in (last, last - 1, 3) if one in found(told, group="staff")]
    assert found(told, who="bob") == [4]
    assert 4 not in found(told, who="annett")
    assert found(told, who="annett")[-3:] == [3, 2, 1]
    assert 4 not in found(told, who="ann")
    assert found(told, backend="hq", person="bob") == [4]
    assert found(told, person="bob") == [4]
    assert found(told, backend="none") == []
    assert found(told, origin="somebody") == []
    assert found(told, since="2999-01-01T00:00") == []
    assert found(told, until="2001-01-01T00:00") == []
    assert len(found(told, since="2001-01-01 00:00", until=" 2999-01-01 ")) == last
    assert found(told, type="user.deleted", who="bob") == []


def test_changes_are_found_by_who_caused_them(told: House) -> None:
    wiki = told.subscribe("wiki")
    with writing(told.store._engine) as connection:
        notices = [Notice("ips_connect.ban", "hq", "7", {"status": "1"}, origin=wiki.id)]
        write_notices(connection, notices, 1_700_000_000.0)
    last = told.store.journal.last_serial()
    assert found(told, origin="wiki") == found(told, origin=wiki.id) == [last]
    page = text_of(told.browser.page("/changes"))
    assert "caused by wiki" in page
    one = text_of(told.browser.page(f"/changes/event?id={event_id(told, last)}"))
    assert "told by a plugin, for its own receivers" in one
    assert "wiki not for it it caused this itself" in one


@pytest.mark.parametrize("field", ["since", "until"])
@pytest.mark.parametrize("given", ["yesterday", "2026-13-01T00:00"])
def test_a_time_that_is_none_is_told_beside_its_field(field: str, given: str, told: House) -> None:
    response = told.browser.get("/changes", query_string={field: given, "who": "bob"})
    assert response.status_code == 422
    assert f'id="fault-{field}"' in response.text
    assert 'value="bob"' in response.text
    assert given in unescape(response.text)


def test_old_changes_come_page_by_page(house: House) -> None:
    for number in range(120):
        house.put(f"p{number}")
    seen: list[int] = []
    path = "/changes"
    while path:
        page = house.browser.page(path)
        seen += serials(page)
        more = re.search(r'<p class="more"><a href="/dashboard([^"]+)"', page)
        path = unescape(more[1]) if more else ""
        assert ("data-hx-get" in page) is (len(seen) == 50), "older pages stand still"
    assert seen == list(range(120, 0, -1))


def test_new_changes_are_brought(told: House) -> None:
    part = re.search(r'<tbody data-hx-get="/dashboard(/changes/new[^"]+)"', told.browser.page("/changes?who=bob"))
    assert part is not None
    path = unescape(part[1])
    assert told.browser.get(path).status_code == 204, "nothing happened since"
    told.put("cid")
    told.put("bob", full_name="Bob Two")
    brought = told.browser.page(path)
    assert serials(brought) == [told.store.journal.last_serial()]
    assert "1 new since this page was loaded" in brought
    again = re.search(r'data-hx-get="/dashboard(/changes/new[^"]+)"', brought)
    assert again is not None
    assert told.browser.get(unescape(again[1])).status_code == 204
    assert "Sign out" not in brought


def test_what_is_new_is_bounded(house: House) -> None:
    for number in range(130):
        house.put(f"p{number}")
    brought = house.browser.page("/changes/new?after=0&added=450")
    assert len(serials(brought)) == 100
    assert "more new changes than are shown" in brought
    assert "data-hx-get" not in brought, "the page has enough of it by now"
    assert house.browser.get("/changes/new?after=0&added=500").status_code == 204


def test_asking_for_what_is_new_does_not_count_as_use(house: House) -> None:
    now = [1_800_000_000.0]
    house.store.admins._clock = lambda: now[0]
    house.browser.sign_in()
    house.put("ann")
    for _ in range(4):
        now[0] += 1_000.0
        answer = house.browser.get("/changes/new?after=0").status_code
    assert answer == 401, "unused for an hour"


def test_the_journal_says_where_it_begins(told: House) -> None:
    gone = event_id(told, 1)
    told.store.journal.prune(9e9, 2)
    page = told.browser.page("/changes")
    assert serials(page)[-1] == 3
    assert "The journal begins after serial 2" in page
    response = told.browser.get(f"/changes/event?id={gone}")
    assert response.status_code == 404
    assert "It begins after serial 2" in response.text


@pytest.mark.parametrize("id", ["evt_none", "x" * 1000, "'", "%00"])
def test_an_unknown_event_is_not_found(id: str, house: House) -> None:
    assert house.browser.get(f"/changes/event?id={id}").status_code in (400, 404)
    assert house.browser.get("/changes/event").status_code == 400


@pytest.mark.parametrize(
    "query",
    [
        {"before": "0"},
        {"before": "9" * 18},
        {"backend": "hq", "person": "\U0001f600"},
        {"who": '"'},
        {"who": "%_\\"},
        {"type": "none"},
        {"group": "<b>"},
    ],
)
def test_odd_questions_find_nothing_bad(query: dict[str, str], told: House) -> None:
    assert told.browser.get("/changes", query_string=query).status_code == 200
    assert told.browser.get("/changes/new", query_string={**query, "after": "0"}).status_code == 200


@pytest.mark.parametrize("query", [{"before": "x"}, {"who": "\0"}, {"before": "-1"}, {"before": "9" * 30}])
def test_what_cannot_be_meant_is_refused(query: dict[str, str], told: House) -> None:
    assert told.browser.get("/changes", query_string=query).status_code == 400


def test_hostile_values_are_text(house: House) -> None:
    house.put(HOSTILE, HOSTILE, username=HOSTILE, full_name=HOSTILE)
    house.put(HOSTILE, HOSTILE, username=HOSTILE, full_name="x", biography="<b>" + "\x1b[0m" * 3000)
    house.remove(HOSTILE)
    pages = house.browser.page("/changes")
    for serial in range(1, house.store.journal.last_serial() + 1):
        pages += house.browser.page(f"/changes/event?id={event_id(house, serial)}")
    for bad in ("<script>alert", "<b>", "\x07", "\u202e", "\x1b"):
        assert bad not in pages


# -- one change ------------------------------------------------------------------------------------------------------


def about(house: House, serial: int) -> str:
    return text_of(house.browser.page(f"/changes/event?id={event_id(house, serial)}"))


def test_one_change_is_told_whole(told: House) -> None:
    created, updated, joined = about(told, 1), about(told, 2), about(told, 3)
    deleted = about(told, told.store.journal.last_serial())
    assert "Change 1: user.created of Ann (Annette)" in created
    assert "emails ann@example.test (preferred, verified)" in created
    assert "full_name Ann Ann <Two>" in updated
    assert "username the same Annette" in updated
    assert "Group joined staff" in joined
    assert "Groups then staff" in joined
    assert "username Annette deleted" in deleted
    assert "somebody in the directory itself" in created


def test_every_receiver_says_what_became_of_it(house: House) -> None:
    early = house.subscribe("early")
    names = ["fails", "joins", "stops", "other"]
    columns: dict[str, dict[str, Any]] = {
        "joins": {"events": ["membership.*"]},
        "other": {"backend": "hq", "group": "staff"},
    }
    made = {name: house.subscribe(name, f"/{name}", **columns.get(name, {})) for name in names}
    house.receiver.behave("/fails", Behaviour(status=500, persons=("ann",)))
    house.store.subscriptions.change(made["stops"].id, is_active=False)
    with house.delivering():
        house.put("ann")
        house.wait_until_stuck(1)
        house.receiver.wait_for("/hook", 1)
        wait_for(lambda: (one := house.store.subscriptions.get(early.id)) and one.cursor == 1)
        wait_for(lambda: house.store.deliveries.attempts(early.id))
    page = about(house, 1)
    assert re.search(r"early delivered (\S+ \S+ ago|just now) , answered with HTTP status 200", page)
    assert re.search(r"fails waits tried again in .* ; 1 try so far: .*500.* \(HTTP 500\)", page)
    assert "joins not for it it does not ask for this type" in page
    assert "other not for it it is told of hq/staff only" in page
    assert "stops not reached yet it has come to serial 0, and is paused" in page
    late = house.subscribe("late", "/late")
    assert "late before its time the subscription was made later" in about(house, 1)
    house.store.subscriptions.replay_from(late.id, 0)
    assert "late not reached yet it has come to serial 0" in about(house, 1)


def test_what_the_log_no_longer_has_is_said_so(house: House) -> None:
    wiki = house.subscribe("wiki")
    house.put("ann")
    house.store.subscriptions.change(wiki.id, cursor=1)
    assert "wiki delivered the log of tries no longer has it" in about(house, 1)


def test_what_went_in_a_batch_is_known_while_that_is_open(house: House) -> None:
    wiki = house.subscribe("wiki", batch_size=10)
    house.put("ann")
    house.put("bob")
    with writing(house.store._engine) as connection:
        from integration_server.store.schema import open_batches

        rows = [("bat_1", "[[1]]", True), ("bat_2", "[[2]]", False)]
        for id, members, is_settled in rows:
            values = {"id": id, "serials": members, "is_settled": is_settled, "created_at": 1.0}
            connection.execute(open_batches.insert().values(subscription_id=wiki.id, **values))
    assert "wiki delivered while older ones still wait" in about(house, 1)
    assert "wiki handed over in a batch; its answer is not written down yet" in about(house, 2)


def test_many_receivers_come_page_by_page(house: House) -> None:
    for number in range(60):
        house.subscribe(f"r{number:02}", f"/r{number}")
    house.put("ann")
    first = house.browser.page(f"/changes/event?id={event_id(house, 1)}")
    more = re.search(r'<p class="more"><a href="/dashboard([^"]+)"', first)
    assert more is not None
    pages = text_of(first + house.browser.page(unescape(more[1])))
    assert all(f"r{number:02} not reached yet" in pages for number in range(60))
