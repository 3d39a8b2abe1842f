"""Stores that earlier versions left, at each revision of the schema, are opened by this one: everything is there, and
goes on where it was. An upgrade that is killed is completed by the next start; a newer store is refused."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import logging
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from click.testing import CliRunner, Result

from integration_server.cli.group import cli
from integration_server.store.migrating import known
from integration_server.store.schema import REVISION, metadata
from tests.cli.conftest import Serving, run_process
from tests.receiver import LocalReceiver, Received
from tests.store.old_stores.opened import REVISIONS, OldStore, put_back
from tests.store.old_stores.setting import ADMIN, MASTER_KEY, PERSON, SERVICE, WIKI_SECRET
from tests.store.processes import at_once
from tests.waiting import wait_for

KINDS = ("sqlite", "postgresql")
#: Nobody listens there.
NOWHERE = 9
OLD = pytest.mark.parametrize(("revision", "kind"), [(one, kind) for one in REVISIONS for kind in KINDS])
LIVING = [f"{revision}-{kind}" for revision in REVISIONS for kind in KINDS]


@pytest.fixture(autouse=True)
def _own_log() -> Iterator[None]:
    """Commands direct the log of their process, which here is everybody's."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


Put = Callable[..., OldStore]


@pytest.fixture(scope="module")
def put(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Put:
    """``put("0002", "sqlite")``: that store in a place of its own. ``receiver_port`` is where its receivers are."""

    def new_database() -> str:
        made: str = request.getfixturevalue("postgresql").create_database()
        return made

    def put_one(revision: str, kind: str, receiver_port: int = NOWHERE) -> OldStore:
        return put_back(revision, kind, tmp_path_factory.mktemp("an old place"), receiver_port, new_database)

    return put_one


def invoke(old: OldStore, *args: object) -> Result:
    return CliRunner().invoke(cli, [*map(str, args)], env={"INTEGRATION_SERVER_CONFIG": str(old.setting.config)})


def run(old: OldStore, *args: object) -> str:
    """What a command prints that does what it should."""
    done = invoke(old, *args)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_every_earlier_revision_has_a_store_that_its_code_made() -> None:
    missing = known() - {REVISION} - set(REVISIONS)
    assert not missing, f"run: python -m tests.store.old_stores.produce {min(missing)} COMMIT (the last one with it)"


# -- everything is there ---------------------------------------------------------------------------------------------


@OLD
def test_upgrade_keeps_every_row_and_makes_the_schema_of_this_version(put: Put, revision: str, kind: str) -> None:
    old = put(revision, kind)
    columns, before = old.columns(), old.rows()
    assert len(before) >= 4
    assert all(before[name] for name in ("failed_logins", "name_lists", "name_index", "index_generations"))
    if old.revision >= "0002":
        wanted = ("people", "events", "subscriptions", "deliveries", "attempts", "tokens", "held_changes", "watches")
        assert all(before[name] for name in wanted)

    checked = invoke(old, "db", "check")
    told = f"error: the schema is {old.revision}, this version needs {REVISION}; 'integration-server db upgrade' brings"
    assert (checked.exit_code, told in checked.stderr) == (3, True)
    assert run(old, "db", "upgrade") == f"the schema was {old.revision} and is {REVISION} now\n"

    assert old.rows(columns) == before
    assert _differences(old) == []
    assert run(old, "db", "check").endswith("all is well\n")
    assert run(old, "db", "upgrade") == f"the schema is this version's already ({REVISION})\n"


def _differences(old: OldStore) -> list[Any]:
    """What is not as in a new store. Tables of plugins are none of the schema's."""
    engine = sa.create_engine(old.url)
    with engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True, "include_name": _is_ours}
        found: list[Any] = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
    engine.dispose()
    return found


def _is_ours(name: str | None, kind: str, _parents: object) -> bool:
    return kind != "table" or name in metadata.tables


# -- everything goes on ----------------------------------------------------------------------------------------------


@dataclass
class Living:
    """An old store, served by this version."""

    old: OldStore
    serving: Serving
    receiver: LocalReceiver

    def ask(self, path: str, body: bytes | None = None, method: str = "POST", **head: str) -> tuple[int, Any]:
        url = f"http://127.0.0.1:{self.old.setting.port}{path}"
        named = {name.replace("_", "-"): value for name, value in head.items()}
        request = urllib.request.Request(url, body, named, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                status, content = answer.status, answer.read()
        except urllib.error.HTTPError as refused:
            status, content = refused.code, refused.read()
        return status, json.loads(content) if content else None

    def form(self, path: str, **fields: str) -> tuple[int, Any]:
        basic = base64.b64encode(":".join(SERVICE).encode()).decode()
        return self.ask(path, urlencode(fields).encode(), Authorization=f"Basic {basic}")

    def api(self, path: str) -> Any:
        status, found = self.ask(f"/api/v1{path}", None, "GET", Authorization=f"Bearer {self.old.facts['token']}")
        assert status == 200, found
        return found

    def events(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.api("/events?after=0&limit=1000")["events"]
        return found

    def scan(self) -> None:
        """Have everybody of hq compared, and wait for it."""

        def scanned() -> tuple[float, bool]:
            columns = {"watches": ["backend", "scanned_at", "is_scan_wanted"]}
            (found,) = (row for row in self.old.rows(columns)["watches"] if row[0] == "hq")
            return found[1], bool(found[2])

        before = scanned()[0]
        run(self.old, "sync", "scan", "hq")
        wait_for(lambda: scanned()[0] > before and not scanned()[1], "the comparison")

    def told(self, path: str, count: int) -> list[Received]:
        """So many requests, and no more."""
        wait_for(lambda: len(self.receiver.requests(path)) >= count, f"{count} at {path}")
        found = self.receiver.requests(path)
        assert len(found) == count
        return found


@pytest.fixture(scope="module", params=LIVING)
def living(request: pytest.FixtureRequest, put: Put, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Living]:
    """One store, of which each test looks at something else."""
    with LocalReceiver(tmp_path_factory.mktemp("receiver")) as receiver:
        port = urlsplit(receiver.url("/")).port
        old = put(*request.param.split("-"), port)
        serving = Serving(old.setting.config)
        try:
            assert serving.url
            yield Living(old, serving, receiver)
        finally:
            serving.stop()


def test_lists_logins_and_held_lists_go_on(living: Living) -> None:
    status, people = living.form("/archive", cmd="list")
    assert (status, len(people)) == (200, 30)
    for password, is_right in ((PERSON[1], True), ("wrong", False)):
        answer = living.form("/archive", cmd="auth", user=PERSON[0], **{"pass": password})
        assert answer == (200, {"succeeded": is_right})
    assert living.form("/branch", cmd="list")[0] == 503, "it lacks 18 of 30, as before"
    (held,) = json.loads(run(living.old, "guard", "show", "--json"))
    assert held["mount"] == "branch"
    assert "u06" in run(living.old, "throttle", "list")
    run(living.old, "guard", "accept", "branch", "--yes")
    status, people = living.form("/branch", cmd="list")
    assert (status, len(people)) == (200, 12)


def test_journal_deliveries_and_held_runs_go_on(living: Living) -> None:
    old = living.old
    if old.revision < "0002":
        pytest.skip("this version knew no forwarding")
    before = living.events()
    ((last_serial,),) = old.rows({"journal_state": ["last_serial"]})["journal_state"]
    crm = old.facts["crm"]

    # Nobody is reported who has not changed.
    living.scan()
    assert living.events() == before

    # What was parked comes with the ids that it had, in its order; what was delivered does not come again.
    waiting = [row["id"] for row in before if row["data"]["person_id"] == "7"]
    assert len(waiting) == 2
    run(old, "deliveries", "retry", "--all", "--state", "parked")
    parked = living.told("/crm", 2)
    assert [one.document["id"] for one in parked] == waiting
    for one in parked:
        one.verify(crm["secret"])
    assert living.receiver.requests("/wiki") == []

    # What changes now has the next serial, and reaches everybody.
    old.setting.write_hq_changed({"u09": {"mail": "nine@example.org"}})
    living.scan()
    after = living.events()
    assert after[:-1] == before
    assert after[-1]["data"]["serial"] == last_serial + 1
    for path, number, secret in (("/crm", 3, crm["secret"]), ("/wiki", 1, WIKI_SECRET)):
        latest = living.told(path, number)[-1]
        latest.verify(secret)
        assert latest.document["id"] == after[-1]["id"]
    wait_for(lambda: json.loads(run(old, "deliveries", "list", "--json")) == [], "nothing to wait any more")

    # The run that was held is the one that a person decides on.
    (held,) = json.loads(run(old, "sync", "show", "--json"))
    assert (held["backend"], held["counts"]["deleted"]) == ("branch", 18)
    run(old, "sync", "apply", "branch", "--yes")
    gone = wait_for(lambda: (found := living.events()[len(after) :]) and len(found) == 18 and found, "18 deletions")
    assert {one["type"] for one in gone} == {"user.deleted"}
    living.told("/wiki", 19)


def test_groups_ids_and_what_was_kept_go_on(living: Living) -> None:
    facts = living.old.facts
    if living.old.revision < "0003":
        pytest.skip("this version knew no GroupServer")
    token = facts["groups_token"]
    status, groups = living.form("/groups/gs-group-groups.json", token=token, get="")
    assert (status, sorted(one["id"] for one in groups)) == (200, facts["groups"])
    _, found = living.form("/groups/gs-search-people.json", token=token, search="", user="u05@example.org")
    is_kept = living.old.revision >= "0004"
    assert found == {**facts["profile"], "groups": ["mail", "sales"] if is_kept else ["mail"]}
    if is_kept:
        _, new = living.form("/groups/gs-search-people.json", token=token, search="", user="new@example.org")
        assert new["groups"] == ["sales"]
        kept = json.loads(run(living.old, "memberships", "list", "--json"))
        assert sorted(one["backend"] for one in kept) == ["guests", "hq"]
    # A write whose process died is looked at again; nothing came of it.
    before = living.events()
    wait_for(lambda: living.old.rows({"intents": ["id"]})["intents"] == [], "the intent to be finished")
    assert living.events() == before


def test_accounts_of_forums_go_on(living: Living) -> None:
    if living.old.revision < "0004":
        pytest.skip("this version knew no IPS Connect")
    forum = living.old.facts["forum"]
    key = hashlib.md5(f"{MASTER_KEY}{forum['email']}".encode()).hexdigest()
    call = {"do": "login", "key": key, "id": forum["email"], "idType": "2", "password": forum["pass_hash"]}
    status, answer = living.ask(f"/connect?{urlencode(call)}", None, "GET")
    assert status == 200
    assert (answer["status"], answer["connect_id"], answer["name"]) == ("SUCCESS", forum["id"], forum["name"])


def test_push_channels_go_on(living: Living) -> None:
    if living.old.revision < "0005":
        pytest.skip("this version knew no push")
    push = living.old.facts["push"]
    wanted = json.dumps({"UAIDS": [push["uaid"]]}).encode()
    status, pending = living.ask("/push/connect", wanted)
    assert (status, pending["UPDATE"][push["uaid"]][push["free"]]) == (200, 7)
    assert living.ask("/push/ack", wanted)[0] == 204
    version = {"Content_Type": "application/x-www-form-urlencoded"}
    assert living.ask(push["endpoint"], b"version=8", "PUT", **version)[0] == 202
    living.old.setting.write_hq_changed({"u09": {"mail": "nine@example.org"}, "u11": {"mail": "eleven@example.org"}})
    living.scan()
    serial = living.events()[-1]["data"]["serial"]

    def told() -> dict[str, int]:
        versions: dict[str, int] = living.ask("/push/connect", wanted)[1]["UPDATE"][push["uaid"]]
        return versions

    wait_for(lambda: told() == {push["free"]: 8, push["bound"]: serial}, "both channels")


def test_administrators_go_on(living: Living) -> None:
    if living.old.revision < "0006":
        pytest.skip("this version knew no administrators")
    assert [one["name"] for one in json.loads(run(living.old, "admin", "list", "--json"))] == [ADMIN[0]]
    for password, status in ((ADMIN[1], 303), ("wrong", 401)):
        client = http.client.HTTPConnection("127.0.0.1", living.old.setting.port, timeout=30)
        form = urlencode({"name": ADMIN[0], "password": password})
        client.request("POST", "/dashboard/sign-in", form, {"Content-Type": "application/x-www-form-urlencoded"})
        assert client.getresponse().status == status
        client.close()


# -- what goes wrong -------------------------------------------------------------------------------------------------

#: Counts the statements of the upgrade, and dies before one of them; the last one is the commit.
_DYING = """
def work(number, arguments):
    import sqlalchemy as sa
    made = [0]
    def count(*_):
        made[0] += 1
        if made[0] == arguments["last"]:
            os.kill(os.getpid(), 9)
    from integration_server.store import engine
    built = engine._engine
    def counted(url):
        found = built(url)
        sa.event.listen(found, "before_cursor_execute", count)
        sa.event.listen(found, "commit", count)
        return found
    engine._engine = counted
    Store(arguments["url"], Path(arguments["folder"])).close()
    return made[0]
"""


def _upgraded_until(old: OldStore, last: int) -> int:
    (made,) = at_once(1, _DYING, url=old.setting.store, folder=str(old.setting.data), last=last)
    return int(made)


@OLD
def test_upgrade_that_is_killed_leaves_the_old_store_and_the_next_start_completes_it(
    put: Put, revision: str, kind: str
) -> None:
    whole = _upgraded_until(put(revision, kind), 0)
    old = put(revision, kind)
    columns, before = old.columns(), old.rows()
    for last in sorted({whole // 2, whole - 1, whole}):
        with pytest.raises(AssertionError):
            _upgraded_until(old, last)
        if last < whole:
            assert (old.columns(), old.rows()) == (columns, before), f"killed before {last} of {whole}"
    run(old, "db", "upgrade")
    assert old.rows(columns) == before
    assert _differences(old) == []


@pytest.mark.parametrize("kind", KINDS)
def test_store_of_a_newer_version_is_refused_by_every_program_and_left_alone(put: Put, kind: str) -> None:
    old = put(REVISIONS[-1], kind)
    run(old, "db", "upgrade")
    engine = sa.create_engine(old.url)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
        connection.execute(sa.text("ALTER TABLE people ADD COLUMN shoe_size INTEGER"))
    engine.dispose()
    before = old.rows()
    for verb in ("serve", "work"):
        done = run_process(verb, old.setting.config)
        assert (done.returncode, "Traceback" in done.stderr) == (3, False), done.stderr
        assert "written by a newer version (schema 9999); update this one first" in done.stderr
    for args in (("check",), ("changes",), ("subscriptions", "list"), ("token", "list"), ("db", "upgrade")):
        refused = invoke(old, *args)
        assert refused.exit_code == 3, refused.output
        assert "newer version (schema 9999)" in refused.output
    assert old.rows() == before
