"""Who may see the dashboard, and what another site can make a browser do: nothing."""

from __future__ import annotations

import re

import pytest

from integration_server.web.dashboard.access import COOKIE
from integration_server.web.proxy import IS_FORWARDED
from tests.web.dashboard.pages import ADMIN, PASSWORD, Browser, signed_in
from tests.web.sites import MakeSite, Site


def test_root_leads_to_the_dashboard_where_no_frontend_has_it(site: Site) -> None:
    response = site.request("GET", "/")
    assert (response.status_code, response.headers["Location"]) == (303, "/dashboard/")
    assert site.post({"cmd": "list"}, path="/").status_code == 405, "whoever mistook the path is not led anywhere"


def test_stranger_is_led_to_the_sign_in_and_back(site: Site) -> None:
    signed_in(site)
    browser = Browser(site)
    response = browser.get("/?x=1")
    assert response.status_code == 303
    assert response.headers["Location"] == "/dashboard/sign-in?next=/dashboard/?x%3D1"
    assert "Sign in" in browser.page("/sign-in?next=/dashboard/?x%3D1")
    assert browser.sign_in(next="/dashboard/?x=1").headers["Location"] == "/dashboard/?x=1"
    assert browser.get("/").status_code == 200


@pytest.mark.parametrize(
    "wanted",
    [
        *(
            "https://evil.example/",
            "//evil.example",
            "/\\evil.example",
            "/dashboard",
            "/dashboard/\r\nX: y",
            "javascript:1",
        ),
        *("/dashboard/../wiki", "/dashboard/%2E%2e/wiki?x", "/dashboard/a/.%2e/../..//evil.example"),
    ],
)
def test_sign_in_leads_nowhere_else(site: Site, wanted: str) -> None:
    signed_in(site)
    assert Browser(site).sign_in(next=wanted).headers["Location"] == "/dashboard/"


def test_first_page_says_how_an_administrator_is_made(site: Site) -> None:
    assert "integration-server admin create" in Browser(site).page("/sign-in")
    signed_in(site)
    assert "integration-server admin create" not in Browser(site).page("/sign-in")


@pytest.mark.parametrize(
    ("name", "password"), [(ADMIN, "Secret of somebody"), ("nobody", PASSWORD), ("", ""), (ADMIN, "")]
)
def test_wrong_name_and_wrong_password_are_told_alike(site: Site, name: str, password: str) -> None:
    signed_in(site)
    response = Browser(site).sign_in(name, password)
    assert response.status_code == 401
    assert "The name or the password is wrong." in response.text
    assert "Set-Cookie" not in response.headers
    assert password not in response.text or not password


def test_guessing_is_braked(site: Site) -> None:
    signed_in(site)
    browser = Browser(site)
    answers = [browser.sign_in(password=f"guess {n}").status_code for n in range(7)]
    assert answers == [401] * 5 + [429] * 2
    assert browser.sign_in().status_code == 429, "the right one is not looked at either"
    assert Browser(site, caller="127.0.0.2").sign_in().status_code == 303, (
        "another caller is not in the way of this one"
    )


def test_cookie_is_the_servers_alone(site: Site) -> None:
    signed_in(site)
    cookie = Browser(site).sign_in().headers["Set-Cookie"]
    for part in ("HttpOnly", "SameSite=Lax", "Path=/dashboard"):
        assert part in cookie
    assert "Secure" not in cookie


def test_cookie_travels_encrypted_where_the_page_does(site: Site) -> None:
    signed_in(site)
    browser = Browser(site)
    response = browser.client.post(
        "/dashboard/sign-in", base_url="https://users.example.org", data={"name": ADMIN, "password": PASSWORD}
    )
    assert "; Secure" in response.headers["Set-Cookie"]


def test_other_machines_come_over_https_only(site: Site, make_site: MakeSite) -> None:
    browser = Browser(site)
    assert browser.get("/sign-in", caller="203.0.113.9").status_code == 403
    assert browser.get("/sign-in", environ_base={IS_FORWARDED: True}).status_code == 403
    assert "HTTPS" in browser.get("/sign-in", caller="203.0.113.9").text


def test_plain_http_can_be_allowed(make_site: MakeSite) -> None:
    site = make_site({"dashboard": {"allow_plain_http": True}})
    assert Browser(site).get("/sign-in", caller="203.0.113.9").status_code == 200


def test_dashboard_can_be_left_out(make_site: MakeSite) -> None:
    site = make_site({"dashboard": {"enabled": False}})
    assert Browser(site).get("/sign-in").status_code == 404
    assert site.request("GET", "/").status_code == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_forms_of_other_sites_do_nothing(browser: Browser, headers: dict[str, str]) -> None:
    token = browser.form_token()
    response = browser._open("POST", "/sign-out", data={"form_token": token}, headers=headers)
    assert response.status_code == 403
    assert browser.get("/").status_code == 200


@pytest.mark.parametrize("token", ["", "x", "ü"])
def test_forms_without_the_sessions_token_do_nothing(browser: Browser, token: str) -> None:
    assert browser.post("/sign-out", form_token=token).status_code == 403
    assert browser.get("/").status_code == 200


def test_form_token_of_another_session_does_nothing(browser: Browser, site: Site) -> None:
    other = Browser(site)
    other.sign_in()
    assert browser.post("/sign-out", form_token=other.form_token()).status_code == 403


def test_signing_out_ends_the_session(browser: Browser, site: Site) -> None:
    stolen = browser.client.get_cookie(COOKIE, path="/dashboard")
    assert stolen is not None
    assert browser.post("/sign-out").status_code == 303
    assert browser.get("/").status_code == 303
    thief = Browser(site)
    thief.client.set_cookie(COOKIE, stolen.value, path="/dashboard")
    assert thief.get("/").status_code == 303


def test_sessions_end_with_their_administrator(browser: Browser, site: Site) -> None:
    site.installation.store.admins.delete(ADMIN)
    assert browser.get("/").status_code == 303


def test_sessions_end_by_age_and_by_rest(site: Site) -> None:
    admins = site.installation.store.admins
    signed_in(site)
    now = [1_000_000.0]
    admins._clock = lambda: now[0]
    browser = Browser(site)
    browser.sign_in()
    for _ in range(11):
        now[0] += 3500.0
        assert browser.get("/").status_code == 200
    now[0] += 3601.0
    assert browser.get("/").status_code == 303, "unused for an hour"
    browser.sign_in()
    for _ in range(13):
        now[0] += 3500.0
        answer = browser.get("/").status_code
    assert answer == 303, "older than twelve hours"


def test_every_answer_keeps_scripts_and_frames_out(browser: Browser, site: Site) -> None:
    for response in (browser.get("/"), browser.get("/sign-in"), browser.get("/none"), Browser(site).get("/sign-in")):
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Cache-Control"] == "no-store"
        assert not re.search(r"<script(?! src=)|<style| style=| on[a-z]+=|javascript:", response.text)


def test_files_of_the_package_may_be_kept(site: Site) -> None:
    response = Browser(site).get("/static/style.css")
    assert response.status_code == 200
    assert response.headers["Cache-Control"].startswith("public")
    for path in ("/static/../facts.py", "/static/none.css", "/static/%2e%2e/facts.py"):
        assert Browser(site).get(path).status_code == 404


def test_unknown_pages_are_told_to_administrators_only(browser: Browser, site: Site) -> None:
    response = browser.get("/none")
    assert (response.status_code, "There is no such page." in response.text) == (404, True)
    assert Browser(site).get("/none").status_code == 303


def test_signing_in_is_audited(browser: Browser, site: Site) -> None:
    entry = site.installation.store.audit_log.page(None, 1)[0]
    assert (entry.action, entry.subject) == ("admin.signed_in", ADMIN)
