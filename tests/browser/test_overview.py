"""The overview in Chromium: it renews itself without growing, and keeps what somebody does meanwhile."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage


def renewed(page: Page) -> list[str]:
    """What the page asks for in the half minute that passes now."""
    asked: list[str] = []
    page.on("response", lambda response: asked.append(response.url.partition("/overview/")[2]))
    page.clock.fast_forward(31_000)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(500)
    return asked


def test_page_renews_itself_without_growing(admin: OpenPage) -> None:
    page = admin("/")
    page.clock.install()
    page.reload()
    page.wait_for_load_state("networkidle")
    parts = "main section, main .card, main h3"
    before = page.locator(parts).count()
    link = page.get_by_role("link", name="wiki", exact=True)
    link.focus()
    for _ in range(2):
        asked = renewed(page)
        assert sorted({one for one in asked if one}) == [
            "backend?backend=away",
            "backend?backend=branch",
            "backend?backend=staff",
            "rest",
        ]
    expect(link).to_be_focused()
    assert page.locator(parts).count() == before
    assert page.get_by_role("heading", level=1).count() == 1


def test_backend_that_is_down_is_told_without_a_reload(admin: OpenPage) -> None:
    page = admin("/")
    expect(page.locator("li.card", has_text="away").locator(".state")).to_have_text("down")
    expect(page.locator("li.card", has_text="away")).to_contain_text("Connection refused")


def test_page_whose_session_has_ended_says_so(admin: OpenPage) -> None:
    page = admin("/")
    page.clock.install()
    page.reload()
    page.wait_for_load_state("networkidle")
    page.context.clear_cookies()
    renewed(page)
    assert page.get_by_role("link", name="Sign in again").count() >= 1
    assert page.get_by_role("heading", level=1).count() == 1
