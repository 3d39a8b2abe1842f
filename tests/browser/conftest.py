"""Chromium, as Debian packages it, and the house that it looks at: one of each for all tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser.chromium import launched
from tests.browser.house import House, house, sign_in
from tests.servers.server import free_port

WIDE, NARROW = (1280, 900), (360, 740)

OpenPage = Callable[..., Page]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright, launched(playwright) as browser:
        yield browser


@pytest.fixture(scope="session")
def the_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("the house"), free_port()) as made:
        yield made


@pytest.fixture
def stranger(chromium: Browser, the_house: House) -> Iterator[OpenPage]:
    """``stranger(path, size=NARROW, dark=True, script=False)``: a page of somebody who has not signed in. What the
    browser complains about fails the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_page(path: str = "/", size: tuple[int, int] = WIDE, *, dark: bool = False, script: bool = True) -> Page:
        context = chromium.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if dark else "light",
            java_script_enabled=script,
            reduced_motion="reduce",
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on(
            "console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{the_house.url}/dashboard{path}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    # A refusal that a test wants is no complaint of the browser's about the page.
    assert [text for text in complaints if "Failed to load resource" not in text] == []


@pytest.fixture
def admin(stranger: OpenPage) -> OpenPage:
    """The same for somebody who has signed in."""

    def open_page(path: str = "/", **options: object) -> Page:
        page = stranger(path, **options)
        sign_in(page)
        return page

    return open_page
