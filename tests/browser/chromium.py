"""Chromium, as Debian packages it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Playwright

#: A test machine has no sandbox of the kernel's, no screen, and no way to anybody but itself.
_FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
_MORE = ("--disable-component-update", "--disable-sync")


@contextmanager
def launched(playwright: Playwright) -> Iterator[Browser]:
    """The browser, without a window."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    assert program is not None, "Chromium is missing; scripts/servers.sh installs it"
    browser = playwright.chromium.launch(executable_path=program, args=[*_FLAGS, *_MORE])
    try:
        yield browser
    finally:
        browser.close()
