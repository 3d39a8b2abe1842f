"""Searching people, everything about one of them, and trying a login."""

from __future__ import annotations

import json
import logging
import re
import sqlite3
import threading
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

from integration_server.builtin.csv_file import CsvBackend
from integration_server.server.workers import run_once
from tests.directory.memory import DOWN
from tests.servers import Slapd
from tests.web.dashboard.pages import ADMIN, Browser, signed_in
from tests.web.sites import DISABLED, MakeSite, Site

ODD = "\"><script>alert(1)</script>&'\u202e"
WRONG = "Wr0ng & secret pass"


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    """A watched backend, and one that is not; both behind the frontend "archive"."""
    site = make_site(
        {"backends.hq": {"type": "memory", "sync": {}}, "backends.lab": {"type": "memory"}}, backends=["hq", "lab"]
    )
    hq = site.world["hq"]
    hq.add("ann", "Ann's password", cn="Ann Lee", mail=["ann@example.com", "a.lee@example.com"], ou=["staff"])
    hq.add("bob", "Bob's password", cn="Bob Übel")
    site.world["lab"].add("zoe", "Zoe's password", mail=["zoe@lab.example"])
    run_once(site.installation, "hq")
    return site


def person_path(backend: str, person_id: str, **more: str) -> str:
    return "/people/person?" + urlencode({"backend": backend, "id": person_id, **more})


def names(page: str) -> list[str]:
    return re.findall(r'data-label="User name"><a [^>]*>([^<]*)<', page)


def ask(browser: Browser, backend: str, person_id: str) -> str:
    return browser.page(person_path(backend, person_id, ask="1"))


# -- searching -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["ANN", "nn le", "a.lee@", "EXAMPLE.com", "ann"])
def test_people_are_found_by_parts_of_names_and_addresses(browser: Browser, text: str) -> None:
    assert names(browser.page(f"/people?q={quote(text)}")) == ["ann"]


def test_everybody_is_listed_where_nothing_was_typed(site: Site, browser: Browser) -> None:
    everybody = names(browser.page("/people"))
    assert {"ann", "bob"} <= set(everybody)
    assert names(browser.page("/people?q=&backend=hq")) == everybody
    assert names(browser.page("/people?q=&backend=lab")) == [], "whose people nobody wrote down"
    for n in range(60):
        site.world["hq"].add(f"crowd{n:03}")
    run_once(site.installation, "hq")
    page = browser.page("/people?backend=hq")
    assert len(names(page)) == 50
    following = re.search(r'<a href="/dashboard([^"]+)" rel="next">Show more people', page)
    assert following is not None
    assert names(browser.page(following[1].replace("&amp;", "&")))[-1] == "crowd059"


def test_whoever_has_just_the_id_comes_first(site: Site, browser: Browser) -> None:
    site.world["hq"].add("agent12", no=500)
    site.world["hq"].add("007", no="12x")
    site.world["hq"].add("x", no="12")
    run_once(site.installation, "hq")
    assert names(browser.page("/people?q=12")) == ["x", "agent12", "007"]


def test_nothing_is_asked_where_the_store_knows(site: Site, browser: Browser) -> None:
    before = list(site.world["hq"].calls), list(site.world["lab"].calls)
    browser.page("/people?q=zoe")
    browser.page("/people?q=&backend=lab")
    browser.page(person_path("hq", "1"))
    assert (site.world["hq"].calls, site.world["lab"].calls) == before


def test_backend_that_nobody_watches_is_asked_for_exact_names_on_demand(site: Site, browser: Browser) -> None:
    page = browser.page("/people?q=zoe")
    assert names(page) == []
    assert "Ask lab for exactly this name" in page
    for text in ("zoe", "ZOE@lab.example", "1"):
        assert names(browser.page(f"/people?q={quote(text)}&backend=lab")) == ["zoe"], text
    assert "nobody with just this name" in browser.page("/people?q=zo&backend=lab")
    assert "users" not in [name for name, _ in site.world["lab"].calls], "nobody lists everybody for that"


def test_outage_is_told_as_an_outage(site: Site, browser: Browser) -> None:
    site.world["lab"].error = DOWN
    page = browser.page("/people?q=zoe&backend=lab")
    assert "lab could not be asked" in page
    assert "nobody" not in page.lower()


def test_search_goes_on_page_by_page(site: Site, browser: Browser) -> None:
    for n in range(120):
        site.world["hq"].add(f"crowd{n:03}")
    run_once(site.installation, "hq")
    got: list[str] = []
    path: str | None = "/people?q=crowd"
    while path:
        page = browser.page(path)
        got += names(page)
        following = re.search(r'<a href="/dashboard([^"]+)" rel="next"', page)
        path = following[1].replace("&amp;", "&") if following else None
    assert got == [f"crowd{n:03}" for n in range(120)]


@pytest.mark.parametrize("text", ["%", "_", "\\", "'", '"', "\0", "x" * 3000, ODD, "%00", "\N{GRINNING FACE}"])
def test_odd_texts_find_nobody_and_break_nothing(browser: Browser, text: str) -> None:
    for backend in ("", "hq", "lab"):
        page = browser.page(f"/people?{urlencode({'q': text, 'backend': backend, 'after': text})}")
        assert names(page) == []
        assert "<script>alert" not in page


@pytest.mark.parametrize("backend", ["none", ODD, "\0", "x" * 1000])
def test_unknown_backend_is_not_found(browser: Browser, backend: str) -> None:
    assert browser.get(f"/people?q=a&backend={quote(backend)}").status_code == 404
    assert browser.get(person_path(backend, "1")).status_code == 404


# -- one person ------------------------------------------------------------------------------------------------------


def test_person_is_shown_as_last_noticed(site: Site, browser: Browser) -> None:
    page = browser.page(person_path("hq", "1"))
    for text in ("Ann Lee", "ann@example.com", "a.lee@example.com", "staff", "none since everybody was first written"):
        assert text in page
    assert "/dashboard/changes?backend=hq&amp;person=1" in page
    assert "/dashboard/stuck?backend=hq&amp;person=1" in page
    site.world["hq"].rows[0] = (1, "ann", "Ann Doe", None, None, None, None)
    run_once(site.installation, "hq")
    page = browser.page(person_path("hq", "1"))
    assert "Ann Doe" in page
    assert "serial" in page


def test_whoever_is_gone_is_not_found_and_their_changes_are_linked(site: Site, browser: Browser) -> None:
    for backend, person_id in (("hq", "17"), ("hq", ODD), ("hq", "\0"), ("hq", "x" * 5000), ("hq", ""), ("", "")):
        response = browser.get(person_path(backend, person_id))
        assert response.status_code == 404
        assert "/dashboard/changes" in response.text
        assert "<script>alert" not in response.text
    assert "/dashboard/changes?backend=hq&amp;person=17" in browser.get(person_path("hq", "17")).text


def test_last_lists_are_told_without_asking(site: Site, browser: Browser) -> None:
    assert "no list yet" in browser.page(person_path("hq", "1"))
    site.list()
    assert re.search(r"listed</span>\s*as ann", browser.page(person_path("hq", "1")))
    site.world["hq"].add("ANN", no=30)
    run_once(site.installation, "hq")
    site.list()
    assert "another entry holds the name" in browser.page(person_path("hq", "30"))


def test_directory_is_asked_on_demand_where_each_attribute_came_from(site: Site, browser: Browser) -> None:
    assert "Which attribute came from where" not in browser.page(person_path("hq", "1"))
    page = ask(browser, "hq", "1")
    assert re.search(r"<code>cn</code>\s*= Ann Lee", page)
    assert re.search(r"<code>mail</code>\s*= ann@example.com, a.lee@example.com", page)
    assert "the backend type&#39;s own mapping" in page
    assert "would be listed" in page


def test_person_of_a_backend_that_nobody_watches_is_asked_for(site: Site, browser: Browser) -> None:
    assert "nothing is kept here of its people" in browser.page(person_path("lab", "1"))
    assert "zoe@lab.example" in ask(browser, "lab", "1")
    assert "has nobody with this id now" in ask(browser, "lab", "17")


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"filter": {"exclude": "a*"}}, "frontends.archive.filter"),
        ({"filter": {"only_with_email": True}}, None),
    ],
)
def test_filters_that_leave_somebody_out_are_named(make_site: MakeSite, table: dict[str, object], told: str) -> None:
    site = make_site({"backends.hq": {"type": "memory", "sync": {}}}, **table)
    site.world["hq"].add("ann", mail=["ann@example.com"])
    run_once(site.installation, "hq")
    page = ask(signed_in(site), "hq", "1")
    assert ("not listed" in page.partition("On which lists now")[2]) is (told is not None)
    if told:
        assert told in page


def test_name_that_an_earlier_backend_has_is_taken(site: Site, browser: Browser) -> None:
    site.world["lab"].add("ann")
    assert "the name is taken: backend hq comes earlier" in ask(browser, "lab", "2")
    assert "would be listed" in ask(browser, "hq", "1")
    site.world["hq"].error = DOWN
    page = ask(browser, "lab", "2")
    assert "unknown" in page
    assert "nobody knows whether an earlier backend has the name, too" in page


def test_person_who_cannot_be_asked_for_is_unknown_and_not_gone(site: Site, browser: Browser) -> None:
    site.world["hq"].error = DOWN
    page = ask(browser, "hq", "1")
    assert "hq could not be asked, so nobody knows" in page
    assert "has nobody with this id" not in page
    assert "Ann Lee" in page, "what was noticed is shown all the same"


def test_person_who_left_since_is_told(site: Site, browser: Browser) -> None:
    del site.world["hq"].rows[0]
    assert "hq has nobody with this id now" in ask(browser, "hq", "1")


def test_mapped_passwords_are_not_shown(make_site: MakeSite, tmp_path: Path) -> None:
    database = tmp_path / "people.db"
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE people (id TEXT, login TEXT, note TEXT, password_hash TEXT)")
        connection.execute("INSERT INTO people VALUES ('1', 'ann', '$6$salt$abcdef', '{SSHA}c2VjcmV0')")
    table = {
        "type": "sql",
        "url": f"sqlite:///{database}",
        "table": "people",
        "sync": {},
        "map": {"id": "id", "username": "login", "nickname": "password_hash", "biography": "note"},
    }
    enabled = [name for name in DISABLED if name != "sql"]
    site = make_site({"backends.hq": table, "plugins": {"disabled": enabled}})
    run_once(site.installation, "hq")
    page = ask(signed_in(site), "hq", "1")
    assert "(not shown)" in page
    assert "c2VjcmV0" not in page
    assert "abcdef" not in page


def test_people_of_files_are_shown_too(make_site: MakeSite, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("login,cn,mail\nann,Ann Lee,ann@example.com\n", encoding="utf-8")
    table = {
        "type": CsvBackend.type,
        "path": str(tmp_path / "people.csv"),
        "map": {"username": "login", "full_name": "cn", "emails": "mail"},
        "sync": {},
    }
    enabled = [name for name in DISABLED if name != "csv_file"]
    site = make_site({"backends.hq": table, "plugins": {"disabled": enabled}})
    run_once(site.installation, "hq")
    browser = signed_in(site)
    assert names(browser.page("/people?q=lee")) == ["ann"]
    page = ask(browser, "hq", "ann")
    assert "[backends.hq.map] full_name" in page
    assert "would be listed" in page


def test_way_to_nested_groups_is_shown(make_site: MakeSite, slapd: Slapd) -> None:
    table = {
        "type": "ldap",
        "servers": [slapd.uri],
        "bind_dn": Slapd.reader_dn,
        "bind_password": Slapd.reader_password,
        "bases": [Slapd.people],
        "groups": {"bases": [Slapd.groups], "nested": True},
        "map": {"groups": "groups", "id": "uid", "username": "uid"},
        "sync": {"feed": "off"},
    }
    site = make_site({"backends.hq": table, "plugins": {"disabled": [name for name in DISABLED if name != "ldap"]}})
    run_once(site.installation, "hq")
    known = site.installation.store.people.documents_by_id("hq", ["alice"])["alice"]
    groups = ask(signed_in(site), "hq", "alice").partition("<h3>Groups</h3>")[2].partition("</ul>")[0]
    assert known["groups"]
    for group in known["groups"]:  # type: ignore[attr-defined]
        assert re.search(rf"<li>{group} <span class=\"soft\">(directly|through .+)</span>", groups)


def test_index_of_listed_names_is_told(make_site: MakeSite) -> None:
    table = {"type": "memory", "username_index": True, "sync": {}, "map": {"username": "{login}.{cn}"}}
    site = make_site({"backends.hq": table})
    site.world["hq"].add("ann", cn="lee")
    run_once(site.installation, "hq")
    browser = signed_in(site)
    assert "does not hold this name" in browser.page(person_path("hq", "1"))
    site.list()
    assert "leads from this name to this person" in browser.page(person_path("hq", "1"))


def test_hostile_people_are_text(site: Site, browser: Browser) -> None:
    people = site.world["hq"]
    number = people.add(ODD, no=ODD, cn=ODD, mail=[f"{ODD}@example.com"], ou=[ODD, "a\tb\nc"])
    people.add("long", no="x" * 1000, cn="y" * 1000)
    run_once(site.installation, "hq")
    site.list()
    assert number == ODD
    for path in ("/people?q=alert", person_path("hq", ODD), person_path("hq", ODD, ask="1")):
        page = browser.page(path)
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)" in page
    assert "y" * 1000 in ask(browser, "hq", "x" * 1000)


# -- trying a login --------------------------------------------------------------------------------------------------


def try_login(browser: Browser, name: str, password: str, frontend: str = "archive") -> str:
    response = browser.post("/people/try", frontend=frontend, name=name, password=password)
    assert response.status_code == 200, response.text
    assert password not in response.text
    return response.text


def test_login_is_tried_as_a_frontend_would(site: Site, browser: Browser) -> None:
    page = try_login(browser, "ann", "Ann's password")
    assert ">accepted<" in page
    assert "not asked: an earlier answer was final" in page
    assert ">refused<" in try_login(browser, "ann", WRONG)
    page = try_login(browser, "zoe", "Zoe's password")
    assert "unknown user" in page
    assert ">accepted<" in page


def test_outage_of_a_tried_login_is_no_refusal(site: Site, browser: Browser) -> None:
    site.world["hq"].error = DOWN
    page = try_login(browser, "ann", "Ann's password")
    assert ">no answer<" in page
    assert "unavailable" in page
    assert ">refused<" not in page


def test_tried_login_is_audited_without_the_password(
    site: Site, browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        for password in (WRONG, "Ann's password"):
            try_login(browser, "ann", password)
    log = site.installation.store.audit_log.page(None, 10, "login")
    assert [(e.action, e.subject, e.actor, dict(e.details)) for e in log] == [
        ("login.tried", "ann", f"admin:{ADMIN}", {"frontend": "archive", "verdict": "accepted"}),
        ("login.tried", "ann", f"admin:{ADMIN}", {"frontend": "archive", "verdict": "rejected"}),
    ]
    assert WRONG not in caplog.text
    stored = b"".join(path.read_bytes() for path in site.installation.config.data_dir.glob("store.db*"))
    assert WRONG.encode() not in stored
    assert json.dumps(WRONG).encode() not in stored


def test_guessing_is_braked_and_no_caller_is_in_its_way(site: Site, browser: Browser) -> None:
    answers = [
        browser.post("/people/try", frontend="archive", name="ann", password=f"guess {n}").status_code for n in range(6)
    ]
    assert answers == [200] * 5 + [429]
    response = browser.post("/people/try", frontend="archive", name="ann", password="Ann's password")
    assert response.status_code == 429
    assert "Braked" in response.text
    assert site.installation.store.audit_log.page(None, 1)[0].details["verdict"] == "throttled"
    assert site.accepts("ann", "Ann's password")


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"name": "ann", "password": ""}, 422),
        ({"name": "", "password": WRONG}, 422),
        ({"name": "nul\0", "password": WRONG}, 422),
        ({"name": "x" * 5000, "password": WRONG}, 422),
        ({}, 422),
        ({"name": "ann", "password": WRONG, "frontend": "none"}, 404),
        ({"name": ODD, "password": WRONG}, 200),
    ],
)
def test_what_no_backend_is_shown(browser: Browser, fields: dict[str, str], status: int) -> None:
    response = browser.post("/people/try", **{"frontend": "archive", **fields})
    assert response.status_code == status
    assert WRONG not in response.text.replace("&amp;", "&")
    assert "<script>alert" not in response.text


def test_form_without_the_sessions_token_tries_nothing(site: Site, browser: Browser) -> None:
    response = browser.post("/people/try", form_token="x", frontend="archive", name="ann", password=WRONG)
    assert response.status_code == 403
    assert site.world["hq"].called("verify") == []


def test_passwords_do_not_travel_in_addresses(browser: Browser) -> None:
    assert browser.get(f"/people/try?frontend=archive&name=ann&password={quote(WRONG)}").status_code in (404, 405)


def test_questions_that_hang_take_few_threads(site: Site, browser: Browser) -> None:
    hq, threads = site.world["hq"], []
    hq.hold = threading.Event()
    most = max(1, site.installation.config.core.server.threads // 8)
    others = [Browser(site) for _ in range(most)]
    try:
        for number, other in enumerate(others):
            other.sign_in()
            token = other.form_token()
            fields = {"frontend": "archive", "name": "ann", "password": f"guess {number}"}
            threads.append(threading.Thread(target=other.post, args=("/people/try", token), kwargs=fields))
            threads[-1].start()
        while len(hq.called("find")) < most:
            threading.Event().wait(0.01)
        response = browser.get(person_path("hq", "1", ask="1"))
        assert (response.status_code, "Too many questions" in response.text) == (503, True)
        assert browser.get(person_path("hq", "1")).status_code == 200
    finally:
        hq.hold.set()
        for thread in threads:
            thread.join(20)
