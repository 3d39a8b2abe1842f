"""What an administrator does, from the first sign of trouble to its end, in Chromium.

Each journey leaves the house another one, so these have a house of their own.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.house import House, house
from tests.receiver import OK, Behaviour, Received
from tests.servers.server import free_port
from tests.waiting import wait_for


@pytest.fixture(scope="module")
def the_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("a house of its own"), free_port()) as made:
        yield made


def edited(the_house: House, username: str, **fields: str) -> None:
    """Change one person of the staff."""
    with (the_house.folder / "staff.csv").open(encoding="utf-8", newline="") as file:
        people = list(csv.DictReader(file))
    for row in people:
        if row["username"] == username:
            row |= fields
    the_house.write("staff.csv", people)


def comes(page: Page, words: str) -> None:
    """Load a page again until it says so."""

    def is_there() -> bool:
        page.reload()
        return words in page.get_by_role("main").inner_text()

    wait_for(is_there, words)


def told(the_house: House, path: str) -> list[Received]:
    """What a receiver took."""
    return [one for one in the_house.receiver.requests() if one.path.startswith(path) and one.is_taken]


def reached_by_keyboard(page: Page, name: str) -> None:
    """Press Tab until a button has the focus."""
    button = page.get_by_role("button", name=name, exact=True)
    page.evaluate("document.activeElement.blur()")
    for _ in range(60):
        page.keyboard.press("Tab")
        if button.evaluate("one => one === document.activeElement"):
            return
    pytest.fail(f"no way to {name} with Tab")


def go(page: Page, the_house: House, path: str) -> None:
    page.goto(f"{the_house.url}/dashboard{path}")


def test_backend_breaks_and_is_mended_and_a_stuck_delivery_is_pushed_on(admin: OpenPage, the_house: House) -> None:
    file = the_house.folder / "branch.csv"
    file.rename(file.with_suffix(".away"))
    page = admin("/")
    card = page.locator("li.card", has=page.get_by_role("heading", name="branch csv"))
    expect(card.locator(".state").first).to_have_text("down")
    expect(card).to_contain_text("branch.csv")
    file.with_suffix(".away").rename(file)

    page.get_by_label("What is stuck for wiki").click()
    page.get_by_role("link", name="The events about Jane").click()
    expect(page.get_by_role("main")).to_contain_text("No such page: Jane")
    the_house.receiver.behave("/people", OK)
    reached_by_keyboard(page, "Try now")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("wiki is asked again now")
    comes(page, "nothing waits")
    page.get_by_role("link", name="What is stuck").click()
    expect(page.get_by_role("main")).not_to_contain_text("Jane")

    page.get_by_role("link", name="Overview").click()

    def is_up() -> bool:
        page.get_by_label("Ask branch now").click()
        return card.locator(".state").first.inner_text() == "up"

    # Nobody is asked more often than every 15 seconds.
    wait_for(is_up, "the backend that is mended", seconds=25)


def test_stuck_delivery_is_pushed_on_without_javascript(admin: OpenPage, the_house: House) -> None:
    the_house.receiver.behave("/people", Behaviour(status=500, persons=("s-16",)))
    edited(the_house, "user16", full_name="Nobody's Friend")
    page = admin("/stuck?q=user16", script=False)
    comes(page, "Nobody's Friend")
    the_house.receiver.behave("/people", OK)
    page.get_by_role("link", name="The events about Nobody's Friend").click()
    page.get_by_role("button", name="Try now").click()
    expect(page.get_by_role("status")).to_contain_text("wiki is asked again now")
    comes(page, "nothing waits")


def test_held_list_is_accepted_and_held_run_applied(admin: OpenPage, the_house: House) -> None:
    page = admin("/guard")
    page.get_by_role("link", name="See who is missing from the list of branch").click()
    expect(page.get_by_role("main")).to_contain_text("branch39")
    go(page, the_house, "/guard")
    page.get_by_text("Accept the list of branch").click()
    page.get_by_role("button", name="Accept this list of branch").click()
    expect(page.get_by_role("status")).to_be_visible()
    assert the_house.ask("/branch", cmd="list")[0] == 200
    page.get_by_text("Apply the run of branch").click()
    page.get_by_role("button", name="Apply this run of branch").click()
    expect(page.get_by_role("status")).to_be_visible()
    go(page, the_house, "/changes?type=user.deleted&backend=branch")
    comes(page, "Branch 39")
    go(page, the_house, "/guard")
    expect(page.get_by_role("region", name="Backend branch")).to_contain_text("nothing is held")


def test_refused_name_is_unlocked(admin: OpenPage, the_house: House) -> None:
    name = "user15"
    for guess in range(7):
        the_house.ask("/mailstore", cmd="auth", user=name, **{"pass": f"guess {guess}"})
    page = admin("/security")
    page.get_by_role("button", name=f"Unlock: {name}").click()
    expect(page.get_by_role("status")).to_be_visible()
    expect(page.get_by_role("button", name=f"Unlock: {name}")).to_have_count(0)
    assert the_house.ask("/mailstore", cmd="auth", user=name, **{"pass": f"of {name}"}) == (200, '{"succeeded":true}')


def test_subscription_is_made_tested_rotated_paused_replayed_and_removed(admin: OpenPage, the_house: House) -> None:
    page = admin("/subscriptions")
    page.get_by_role("link", name="New subscription").click()
    page.get_by_label("Name").fill("intranet")
    page.get_by_label("Where to send (URL)").fill(the_house.receiver.url("/intranet?key=hush"))
    page.get_by_role("button", name="Make the subscription").click()
    secret = page.locator("pre").inner_text()
    page.get_by_role("main").get_by_role("link").click()

    page.get_by_role("button", name="Send a test event").click()
    expect(page.get_by_role("status")).to_be_visible()
    assert told(the_house, "/intranet")[-1].is_signed_with(secret)

    page.get_by_text("Change the secret", exact=True).click()
    page.get_by_role("button", name="Make a new secret").click()
    assert page.locator("pre").inner_text() != secret
    page.get_by_role("main").get_by_role("link").click()
    assert secret not in page.content()

    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("main")).to_contain_text("paused by a person")
    page.get_by_text("Send again", exact=True).click()
    page.get_by_label("everybody as they are now").check()
    page.get_by_role("button", name="Send it again").click()
    page.get_by_role("button", name="Resume").click()
    wait_for(lambda: len(told(the_house, "/intranet")) > 60, "everybody")

    page.get_by_text("Remove", exact=True).click()
    page.get_by_role("button", name="Remove it for good").click()
    expect(page.get_by_role("heading", name="Subscriptions", exact=True)).to_be_visible()
    expect(page.get_by_role("main").get_by_role("link", name="intranet")).to_have_count(0)
