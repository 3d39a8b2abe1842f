"""Pictures of the dashboard's pages for the documentation: ``python -m tests.browser.screenshots FOLDER``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.browser.chromium import launched
from tests.browser.house import house, sign_in
from tests.servers.server import free_port

#: Picture -> page, and what is clicked there by its role and a part of its name.
PICTURES: dict[str, tuple[str, tuple[str, str] | None]] = {
    "overview": ("/", None),
    "stuck": ("/stuck", None),
    "stuck-person": ("/stuck?q=jane", ("link", "The events about")),
    "guard": ("/guard", None),
    "people": ("/people?q=ivanov", None),
    "person": ("/people?q=user9", ("link", "user9")),
    "changes": ("/changes?who=user", None),
    "change": ("/changes?who=user9", ("link", "Change")),
    "subscriptions": ("/subscriptions", None),
    "subscription": ("/subscriptions", ("link", "wiki")),
    "security": ("/security", None),
    "configuration": ("/configuration", None),
}
_SIZE = {"width": 1280, "height": 800}
#: Where less is enough.
_HEIGHTS = {"overview": 605, "people": 540, "changes": 480, "subscriptions": 520}


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
            _write(page, folder, picture)
        page.goto(f"{made.url}/dashboard/")
        page.locator("section[aria-labelledby=frontends]").screenshot(path=folder / "dashboard-frontends.png")


def _write(page: Page, folder: Path, picture: str) -> None:
    file = folder / f"dashboard-{picture}.png"
    clip = {"x": 0, "y": 0, "width": _SIZE["width"], "height": _HEIGHTS.get(picture, _SIZE["height"])}
    page.screenshot(path=file, clip=clip)  # type: ignore[arg-type]
    print(file)


def _follow(page: Page, followed: tuple[str, str] | None) -> None:
    if followed is not None:
        role, name = followed
        page.get_by_role("main").get_by_role(role, name=name).first.click()  # type: ignore[arg-type]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
