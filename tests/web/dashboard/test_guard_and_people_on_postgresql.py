"""The pages of guard and people over a store on PostgreSQL: each once, and what only there could go wrong."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest

from integration_server.server.workers import run_once
from tests.servers import PostgreSql
from tests.web.dashboard.pages import Browser, signed_in
from tests.web.sites import MakeSite, Site


@pytest.fixture
def site(make_site: MakeSite, postgresql: PostgreSql) -> Site:
    """Thirty people were known and listed; five are left."""
    site = make_site({"backends.hq": {"type": "memory", "sync": {}}, "store": {"url": postgresql.create_database()}})
    hq = site.world["hq"]
    for n in range(30):
        hq.add(f"user{n:02}", "secret", cn=f"User Übel {n}", mail=[f"u{n}@example.org"])
    assert site.list().status_code == 200
    run_once(site.installation, "hq")
    del hq.rows[5:]
    assert site.list().status_code == 503
    run_once(site.installation, "hq")
    return site


@pytest.fixture
def browser(site: Site) -> Browser:
    return signed_in(site)


def test_guard_shows_and_decides(site: Site, browser: Browser) -> None:
    page = browser.page("/guard")
    assert page.count(">held<") == 2
    assert browser.page("/guard/run?backend=hq").count("is deleted") == 25
    assert "25 of hq" in browser.page("/guard/list?frontend=archive")
    for name in ("nul\0", "x" * 2000):
        assert browser.get(f"/guard/run?backend={quote(name)}").status_code == 404
        assert browser.post("/guard/apply", backend=name, run="9" * 18).status_code == 404
    browser.done("/guard/raise", frontend="archive")
    browser.done("/guard/raise", backend="hq")
    assert browser.page("/guard").count("lifted this guard once") == 2
    assert len(site.list().get_json()) == 5
    result = run_once(site.installation, "hq")
    assert result is not None
    assert result.kind == "compared"
    assert browser.page("/guard").count("nothing is held") == 2


@pytest.mark.parametrize("text", ["USER2", "übEL 2", "u2", "@EXAMPLE"])
def test_people_are_searched(browser: Browser, text: str) -> None:
    assert re.search(r">user2?\d<", browser.page(f"/people?q={quote(text)}"))


@pytest.mark.parametrize("text", ["\0", "%", "\\", "'", "x" * 3000, "\N{GRINNING FACE}", "9" * 40])
def test_odd_texts_find_nobody(browser: Browser, text: str) -> None:
    assert "/people/person?" not in browser.page(f"/people?q={quote(text)}&after={quote(text)}&backend=hq")
    assert browser.get(f"/people/person?backend=hq&id={quote(text)}&ask=1").status_code == 404


def test_person_is_shown_and_tried(browser: Browser) -> None:
    page = browser.page("/people/person?backend=hq&id=1&ask=1")
    assert "User Übel 0" in page
    assert "would be listed" in page
    answer = browser.post("/people/try", frontend="archive", name="user00", password="secret")
    assert ">accepted<" in answer.text
