"""Pictures of the dashboard's pages for the documentation: ``python -m tests.browser.screenshots FOLDER``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.browser.chromium import launched
from tests.browser.house import house, sign_in
from tests.servers.server import free_port

#: Picture -> page, and what is followed there by its role and a part of its name.
PICTURES: dict[str, tuple[str, tuple[str, str] | None]] = {
    "overview": ("/", None),
    "stuck": ("/stuck", None),
    "guard": ("/guard", None),
    "people": ("/people?q=jane", None),
    "person": ("/people?q=jane", ("link", "Jane")),
    "changes": ("/changes", None),
    "subscriptions": ("/subscriptions", None),
    "security": ("/security", None),
    "configuration": ("/configuration", None),
}
_SIZE = {"width": 1280, "height": 800}


def main(folder: Path) -> None:
    """Write the pictures into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as name,
        sync_playwright() as playwright,
        launched(playwright) as chromium,
        house(Path(name) / "the house", free_port()) as made,
    ):
        page = chromium.new_page(viewport=_SIZE, reduced_motion="reduce")  # type: ignore[arg-type]
        page.goto(f"{made.url}/dashboard/")
        sign_in(page)
        for picture, (path, followed) in PICTURES.items():
            page.goto(f"{made.url}/dashboard{path}")
            _follow(page, followed)
            page.wait_for_load_state("networkidle")
            page.screenshot(path=folder / f"dashboard-{picture}.png")
            print(folder / f"dashboard-{picture}.png")


def _follow(page: Page, followed: tuple[str, str] | None) -> None:
    if followed is not None:
        role, name = followed
        page.get_by_role("main").get_by_role(role, name=name).first.click()  # type: ignore[arg-type]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
