"""What a hostile caller sends, with an account and without: it is refused, and costs others nothing."""

from __future__ import annotations

import re
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from integration_server.sdk.errors import CallerRefused
from integration_server.sdk.passwords import hash_password
from integration_server.store.failed_logins import Who
from integration_server.web.dashboard.places import Places
from tests.servers import PostgreSql
from tests.waiting import wait_for
from tests.web.dashboard.pages import ADMIN, PASSWORD, PREFIX, Browser, signed_in
from tests.web.sites import MakeSite, Site


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "http://[x]:80"])
def test_an_origin_that_is_none_is_another_site(browser: Browser, site: Site, origin: str) -> None:
    stranger = Browser(site)
    data = {"name": ADMIN, "password": PASSWORD}
    assert stranger._open("POST", "/sign-in", data=data, headers={"Origin": origin}).status_code == 403
    data = {"form_token": browser.form_token(), "backend": "hq"}
    assert browser._open("POST", "/guard/lower", data=data, headers={"Origin": origin}).status_code == 403


@pytest.mark.parametrize("path", ["/sign-in", "/sign-out", "/guard/lower"])
def test_a_form_that_is_too_large_is_told_so(browser: Browser, path: str) -> None:
    part = 'Content-Disposition: form-data; name="a"\r\n\r\nb\r\n'
    bodies = {
        "many fields": "".join(f"--x\r\n{part}" for _ in range(1_500)) + "--x--\r\n",
        "a long field": f"--x\r\n{part.replace('b', 'b' * 700_000)}--x--\r\n",
        "a long body": "a=" + "b" * 1_100_000,
    }
    for what, body in bodies.items():
        kind = "application/x-www-form-urlencoded" if body.startswith("a=") else "multipart/form-data; boundary=x"
        response = browser.client.post(PREFIX + path, data=body, content_type=kind)
        assert response.status_code == 413, (what, response.status_code)
        assert response.headers["Content-Security-Policy"], what


def test_sign_ins_take_neither_all_threads_nor_each_others_place(site: Site) -> None:
    places = Places(3, 2)
    with places.one("a"), places.one("a"):
        with pytest.raises(CallerRefused), places.one("a"):
            pass
        with places.one("b"), pytest.raises(CallerRefused), places.one("c"):
            pass
    with places.one("a"), places.one("a"):
        assert places._taken == {"a": 2}, "those who have gone are forgotten"


def test_a_rush_of_sign_ins_is_told_to_come_later(site: Site) -> None:
    signed_in(site)
    start = threading.Barrier(24)

    def guess(number: int) -> int:
        start.wait()
        return Browser(site).sign_in(f"name{number}", f"guess {number}").status_code

    with ThreadPoolExecutor(24) as threads:
        statuses = set(threads.map(guess, range(24)))
    assert statuses == {401, 503}
    assert Browser(site).sign_in().status_code == 303


@pytest.mark.parametrize(
    ("name", "password"),
    [(ADMIN, "x" * 4_097), (ADMIN, "a\0b"), ("no/body", PASSWORD), ("r\0ot", PASSWORD), ("n" * 101, PASSWORD)],
)
def test_what_nobody_can_be_called_and_no_password_can_be_fills_nothing(site: Site, name: str, password: str) -> None:
    signed_in(site)
    for number in range(7):
        assert Browser(site).sign_in(name, password + str(number)).status_code == 401
    assert list(site.installation.store.failed_logins.everybody(0.0)) == []


def test_signing_in_is_audited_under_the_name_that_the_administrator_has(site: Site) -> None:
    signed_in(site)
    store = site.installation.store
    store.admins.create("sam", hash_password(PASSWORD))
    assert Browser(site).sign_in("\N{LATIN SMALL LETTER LONG S}AM").status_code == 303
    assert store.audit_log.page(None, 1)[0].subject == "sam"


def test_what_turns_or_hides_text_is_written_out_on_every_page(site: Site, browser: Browser) -> None:
    turned = "evil\N{RIGHT-TO-LEFT OVERRIDE}\x1b[31m\N{ZERO WIDTH SPACE}"
    store = site.installation.store
    store.audit_log.add("list.accepted", turned, "admin:root", {"reason": turned})
    for guess in range(6):
        who = Who("archive", turned, "192.0.2.1")
        store.failed_logins.add(who, str(guess), time.time(), 0.0)
    for path in ("/security", "/security/audit"):
        text = re.sub(r"<[^>]*>", "", browser.page(path))
        assert "evil\\u202e\\u001b[31m\\u200b" in text, path
        assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in text, path
    hidden = re.search(r'name="name" value="(evil[^"]*)"', browser.page("/security"))
    assert hidden is not None
    told = browser.done("/security/throttle/clear", name=hidden[1])
    assert told.startswith("6 wrong passwords"), "the field holds the name itself"


def test_pages_and_forms_say_so_while_the_store_is_down_and_come_back(
    make_site: MakeSite, postgresql: PostgreSql, caplog: pytest.LogCaptureFixture
) -> None:
    site = make_site({"backends.hq": {"type": "memory"}, "store": {"url": postgresql.create_database()}})
    browser = signed_in(site)
    token = browser.form_token()
    with postgresql.stopped():
        answers = [
            browser.get("/"),
            browser.get("/people?q=ann"),
            browser.get("/sign-in"),
            browser.get("/none%1B%E2%80%A92026 CRITICAL"),
            Browser(site).sign_in(),
            browser.post("/guard/raise", form_token=token, frontend="archive"),
            browser.post("/sign-out", form_token=token),
        ]
        assert [answer.status_code for answer in answers] == [503] * len(answers)
        for answer in answers:
            assert "store cannot be used" in answer.text
            assert not re.search("127[.]0[.]0[.]1|port |Connection", answer.text), "nor is anybody told where it is"
    assert browser.get("/").status_code == 200, "nobody has to sign in again"
    assert all(record.getMessage().isprintable() for record in caplog.records if "CRITICAL" in record.getMessage())
    assert Browser(site).sign_in("r\0t", "x").status_code == 401


def test_a_form_with_very_many_entries_is_refused_without_being_gone_through(browser: Browser) -> None:
    given = {"uid": "many", "type": "webhook", "url": "https://wiki.example.org/", "batch_size": "1", "start": "now"}
    token = browser.form_token()
    events = [f"{number:x}" for number in range(20_000)]
    response = browser.post("/subscriptions/new", form_token=token, **given, events=events)
    assert response.status_code == 422
    assert response.text.count('type="checkbox" name="events"') < 200
    headers = "".join(f"h{number}: x\n" for number in range(20_000))
    response = browser.post("/subscriptions/new", form_token=token, **given, events="*", headers=headers)
    assert response.status_code == 422
    assert "No more than 32 headers" in response.text


def test_forms_that_wait_for_a_locked_store_leave_half_of_the_threads(make_site: MakeSite, tmp_path: Path) -> None:
    site = make_site({"server": {"threads": 8}})
    browsers = [signed_in(site) for _ in range(12)]
    tokens = [browser.form_token() for browser in browsers]
    lock = sqlite3.connect(tmp_path / "data" / "store.db", isolation_level=None)
    answered: list[int] = []

    def send(browser: Browser, token: str) -> None:
        answered.append(browser.post("/security/throttle/clear", token, name="ann").status_code)

    lock.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor(12) as threads:
        for browser, token in zip(browsers, tokens, strict=True):
            threads.submit(send, browser, token)
        try:
            wait_for(lambda: len(answered) == 8)
            assert set(answered) == {503}, "four wait, and no more"
            assert "busy" in browsers[0].get().text
        finally:
            lock.execute("ROLLBACK")
            lock.close()
    assert sorted(answered) == [303] * 4 + [503] * 8
    assert browsers[0].get().status_code == 200
