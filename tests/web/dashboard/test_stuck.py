"""What is stuck: shown by person, and pushed on."""

from __future__ import annotations

import re
import threading
from html import unescape
from typing import Any

import pytest
from werkzeug.test import TestResponse

from integration_server.store.subscriptions import Subscription
from tests.receiver import OK, Behaviour, LocalReceiver
from tests.waiting import wait_for
from tests.web.dashboard.pages import Browser, signed_in
from tests.web.dashboard.telling import HOSTILE, House, make_house
from tests.web.sites import MakeSite

KEYS = {"backend": "hq", "person": "ann"}
EMPTY = "nothing is stuck"


def text_of(page: str) -> str:
    """What a person reads."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def keys(one: Subscription, **fields: Any) -> dict[str, Any]:
    return {"subscription": one.id, **KEYS, **fields}


def twice(browser: Browser, path: str, **fields: Any) -> list[TestResponse]:
    """A form sent by two hands at once."""
    token = browser.form_token()
    answers: list[TestResponse] = []
    begin = threading.Barrier(2)

    def send() -> None:
        begin.wait()
        answers.append(browser.post(path, form_token=token, **fields))

    threads = [threading.Thread(target=send) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


# -- the journey -----------------------------------------------------------------------------------------------------


def test_a_receiver_that_fails_on_one_person_is_mended_and_told(house: House) -> None:
    house.receiver.behave("/hook", Behaviour(status=500, body="Jane's row is <b>broken</b>", persons=("jane",)))
    one = house.subscribe("wiki")
    with house.delivering():
        house.put("jane", full_name="Jane Doe")
        house.put("bob")
        house.put("jane", "staff", full_name="Jane Roe")
        house.receiver.wait_for("/hook", 1)
        house.wait_until_stuck(3)

        seen = text_of(house.browser.page("/stuck"))
        assert "Jane Roe (jane) hq wiki 3 events : membership.added, user.created, user.updated" in seen
        assert "tried again" in seen
        assert "(HTTP 500)" in seen
        assert "Bob" not in seen

        page = house.browser.get("/stuck/person", query_string=keys(one, person="jane")).text
        assert [*re.findall(r"(user\.created|user\.updated|membership\.added)</a>", page)] == [
            *("user.created", "user.updated", "membership.added")
        ]
        assert "Jane&#39;s row is &lt;b&gt;broken&lt;/b&gt;" in page

        house.receiver.behave("/hook", OK)
        assert "asked again now" in house.browser.done("/stuck/retry", **keys(one, person="jane"))
        house.receiver.wait_for("/hook", 4)
        house.wait_until_stuck(0)
        assert [event["type"] for one in house.receiver.requests("/hook") if one.is_taken for event in one.events] == [
            *("user.created", "user.created", "user.updated", "membership.added")
        ]
        wait_for(lambda: EMPTY in house.browser.page("/stuck"))
    entry = house.store.audit_log.page(None, 1)[0]
    assert (entry.action, entry.subject, entry.actor) == ("delivery.retried", one.id, "admin:root")


def test_a_receiver_that_is_down_is_asked_at_once(house: House) -> None:
    house.receiver.refuse()
    one = house.subscribe("wiki")
    with house.delivering():
        house.put("ann")
        wait_for(lambda: (found := house.store.subscriptions.get(one.id)) and found.state == "resting")
        seen = text_of(house.browser.page("/stuck"))
        assert "wiki down: asked again and again" in seen
        assert "Not asked yet up to 1 later change in the journal" in seen
        assert "user.created" in text_of(house.browser.page("/stuck?backend=hq&person=ann"))

        house.receiver.listen()
        assert house.browser.done("/stuck/resume", subscription=one.id) == "wiki is asked again now."
        house.receiver.wait_for("/hook", 1)
        wait_for(lambda: EMPTY in house.browser.page("/stuck"))
        wait_for(lambda: "nothing is missing" in house.browser.page("/stuck?backend=hq&person=ann"))


def test_skipping_lets_what_follows_go(house: House) -> None:
    house.receiver.behave("/hook", Behaviour(status=500, persons=("ann",)))
    one = house.subscribe("wiki")
    with house.delivering():
        house.put("ann")
        house.put("ann", full_name="Ann Two")
        house.wait_until_stuck(2)
        first = house.store.deliveries.find([one.id])[0]
        house.receiver.behave("/hook", OK)
        told = house.browser.done("/stuck/skip", **keys(one, scope="first", delivery=first.id, reason="made by hand"))
        assert told.startswith("Skipped: user.created.")
        (sent,) = [found for found in house.receiver.wait_for("/hook", 1) if found.is_taken]
        assert sent.document["type"] == "user.updated"
        wait_for(lambda: "nothing waits" in house.browser.get("/stuck/person", query_string=keys(one)).text)
        page = text_of(house.browser.page(f"/changes/event?id={first.event_id}"))
        assert re.search(r"wiki skipped .* (ago|now) : made by hand \(root\)", page)
    entry = house.store.audit_log.page(None, 1)[0]
    assert (entry.action, entry.details["reason"]) == ("delivery.skipped", "made by hand (root)")


# -- what is shown ---------------------------------------------------------------------------------------------------


def test_nothing_is_stuck_at_first(house: House) -> None:
    house.subscribe("wiki")
    assert EMPTY in house.browser.page("/stuck")


def test_receivers_in_trouble_are_shown_with_their_reasons(house: House) -> None:
    house.put("zoe")
    for name, columns in {
        "rested": {"state": "resting", "state_reason": "connection refused", "failing_since": 1.0},
        "isolated": {"state": "quarantined", "state_reason": "no answer in time", "next_probe_at": 2.0},
        "gone": {"state": "ended", "state_reason": "410 Gone"},
        "off": {"is_active": False},
        "odd": {"state_reason": "no plugin has the consumer type 'x'"},
        "fine": {},
    }.items():
        one = house.subscribe(name)
        if columns:
            house.store.subscriptions.change(one.id, **columns)
    house.put("ann")
    found = text_of(house.browser.page("/stuck").partition("<h2>People")[0])
    for words in (
        "rested down: asked again and again",
        "connection refused",
        "isolated down for long: asked now and then",
        "gone ended",
        "410 Gone",
        "off paused by a person",
        "odd cannot be told: see the reason",
    ):
        assert words in found
    assert "fine" not in found
    assert "wait_" not in found
    assert found.count("up to 1 later change in the journal") == 4


def test_people_are_found_by_receiver_state_and_name(house: House) -> None:
    wiki, desk = house.subscribe("wiki"), house.subscribe("desk", "/desk")
    house.put("ann", username="Annette")
    house.put("bob")
    house.waiting(wiki, 1, "dead")
    house.waiting(wiki, 2, "held")
    house.waiting(desk, 2, "parked", "bob")
    house.waiting(desk, 3, "parked", "cid")

    def shown(**query: str) -> list[str]:
        page = house.browser.get("/stuck", query_string=query).text
        return re.findall(r'data-label="Waits"><a href="[^"]*person=(\w+)"', page)

    assert sorted(shown()) == ["ann", "bob", "cid"]
    assert shown(subscription=wiki.id) == ["ann"]
    assert shown(state="parked") == ["bob", "cid"]
    assert shown(state="dead") == ["ann"]
    assert shown(state="held") == []
    assert shown(state="nonsense", q="b") == ["bob"]
    assert shown(q=" annett ") == ["ann"]
    assert shown(q="ANN") == ["ann"]
    assert shown(q="%") == []
    assert shown(q="nobody") == []
    assert shown(subscription="none") == []


def test_many_people_come_page_by_page(house: House) -> None:
    wiki = house.subscribe("wiki")
    for number in range(120):
        house.waiting(wiki, number + 1, "dead", f"p{number:03}")
    seen: list[str] = []
    path = "/stuck"
    while path:
        page = house.browser.page(path)
        seen += re.findall(r'data-label="Waits"><a href="[^"]*person=(\w+)"', page)
        found = re.search(r'<p class="more"><a href="/dashboard([^"]+)"', page)
        path = unescape(found[1]) if found else ""
    assert seen == [f"p{number:03}" for number in range(120)]


def test_events_of_one_person_come_page_by_page_in_their_order(house: House) -> None:
    wiki = house.subscribe("wiki")
    for number in range(130, 0, -1):
        house.waiting(wiki, number, "held" if number > 1 else "dead")
    first = house.browser.get("/stuck/person", query_string=keys(wiki)).text
    found = re.search(r'<p class="more"><a href="/dashboard([^"]+)"', first)
    assert found is not None
    pages = first + house.browser.page(unescape(found[1]))
    serials = [int(one) for one in re.findall(r'data-label="Serial" class="number">(\d+)<', pages)]
    assert serials == list(range(1, 131))


def test_whoever_waits_behind_somebody_else_is_told_so(house: House) -> None:
    wiki = house.subscribe("wiki")
    house.put("bob", full_name="Bob Low")
    house.waiting(wiki, 1, "parked", "bob", lane="*")
    house.waiting(wiki, 2, "held", "ann", lane="*")
    page = text_of(house.browser.get("/stuck/person", query_string=keys(wiki)).text)
    assert "Waits behind user.updated about Bob Low (bob)" in page
    told = house.browser.done("/stuck/retry", **keys(wiki))
    assert told == "Nothing of it can be tried now: it waits behind something else, or is on its way."


def test_one_person_is_shown_across_receivers(house: House) -> None:
    wiki, desk = house.subscribe("wiki"), house.subscribe("desk", "/desk", events=["user.deleted"])
    other = house.subscribe("other", "/other", backend="hq", group="staff")
    off = house.subscribe("off", "/off")
    house.store.subscriptions.change(off.id, is_active=False)
    house.put("ann")
    house.waiting(wiki, 1, "dead", event_id=house.store.journal.events(0, 1)[0].id)
    page = text_of(house.browser.page("/stuck?backend=hq&person=ann"))
    assert "wiki 1 event : user.updated" in page
    assert "off (paused): user.created" in page
    for one in (desk, other):
        assert (one.uid or "") not in page.replace("another", "").replace("others", "")
    house.store.subscriptions.replay_snapshot(desk.id)
    assert "desk : a replay of everybody is under way" in text_of(house.browser.page("/stuck?backend=hq&person=ann"))


@pytest.mark.parametrize("path", ["/stuck", "/stuck/person", "/stuck?backend=hq"])
def test_hostile_people_and_receivers_are_text(path: str, house: House) -> None:
    who = HOSTILE
    wiki = house.subscribe("wiki")
    house.store.subscriptions.change(wiki.id, uid="<img src=x>", state="resting", state_reason=HOSTILE)
    house.put(who, username=who, full_name=who)
    house.waiting(wiki, 1, "dead", who, lane="x", error=HOSTILE)
    house.tried(wiki, "evt_1", error=HOSTILE, response=HOSTILE)
    query = {} if path == "/stuck" else {"person": who, "subscription": wiki.id, "backend": "hq"}
    response = house.browser.get(path.partition("?")[0], query_string=query)
    assert response.status_code == 200
    for bad in ("<script>alert", "<img", "\x07", "\u202e"):
        assert bad not in response.text
    link = re.search(r'href="/dashboard(/people/person\?[^"]+)"', response.text)
    assert link is not None
    assert house.browser.client.get("/dashboard" + unescape(link[1])).request.args["id"] == who


@pytest.mark.parametrize(
    "query",
    [
        {"after_subscription": "x", "after_backend": "y", "after_person": "z"},
        {"after_subscription": "x"},
        {"q": "\\"},
        {"q": '"'},
        {"q": "é" * 1000},
        {"person": "nobody", "backend": "none"},
    ],
)
def test_odd_questions_find_nothing(query: dict[str, str], house: House) -> None:
    assert house.browser.get("/stuck", query_string=query).status_code == 200


@pytest.mark.parametrize("query", [{"q": "\0"}, {"q": "x" * 2000}, {"person": "a\0", "backend": "hq"}])
def test_what_cannot_be_meant_is_refused(query: dict[str, str], house: House) -> None:
    assert house.browser.get("/stuck", query_string=query).status_code == 400


def test_secrets_of_receivers_are_not_shown(house: House) -> None:
    one = house.subscribe("wiki", "/hook?token=hunter2", headers={"X-Key": "opensesame"})
    house.store.subscriptions.change(one.id, is_active=False)
    house.put("ann")
    house.waiting(one, 1, "dead")
    pages = house.browser.page("/stuck") + house.browser.get("/stuck/person", query_string=keys(one)).text
    for secret in ("hunter2", "opensesame", one.secrets[0].secret):
        assert secret not in pages


# -- what is done ----------------------------------------------------------------------------------------------------


@pytest.fixture
def wiki(house: House) -> Subscription:
    return house.subscribe("wiki")


def states(house: House) -> list[str]:
    found = house.store.deliveries.find(None) + house.store.deliveries.find(None, "settled")
    return [one.state for one in sorted(found, key=lambda one: one.serial)]


def test_everything_is_tried_again(house: House, wiki: Subscription) -> None:
    desk = house.subscribe("desk", "/desk")
    for serial, (one, state) in enumerate([(wiki, "dead"), (wiki, "parked"), (desk, "dead"), (desk, "held")], 1):
        house.waiting(one, serial, state, f"p{serial}")
    assert house.browser.done("/stuck/retry-all", subscription=wiki.id, state="dead") == "1 event is tried again now."
    assert states(house) == ["parked", "parked", "dead", "held"]
    assert house.browser.done("/stuck/retry-all", state="dead") == "1 event is tried again now."
    assert house.browser.done("/stuck/retry-all", state="parked") == "3 events are tried again now."
    assert house.browser.done("/stuck/retry-all", state="dead") == "Nothing of that kind waits any more."
    assert house.browser.post("/stuck/retry-all", state="held").status_code == 400
    assert house.browser.post("/stuck/retry-all").status_code == 400


def test_all_of_one_person_is_skipped_in_order_up_to_what_was_seen(house: House, wiki: Subscription) -> None:
    for serial, state in enumerate(["dead", "held", "held"], 1):
        house.waiting(wiki, serial, state)
    house.waiting(wiki, 4, "dead", "bob")
    told = house.browser.done("/stuck/skip", **keys(wiki, scope="all", up_to=2, reason="left"))
    assert told == "Skipped: 2 events about this person. wiki is never told of them."
    assert states(house) == ["settled", "settled", "held", "dead"]
    tries = house.store.deliveries.attempts(wiki.id)
    assert [(one.delivery_id, one.error) for one in reversed(tries)] == [
        ("evt_1", "skipped: left (root)"),
        ("evt_2", "skipped: left (root)"),
    ]


def test_what_was_made_into_one_goes_together(house: House) -> None:
    one = house.subscribe("desk", "/desk", coalesce=True)
    house.waiting(one, 1, "held")
    last = house.waiting(one, 2, "parked")
    late = house.waiting(one, 3, "held")
    told = house.browser.done("/stuck/skip", **keys(one, scope="first", delivery=late, reason="x"))
    assert told.startswith("Nothing was done: earlier updates of this person wait")
    house.browser.done("/stuck/skip", **keys(one, scope="first", delivery=last, reason="x"))
    assert states(house) == ["settled", "settled", "held"]
    house.browser.done("/stuck/skip", **keys(one, scope="all", up_to=9, reason="x"))
    assert states(house) == ["settled"] * 3


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("", "Say why"),
        ("  ", "Say why"),
        ("x" * 501, "longer than 500"),
        ("a\x01b", "control characters"),
        ("a\nb", "control characters"),
    ],
)
def test_a_reason_is_needed_and_what_was_given_is_kept(
    reason: str, words: str, house: House, wiki: Subscription
) -> None:
    id = house.waiting(wiki, 1, "dead")
    response = house.browser.post("/stuck/skip", **keys(wiki, scope="first", delivery=id, reason=reason))
    assert response.status_code == 422
    assert words in response.text
    assert states(house) == ["dead"]
    if reason == "x" * 501:
        assert f'value="{reason}"' in response.text


def test_skipping_twice_at_once_skips_one(house: House, wiki: Subscription) -> None:
    house.waiting(wiki, 2, "held")
    id = house.waiting(wiki, 1, "dead")
    answers = twice(house.browser, "/stuck/skip", **keys(wiki, scope="first", delivery=id, reason="once"))
    assert [one.status_code for one in answers] == [303, 303]
    assert states(house) == ["settled", "held"]
    assert len(house.store.deliveries.attempts(wiki.id)) == 1
    assert [one.action for one in house.store.audit_log.page(None, 9)].count("delivery.skipped") == 1


def test_retrying_twice_at_once_delivers_once(house: House, wiki: Subscription) -> None:
    house.put("ann")
    event = house.store.journal.events(0, 1)[0]
    house.waiting(wiki, 1, "dead", event_id=event.id, event_type=event.type)
    house.store.subscriptions.change(wiki.id, cursor=1)
    answers = twice(house.browser, "/stuck/retry", **keys(wiki))
    assert [one.status_code for one in answers] == [303, 303]
    with house.delivering():
        house.receiver.wait_for("/hook", 1)
        house.wait_until_stuck(0)
    assert len(house.receiver.requests("/hook")) == 1


def test_what_settles_between_page_and_click_is_left_alone(house: House, wiki: Subscription) -> None:
    id = house.waiting(wiki, 1, "parked")
    house.store.settlements.drop(wiki.id, ["evt_1"])
    gone = "That event was delivered or skipped meanwhile; nothing was done."
    assert house.browser.done("/stuck/skip", **keys(wiki, scope="first", delivery=id, reason="x")) == gone
    all_gone = "All of it was delivered or skipped meanwhile; nothing was done."
    assert house.browser.done("/stuck/skip", **keys(wiki, scope="all", up_to=1, reason="x")) == all_gone
    assert house.browser.done("/stuck/retry", **keys(wiki)).startswith("Nothing waits here any more")
    assert house.store.deliveries.attempts(wiki.id) == []


def test_somebody_elses_delivery_is_not_skipped(house: House, wiki: Subscription) -> None:
    id = house.waiting(wiki, 1, "dead", "bob")
    house.browser.done("/stuck/skip", **keys(wiki, scope="first", delivery=id, reason="x"))
    assert states(house) == ["dead"]


def test_a_receiver_is_ended_once(house: House, wiki: Subscription) -> None:
    house.waiting(wiki, 1, "dead")
    assert house.browser.done("/stuck/end", subscription=wiki.id) == (
        "wiki was removed, with everything that waited for it."
    )
    assert house.store.subscriptions.get(wiki.id) is None
    assert states(house) == []
    assert house.browser.post("/stuck/end", subscription=wiki.id).status_code == 404
    for path in ("/stuck/resume", "/stuck/retry-all"):
        assert house.browser.post(path, subscription=wiki.id, state="dead").status_code == 404
    for path in ("/stuck/retry", "/stuck/skip"):
        assert house.browser.post(path, **keys(wiki, scope="all", reason="x")).status_code == 404
    assert house.browser.get("/stuck/person", query_string=keys(wiki)).status_code == 404


def test_what_stands_in_the_configuration_is_removed_there(make_site: MakeSite, receiver: LocalReceiver) -> None:
    table = {"type": "webhook", "url": receiver.url("/hook"), "is_active": False}
    house = make_house(make_site, receiver, {"subscriptions.wiki": table})
    house.site.installation.forwarding.bring_configured()
    house.put("ann")
    page = house.browser.page("/stuck")
    assert "remove [subscriptions.wiki] from all.toml" in page
    assert "/stuck/end" not in page
    response = house.browser.post("/stuck/end", subscription="sub_config_wiki")
    assert response.status_code == 409
    assert "[subscriptions.wiki]; remove it there" in response.text
    told = house.browser.done("/stuck/resume", subscription="sub_config_wiki")
    assert "decides again when the server starts next" in told
    found = house.store.subscriptions.get("sub_config_wiki")
    assert found is not None
    assert found.is_active


@pytest.mark.parametrize("path", ["/stuck/retry", "/stuck/skip", "/stuck/resume", "/stuck/end", "/stuck/retry-all"])
def test_forms_of_other_sessions_and_with_fields_missing_do_nothing(
    path: str, house: House, wiki: Subscription
) -> None:
    id = house.waiting(wiki, 1, "dead")
    fields = keys(wiki, scope="first", delivery=id, reason="x", state="dead")
    assert house.browser.post(path, form_token="x", **fields).status_code == 403
    if path != "/stuck/retry-all":
        assert house.browser.post(path, reason="x").status_code == 400
    assert house.browser.get(path).status_code == 404
    assert states(house) == ["dead"]


def test_numbers_in_forms_are_numbers(house: House, wiki: Subscription) -> None:
    house.waiting(wiki, 1, "dead")
    for number in ("x", "-1", "1" * 19, "²"):
        answer = house.browser.post("/stuck/skip", **keys(wiki, scope="first", delivery=number, reason="x"))
        assert answer.status_code == 400
    assert states(house) == ["dead"]


def test_strangers_see_nothing(house: House) -> None:
    assert Browser(house.site).get("/stuck").status_code == 303
    assert signed_in(house.site).get("/stuck").status_code == 200
