"""The page of changes while it is open."""

from __future__ import annotations

import csv

from playwright.sync_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.house import House


def test_what_is_new_comes_to_an_open_page(admin: OpenPage, the_house: House) -> None:
    page = admin("/changes")
    expect(page.get_by_role("status")).to_have_count(0)
    with (the_house.folder / "staff.csv").open(encoding="utf-8", newline="") as file:
        people = list(csv.DictReader(file))
    people[-1]["full_name"] = "Renamed while somebody looks"
    the_house.write("staff.csv", people)
    renamed = page.locator("tbody tr", has_text="Renamed while somebody looks").first
    expect(renamed).to_contain_text("new", timeout=30_000)
    expect(renamed.locator("ins")).to_have_text("Renamed while somebody looks")
    expect(page.get_by_role("status")).to_contain_text("1 new since this page was loaded")
