"""The change feed of OpenLDAP: syncrepl, by refreshes and by a search that is held."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import ldap3
import pytest

from integration_server import BackendMisconfigured, BackendTimeout, ComparisonNeeded
from integration_server.builtin.ldap import LdapBackend
from integration_server.builtin.ldap.feeds import choice, held, holding, syncrepl, touched
from integration_server.sdk.testing import ChangeFeedConformance, Outage
from tests.builtin.ldap.opened import Opened
from tests.builtin.ldap.slapd_edits import LdapEdits
from tests.servers import PEOPLE, Slapd
from tests.tcp_proxy import TcpProxy

NewSlapd = Callable[..., Slapd]
Open = Callable[..., Opened]

SESSION_LOG = "syncprov-sessionlog 1000\n"
#: The log of deletions of a database of its own, which outlives restarts.
ACCESS_LOG = """\
syncprov-sessionlog-source cn=log
overlay accesslog
logdb cn=log
logops writes
logsuccess TRUE
"""
ACCESS_LOG_DATABASE = """\
moduleload accesslog
database mdb
suffix cn=log
rootdn cn=log
directory "{directory}"
index objectClass,entryCSN,reqStart,reqDN,reqResult eq
"""


class Syncrepl(ChangeFeedConformance):
    backend_class = LdapBackend
    outage_seconds = 0.4
    mode: ClassVar[str] = "refreshOnly"

    @pytest.fixture
    def population(self) -> Mapping[str, str | None]:
        return {person.uid: None for person in PEOPLE}

    @pytest.fixture
    def server(self, new_slapd: NewSlapd) -> Slapd:
        return new_slapd(database_lines=SESSION_LOG)

    @pytest.fixture
    def edits(self, server: Slapd) -> LdapEdits:
        return LdapEdits(server)

    @pytest.fixture
    def table(self, server: Slapd) -> dict[str, Any]:
        return {
            "type": "ldap",
            "servers": [server.uri],
            "bind_dn": Slapd.reader_dn,
            "bind_password": Slapd.reader_password,
            "bases": [Slapd.people],
            "page_size": 7,
            "change_feed": "syncrepl",
            "syncrepl_mode": self.mode,
        }

    @pytest.fixture
    def outages(self, server: Slapd) -> Sequence[Outage]:
        return [Outage("stopped", server.stopped), Outage("frozen", server.frozen)]


class TestRefreshOnly(Syncrepl):
    pass


class TestRefreshAndPersist(Syncrepl):
    mode = "refreshAndPersist"


LOGS = {"sessionlog": SESSION_LOG, "accesslog": ACCESS_LOG, "none": ""}


@pytest.fixture
def start(new_slapd: NewSlapd, tmp_path: Path, open_ldap: Open) -> Callable[..., tuple[Opened, LdapEdits]]:
    """``start("sessionlog", "refreshOnly")``: a server that keeps deletions there, and a backend of it."""

    def start_one(log: str, mode: str, **more: object) -> tuple[Opened, LdapEdits]:
        lines = ""
        if log == "accesslog":
            (tmp_path / "log").mkdir()
            lines = ACCESS_LOG_DATABASE.format(directory=tmp_path / "log")
        slapd = new_slapd(global_lines=lines, database_lines=LOGS[log])
        opened = open_ldap(slapd.uri, **{"change_feed": "syncrepl", "syncrepl_mode": mode, **more})
        edits = LdapEdits(slapd)
        if log == "accesslog":
            # It knows of nothing before the first change that it holds.
            edits.change("frank")
        return opened, edits

    return start_one


Start = Callable[..., tuple[Opened, LdapEdits]]

#: Where nothing is lost: the server keeps a log, or the search is held.
complete = pytest.mark.parametrize(
    ("log", "mode"),
    [("sessionlog", "refreshOnly"), ("accesslog", "refreshOnly"), ("none", "refreshAndPersist")],
    ids=["sessionlog", "accesslog", "held"],
)


@complete
def test_who_is_deleted_is_told_by_id(start: Start, log: str, mode: str) -> None:
    opened, edits = start(log, mode)
    ids, position = opened.ids(), opened.position()
    edits.remove("bob")
    found = opened.told(position)
    assert (found.usernames, found.gone) == ([], {ids["bob"]})
    edits.change("carol")
    found = opened.told(found.position)
    assert (found.usernames, found.gone) == (["carol"], frozenset())
    assert opened.told(found.position).position == found.position


@complete
def test_new_account_of_an_old_name_is_somebody_else(start: Start, log: str, mode: str) -> None:
    opened, edits = start(log, mode)
    ids, position = opened.ids(), opened.position()
    edits.remove("bob")
    edits.add("bob")
    edits.remove("bob")
    edits.add("bob")
    found = opened.told(position)
    assert found.usernames == ["bob"]
    assert ids["bob"] in found.gone
    assert found.gone.isdisjoint(opened.ids().values())


@complete
def test_who_leaves_the_filter_or_the_bases_is_gone(start: Start, log: str, mode: str) -> None:
    opened, edits = start(log, mode, ldap_filter="(&(objectClass=person)(!(title=left)))")
    ids, position = opened.ids(), opened.position()
    edits.set("bob", "title", "left")
    edits.rename(f"uid=carol,{Slapd.people}", "uid=carol", Slapd.base)
    edits.rename(f"uid=alice,{Slapd.people}", "uid=alicia")
    found = opened.told(position)
    assert {user.id: user.username for user in found.users.values()} == {ids["alice"]: "alicia"}
    assert found.gone == {ids["bob"], ids["carol"]}
    edits.set("bob", "title", "back")
    edits.rename(f"uid=carol,{Slapd.base}", "uid=carol", Slapd.people)
    found = opened.told(found.position)
    assert (found.usernames, found.gone) == (["bob", "carol"], frozenset())


@complete
def test_people_below_an_entry_that_is_renamed_take_a_comparison(start: Start, log: str, mode: str) -> None:
    opened, edits = start(log, mode, bases=[Slapd.base])
    position = opened.position()
    edits.rename(Slapd.people, "ou=folk")
    with pytest.raises(ComparisonNeeded, match="people are below it"):
        opened.told(position)


@complete
def test_change_of_a_group_takes_a_comparison_where_groups_are_read(start: Start, log: str, mode: str) -> None:
    groups = {"groups": {"bases": [Slapd.groups]}, "map": {"groups": "groups"}}
    opened, edits = start(log, mode, **groups)
    position = opened.position()
    edits.change("alice")
    edits.remove("erin")
    found = opened.told(position)
    assert {user.groups for user in found.users.values()} == {
        user.groups for user in opened.users() if user.username == "alice"
    }
    edits.join("external", "carol")
    with pytest.raises(ComparisonNeeded, match=r"the group cn=external,.* was changed"):
        opened.told(found.position)
    position = opened.position()
    edits.slapd.delete(f"cn=external,{Slapd.groups}")
    with pytest.raises(ComparisonNeeded, match="a group was deleted"):
        opened.told(position)


@complete
def test_groups_that_nobody_reads_are_nobodys_change(start: Start, log: str, mode: str) -> None:
    opened, edits = start(log, mode)
    position = opened.position()
    edits.join("external", "carol")
    edits.slapd.delete(f"cn=staff,{Slapd.groups}")
    found = opened.told(position)
    assert not found.users
    assert found.gone.isdisjoint(opened.ids().values())


@complete
def test_deletion_takes_a_comparison_where_the_id_is_another_attribute(start: Start, log: str, mode: str) -> None:
    opened, edits = start(log, mode, map={"id": "uid"}, ldap_filter="(&(objectClass=person)(!(title=left)))")
    position = opened.position()
    edits.set("bob", "title", "left")
    edits.change("alice")
    found = opened.told(position)
    assert (found.usernames, found.gone) == (["alice"], {"bob"})
    edits.remove("carol")
    with pytest.raises(ComparisonNeeded, match="only its entryUUID is known"):
        opened.told(found.position)


@complete
def test_many_changes_mean_a_comparison(start: Start, log: str, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(touched, "MOST", 2)
    opened, edits = start(log, mode)
    position = opened.position()
    for username in ("alice", "bob", "carol"):
        edits.change(username)
    with pytest.raises(ComparisonNeeded, match="more than 2 entries"):
        opened.told(position)
    assert opened.find("alice") is not None


# -- what a server does not know any more ------------------------------------------------------------------------------


def test_without_a_log_each_change_takes_a_comparison(start: Start) -> None:
    opened, edits = start("none", "refreshOnly")
    position = opened.position()
    assert opened.told(position).position == position
    edits.change("alice")
    for _ in range(2):
        with pytest.raises(ComparisonNeeded, match="keeps no log of what was deleted"):
            opened.told(position)
    assert opened.told(opened.position()).users == {}


def test_without_a_log_the_search_is_held_from_the_first_change_on(start: Start) -> None:
    opened, edits = start("none", "auto")
    ids, position = opened.ids(), opened.position()
    edits.change("alice")
    with pytest.raises(ComparisonNeeded, match="keeps no log of what was deleted"):
        opened.told(position)
    position = opened.position()
    edits.remove("bob")
    found = opened.told(position)
    assert found.gone == {ids["bob"]}


@pytest.mark.parametrize("log", ["sessionlog", "accesslog"])
@pytest.mark.parametrize("mode", ["refreshOnly", "refreshAndPersist"])
def test_server_that_was_restarted_goes_on(start: Start, log: str, mode: str) -> None:
    opened, edits = start(log, mode)
    ids, position = opened.ids(), opened.position()
    edits.slapd.stop()
    edits.slapd.start()
    edits.remove("bob")
    edits.change("carol")
    found = opened.told(position)
    assert (found.usernames, found.gone) == (["carol"], {ids["bob"]})


def test_log_that_was_lost_with_a_restart_takes_a_comparison(start: Start) -> None:
    opened, edits = start("sessionlog", "refreshOnly")
    position = opened.position()
    edits.remove("bob")
    edits.slapd.stop()
    edits.slapd.start()
    with pytest.raises(ComparisonNeeded, match="keeps no log of what was deleted"):
        opened.told(position)


@pytest.mark.parametrize("mode", ["refreshOnly", "refreshAndPersist"])
def test_database_that_was_put_back_takes_a_comparison(start: Start, mode: str) -> None:
    opened, edits = start("sessionlog", mode)
    data, copy = edits.slapd.directory / "data", edits.slapd.directory / "copy"
    edits.slapd.stop()
    # Its file has four gigabytes, nearly all of them holes.
    subprocess.run(["cp", "-a", "--sparse=always", data, copy], check=True)
    edits.slapd.start()
    edits.change("alice")
    position = opened.position()
    edits.slapd.stop()
    shutil.rmtree(data)
    copy.rename(data)
    edits.slapd.start()
    with pytest.raises(ComparisonNeeded, match="consumer state is newer than provider"):
        opened.told(position)


COOKIES = {
    "empty": b"",
    "nonsense": b"nonsense",
    "without a number": b"rid=000",
    "half": b"rid=000,csn=20260101000000.00",
    "ages ago": b"rid=000,csn=20010101000000.000000Z#000000#000#000000",
    "of another server": b"rid=000,csn=20010101000000.000000Z#000000#007#000000",
}


@pytest.mark.parametrize("cookie", COOKIES.values(), ids=COOKIES)
@pytest.mark.parametrize("log", ["sessionlog", "none"])
def test_cookie_that_the_server_does_not_know_takes_a_comparison(start: Start, log: str, cookie: bytes) -> None:
    opened, edits = start(log, "refreshOnly")
    edits.change("alice")
    with pytest.raises(ComparisonNeeded):
        opened.told(json.dumps(["syncrepl", {Slapd.base: base64.b64encode(cookie).decode()}]))


def test_reload_hint_of_the_server_takes_a_comparison(new_slapd: NewSlapd, open_ldap: Open) -> None:
    slapd = new_slapd(database_lines=f"{SESSION_LOG}syncprov-reloadhint TRUE\n")
    opened = open_ldap(slapd.uri, change_feed="syncrepl")
    cookie = base64.b64encode(COOKIES["ages ago"]).decode()
    LdapEdits(slapd).change("alice")
    with pytest.raises(ComparisonNeeded, match="4096"):
        opened.told(json.dumps(["syncrepl", {Slapd.base: cookie}]))


def test_limit_of_the_server_is_no_end_of_the_changes(new_slapd: NewSlapd, open_ldap: Open) -> None:
    slapd = new_slapd(limits="size.soft=2 size.hard=2 size.prtotal=unlimited", database_lines=SESSION_LOG)
    opened, edits = open_ldap(slapd.uri, change_feed="syncrepl", page_size=2), LdapEdits(slapd)
    position = opened.position()
    for username in ("alice", "bob", "carol"):
        edits.change(username)
    with pytest.raises(ComparisonNeeded, match="sizeLimitExceeded"):
        opened.told(position)


def test_server_without_the_overlay_is_an_error_that_says_so(new_slapd: NewSlapd, open_ldap: Open) -> None:
    opened = open_ldap(new_slapd(overlays=()).uri, change_feed="syncrepl")
    with pytest.raises(BackendMisconfigured, match="overlay syncprov"):
        opened.position()
    assert any("overlay syncprov" in finding.message for finding in opened.findings() if finding.level == "error")


def test_database_without_the_overlay_is_an_error_although_another_one_has_it(
    new_slapd: NewSlapd, open_ldap: Open, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = f'moduleload syncprov\ndatabase mdb\nsuffix o=other\ndirectory "{tmp_path}/other"\noverlay syncprov\n'
    opened = open_ldap(new_slapd(overlays=(), global_lines=other).uri, change_feed="syncrepl")
    with pytest.raises(BackendMisconfigured, match="syncrepl of 'dc=example,dc=org'"):
        opened.position()


def test_keys_that_are_not_shown_are_an_error_that_says_so(new_slapd: NewSlapd, open_ldap: Open) -> None:
    slapd = new_slapd(global_lines="access to attrs=entryUUID by * none")
    opened = open_ldap(slapd.uri, change_feed="syncrepl", map={"id": "uid"})
    with pytest.raises(BackendMisconfigured, match="does not show the entryUUID"):
        opened.position()


# -- held searches -----------------------------------------------------------------------------------------------------


def keepers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "ldap-held-searches"]


def connections(slapd: Slapd) -> int:
    """How many clients are connected, this question's own one included."""
    port = f"{slapd.port:04X}"
    lines = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    return sum(line.split()[1].endswith(f":{port}") and line.split()[3] == "01" for line in lines)


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    give_up = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < give_up, what
        time.sleep(0.02)


def test_closing_lets_go_of_the_search_and_its_thread(start: Start) -> None:
    opened, edits = start("none", "refreshAndPersist")
    opened.position()
    assert keepers()
    opened.backend.close()
    opened.backend.close()
    assert not keepers()
    wait_until(lambda: connections(edits.slapd) == 0, "a connection is left open")


def test_search_that_nobody_looks_at_is_let_go(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "_IDLE_SECONDS", 0.0)
    monkeypatch.setattr(holding, "_KEEP_SECONDS", 0.05)
    opened, _ = start("none", "refreshAndPersist", list_seconds=0.2)
    opened.position()
    wait_until(lambda: not keepers(), "the search is held for ever")


def test_what_comes_while_nobody_looks_is_taken_and_told_later(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding, "_KEEP_SECONDS", 0.02)
    opened, edits = start("none", "refreshAndPersist")
    ids, position = opened.ids(), opened.position()
    for username in ("alice", "bob", "carol"):
        edits.change(username)
        time.sleep(0.1)
    edits.remove("alice")
    time.sleep(0.1)
    found = opened.told(position)
    assert (found.usernames, found.gone) == (["bob", "carol"], {ids["alice"]})


def test_what_came_is_kept_by_its_cookies_for_a_while(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "MOST", 3)
    opened, edits = start("none", "refreshAndPersist")
    first = opened.position()
    edits.change("alice")
    second = opened.told(first).position
    edits.change("bob")
    assert opened.told(first).usernames == ["alice", "bob"]
    assert opened.told(second).usernames == ["bob"]
    for _ in range(2):
        edits.change("carol")
    assert opened.told(second).usernames == ["bob", "carol"]
    with pytest.raises(ComparisonNeeded, match="keeps no log of what was deleted"):
        opened.told(first)


@pytest.mark.parametrize("log", ["sessionlog", "none"])
def test_connection_that_breaks_loses_nothing(
    start: Start, tcp_proxy: Callable[[int], TcpProxy], open_ldap: Open, log: str
) -> None:
    _, edits = start(log, "refreshOnly")
    proxy = tcp_proxy(edits.slapd.port)
    opened = open_ldap(f"ldap://127.0.0.1:{proxy.port}", change_feed="syncrepl", syncrepl_mode="refreshAndPersist")
    ids, position = opened.ids(), opened.position()
    edits.change("alice")
    position = opened.told(position).position
    proxy.drop()
    edits.remove("bob")
    if log == "none":
        with pytest.raises(ComparisonNeeded, match="keeps no log of what was deleted"):
            opened.told(position)
        position = opened.position()
    else:
        found = opened.told(position)
        assert found.gone == {ids["bob"]}
        position = found.position
    edits.remove("carol")
    assert opened.told(position).gone == {ids["carol"]}


def test_server_that_hangs_is_an_outage_of_a_held_search_too(start: Start) -> None:
    opened, edits = start("none", "refreshAndPersist")
    position = opened.position()
    with edits.slapd.frozen(), pytest.raises(BackendTimeout):
        opened.told(position, seconds=0.3)


def test_search_that_tells_nothing_any_more_is_started_anew(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "_LAG_SECONDS", 0.1)
    opened, edits = start("sessionlog", "refreshAndPersist")
    position = opened.position()
    # As if what comes were swallowed on the way.
    monkeypatch.setattr(held.HeldSearch, "_take", lambda *_: (False, None))
    edits.change("alice")
    assert opened.told(position).users == {}
    monkeypatch.undo()
    monkeypatch.setattr(held, "_LAG_SECONDS", 0.1)
    time.sleep(0.2)
    assert opened.told(position).usernames == ["alice"]


def test_change_between_the_cookie_and_the_search_is_no_hindrance(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, edits = start("none", "refreshAndPersist")
    changes = iter(("alice", "bob"))
    ask = syncrepl.cookie_now

    def asked(*arguments: Any) -> bytes:
        cookie = ask(*arguments)
        if (username := next(changes, None)) is not None:
            edits.change(username)
        return cookie

    monkeypatch.setattr(syncrepl, "cookie_now", asked)
    position = opened.position()
    edits.change("carol")
    assert opened.told(position).usernames == ["carol"]


# -- several naming contexts -------------------------------------------------------------------------------------------

OTHER = """\
database mdb
suffix o=other
rootdn cn=admin,o=other
rootpw secret
directory "{directory}"
index objectClass,entryUUID,entryCSN eq
overlay syncprov
syncprov-sessionlog 100
"""


@pytest.mark.parametrize("mode", ["refreshOnly", "refreshAndPersist"])
def test_bases_in_several_databases_have_a_cookie_each(
    new_slapd: NewSlapd, open_ldap: Open, tmp_path: Path, mode: str
) -> None:
    (tmp_path / "other").mkdir()
    other = OTHER.format(directory=tmp_path / "other")
    slapd = new_slapd(global_lines=other, database_lines=SESSION_LOG)
    edits = LdapEdits(slapd)
    with ldap3.Connection(ldap3.Server(slapd.uri), "cn=admin,o=other", "secret") as admin:
        admin.add("o=other", ["organization"])
        admin.add("uid=olga,o=other", ["inetOrgPerson"], {"cn": "Olga", "sn": "Other"})
        bases = [Slapd.people, "o=other"]
        opened = open_ldap(slapd.uri, change_feed="syncrepl", syncrepl_mode=mode, bases=bases)
        ids, position = opened.ids(), opened.position()
        assert set(json.loads(position)[1]) == {Slapd.base, "o=other"}
        admin.modify("uid=olga,o=other", {"sn": [(ldap3.MODIFY_REPLACE, ["Changed"])]})
        edits.change("alice")
        found = opened.told(position)
        assert found.usernames == ["alice", "olga"]
        admin.delete("uid=olga,o=other")
        found = opened.told(found.position)
        assert (found.usernames, found.gone) == ([], {ids["olga"]})
        edits.remove("alice")
        assert opened.told(found.position).gone == {ids["alice"]}
