"""Every page of the dashboard in Chromium: without serious findings of axe-core, on a narrow screen, in the dark, with
the keyboard alone, and without JavaScript."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import NARROW, WIDE, OpenPage
from tests.browser.house import sign_in

PAGES = (
    "/",
    "/stuck",
    "/guard",
    "/people",
    "/people?q=jane",
    "/changes",
    "/subscriptions",
    "/security",
    "/security/tokens",
    "/security/audit",
    "/configuration",
)
_SERIOUS = ("serious", "critical")


def findings(page: Page) -> list[str]:
    """What axe-core finds serious, WCAG 2 A and AA and its own best practices."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {one['help']}: {node['html'][:200]}"
        for one in found
        for node in one["nodes"]
        if one["impact"] in _SERIOUS
    ]


def sideways(page: Page) -> int:
    """By how many pixels a page is wider than the screen."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize(("size", "is_dark"), [(WIDE, False), (WIDE, True), (NARROW, False), (NARROW, True)])
def test_page_is_well_made_on_every_screen(admin: OpenPage, path: str, size: tuple[int, int], is_dark: bool) -> None:
    page = admin(path, size=size, dark=is_dark)
    page.wait_for_load_state("networkidle")
    expect(page.get_by_role("alert").filter(has_text="There is no such page")).to_have_count(0)
    assert findings(page) == []
    assert sideways(page) <= 0
    current = page.locator("nav a[aria-current=page]")
    assert f"/dashboard{path}".startswith(current.get_attribute("href") or "none")


def test_sign_in_is_well_made(stranger: OpenPage) -> None:
    for size in (WIDE, NARROW):
        page = stranger("/", size=size)
        assert findings(page) == []
        assert sideways(page) <= 0


@pytest.mark.parametrize("path", PAGES)
def test_page_is_read_without_javascript(admin: OpenPage, path: str) -> None:
    page = admin(path, script=False)
    assert page.locator("main").inner_text().strip()
    assert page.get_by_role("heading", level=1).is_visible()


@pytest.mark.parametrize("path", PAGES)
def test_everything_on_a_page_is_reached_with_the_keyboard(admin: OpenPage, path: str) -> None:
    page = admin(path)
    page.wait_for_load_state("networkidle")
    wanted = page.evaluate(_REACHABLE)
    page.evaluate("document.activeElement.blur()")
    seen = set()
    for _ in range(wanted + 20):
        page.keyboard.press("Tab")
        mark = page.evaluate(_MARKED)
        if mark is not None:
            seen.add(mark)
            assert page.evaluate(_IS_OUTLINED), f"nobody sees where the focus is: {mark}"
    assert len(seen) == wanted


#: How many things on a page do something, each with a number; those that a closed <details> hides are not there.
_REACHABLE = """() => {
    let count = 0
    const kinds = "a[href], button, input:not([type=hidden]), select, textarea, summary"
    for (const one of document.querySelectorAll(kinds)) {
        const closed = one.closest("details:not([open])")
        const isHidden = one.disabled || one.checkVisibility && !one.checkVisibility()
        if (isHidden || closed && one.tagName !== "SUMMARY") continue
        const chosen = one.type === "radio" && document.querySelector(`input[name="${one.name}"]:checked`)
        if (chosen && chosen !== one) continue
        one.dataset.reach = String(count++)
    }
    return count
}"""
_MARKED = "() => document.activeElement.dataset.reach ?? null"
_IS_OUTLINED = """() => {
    const style = getComputedStyle(document.activeElement)
    return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0
}"""


def test_skip_link_leads_past_the_navigation(admin: OpenPage) -> None:
    page = admin("/")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()


def test_signing_out_and_in_again_leads_back(admin: OpenPage) -> None:
    page = admin("/")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.go_back()
    page.reload()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    sign_in(page)
