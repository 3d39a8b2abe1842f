"""The page of what the guard holds, and its buttons."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest

from integration_server.directory import guard
from integration_server.server.workers import run_once
from integration_server.store.audit_log import AuditEntry
from tests.web.dashboard.pages import ADMIN, Browser, signed_in
from tests.web.sites import MakeSite, Site

ODD = "\"><script>alert(1)</script>&'\u202e"


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    """Thirty people, whose changes are noticed."""
    site = make_site({"backends.hq": {"type": "memory", "sync": {}}})
    for n in range(30):
        site.world["hq"].add(f"user{n:02}", cn=f"User No. {n}")
    return site


def lose(site: Site, left: int, *, to: str | None = None) -> None:
    del site.world["hq"].rows[left:]
    if to is not None:
        site.world["hq"].add(to, no=99)


@pytest.fixture
def held_list(site: Site) -> Site:
    """A list of 30 went out; one of 5 of them and a new one is held."""
    assert site.list().status_code == 200
    lose(site, 5, to="newcomer")
    assert site.list().status_code == 503
    return site


@pytest.fixture
def held_run(site: Site) -> Site:
    """Thirty are known; a run that would delete 25 is held."""
    assert run_once(site.installation, "hq") is not None
    site.world["hq"].rows[2] = (3, "user02", "Somebody else", None, None, None, None)
    lose(site, 5, to="newcomer")
    run_once(site.installation, "hq")
    assert site.installation.store.runs.get("hq") is not None
    return site


def told(site: Site) -> list[AuditEntry]:
    return [e for e in site.installation.store.audit_log.page(None, 50) if e.action != "admin.signed_in"]


def list_id(browser: Browser) -> str:
    found = re.search(r'name="id" value="([0-9a-f]+)"', browser.page("/guard"))
    assert found is not None
    return found[1]


def run_id(site: Site) -> int:
    run = site.installation.store.runs.get("hq")
    assert run is not None
    return run.id


# -- nothing held ----------------------------------------------------------------------------------------------------


def test_what_holds_nothing_says_so_with_its_limits(site: Site, browser: Browser) -> None:
    page = browser.page("/guard")
    assert page.count("nothing is held") == 2
    assert "No list went out yet." in page
    site.list()
    run_once(site.installation, "hq")
    page = browser.page("/guard")
    assert "compared with one of 30 names" in page
    assert "more than 20 % and more than 10 names are missing" in page
    assert "30 people are known" in page


def test_backends_that_nobody_watches_are_left_out(make_site: MakeSite) -> None:
    site = make_site()
    assert "no changes are noticed" in signed_in(site).page("/guard")
    assert signed_in(site).post("/guard/raise", backend="hq").status_code == 404


# -- lists -----------------------------------------------------------------------------------------------------------


def test_held_list_is_shown_person_by_person(held_list: Site, browser: Browser) -> None:
    page = browser.page("/guard")
    assert "25 of 30 names that were listed before are missing" in page
    assert "will remove 25 people" in page
    names = browser.page("/guard/list?frontend=archive")
    assert "25 of hq" in names
    assert re.findall(r">(user\d\d)<", names) == [f"user{n:02}" for n in range(5, 30)]
    assert "newcomer" not in names
    assert "newcomer" in browser.page("/guard/list?frontend=archive&show=new")


def test_held_list_is_searched_and_paged(site: Site, browser: Browser) -> None:
    for n in range(30, 300):
        site.world["hq"].add(f"user{n:03}")
    site.list()
    lose(site, 1)
    site.list()
    assert re.findall(r">(user\d+)<", browser.page("/guard/list?frontend=archive&q=R29")) == [
        *("user29", *(f"user{n}" for n in range(290, 300)))
    ]
    first = browser.page("/guard/list?frontend=archive")
    assert "1 to 100 of 299" in first
    following = re.search(r'<a href="/dashboard([^"]+)" rel="next"', first)
    assert following is not None
    second = browser.page(following[1].replace("&amp;", "&"))
    assert "101 to 200 of 299" in second
    assert "No name holds this." in browser.page("/guard/list?frontend=archive&q=%25")
    assert "201 to 299" in browser.page("/guard/list?frontend=archive&from=99999999999")
    assert "1 to 100" in browser.page("/guard/list?frontend=archive&from=-1")


def test_accepted_list_goes_out_and_is_audited(held_list: Site, browser: Browser) -> None:
    notice = browser.done("/guard/accept", frontend="archive", id=list_id(browser))
    assert "Accepted" in notice
    assert len(held_list.list().get_json()) == 6
    entry = told(held_list)[0]
    assert (entry.action, entry.subject, entry.actor) == ("list.accepted", "archive", f"admin:{ADMIN}")
    assert (entry.details["names"], entry.details["missing"]) == (6, 25)
    assert "nothing is held" in browser.page("/guard")


def test_only_the_list_that_was_looked_at_is_accepted(held_list: Site, browser: Browser) -> None:
    seen = list_id(browser)
    lose(held_list, 3)
    assert held_list.list().status_code == 503
    assert "Nothing was done" in browser.done("/guard/accept", frontend="archive", id=seen)
    assert held_list.list().status_code == 503
    assert told(held_list) == []


def test_list_that_was_accepted_elsewhere_meanwhile_is_told(held_list: Site, browser: Browser) -> None:
    lists, seen = held_list.installation.store.name_lists, list_id(browser)
    assert guard.accept(lists, "archive", seen, 1_900_000_000.0)
    assert "Nothing was done" in browser.done("/guard/accept", frontend="archive", id=seen)
    assert browser.get("/guard/list?frontend=archive").status_code == 404


def test_same_list_made_anew_is_still_the_one_that_was_looked_at(held_list: Site, browser: Browser) -> None:
    seen = list_id(browser)
    assert held_list.list().status_code == 503
    assert "Accepted" in browser.done("/guard/accept", frontend="archive", id=seen)


# -- runs ------------------------------------------------------------------------------------------------------------


def test_held_run_is_shown_person_by_person(held_run: Site, browser: Browser) -> None:
    page = browser.page("/guard")
    assert "25 of 30 people (83.3 %) would be deleted" in page
    people = browser.page(f"/guard/run?backend=hq&run={run_id(held_run)}")
    assert "User No. 29" in people, "who goes is named"
    assert people.count("is deleted") == 25
    assert "Full name: <del>User No. 2</del> → <ins>Somebody else</ins>" in people
    assert people.count(">comes<") == 1


def test_held_run_is_paged(site: Site, browser: Browser) -> None:
    for n in range(30, 130):
        site.world["hq"].add(f"user{n:03}")
    run_once(site.installation, "hq")
    lose(site, 1)
    run_once(site.installation, "hq")
    first = browser.page("/guard/run?backend=hq")
    assert first.count("is deleted") == 100
    following = re.search(r'<a href="/dashboard([^"]+)" rel="next"', first)
    assert following is not None
    assert browser.page(following[1].replace("&amp;", "&")).count("is deleted") == 29


def test_applied_run_is_approved_and_audited(held_run: Site, browser: Browser) -> None:
    assert "is being applied" in browser.done("/guard/apply", backend="hq", run=run_id(held_run))
    assert "being applied" in browser.page("/guard")
    entry = told(held_run)[0]
    assert (entry.action, entry.subject, entry.actor) == ("sync.approved", "hq", f"admin:{ADMIN}")
    result = run_once(held_run.installation, "hq")
    assert result is not None
    assert result.kind == "applied"
    assert held_run.installation.store.people.count("hq") == 6


def test_discarded_run_is_gone_and_audited(held_run: Site, browser: Browser) -> None:
    run = run_id(held_run)
    assert "discarded" in browser.done("/guard/discard", backend="hq", run=run)
    assert held_run.installation.store.runs.get("hq") is None
    assert told(held_run)[0].action == "sync.discarded"
    assert "Nothing was done" in browser.done("/guard/discard", backend="hq", run=run), "pressed twice"
    assert browser.get("/guard/run?backend=hq").status_code == 404


@pytest.mark.parametrize("action", ["apply", "discard"])
def test_only_the_run_that_was_looked_at_is_decided_on(held_run: Site, browser: Browser, action: str) -> None:
    seen = run_id(held_run)
    lose(held_run, 3)
    run_once(held_run.installation, "hq")
    assert run_id(held_run) != seen
    before = told(held_run)
    assert "Nothing was done" in browser.done(f"/guard/{action}", backend="hq", run=seen)
    assert held_run.installation.store.runs.all()[0].state == "held"
    assert told(held_run) == before
    assert browser.get(f"/guard/run?backend=hq&run={seen}").status_code == 409


# -- raised once -----------------------------------------------------------------------------------------------------


def test_raised_guard_of_a_frontend_lets_one_list_through(held_list: Site, browser: Browser) -> None:
    browser.done("/guard/raise", frontend="archive")
    assert f"admin:{ADMIN} lifted this guard once" in browser.page("/guard")
    lose(held_list, 3)
    assert len(held_list.list().get_json()) == 3, "not just the list that was held"
    assert len(held_list.list().get_json()) == 3, "what was larger is compared with no more"
    lose(held_list, 1)
    assert held_list.list().status_code == 503
    passed, raised = told(held_list)[:2]
    assert (raised.action, raised.subject, raised.actor) == ("guard.raised", "archive", f"admin:{ADMIN}")
    assert (passed.action, passed.actor, passed.details["lifted_by"]) == ("guard.passed", None, f"admin:{ADMIN}")


def test_raised_guard_holds_an_empty_list_all_the_same(held_list: Site, browser: Browser) -> None:
    browser.done("/guard/raise", frontend="archive")
    lose(held_list, 0)
    assert held_list.list().status_code == 503
    assert "lifted this guard once" in browser.page("/guard")
    assert held_list.installation.store.guard_lifts.all(), "it is not used up"


def test_raised_guard_of_a_backend_lets_the_next_run_through(held_run: Site, browser: Browser) -> None:
    browser.done("/guard/raise", backend="hq")
    assert held_run.installation.store.watches.get("hq").is_scan_wanted, "whoever raises it waits for just that"
    lose(held_run, 4)
    result = run_once(held_run.installation, "hq")
    assert result is not None
    assert (result.kind, result.counts["deleted"]) == ("compared", 26)
    assert held_run.installation.store.runs.get("hq") is None
    assert held_run.installation.store.guard_lifts.all() == []
    assert told(held_run)[0].action == "guard.passed"
    lose(held_run, 3)
    result = run_once(held_run.installation, "hq")
    assert result is not None
    assert result.kind == "compared", "what was let through is no loss to count against the next run"


def test_raised_guard_can_be_put_back(held_list: Site, browser: Browser) -> None:
    browser.done("/guard/raise", frontend="archive")
    assert "is back" in browser.done("/guard/lower", frontend="archive")
    assert "was not lifted any more" in browser.done("/guard/lower", frontend="archive")
    assert held_list.list().status_code == 503
    assert [entry.action for entry in told(held_list)] == ["guard.lowered", "guard.raised"]


# -- whatever is sent ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/guard/accept", {}),
        ("/guard/accept", {"frontend": ODD, "id": "x"}),
        ("/guard/apply", {}),
        ("/guard/apply", {"backend": ODD, "run": "1"}),
        ("/guard/discard", {"backend": "x" * 1000}),
        ("/guard/raise", {}),
        ("/guard/raise", {"frontend": ODD}),
        ("/guard/raise", {"backend": "nul\0"}),
        ("/guard/lower", {"backend": ODD}),
    ],
)
def test_unknown_things_are_not_found(site: Site, browser: Browser, path: str, fields: dict[str, str]) -> None:
    response = browser.post(path, **fields)
    assert response.status_code == 404
    assert "<script>alert" not in response.text
    assert told(site) == []


@pytest.mark.parametrize("run", ["", "x", "-1", "9" * 30, "1.5"])
def test_what_is_no_run_is_none(held_run: Site, browser: Browser, run: str) -> None:
    assert "Nothing was done" in browser.done("/guard/apply", backend="hq", run=run)
    assert browser.get(f"/guard/run?backend=hq&run={run}&after={run}").status_code in (200, 409)


@pytest.mark.parametrize("path", ["/guard/list?frontend=", "/guard/run?backend="])
def test_pages_of_unknown_things_are_not_found(site: Site, browser: Browser, path: str) -> None:
    for name in ("archive", "hq", ODD, "nul\0", "x" * 1000, ""):
        assert browser.get(path + quote(name)).status_code == 404


@pytest.mark.parametrize("path", ["accept", "apply", "discard", "raise", "lower"])
def test_forms_without_the_sessions_token_do_nothing(held_list: Site, browser: Browser, path: str) -> None:
    response = browser.post(f"/guard/{path}", form_token="x", frontend="archive", backend="hq", id=list_id(browser))
    assert response.status_code == 403
    assert told(held_list) == []


def test_hostile_names_are_text(site: Site, browser: Browser) -> None:
    people = site.world["hq"]
    people.add(ODD, no=70, cn=ODD)
    people.add("x" * 1000, no=71)
    site.list()
    run_once(site.installation, "hq")
    lose(site, 1)
    site.list()
    run_once(site.installation, "hq")
    for path in ("/guard", "/guard/list?frontend=archive", "/guard/run?backend=hq"):
        page = browser.page(path)
        assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
