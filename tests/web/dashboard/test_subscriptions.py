"""Subscriptions in the dashboard: made, tried, changed, paused, replayed and removed, with a real receiver."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from integration_server.store.journal import Change
from integration_server.store.resources import Resource
from integration_server.store.subscriptions import DASHBOARD_OWNER, StoredSecret, Subscription, new_subscription_id
from integration_server.web.api import Receivers
from integration_server.web.app import create_app
from integration_server.web.dashboard import create_dashboard
from integration_server.web.monitoring import BackendHealth
from tests.receiver import Behaviour, LocalReceiver
from tests.web.api.conftest import person
from tests.web.dashboard.pages import Browser, signed_in
from tests.web.sites import DISABLED, MakeSite, Site

HOSTILE = "<script>alert(1)</script>\"' & ünïcode " + "x" * 100
SECRET = re.compile(r"whsec_[A-Za-z0-9+/=]+")


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[LocalReceiver]:
    with LocalReceiver(tmp_path / "receiver") as opened:
        yield opened


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    """With webhooks, and one of them in the configuration."""
    return make_site(
        {
            "plugins": {"disabled": [name for name in DISABLED if name != "webhook"]},
            "forwarding": {"allow_networks": ["127.0.0.0/8"]},
            "subscriptions.crm": {
                "type": "webhook",
                "url": "https://crm.example/hook?key=hush-hush",
                "headers": {"X-Key": "hush-hush"},
            },
        }
    )


def make(browser: Browser, **fields: Any) -> tuple[Subscription, str]:
    """A subscription made by the form, and its secret."""
    given = {"type": "webhook", "uid": "wiki", "url": "https://wiki.example/hook", "events": "*", "batch_size": "1"}
    response = browser.post("/subscriptions/new", **{**given, **fields})
    assert response.status_code == 200, response.text
    secret = SECRET.search(unescape(response.text))
    made = browser.site.installation.store.subscriptions.by_uid(DASHBOARD_OWNER, str(fields.get("uid", "wiki")))
    assert secret is not None
    assert made is not None
    return made, secret[0]


def stored(browser: Browser, one: Subscription) -> Subscription:
    found = browser.site.installation.store.subscriptions.get(one.id)
    assert found is not None
    return found


def page(browser: Browser, one: Subscription) -> str:
    return browser.page("/subscriptions/one", query_string={"id": one.id})


def edit(browser: Browser, one: Subscription, **fields: Any) -> Any:
    given = {"id": one.id, "uid": one.uid or "", "url": "https://wiki.example/hook?key=***", "events": list(one.events)}
    given |= {"headers": "Authorization: ***", "batch_size": str(one.batch_size)}
    return browser.post("/subscriptions/edit", **{**given, **fields})


def actions(browser: Browser) -> list[str]:
    return [entry.action for entry in browser.site.installation.store.audit_log.page(None, 50)]


def noticed(site: Site, *ids: str) -> int:
    """Let people be noticed; the last serial."""
    journal = site.installation.store.journal
    for id in ids:
        document = person(id)
        journal.apply(
            "hq", [Change("update", id, repr(document).encode()[-16:].ljust(16), document)], journal.last_serial()
        )
    return journal.last_serial()


# -- made ------------------------------------------------------------------------------------------------------------


def test_a_subscription_is_made_and_its_secret_shown_once(browser: Browser) -> None:
    made, secret = make(
        browser,
        url="https://wiki.example/hook?key=hush-hush",
        headers="Authorization: Bearer hush-hush\r\nX-Tenant: 7\r\n",
        backend="hq",
        group="staff",
        events=["user.created", "user.deleted"],
        batch_size="50",
        rate_per_second="2.5",
        coalesce="yes",
    )
    assert made.settings["headers"] == {"Authorization": "Bearer hush-hush", "X-Tenant": "7"}
    assert (made.resource, made.events) == (Resource("group", "hq", "staff"), ("user.created", "user.deleted"))
    assert (made.batch_size, made.rate_per_second, made.is_coalescing) == (50, 2.5, True)
    assert [kept.secret for kept in made.secrets] == [secret]
    for text in (page(browser, made), browser.page("/subscriptions"), browser.page("/")):
        assert "hush-hush" not in text
        assert secret not in unescape(text)
    shown = page(browser, made)
    assert "https://wiki.example/hook?key=***" in shown
    assert "group staff of hq" in shown
    assert "the dashboard" in shown
    assert actions(browser)[0] == "subscription.created"


def test_page_of_one_says_which_server_it_is_of(browser: Browser) -> None:
    made, _ = make(browser)
    version = re.compile(r'style\.css\?[^"]*|<small>[^<]*</small>')
    assert version.findall(page(browser, made)) == version.findall(browser.page("/"))


def test_two_of_one_name_are_not_made(browser: Browser) -> None:
    make(browser)
    response = browser.post(
        "/subscriptions/new", type="webhook", uid="wiki", url="https://x.example/", batch_size="1", events="*"
    )
    assert response.status_code == 422
    assert "There is a subscription with this name already." in response.text


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"uid": ""}, "Give it a name"),
        ({"uid": "a\x07b"}, "Holds characters that have no place here."),
        ({"uid": "x" * 201}, "200"),
        ({"url": "ftp://x.example/"}, "Must begin with https:// or http://."),
        ({"url": ""}, "fault-url"),
        ({"url": "https://me:pass@x.example/"}, "must not hold a user name"),
        ({"url": "https://10.0.0.1/"}, "10.0.0.1"),
        ({"url": "https://x.example/?k=***"}, "no value of before behind the asterisks"),
        ({"headers": "no colon"}, "Write one header a line"),
        ({"headers": "A: 1\nA: 2"}, "given twice"),
        ({"headers": "Content-Type: x"}, "written by the server itself"),
        ({"headers": "Bad Name: x"}, "fault-headers"),
        ({"backend": "none"}, "There is no backend none."),
        ({"group": "staff"}, "Choose the backend"),
        ({"events": []}, "fault-events"),
        ({"events": "user.exploded"}, "fault-events"),
        ({"batch_size": "many"}, "fault-batch_size"),
        ({"batch_size": ""}, "fault-batch_size"),
        ({"batch_size": "0"}, "fault-batch_size"),
        ({"rate_per_second": "1e999"}, "fault-rate_per_second"),
        ({"rate_per_second": "nan"}, "fault-rate_per_second"),
        ({"start": "serial"}, "Must be a whole number"),
        ({"start": "serial", "serial": "99"}, "The journal has not come so far."),
        ({"type": "nothing"}, "there is no such receiver"),
        ({"url": HOSTILE}, "fault-url"),
    ],
)
def test_what_is_wrong_is_told_beside_its_field(browser: Browser, fields: dict[str, Any], fault: str) -> None:
    given = {"type": "webhook", "uid": "wiki", "url": "https://x.example/", "events": "*", "batch_size": "1", **fields}
    response = browser.post("/subscriptions/new", **given)
    assert response.status_code == 422
    assert fault.lower() in unescape(response.text).lower()
    assert "<script>alert" not in response.text
    assert browser.site.installation.store.subscriptions.count(DASHBOARD_OWNER) == 0


def test_receiver_is_asked_first_where_that_is_wanted(browser: Browser, receiver: LocalReceiver) -> None:
    given = {"type": "webhook", "uid": "wiki", "url": receiver.url("/hook"), "events": "*", "batch_size": "1"}
    response = browser.post("/subscriptions/new", **given, verify_intent="yes")
    assert response.status_code == 422
    assert receiver.count("/hook").requests == 1
    assert browser.site.installation.store.subscriptions.count(DASHBOARD_OWNER) == 0


def test_a_new_one_begins_where_it_is_told_to(browser: Browser, site: Site) -> None:
    last = noticed(site, "ann", "bob", "eve")
    assert make(browser, uid="now")[0].cursor == last
    assert make(browser, uid="from", start="serial", serial="1")[0].cursor == 1
    everybody, _ = make(browser, uid="everybody", start="everybody")
    assert (everybody.cursor, everybody.replay_serial, everybody.replay_key) == (last, last, 0)


# -- shown -----------------------------------------------------------------------------------------------------------


def test_configured_one_is_shown_with_its_file_and_changed_there_alone(browser: Browser, site: Site) -> None:
    assert "crm stands in the configuration, and begins when" in browser.page("/subscriptions")
    site.installation.forwarding.bring_configured()
    one = site.installation.store.subscriptions.by_uid("config", "crm")
    assert one is not None
    listed, shown = browser.page("/subscriptions"), page(browser, one)
    for text in (listed, shown):
        assert "[subscriptions.crm]" in text
        assert "hush-hush" not in text
    assert "Change the settings" not in shown
    for path in ("edit", "remove"):
        response = browser.post(f"/subscriptions/{path}", id=one.id, uid="x")
        assert (response.status_code, "Nothing was done." in response.text) == (409, True)
    assert "The configuration decides again" in browser.done("/subscriptions/pause", id=one.id)
    assert not stored(browser, one).is_active


def test_names_of_any_kind_are_shown_and_found(browser: Browser) -> None:
    made, _ = make(browser, uid=HOSTILE)
    listed = browser.page("/subscriptions", query_string={"q": "<script>"})
    assert "<script>alert" not in listed
    assert HOSTILE in unescape(listed)
    assert HOSTILE in unescape(page(browser, made))


def test_subscriptions_are_paged_and_chosen_by_owner(browser: Browser, site: Site) -> None:
    first, _ = make(browser, uid="first")
    for number in range(120):
        site.installation.store.subscriptions.add(replace(first, id=f"sub_{number}", uid=f"n{number}", owner="cli"))
    text, seen = browser.page("/subscriptions", query_string={"owner": "cli"}), []
    while True:
        seen += re.findall(r'subscriptions/one\?id=([^"]+)"', text)
        more = re.search(r'href="/dashboard([^"]+)" rel="next"', text)
        if more is None:
            break
        text = browser.page(unescape(more[1]))
    assert sorted(seen) == sorted(f"sub_{number}" for number in range(120))


def test_channels_are_counted_and_paged(browser: Browser, site: Site) -> None:
    store = site.installation.store
    token, _ = store.tokens.create(HOSTILE, ["subscriptions:write"], [Resource()])
    made, _ = make(browser)
    for number in range(60):
        new = replace(made, id=new_subscription_id(), owner=token.id, uid=f"c{number:03}", type="push", settings={})
        store.bound_channels.bind(new)
    listed = browser.page("/subscriptions")
    assert "Push channels" in listed
    assert ">60<" in listed
    text = browser.page("/subscriptions/channels", query_string={"owner": token.id})
    assert text.count("/subscriptions/one?id=") == 50
    more = re.search(r'href="/dashboard([^"]+)" rel="next"', text)
    assert more is not None
    assert browser.page(unescape(more[1])).count("/subscriptions/one?id=") == 10
    channel = store.subscriptions.by_uid(token.id, "c000")
    assert channel is not None
    shown = page(browser, channel)
    assert "asks by itself" in shown
    assert "Send a test event" not in shown
    for what, fields in [("test", {}), ("rotate", {}), ("edit", {"uid": "x"}), ("replay", {"replay": "everybody"})]:
        assert browser.post(f"/subscriptions/{what}", id=channel.id, **fields).status_code == 409
    assert browser.done("/subscriptions/pause", id=channel.id)
    assert "paused" in page(browser, channel)
    store.tokens.revoke(HOSTILE)
    assert browser.post("/subscriptions/resume", id=channel.id).status_code == 409
    assert browser.done("/subscriptions/remove", id=channel.id)


@pytest.mark.parametrize("what", ["test", "rotate", "pause", "resume", "replay", "remove", "edit"])
@pytest.mark.parametrize("id", ["", "none", "x" * 1_000, HOSTILE])
def test_what_is_not_there_is_a_page_with_words(browser: Browser, what: str, id: str) -> None:
    response = browser.post(f"/subscriptions/{what}", id=id)
    assert response.status_code == 404
    assert "There is no such subscription." in response.text
    assert browser.get("/subscriptions/one", query_string={"id": id}).status_code == 404


# -- changed ---------------------------------------------------------------------------------------------------------


def test_masked_values_stay_when_others_change(browser: Browser) -> None:
    made, _ = make(browser, url="https://wiki.example/hook?key=hush-hush", headers="Authorization: Bearer hush-hush")
    assert edit(browser, made, uid="helpdesk", batch_size="7", events="user.exploded").status_code == 422
    assert edit(browser, made, uid="helpdesk", batch_size="7", events="user.updated", backend="hq").status_code == 303
    changed = stored(browser, made)
    assert changed.settings == made.settings
    assert (changed.uid, changed.batch_size, changed.events) == ("helpdesk", 7, ("user.updated",))
    assert changed.resource == Resource("backend", "hq")

    edited = edit(
        browser, changed, url="https://wiki.example/new?key=other", headers="Authorization: ***\nX-New: 1", backend="hq"
    )
    assert edited.status_code == 303
    assert stored(browser, made).settings == {
        "type": "webhook",
        "url": "https://wiki.example/new?key=other",
        "headers": {"Authorization": "Bearer hush-hush", "X-New": "1"},
    }
    assert actions(browser)[0] == "subscription.changed"


def test_settings_that_have_no_field_stay(browser: Browser, site: Site) -> None:
    settings = {
        "type": "webhook",
        "url": {"env": "HOME_OF_HOOKS"},
        "timeout_seconds": 5.0,
        "allow_networks": ["10.0.0.0/8"],
    }
    made, _ = make(browser)
    site.installation.store.subscriptions.change(made.id, settings=settings)
    assert "kept in env HOME_OF_HOOKS" in page(browser, made)
    assert edit(browser, made, url="https://x.example/", headers="").status_code == 303
    assert stored(browser, made).settings == {**settings, "url": "https://x.example/"}


def test_what_is_wrong_with_a_change_is_told_and_nothing_changed(browser: Browser) -> None:
    made, _ = make(browser)
    make(browser, uid="other")
    for fields, fault in [
        ({"url": "https://x.example/?a=***"}, "asterisks"),
        ({"headers": "X-None: ***"}, "asterisks"),
        ({"uid": "other"}, "There is a subscription with this name already."),
        ({"events": []}, "fault-events"),
        ({"url": "https://x.example/", "headers": "", "backend": "gone"}, "There is no backend gone."),
    ]:
        response = edit(browser, made, **{"url": "https://wiki.example/hook", "headers": "", **fields})
        assert (response.status_code, fault in response.text) == (422, True), response.text
    assert stored(browser, made) == made


def test_what_a_frontend_registered_is_not_edited(browser: Browser, site: Site) -> None:
    made, _ = make(browser)
    site.installation.store.subscriptions.add(replace(made, id="sub_f", owner="frontend:archive"))
    assert "frontend archive" in browser.page("/subscriptions/one?id=sub_f")
    assert browser.post("/subscriptions/edit", id="sub_f", uid="x").status_code == 409


# -- tried, paused, replayed, removed --------------------------------------------------------------------------------


def test_a_test_event_is_sent_and_its_outcome_told(browser: Browser, receiver: LocalReceiver) -> None:
    made, secret = make(browser, url=receiver.url("/hook?key=hush-hush"))
    told = browser.done("/subscriptions/test", id=made.id)
    assert "The receiver took a test event." in told
    assert "200" in told
    (request,) = receiver.wait_for("/hook", 1)
    assert request.document["type"] == "test.ping"
    assert request.is_signed_with(secret)

    receiver.behave("/hook", Behaviour(status=503, body="<b>out</b> of hush-hush"))
    told = browser.done("/subscriptions/test", id=made.id)
    assert "did not take a test event" in told
    assert "503" in told
    assert "hush-hush" not in told


def test_receiver_that_is_not_there_is_told(browser: Browser, receiver: LocalReceiver) -> None:
    made, _ = make(browser, url=receiver.url("/hook"))
    receiver.refuse()
    assert "did not take a test event" in browser.done("/subscriptions/test", id=made.id)


def test_only_so_many_wait_for_receivers_at_one_time(browser: Browser, site: Site) -> None:
    made, _ = make(browser)
    facts = site.installation._dashboard_facts(*_facts(site))
    app = create_app({}, dashboard=create_dashboard(facts))
    other = Browser(replace_app(site, app))
    other.sign_in()
    with facts.receivers.asking(), facts.receivers.asking(), facts.receivers.asking(), facts.receivers.asking():
        response = other.post("/subscriptions/test", id=made.id)
    assert response.status_code == 503
    assert "Too many receivers are being asked" in response.text


def test_process_that_delivers_nothing_says_so(browser: Browser, site: Site) -> None:
    made, _ = make(browser)
    facts = site.installation._dashboard_facts(*_facts(site))
    facts = replace(facts, api=replace(facts.api, engine=None))
    other = Browser(replace_app(site, create_app({}, dashboard=create_dashboard(facts))))
    other.sign_in()
    assert "A test is not possible here" in page(other, made)
    response = other.post("/subscriptions/test", id=made.id)
    assert response.status_code == 503
    assert "delivers nothing" in response.text


def test_secret_is_changed_and_the_old_one_signs_for_a_day(browser: Browser, receiver: LocalReceiver) -> None:
    made, old = make(browser, url=receiver.url("/hook"))
    response = browser.post("/subscriptions/rotate", id=made.id)
    new = SECRET.search(unescape(response.text))
    assert new is not None
    assert new[0] != old
    browser.done("/subscriptions/test", id=made.id)
    (request,) = receiver.wait_for("/hook", 1)
    assert request.is_signed_with(old)
    assert request.is_signed_with(new[0])
    shown = unescape(page(browser, made))
    assert "an old one until" in shown
    assert new[0] not in shown
    assert actions(browser)[0] == "subscription.secret_rotated"


def test_secret_that_stands_in_settings_is_changed_there(browser: Browser, site: Site) -> None:
    made, secret = make(browser)
    settings = {**made.settings, "secret": secret}
    site.installation.store.subscriptions.change(made.id, settings=settings, secrets=(StoredSecret(secret),))
    assert secret not in unescape(page(browser, made))
    assert browser.post("/subscriptions/rotate", id=made.id).status_code == 409


def test_pause_and_resume(browser: Browser) -> None:
    made, _ = make(browser)
    assert browser.done("/subscriptions/pause", id=made.id)
    assert not stored(browser, made).is_active
    assert browser.done("/subscriptions/pause", id=made.id), "twice is once"
    assert browser.done("/subscriptions/resume", id=made.id)
    assert stored(browser, made).is_active
    assert actions(browser)[:3] == ["subscription.resumed", "subscription.paused", "subscription.paused"]


def test_one_that_ended_before_what_is_kept_must_begin_elsewhere(browser: Browser, site: Site) -> None:
    made, _ = make(browser)
    noticed(site, "ann", "bob")
    store = site.installation.store
    store.subscriptions.change(made.id, state="ended", is_active=False)
    store.journal.prune(time.time() + 1_000, 100)
    response = browser.post("/subscriptions/resume", id=made.id)
    assert response.status_code == 409
    assert "no longer kept" in response.text


def test_replay_from_a_serial_since_a_time_and_of_everybody(browser: Browser, site: Site) -> None:
    made, _ = make(browser)
    last = noticed(site, "ann", "bob")
    assert "everything after serial 1" in browser.done("/subscriptions/replay", id=made.id, replay="serial", serial="1")
    assert stored(browser, made).cursor == 1
    browser.done("/subscriptions/replay", id=made.id, replay="since", since="2020-01-31T08:00")
    assert stored(browser, made).cursor == 0
    browser.done("/subscriptions/replay", id=made.id, replay="everybody")
    assert (stored(browser, made).cursor, stored(browser, made).replay_serial) == (last, last)
    assert actions(browser)[:3] == ["subscription.replayed"] * 3


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"replay": "serial"},
        {"replay": "serial", "serial": "-1"},
        {"replay": "serial", "serial": "999"},
        {"replay": "serial", "serial": "9" * 30},
        {"replay": "since"},
        {"replay": "since", "since": "yesterday"},
        {"replay": "since", "since": "2020-13-45T99:99"},
        {"replay": "all"},
    ],
)
def test_replay_of_what_cannot_be_meant_is_refused_in_words(browser: Browser, fields: dict[str, str]) -> None:
    made, _ = make(browser)
    response = browser.post("/subscriptions/replay", id=made.id, **fields)
    assert response.status_code in (409, 422)
    assert "Nothing was done." in response.text
    assert stored(browser, made).epoch == made.epoch


def test_removed_is_gone_for_good(browser: Browser) -> None:
    made, _ = make(browser)
    assert "wiki is told nothing any more." in browser.done("/subscriptions/remove", id=made.id)
    assert browser.post("/subscriptions/remove", id=made.id).status_code == 404
    assert actions(browser)[0] == "subscription.removed"


def test_subscription_of_the_dashboard_is_not_ended_with_a_token(browser: Browser, site: Site) -> None:
    made, _ = make(browser)
    site.installation.store.tokens.create("wiki", ["events:read"], [Resource()])
    site.installation.store.tokens.revoke("wiki")
    site.installation.store.bound_channels.end_orphans()
    assert stored(browser, made).state == "ok"


def _facts(site: Site) -> tuple[Any, Any, Any]:
    api = site.installation._api_facts()
    return api, Receivers(api), BackendHealth(site.installation.sources)


def replace_app(site: Site, app: Any) -> Site:
    made = Site(site.installation)
    made.app = app
    return made


def test_masked_headers_go_to_no_other_machine(browser: Browser) -> None:
    one, _ = make(browser, headers="Authorization: Bearer of-the-wiki\nX-Plain: 1")
    fields = {"id": one.id, "uid": "wiki", "events": "*", "batch_size": "1"}
    masked = "Authorization: ***\nX-Plain: ***"
    for url in ("https://evil.example/hook", "http://wiki.example/hook", "https://wiki.example:8443/hook"):
        response = browser.post("/subscriptions/edit", **fields, url=url, headers=masked)
        assert response.status_code == 422
        assert "write the values of the headers anew" in response.text
        assert stored(browser, one).settings == one.settings
    browser.done("/subscriptions/edit", **fields, url="https://wiki.example/elsewhere", headers=masked)
    assert stored(browser, one).settings["headers"]["Authorization"] == "Bearer of-the-wiki"
    browser.done("/subscriptions/edit", **fields, url="https://other.example/", headers="Authorization: Bearer new")
    assert stored(browser, one).settings["headers"] == {"Authorization": "Bearer new"}


def test_of_two_who_change_one_at_one_time_the_second_is_asked(browser: Browser, site: Site) -> None:
    one, _ = make(browser)
    loaded = re.search(r'name="changed_at" value="([^"]+)"', page(browser, one))
    assert loaded is not None
    mine = {"url": "https://wiki.example/mine", "headers": "", "changed_at": loaded[1]}
    assert edit(signed_in(site), one, url="https://wiki.example/theirs", headers="").status_code == 303
    response = edit(browser, one, **mine)
    assert response.status_code == 422
    assert "Somebody changed it after you had loaded the page" in response.text
    assert 'value="https://wiki.example/mine"' in response.text
    assert stored(browser, one).settings["url"] == "https://wiki.example/theirs"
    again = re.search(r'name="changed_at" value="([^"]+)"', response.text)
    assert again is not None
    assert edit(browser, one, **{**mine, "changed_at": again[1]}).status_code == 303
    assert stored(browser, one).settings["url"] == "https://wiki.example/mine"
