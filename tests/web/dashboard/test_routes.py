"""What holds for every route of the dashboard, whatever pages there are: nobody gets in without a session, no form does
anything without its token, and nothing that stands in a query or a form makes the server fail."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.routing import Rule

from tests.web.dashboard.pages import PREFIX, Browser
from tests.web.sites import Site

ODD = [
    "",
    "0",
    "-1",
    "9" * 30,
    "1e999",
    "nan",
    "hq",
    "ann",
    "x" * 1_300,
    "a\x00b",
    "<script>alert(1)</script>\"'",
    "%",
    "_%\\",
    "../../etc/passwd",
    "ünïcode \u202e",
    "all",
    "2020-01-31T08:00",
    "9999-99-99T99:99",
]
#: What pages of today read; a page that reads others adds them.
NAMES = (
    "id",
    "name",
    "owner",
    "q",
    "words",
    "action",
    "actor",
    "after",
    "after_id",
    "before",
    "backend",
    "group",
    "person",
    "subscription",
    "frontend",
    "mount",
    "session",
    "state",
    "type",
    "serial",
    "since",
    "until",
    "limit",
    "page",
    "run",
    "replay",
    "reason",
    "events",
    "scopes",
    "uid",
    "url",
    "headers",
    "batch_size",
    "expires",
    "groups",
)
#: These need no session.
_OPEN = frozenset({"/sign-in", "/sign-out", "/static/<path:name>"})


def rules(site: Site, method: str) -> list[Rule]:
    """The routes of the dashboard that take a method, but for those that anybody may ask for."""
    found = [rule for rule in site.app.url_map.iter_rules() if rule.rule.startswith(PREFIX)]
    return [rule for rule in found if method in (rule.methods or ()) and rule.rule.removeprefix(PREFIX) not in _OPEN]


def pages(site: Site) -> list[str]:
    """The paths of all pages below the dashboard's; what a path has of its own is filled in."""
    return [rule.rule.removeprefix(PREFIX).replace("<path:rest>", "none") for rule in rules(site, "GET")]


def test_there_are_pages_and_forms(site: Site) -> None:
    assert {"/", "/subscriptions", "/security", "/configuration"} <= set(pages(site))
    assert len(rules(site, "POST")) > 10


def test_no_page_is_shown_to_a_stranger(site: Site) -> None:
    stranger = Browser(site)
    for path in pages(site):
        response = stranger.get(path, query_string={"id": "x"})
        assert response.status_code in (303, 401), path
        assert "Location" not in response.headers or "/sign-in?next=" in response.headers["Location"], path


def forms(site: Site) -> list[str]:
    return [rule.rule.removeprefix(PREFIX) for rule in rules(site, "POST")]


def entries(site: Site) -> int:
    return len(site.installation.store.audit_log.page(None, 1_000))


def test_no_form_of_a_stranger_does_anything(site: Site) -> None:
    stranger, before = Browser(site), entries(site)
    for path in forms(site):
        response = stranger.post(path, form_token="x", **dict.fromkeys(NAMES, "1"))
        assert response.status_code == 401, path
    assert entries(site) == before


@pytest.mark.parametrize("token", ["", "x", "ü"])
def test_no_form_without_the_sessions_token_does_anything(browser: Browser, site: Site, token: str) -> None:
    before = entries(site)
    for path in forms(site):
        assert browser.post(path, form_token=token, **dict.fromkeys(NAMES, "1")).status_code == 403, path
    assert entries(site) == before


def test_no_form_of_another_site_does_anything(browser: Browser, site: Site) -> None:
    token, before = browser.form_token(), entries(site)
    for path in forms(site):
        data = {"form_token": token, **dict.fromkeys(NAMES, "1")}
        response = browser._open("POST", path, data=data, headers={"Origin": "https://evil.example"})
        assert response.status_code == 403, path
    assert entries(site) == before


def test_no_page_fails_over_what_stands_in_its_query(browser: Browser, site: Site) -> None:
    for path in pages(site):
        for value in ODD:
            check(browser.get(path, query_string=dict.fromkeys(NAMES, value)), path, value)
            for name in NAMES:
                check(browser.get(path, query_string={name: value}), path, value)


def check(response: Any, path: str, value: str) -> None:
    assert response.status_code in (200, 204, 303, 400, 404, 409, 422), (path, value, response.status_code)
    assert "<script>alert" not in response.text, (path, value)


def test_no_form_fails_over_what_stands_in_it(browser: Browser, site: Site) -> None:
    for path in forms(site):
        for value in ODD:
            token = browser.form_token()
            check(browser.post(path, form_token=token, **dict.fromkeys(NAMES, value)), path, value)
            check(browser.post(path, form_token=token), path, value)


def test_what_changes_something_is_asked_for_by_a_form_alone(browser: Browser, site: Site) -> None:
    shown = set(pages(site))
    for path in set(forms(site)) - shown:
        assert browser.get(path).status_code in (404, 405), path
