"""The first page: it waits for no backend, and tells of all what is known."""

from __future__ import annotations

import re
import threading
import time
from html import unescape
from pathlib import Path

import pytest
import sqlalchemy as sa

from integration_server import BackendUnavailable, Deadline
from integration_server.sdk.certificates import Certificate, Sighting
from integration_server.server.counting import Counting
from integration_server.store.hourly_counts import HourlyCount
from integration_server.store.runs import NewRun
from integration_server.store.schema import deliveries
from tests.directory.memory import DOWN
from tests.forwarding.receivers import subscription, write_events
from tests.scripted_server import OK, ScriptedServer, answering
from tests.servers.certificates import Authority
from tests.waiting import wait_for
from tests.web.dashboard.pages import Browser, signed_in
from tests.web.sites import MakeSite, Site

DAY = 86400.0
WATCHED = {"backends.hq": {"type": "memory", "sync": {"scan_seconds": 3600.0}}}


def flush(site: Site) -> None:
    """What the server does every few seconds."""
    installation = site.installation
    Counting(installation.store, installation.meters.tally, installation.sightings).flush()


def words(text: str) -> str:
    """A page as somebody reads it, in one line; a slow machine's seconds are now, too."""
    text = re.sub(r"(?s)<title>.*?</title>|<head>.*?</head>", " ", text)
    text = " ".join(unescape(re.sub(r"<[^>]+>", " ", text)).split())
    return re.sub(r"just now|\b\d+ s ago", "now", text).replace(" ,", ",")


def section(text: str, name: str) -> str:
    found = re.search(rf'<section aria-labelledby="{name}">(.*?)</section>', text, re.DOTALL)
    assert found is not None
    return words(found[1])


def park(site: Site, id: str, serial: int, state: str, created_at: float, person: str) -> None:
    row = {
        "subscription_id": id,
        "serial": serial,
        "lane": person,
        "event_id": f"evt_{id}_{serial}_{person}"[:40],
        "event_type": "user.updated",
        "backend": "hq",
        "person_id": person,
        "state": state,
        "attempts": 1,
        "created_at": created_at,
        "changed_at": created_at,
    }
    with site.installation.store._engine.begin() as connection:
        connection.execute(sa.insert(deliveries), [row])


# -- backends --------------------------------------------------------------------------------------------------------


def test_page_asks_no_backend(browser: Browser, site: Site) -> None:
    site.world["hq"].hold = threading.Event()
    text = browser.page("/")
    assert "not asked yet" in section(text, "backends")
    assert site.world["hq"].calls == []
    assert 'data-hx-get="/dashboard/overview/backend?backend=hq" data-hx-trigger="load, every 30s"' in text


def test_card_asks_and_says_how_the_backend_is(browser: Browser, site: Site) -> None:
    told = words(browser.page("/overview/backend?backend=hq"))
    assert "hq memory up now, a lookup took" in told
    site.world["hq"].error = DOWN
    assert "up now" in words(browser.page("/overview/backend?backend=hq")), "asked a moment ago"
    assert "up" in section(browser.page("/"), "backends")


def test_backend_that_is_down_says_why(browser: Browser, site: Site) -> None:
    site.world["hq"].error = BackendUnavailable('refused by <script>alert("x")</script>')
    text = browser.page("/overview/backend?backend=hq")
    assert 'down now · Ask now refused by <script>alert("x")</script>' in words(text)
    assert "<script>" not in text


def test_backend_can_be_asked_without_javascript(browser: Browser, site: Site) -> None:
    assert 'href="/dashboard/?ask=hq"' in browser.page("/")
    assert "hq memory up now" in section(browser.page("/?ask=hq"), "backends")
    assert "not asked yet" not in browser.page("/?ask=nowhere")


def test_backend_that_hangs_keeps_one_request_waiting(browser: Browser, site: Site) -> None:
    people = site.world["hq"]
    people.hold = threading.Event()
    other = signed_in(site)
    asking = threading.Thread(target=other.get, args=("/overview/backend?backend=hq",))
    asking.start()
    wait_for(lambda: people.called("check"))
    assert "not asked yet" in browser.page("/overview/backend?backend=hq")
    assert "not asked yet" in browser.page("/?ask=hq")
    people.hold.set()
    asking.join(20)
    assert len(people.called("check")) == 1


@pytest.mark.parametrize("query", ["", "?backend=", "?backend=nowhere", "?backend=" + "x" * 1000, "?backend=%00"])
def test_card_of_a_backend_that_is_gone_says_so(browser: Browser, query: str) -> None:
    response = browser.get(f"/overview/backend{query}")
    assert (response.status_code, "Load the page again" in response.text) == (404, True)


def test_users_are_counted_by_the_latest_comparison(make_site: MakeSite) -> None:
    site = make_site(WATCHED)
    browser, store, now = signed_in(site), site.installation.store, time.time()
    assert "nobody was written down yet" in section(browser.page("/"), "backends")
    store.watches.change("hq", baseline_at=1.0, scanned_at=now - 3700, scan_seconds=2.0, people_count=12_345)
    told = section(browser.page("/"), "backends")
    assert "Users 12 345" in told
    assert "Last read to the end 1 h ago" in told
    assert "Everybody compared 1 h ago, in 2 s" in told
    assert "found by comparing everybody; there is no feed" in told


def test_users_of_a_backend_that_is_not_watched_are_those_of_its_list(browser: Browser, site: Site) -> None:
    assert "Users not counted by itself Last read to the end never" in section(browser.page("/"), "backends")
    site.list()
    told = section(browser.page("/"), "backends")
    assert "Users 2 Last read to the end now" in told
    assert "not looked for (no sync table)" in told


def test_failure_is_told_with_its_beginning(make_site: MakeSite) -> None:
    site = make_site(WATCHED)
    store = site.installation.store
    store.watches.fail("hq", 1_000_000.0, "the server refuses connections")
    store.watches.fail("hq", 1_000_600.0, "<b>no</b> answer")
    told = section(signed_in(site).page("/"), "backends")
    assert "No changes are noticed since 1970-01-12 13:46:40 UTC: <b>no</b> answer" in told
    store.watches.change("hq", failed_at=None, failure=None)
    store.watches.fail("hq", 1_000_900.0, "again")
    assert store.watches.get("hq").failed_at == 1_000_900.0


def test_backend_that_logins_pass_over_is_told_without_asking_it(browser: Browser, site: Site) -> None:
    breaker = site.installation.sources["hq"].breaker
    while not breaker.is_open:
        breaker.failed()
    told = section(browser.page("/"), "backends")
    assert "hq memory down" in told
    assert "Logins pass over it for a while" in told
    assert site.world["hq"].calls == []


def test_run_that_is_held_leads_to_the_guard(make_site: MakeSite) -> None:
    site = make_site(WATCHED)
    run = NewRun("hq", "9 of 10 people would be deleted", "d", 0, {"deleted": 9}, "f", None)
    site.installation.store.runs.hold(run, [])
    text = signed_in(site).page("/")
    assert "The guard holds a run: 9 of 10 people would be deleted" in section(text, "backends")
    assert '<a href="/dashboard/guard">Decide about hq</a>' in text


# -- frontends -------------------------------------------------------------------------------------------------------


def test_frontend_tells_its_lists_and_logins(browser: Browser, site: Site) -> None:
    assert "archive mailstore at /mailstore Last list served none in two weeks" in section(browser.page(), "frontends")
    site.list()
    assert site.accepts("ann", "Ann's password")
    assert not site.accepts("ann", "wrong")
    assert not site.accepts("nobody", "wrong")
    site.world["hq"].error = DOWN
    site.auth("bob", "Bob's password")
    flush(site)
    text = browser.page("/")
    told = section(text, "frontends")
    assert "ok Last list served now, 2 people Last whole list now, 2 people, made in" in told
    assert "Lists in 24 h 1" in told
    assert re.search(r"since \d\d:00 1 2 1 in 24 h 1 2 1", told)
    assert 'aria-label="Logins per hour in the last 48 hours: 1 accepted, 2 refused, 1 unavailable"' in text
    assert re.search(r"<tr><th scope=\"row\">[^<]+:00:00 UTC</th><td>1</td><td>2</td><td>1</td></tr>", text)


def test_hours_of_two_days_and_lists_of_two_weeks_are_drawn(browser: Browser, site: Site) -> None:
    hour = int(time.time() // 3600)
    store = site.installation.store
    logins = [HourlyCount("archive", hour - age, "accepted", 7, 1.0) for age in range(60)]
    people = [HourlyCount("archive", hour - age, "people", 1000 - age, 1.0) for age in range(0, 300, 2)]
    store.hourly_counts.add(logins + people)
    text = browser.page("/")
    assert "Logins per hour in the last 48 hours: 336 accepted, 0 refused, 0 unavailable" in text
    assert text.count('<rect class="good"') == 48
    assert re.search(r'aria-label="People on the list since [^"]+: from 702 to 1000, now 1000"', text)
    (points,) = re.findall(r'<polyline class="line" points="([^"]+)"', text)
    assert len(points.split()) == 150


def test_list_that_failed_and_one_that_is_held_are_told_apart(browser: Browser, site: Site) -> None:
    people = site.world["hq"]
    for number in range(30):
        people.add(f"more{number}")
    site.list()
    people.error = DOWN
    site.list()
    told = section(browser.page("/"), "frontends")
    assert f"no list now backend hq: {DOWN}" in told
    assert "Last whole list now, 32 people" in told
    people.error, people.rows = None, people.rows[:2]
    site.list()
    text = browser.page("/")
    assert "list held now 30 of 32 names that were listed before are missing" in section(text, "frontends")
    assert '<a href="/dashboard/guard">Decide about the list of archive</a>' in text


# -- subscriptions ---------------------------------------------------------------------------------------------------


def test_nobody_is_told(browser: Browser) -> None:
    assert "Nobody is told of changes." in section(browser.page("/"), "receivers")


def test_receiver_that_is_well_has_nothing_to_say(browser: Browser, site: Site) -> None:
    site.installation.store.subscriptions.add(subscription("wiki", "post"))
    assert section(browser.page("/"), "receivers").endswith("Waiting wiki post works 0 none not failing nothing")


def test_receiver_that_lags_is_told_with_the_oldest_event(browser: Browser, site: Site) -> None:
    store, now = site.installation.store, time.time()
    write_events(store, ["ann", "bob"], noticed_at=now - 7200, backend="other")
    write_events(store, ["ann", "bob", "carl"], noticed_at=now - 600)
    store.subscriptions.add(subscription("wiki", "post", 2))
    told = section(browser.page("/"), "receivers")
    assert "wiki post works 3 10 min ago not failing nothing" in told


def test_receiver_that_fails_is_told_with_what_waits(browser: Browser, site: Site) -> None:
    store, now = site.installation.store, time.time()
    write_events(store, ["ann", "bob", "carl"], noticed_at=now - 7200)
    failing = {"failing_since": now - 300, "state": "resting", "state_reason": "it refused <b>connections</b>"}
    store.subscriptions.add(subscription("a wiki/x", "post", 3, created_at=now, **failing))
    store.subscriptions.add(subscription("well", "post", 3, created_at=now - 100))
    store.subscriptions.add(subscription("stuck", "post", 3, created_at=now))
    park(site, "a wiki/x", 2, "parked", now - 60, "bob")
    park(site, "a wiki/x", 3, "held", now - 60, "bob")
    park(site, "stuck", 3, "dead", now - 60, "carl")
    text = browser.page("/")
    told = section(text, "receivers")
    assert (
        "down: asked again and again it refused <b>connections</b> 0 2 h ago 5 min ago 1 tried again, 1 behind others"
        in told
    )
    assert "stuck post takes events, but not all 0 2 h ago not failing 1 given up" in told
    assert told.index("well post") > told.index("stuck post") > told.index("a wiki/x post")
    assert 'href="/dashboard/stuck?subscription=a+wiki%2Fx"' in text
    assert 'href="/dashboard/subscriptions/one?id=a+wiki%2Fx"' in text


@pytest.mark.parametrize(
    ("columns", "state"),
    [
        ({"is_active": False}, "paused by a person"),
        ({"state": "ended", "state_reason": "410 Gone"}, "ended 410 Gone"),
        ({"state": "quarantined", "failing_since": 1.0}, "down for long: asked now and then"),
    ],
)
def test_receiver_that_is_told_nothing_says_why(
    browser: Browser, site: Site, columns: dict[str, object], state: str
) -> None:
    store = site.installation.store
    write_events(store, ["ann"])
    store.subscriptions.add(subscription("wiki", "post", **columns))
    lag = 0 if state.startswith("ended") else 1
    assert f"wiki post {state} {lag} " in section(browser.page("/"), "receivers")


def test_secrets_of_receivers_are_not_shown(browser: Browser, site: Site) -> None:
    settings = {"url": "https://wiki.example.org/?key=geheim", "headers": {"X": "geheim"}}
    site.installation.store.subscriptions.add(subscription("wiki", "post", settings=settings))
    assert "geheim" not in browser.page("/")


def test_of_many_receivers_those_with_trouble_are_shown(browser: Browser, site: Site) -> None:
    store = site.installation.store
    for number in range(60):
        store.subscriptions.add(subscription(f"s{number:02}", "post", created_at=float(number)))
    store.subscriptions.add(subscription("late", "post", created_at=99.0, failing_since=1.0))
    told = section(browser.page("/"), "receivers")
    assert told.index("late post takes events, but not all") < told.index("s00 post works")
    assert "s48" in told
    assert "s49" not in told
    assert "These are the first 50" in told


# -- certificates ----------------------------------------------------------------------------------------------------


def test_certificates_that_run_out_are_listed(browser: Browser, site: Site) -> None:
    now = time.time()
    ends = {"far": 61.0, "soon": 45.5, "warned": 20.5, "urgent": 3.5, "today": 0.5, "<b>over</b>": -2.0}
    seen = [Sighting(Certificate(name, now + days * DAY), now - 60) for name, days in ends.items()]
    assert "None of those" in section(browser.page("/"), "certificates")
    site.installation.store.certificates.put(seen)
    text = browser.page("/")
    told = section(text, "certificates")
    assert "far" not in told
    places = [told.index(name) for name in ("<b>over</b>", "today", "urgent", "warned", "soon")]
    assert places == sorted(places)
    assert '<span class="state bad">has run out</span>' in text
    assert '<span class="state bad">ends today</span>' in text
    assert '<span class="state bad">3 days left</span>' in text
    assert '<span class="state warn">20 days left</span>' in text
    assert '<span class="state idle">45 days left</span>' in text


def test_certificates_of_backends_come_from_their_checks(make_site: MakeSite, tmp_path: Path) -> None:
    plugin = (
        "import time\n"
        "from integration_server import Certificate, Finding, hookimpl\n"
        "from tests.directory.memory import MemoryBackend\n"
        "class Shown(MemoryBackend):\n"
        '    type = "shown"\n'
        "    def check(self, deadline):\n"
        '        yield Finding("ok", "x", (Certificate("ldaps://dc1.example.org", time.time() + 86400 * 9.5),))\n'
        "@hookimpl\n"
        "def register_backends():\n"
        "    return [Shown]\n"
    )
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "shown.py").write_text(plugin)
    site = make_site({"backends.hq": {"type": "shown"}})
    browser = signed_in(site)
    browser.page("/?ask=hq")
    flush(site)
    assert "ldaps://dc1.example.org 9 days left" in section(browser.page("/"), "certificates")


def test_certificates_of_receivers_come_from_deliveries(make_site: MakeSite, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    authority.create()
    site = make_site({"forwarding": {"allow_networks": ["127.0.0.0/8"]}})
    with ScriptedServer(answering(OK), authority.issue("old", is_expired=True)) as server:
        url = server.url("/hook?key=geheim")
        site.installation.forwarding.http.post(url, b"{}", {}, Deadline(5.0), is_verified=False)
    flush(site)
    text = signed_in(site).page("/")
    assert url.partition("/hook")[0] + " has run out" in section(text, "certificates")
    assert "geheim" not in text


# -- the server ------------------------------------------------------------------------------------------------------


def test_server_tells_of_itself(browser: Browser, site: Site) -> None:
    told = section(browser.page("/"), "server")
    assert re.search(r"Version \d+\.\d+\.\d+ Runs since .* Process \d+ on \S+ Signed in 1: root", told)


def test_work_that_has_ended_is_told(browser: Browser, site: Site) -> None:
    class Ended:
        name = "watching and delivering"
        has_ended = True

    site.installation.duties.add([Ended()])  # type: ignore[list-item]
    assert "watching and delivering has ended: see the log" in section(browser.page("/"), "server")


def test_parts_are_for_administrators_alone(site: Site) -> None:
    signed_in(site)
    for path in ("/overview/rest", "/overview/backend?backend=hq"):
        response = Browser(site).get(path)
        assert (response.status_code, "The session has ended" in response.text) == (401, True)
    assert site.world["hq"].calls == []


def test_part_is_a_piece_of_the_page(browser: Browser) -> None:
    text = browser.page("/overview/rest")
    assert "<html" not in text
    assert text.strip() in browser.page("/")


def test_part_that_fails_is_a_piece_too(browser: Browser, site: Site) -> None:
    with site.installation.store._engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE hourly_counts"))
    response = browser.get("/overview/rest", headers={"HX-Request": "true"})
    assert (response.status_code, "<html" in response.text) == (503, False)
    assert "The server's own store cannot be used" in unescape(response.text)


def test_page_without_a_store_says_so(browser: Browser, site: Site) -> None:
    with site.installation.store._engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE hourly_counts"))
    for path in ("/", "/overview/rest"):
        response = browser.get(path)
        assert response.status_code == 503
        assert "The server's own store cannot be used" in unescape(response.text)
