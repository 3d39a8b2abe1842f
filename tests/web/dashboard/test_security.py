"""Security: refused names and their unlocking, sessions, tokens of the API and of frontends, and the audit log."""

from __future__ import annotations

import re
import time
from html import unescape
from typing import Any

import pytest

from integration_server.store.failed_logins import Who
from integration_server.store.resources import Resource
from integration_server.store.tokens import SCOPES
from integration_server.web.dashboard import audit
from tests.web.dashboard.pages import ADMIN, Browser, signed_in
from tests.web.sites import DISABLED, MakeSite, Site

HOSTILE = "<script>alert(1)</script>\"' & ünïcode " + "x" * 500
#: As GroupServer makes them: mostly 32 characters.
FRONTEND_TOKEN = re.compile(r"<code>([0-9A-Za-z]{20,40})</code>")
GROUPS = {"type": "groupserver", "path": "/groups", "backends": ["hq"], "site_url": "https://g.example"}


def fail(site: Site, name: str, times: int, mount: str = "archive") -> None:
    failed = site.installation.store.failed_logins
    for number in range(times):
        failed.add(Who(mount, name, "10.0.0.1"), f"mac {number}", time.time(), 0.0)


def latest(site: Site) -> tuple[str, str, str | None]:
    entry = site.installation.store.audit_log.page(None, 1)[0]
    return entry.action, entry.subject, entry.actor


# -- wrong passwords -------------------------------------------------------------------------------------------------


def test_refused_name_is_shown_and_unlocked(site: Site) -> None:
    for number in range(6):
        site.auth("ann", f"guess {number}")
    assert not site.accepts("ann", "Ann's password")
    browser = signed_in(site)
    shown = browser.page("/security")
    assert "ann" in shown
    assert "archive" in shown
    assert "refused" in shown
    assert browser.done("/security/throttle/clear", name="ANN").startswith("5 wrong passwords of ann forgotten.")
    assert site.accepts("ann", "Ann's password")
    assert latest(site) == ("throttle.cleared", "ann", f"admin:{ADMIN}")
    assert "nobody is refused" in browser.page("/security")


def test_only_names_that_are_refused_now_are_shown(browser: Browser, site: Site) -> None:
    fail(site, "careful", 4)
    fail(site, HOSTILE, 5)
    fail(site, "root", 5, "(dashboard)")
    shown = browser.page("/security")
    assert "careful" not in shown
    assert HOSTILE in unescape(shown)
    assert "<script>alert" not in shown
    assert "the dashboard" in shown


def test_everybody_is_unlocked_at_once(browser: Browser, site: Site) -> None:
    for name in ("ann", "bob"):
        fail(site, name, 6)
    assert browser.done("/security/throttle/clear", all="yes").startswith("12 wrong passwords of everybody forgotten.")
    assert latest(site) == ("throttle.cleared", "(everybody)", f"admin:{ADMIN}")
    assert browser.done("/security/throttle/clear", name="ann") == "No wrong password of ann counts at the moment."
    assert browser.post("/security/throttle/clear").status_code == 400


def test_page_is_short_while_somebody_guesses_at_every_name(browser: Browser, site: Site) -> None:
    for number in range(130):
        fail(site, f"user{number}", 5)
    shown = browser.page("/security")
    assert shown.count("/security/throttle/clear") == 102
    assert "there are more" in shown


# -- sessions --------------------------------------------------------------------------------------------------------


def sessions(browser: Browser) -> list[str]:
    return re.findall(r'name="session" value="([^"]+)"', browser.page("/security"))


def test_session_of_another_is_ended(browser: Browser, site: Site) -> None:
    other = Browser(site)
    other.sign_in()
    shown = browser.page("/security")
    assert "this one is yours" in shown
    digests = [one.digest for one in site.installation.store.admins.sessions()]
    assert not any(digest in shown for digest in digests)
    own = re.search(r'this one is yours.*?name="session" value="([^"]+)"', shown, re.DOTALL)
    assert own is not None
    (theirs,) = set(sessions(browser)) - {own[1]}
    assert browser.done("/security/sessions/end", session=theirs) == f"A session of {ADMIN} has ended."
    assert other.get("/").status_code == 303
    assert latest(site) == ("session.ended", ADMIN, f"admin:{ADMIN}")
    assert browser.post("/security/sessions/end", session=theirs).status_code == 404


def test_ending_ones_own_session_is_signing_out(browser: Browser) -> None:
    (own,) = sessions(browser)
    assert browser.post("/security/sessions/end", session=own).status_code == 303
    assert browser.get("/").status_code == 303


# -- tokens of the API -----------------------------------------------------------------------------------------------


def test_token_is_made_shown_once_and_works(browser: Browser, site: Site) -> None:
    fields = {
        "name": "wiki",
        "scopes": "events:read",
        "backends": "hq",
        "groups": "hq/staff & <co>\r\n",
        "expires": "30",
    }
    response = browser.post("/security/tokens", **fields)
    plain = re.search(r"ist_[A-Za-z0-9_-]{43}", response.text)
    assert plain is not None
    token = site.installation.store.tokens.find(plain[0])
    assert token is not None
    assert (token.name, token.scopes) == ("wiki", ("events:read",))
    assert token.resources == (Resource("backend", "hq"), Resource("group", "hq", "staff & <co>"))
    assert token.expires_at == pytest.approx(time.time() + 30 * 86400, abs=60)
    shown = browser.page("/security/tokens")
    assert plain[0] not in shown
    assert "group staff &amp; &lt;co&gt; of hq" in shown
    assert latest(site) == ("token.created", "wiki", f"admin:{ADMIN}")


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"name": ""}, "fault-name"),
        ({"name": "x" * 201}, "fault-name"),
        ({"name": "a\x00b"}, "fault-name"),
        ({"name": "taken"}, "exists, or existed"),
        ({"scopes": []}, "fault-scopes"),
        ({"scopes": "root"}, "fault-scopes"),
        ({"backends": "none"}, "fault-backends"),
        ({"groups": "staff"}, "fault-groups"),
        ({"groups": "none/staff"}, "fault-groups"),
        ({"groups": "hq/" + "x" * 2_000}, "fault-groups"),
        ({"expires": "0"}, "fault-expires"),
        ({"expires": "2020-01-01"}, "has passed already"),
        ({"expires": HOSTILE}, "fault-expires"),
        ({"expires": "9999-12-31T23:59:59-23:00"}, "fault-expires"),
    ],
)
def test_wrong_token_is_told_beside_its_field(browser: Browser, site: Site, fields: dict[str, Any], fault: str) -> None:
    site.installation.store.tokens.create("taken", ["events:read"], [Resource()])
    response = browser.post("/security/tokens", **{"name": "wiki", "scopes": "events:read", **fields})
    assert (response.status_code, fault in response.text) == (422, True), response.text
    assert "<script>alert" not in response.text
    assert [one.name for one in site.installation.store.tokens.all()] == ["taken"]


def test_token_is_revoked(browser: Browser, site: Site) -> None:
    _, plain = site.installation.store.tokens.create(HOSTILE[:200].strip(), SCOPES, [Resource()])
    name = HOSTILE[:200].strip()
    assert name in browser.done("/security/tokens/revoke", name=name)
    assert site.installation.store.tokens.find(plain) is None
    assert latest(site) == ("token.revoked", name, f"admin:{ADMIN}")
    assert browser.post("/security/tokens/revoke", name=name).status_code == 404
    assert "Revoke it for good" not in browser.page("/security/tokens")


def test_tokens_are_paged(browser: Browser, site: Site) -> None:
    for number in range(130):
        site.installation.store.tokens.create(f"t{number:03}", ["events:read"], [Resource()])
    first = browser.page("/security/tokens")
    more = re.search(r'href="/dashboard([^"]+)" rel="next"', first)
    assert more is not None
    assert "t129" in browser.page(unescape(more[1]))


# -- tokens of frontends ---------------------------------------------------------------------------------------------


def test_frontends_token_is_changed_and_shown_once(make_site: MakeSite) -> None:
    disabled = [name for name in DISABLED if name != "groupserver"]
    elsewhere = {"path": "/others", "token_source": "groupserver", "token_dsn": "postgresql://me:hush-hush@h.example/x"}
    site = make_site(
        {"plugins": {"disabled": disabled}, "frontends.groups": GROUPS, "frontends.others": {**GROUPS, **elsewhere}}
    )
    browser = signed_in(site)
    shown = browser.page("/security")
    assert "none yet" in shown
    assert "GroupServer keeps it" in shown
    assert "hush-hush" not in shown
    response = browser.post("/security/frontends/rotate", frontend="groups")
    token = FRONTEND_TOKEN.search(response.text)
    assert token is not None
    assert site.installation.store.frontend_tokens.matches("groups", token[1])
    assert token[1] not in browser.page("/security")
    assert latest(site) == ("token.rotated", "groups", f"admin:{ADMIN}")
    assert browser.post("/security/frontends/rotate", frontend="others").status_code == 409
    for name in ("archive", "none", HOSTILE):
        assert browser.post("/security/frontends/rotate", frontend=name).status_code == 404


# -- the audit log ---------------------------------------------------------------------------------------------------


def test_audit_log_is_paged_and_searched(browser: Browser, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    log = site.installation.store.audit_log
    for number in range(60):
        log.add("sync.held", f"n{number}", None, {"reason": HOSTILE, "counts": {"deleted": number}, "is_new": True})
    log.add("token.created", HOSTILE, "admin:ann", {f"key {n}": n for n in range(100)})
    text, seen = browser.page("/security/audit"), 0
    assert "<script>alert" not in text
    assert HOSTILE[:300] in unescape(text)
    while True:
        seen += text.count('<td data-label="What">sync.held')
        more = re.search(r'href="/dashboard([^"]+)" rel="next"', text)
        if more is None:
            break
        text = browser.page(unescape(more[1]))
    assert seen == 60
    assert "sync.held" not in browser.page("/security/audit", query_string={"action": "token"})
    assert "admin:ann" in browser.page("/security/audit", query_string={"actor": "admin:ann"})
    assert "Nothing was written down." in browser.page("/security/audit", query_string={"action": HOSTILE})

    monkeypatch.setattr(audit, "_SPAN", 20)
    text = browser.page("/security/audit", query_string={"action": "admin.signed_in"})
    steps = 0
    while "admin.signed_in</td>" not in text:
        more = re.search(r'href="/dashboard([^"]+)" rel="next">Search further back', text)
        assert more is not None
        text, steps = browser.page(unescape(more[1])), steps + 1
    assert steps == 3
