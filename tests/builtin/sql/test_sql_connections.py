"""Connections that go stale, hang, are refused or run out; and what the errors say, and do not say."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from integration_server import (
    BackendError,
    BackendMisconfigured,
    BackendTimeout,
    BackendUnavailable,
    Deadline,
    Lookup,
)
from integration_server.builtin.sql import SqlBackend, plans
from integration_server.sdk.testing import in_threads
from tests.builtin.sql.people_database import SIMPLE, PeopleDatabase, faulty, opened, renamed, settings, soon, through
from tests.servers import PEOPLE, MariaDb, PostgreSql, Server
from tests.tcp_proxy import BlackHole, Drip, Fault, FreezeAfter, TcpProxy
from tests.waiting import wait_for

ALICE = Lookup("login", "alice")


@pytest.fixture(params=["postgresql", "mariadb"])
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def served(server: Server, request: pytest.FixtureRequest) -> PeopleDatabase:
    """The people of the server."""
    name = "postgresql_people" if isinstance(server, PostgreSql) else "mariadb_people"
    found: PeopleDatabase = request.getfixturevalue(name)
    return found


@pytest.fixture
def proxy(server: Server, tcp_proxy: Callable[[int], TcpProxy]) -> TcpProxy:
    return tcp_proxy(server.port)


def _is_found(backend: SqlBackend, deadline: Deadline | None = None) -> bool:
    return backend.find(ALICE, deadline or soon()) is not None


def test_a_restart_costs_no_login(server: Server, served: PeopleDatabase, tmp_path: Path) -> None:
    backend = opened(settings(served.url), tmp_path)
    # Several connections wait for work when the server goes away.
    barrier = threading.Barrier(4)

    def work(_: int) -> None:
        barrier.wait(10)
        assert _is_found(backend)

    in_threads(work, threads=4)
    server.restart()
    for _ in range(4):
        assert _is_found(backend)
    backend.close()


def test_a_killed_server_costs_no_login_once_it_is_back(server: Server, served: PeopleDatabase, tmp_path: Path) -> None:
    backend = opened(settings(served.url), tmp_path)
    assert _is_found(backend)
    server.kill()
    with pytest.raises(BackendUnavailable):
        _is_found(backend)
    server.start()
    assert _is_found(backend)
    backend.close()


def test_logins_share_a_connection(served: PeopleDatabase, proxy: TcpProxy, tmp_path: Path) -> None:
    backend = opened(settings(through(proxy, served.url)), tmp_path)
    for _ in range(20):
        assert _is_found(backend)
    assert proxy.accepted == 1
    backend.close()
    assert _soon(lambda: proxy.connections == 0)
    # Whoever asks after the end gets an answer and leaves nothing behind.
    assert _is_found(backend)
    assert _soon(lambda: proxy.connections == 0)


def _listed(backend: SqlBackend) -> int:
    return sum(len(batch.rows) for batch in backend.users(soon()))


def test_a_restart_costs_no_list(server: Server, served: PeopleDatabase, tmp_path: Path) -> None:
    backend = opened(settings(served.url), tmp_path)
    assert _listed(backend) == len(PEOPLE)
    server.restart()
    assert _listed(backend) == len(PEOPLE)
    backend.close()


def test_lists_of_postgresql_leave_their_connection_to_the_next_when_they_are_whole(
    postgresql: PostgreSql, postgresql_people: PeopleDatabase, tcp_proxy: Callable[[int], TcpProxy], tmp_path: Path
) -> None:
    proxy = tcp_proxy(postgresql.port)
    backend = opened(settings(through(proxy, postgresql_people.url)), tmp_path)
    for _ in range(3):
        assert _listed(backend) == len(PEOPLE)
    assert proxy.accepted == 1
    # Two at a time have one each, and both see who is there now.
    postgresql_people.run("INSERT INTO persons (id, login) VALUES (2000000, 'newcomer')")
    try:
        with closing(backend.users(soon())) as left:
            next(left)
            assert _listed(backend) == len(PEOPLE) + 1
    finally:
        postgresql_people.run("DELETE FROM persons WHERE id = 2000000")
    assert _soon(lambda: proxy.connections == 1)
    assert _listed(backend) == len(PEOPLE)
    backend.close()
    assert _soon(lambda: proxy.connections == 0)


def test_a_kept_connection_that_hangs_ends_a_list_at_its_deadline(
    postgresql: PostgreSql, postgresql_people: PeopleDatabase, tcp_proxy: Callable[[int], TcpProxy], tmp_path: Path
) -> None:
    proxy = tcp_proxy(postgresql.port)
    backend = opened(settings(through(proxy, postgresql_people.url)), tmp_path)
    assert _listed(backend) == len(PEOPLE)
    with faulty(proxy, BlackHole()), pytest.raises(BackendTimeout):
        list(backend.users(Deadline(0.3)))
    assert _listed(backend) == len(PEOPLE)
    backend.close()


def test_a_kept_connection_at_whose_other_end_nobody_is_costs_no_list(
    postgresql_database: PeopleDatabase, tmp_path: Path
) -> None:
    backend = opened(settings(postgresql_database.url), tmp_path)
    assert _listed(backend) == len(PEOPLE)
    ours = "application_name = 'integration-server' AND datname = current_database()"
    process = postgresql_database.scalar(f"SELECT pid FROM pg_stat_activity WHERE {ours}")
    os.kill(process, signal.SIGSTOP)
    try:
        assert sum(len(batch.rows) for batch in backend.users(Deadline(4))) == len(PEOPLE)
    finally:
        os.kill(process, signal.SIGCONT)
    backend.close()


def _soon(is_so: Callable[[], bool]) -> bool:
    for _ in range(300):
        if is_so():
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("fault", [BlackHole(), FreezeAfter(10), Drip(0.05)])
@pytest.mark.parametrize("is_connected", [True, False])
def test_a_hanging_login_ends_at_its_deadline(
    served: PeopleDatabase, proxy: TcpProxy, tmp_path: Path, fault: Fault, is_connected: bool
) -> None:
    backend = opened(settings(through(proxy, served.url)), tmp_path)
    if is_connected:
        assert _is_found(backend)
    started = time.monotonic()
    with faulty(proxy, fault), pytest.raises(BackendTimeout):
        _is_found(backend, Deadline(0.3))
    assert time.monotonic() - started < 3
    # The connection that was given up in the middle of an answer serves nobody else.
    before = proxy.accepted
    assert _is_found(backend)
    assert proxy.accepted == before + 1
    backend.close()


def test_a_name_with_a_dead_address_is_reached_at_the_other(
    postgresql: PostgreSql, postgresql_people: PeopleDatabase, tcp_proxy: Callable[[int], TcpProxy], tmp_path: Path
) -> None:
    hole = tcp_proxy(postgresql.port)
    hole.fault = BlackHole()
    url = sa.make_url(postgresql_people.url)
    both = url.set(host=None, port=None).update_query_dict(
        {"host": [f"127.0.0.1:{hole.port}", f"127.0.0.1:{postgresql.port}"]}
    )
    backend = opened(settings(both.render_as_string(hide_password=False)), tmp_path)
    assert _is_found(backend, Deadline(2))
    backend.close()


def test_what_is_no_database_server_is_an_outage(server: Server, served: PeopleDatabase, tmp_path: Path) -> None:
    answers = [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0" * 100, b"\xff" * 100, b"N", b"E", b"\x05\0\0\0\xff\x10", b""]
    for answer in answers:
        with _Impostor(answer) as port:
            url = sa.make_url(served.url).set(port=port).render_as_string(hide_password=False)
            backend = opened(settings(url), tmp_path)
            with pytest.raises(BackendError):
                _is_found(backend, Deadline(0.5))
            with pytest.raises(BackendError):
                list(backend.users(Deadline(0.5)))
            backend.close()


class _Impostor:
    """A server that says one thing to everybody."""

    def __init__(self, answer: bytes) -> None:

        self._answer = answer
        self._door = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> int:
        self._thread.start()
        port: int = self._door.getsockname()[1]
        return port

    def __exit__(self, *_: object) -> None:

        self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        self._thread.join(5)

    def _run(self) -> None:
        while True:
            try:
                client, _ = self._door.accept()
            except OSError:
                return
            with client:
                client.sendall(self._answer)
                client.settimeout(0.1)
                try:
                    client.recv(1000)
                except OSError:
                    continue


def test_a_wrong_database_password_is_named_and_not_shown(
    server: Server, served: PeopleDatabase, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table = settings(served.url, db_password="Hunter2-Hunter2")
    backend = opened(table, tmp_path)
    for call in (lambda: _is_found(backend), lambda: list(backend.users(soon())), lambda: list(backend.check(soon()))):
        with pytest.raises(BackendMisconfigured, match=r"password|[Aa]ccess denied") as caught:
            call()
        shown = f"{caught.value} {caught.value.__cause__!r} {backend!r} {caplog.text}"
        assert "Hunter2" not in shown
        assert "a-secret" not in shown
        assert "integration:***@127.0.0.1" in str(caught.value)
    backend.close()


def test_db_password_may_stand_apart_from_the_url(
    served: PeopleDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = sa.make_url(served.url).set(password=None).render_as_string()
    (tmp_path / "password").write_text("a-secret\n")
    monkeypatch.setenv("DB_PASSWORD", "a-secret")
    for given in ({"file": "password"}, {"env": "DB_PASSWORD"}, "a-secret"):
        backend = opened(settings(bare, db_password=given), tmp_path)
        assert _is_found(backend)
        backend.close()


def test_a_mistake_in_a_statement_is_asked_once(served: PeopleDatabase, proxy: TcpProxy, tmp_path: Path) -> None:
    backend = opened(settings(through(proxy, served.url)), tmp_path)
    assert _is_found(backend)
    with renamed(served).start(), pytest.raises(BackendMisconfigured):
        _is_found(backend)
    assert proxy.accepted == 1
    backend.close()


def test_a_missing_database_is_named(server: Server, served: PeopleDatabase, tmp_path: Path) -> None:
    url = sa.make_url(served.url).set(database="no_such_base").render_as_string(hide_password=False)
    backend = opened(settings(url), tmp_path)
    with pytest.raises(BackendMisconfigured, match="no_such_base"):
        _is_found(backend)
    backend.close()


def test_a_name_without_address_is_an_outage(served: PeopleDatabase, tmp_path: Path) -> None:
    url = sa.make_url(served.url).set(host="no-such-host.invalid").render_as_string(hide_password=False)
    backend = opened(settings(url), tmp_path)
    with pytest.raises(BackendUnavailable):
        _is_found(backend)
    backend.close()


def test_missing_permission_is_a_mistake_of_the_configuration(
    server: Server, served: PeopleDatabase, tmp_path: Path
) -> None:
    if isinstance(server, MariaDb):
        served.run("CREATE OR REPLACE USER reader IDENTIFIED BY 'reader'")
    else:
        served.run("DROP ROLE IF EXISTS reader", "CREATE ROLE reader LOGIN PASSWORD 'reader'")
    database = sa.make_url(served.url).database
    if isinstance(server, MariaDb):
        served.run(f"GRANT SELECT (id, login) ON {database}.persons TO reader")
    else:
        served.run("GRANT SELECT (id, login) ON persons TO reader")
    url = sa.make_url(served.url).set(username="reader", password="reader").render_as_string(hide_password=False)
    backend = opened(settings(url, **SIMPLE), tmp_path)
    with pytest.raises(BackendMisconfigured, match=r"denied"):
        list(backend.users(soon()))
    backend.close()
    table = settings(url, **{**SIMPLE, "map": {"id": "id", "username": "login"}, "password_column": None})
    backend = opened(table, tmp_path)
    assert sum(len(batch.rows) for batch in backend.users(soon())) == len(PEOPLE)
    assert _is_found(backend)
    backend.close()
    served.run(*(["DROP USER reader"] if isinstance(server, MariaDb) else ["DROP OWNED BY reader", "DROP ROLE reader"]))


def test_threads_do_not_share_a_connection_at_once(people: PeopleDatabase, tmp_path: Path) -> None:
    backend = opened(settings(people.url), tmp_path)

    def work(number: int) -> None:
        for turn in range(20):
            person = PEOPLE[(number * 5 + turn) % len(PEOPLE)]
            found = backend.find(Lookup("login", person.uid), soon())
            assert found is not None
            assert found.attributes["full_name"] == person.full_name
            assert found.attributes["emails"] == list(person.emails)

    in_threads(work)
    backend.close()


# -- SQLite --------------------------------------------------------------------------------------------------------


def test_a_missing_file_is_not_created(tmp_path: Path) -> None:
    backend = opened(settings("sqlite:///missing.db"), tmp_path)
    for call in (lambda: _is_found(backend), lambda: list(backend.users(soon())), lambda: list(backend.check(soon()))):
        with pytest.raises(BackendUnavailable, match=str(tmp_path / "missing.db")):
            call()
    assert not (tmp_path / "missing.db").exists()


def test_a_replaced_file_is_read_from_the_next_login_on(sqlite_database: PeopleDatabase, tmp_path: Path) -> None:
    path = tmp_path / "people.db"
    backend = opened(settings("sqlite:///people.db"), tmp_path)
    assert _is_found(backend)
    shutil.copy(path, tmp_path / "new.db")
    PeopleDatabase(f"sqlite:///{tmp_path / 'new.db'}").run("DELETE FROM persons WHERE login = 'alice'")
    os.replace(tmp_path / "new.db", path)
    assert not _is_found(backend)
    path.unlink()
    with pytest.raises(BackendUnavailable):
        _is_found(backend)
    backend.close()


def test_a_path_with_every_kind_of_letter_is_opened(sqlite_database: PeopleDatabase, tmp_path: Path) -> None:
    folder = tmp_path / "häßlich & 100% sure? #1"
    folder.mkdir()
    shutil.copy(tmp_path / "people.db", folder / "people.db")
    backend = opened(settings(f"sqlite:///{folder.name.replace('%', '%25').replace('?', '%3F')}/people.db"), tmp_path)
    assert _is_found(backend)
    backend.close()


def test_a_locked_file_is_an_outage_for_as_long_as_it_is_locked(
    sqlite_database: PeopleDatabase, tmp_path: Path
) -> None:
    backend = opened(settings("sqlite:///people.db"), tmp_path)
    assert _is_found(backend)
    holder = sqlite3.connect(tmp_path / "people.db", isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN EXCLUSIVE")

    def is_told() -> bool:
        started = time.monotonic()
        with pytest.raises(BackendUnavailable) as caught:
            _is_found(backend, Deadline(0.3))
        assert time.monotonic() - started < 2
        return "locked" in str(caught.value)

    # Where the machine is slow, the deadline may be noticed before SQLite gives up.
    wait_for(is_told)
    # A login waits for a lock that is given back in time.
    threading.Timer(0.3, lambda: holder.execute("COMMIT")).start()
    assert _is_found(backend, Deadline(10))
    holder.close()
    backend.close()


def test_a_file_in_wal_mode_is_read_beside_its_writer(sqlite_database: PeopleDatabase, tmp_path: Path) -> None:
    sqlite_database.run("PRAGMA journal_mode = WAL")
    writer = sqlite3.connect(tmp_path / "people.db", isolation_level=None)
    backend = opened(settings("sqlite:///people.db"), tmp_path)
    batches = backend.users(soon())
    next(batches)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("INSERT INTO persons (id, login) VALUES (1000, 'newcomer')")
    assert backend.find(Lookup("login", "newcomer"), soon()) is None
    writer.execute("COMMIT")
    assert backend.find(Lookup("login", "newcomer"), soon()) is not None
    assert list(batches) == []
    writer.close()
    backend.close()


def test_a_vanished_table_is_a_mistake_and_heals(database: PeopleDatabase, tmp_path: Path) -> None:
    backend = opened(settings(database.url), tmp_path)
    assert _is_found(backend)
    database.run("ALTER TABLE persons RENAME TO elsewhere")
    for call in (lambda: _is_found(backend), lambda: list(backend.users(soon()))):
        with pytest.raises(BackendMisconfigured, match="persons"):
            call()
    database.run("ALTER TABLE elsewhere RENAME TO persons")
    assert _is_found(backend)
    backend.close()


def test_a_column_that_changes_its_type_is_looked_at_again(
    postgresql_database: PeopleDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plans, "FACTS_SECONDS", 0.0)
    backend = opened(settings(postgresql_database.url, **SIMPLE), tmp_path)
    assert backend.find(Lookup("id", "1"), soon()) is not None
    postgresql_database.run("ALTER TABLE persons ALTER id TYPE text USING 'p' || id")
    assert backend.find(Lookup("id", "1"), soon()) is None
    assert backend.find(Lookup("id", "p1"), soon()) is not None
    backend.close()


@pytest.mark.parametrize("change", ["ALTER TABLE persons ALTER full_name TYPE varchar(500)", None])
def test_prepared_statements_that_are_of_no_more_use_cost_no_login(
    postgresql_database: PeopleDatabase, tmp_path: Path, change: str | None
) -> None:
    """The table was changed, or somebody between us and the server has thrown them away."""
    backend = opened(settings(postgresql_database.url, **SIMPLE, prepared_statements=True), tmp_path)
    for _ in range(6):
        assert _is_found(backend)
    ((_, session),) = backend._connections._idle
    prepared = session.connection.execute("SELECT statement FROM pg_prepared_statements").fetchall()
    assert [text for (text,) in prepared if "persons" in text]
    if change is None:
        session.connection.execute("DEALLOCATE ALL")
    else:
        postgresql_database.run(change)
    for _ in range(6):
        assert _is_found(backend)
    backend.close()


def test_statement_that_another_session_has_prepared_costs_no_login(
    postgresql_database: PeopleDatabase, tmp_path: Path
) -> None:
    """Behind a pooler it may be on the same connection to the server."""
    backend = opened(settings(postgresql_database.url, **SIMPLE, prepared_statements=True), tmp_path)
    for _ in range(6):
        assert _is_found(backend)
    ((_, session),) = backend._connections._idle
    session._asking._prepared.clear()
    for _ in range(6):
        assert _is_found(backend)
    backend.close()


def test_nothing_is_prepared_unless_that_is_asked_for(postgresql_database: PeopleDatabase, tmp_path: Path) -> None:
    backend = opened(settings(postgresql_database.url, **SIMPLE), tmp_path)
    for _ in range(8):
        assert _is_found(backend)
    ((_, session),) = backend._connections._idle
    assert session.connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchone() == (0,)
    backend.close()
