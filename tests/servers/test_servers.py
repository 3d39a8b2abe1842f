"""The servers and the fault proxy do what the other tests rely on."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import ldap3
import pytest
import sqlalchemy as sa
from ldap3.core.exceptions import LDAPBindError

from tests.servers import PEOPLE, MariaDb, PostgreSql, Samba, Server, ServerFailed, Slapd
from tests.servers.server import state_of

NewSlapd = Callable[..., Slapd]


def _connect(server: Slapd, dn: str = Slapd.reader_dn, password: str = Slapd.reader_password) -> ldap3.Connection:
    return ldap3.Connection(ldap3.Server(server.uri, get_info=ldap3.NONE), dn, password, auto_bind=True)


def _attributes(server: Slapd, uid: str, *names: str) -> dict[str, list[bytes]]:
    connection = _connect(server)
    connection.search(server.dn_of(uid), "(objectClass=*)", search_scope=ldap3.BASE, attributes=list(names))
    found: dict[str, list[bytes]] = (connection.response or [])[0]["raw_attributes"]
    connection.unbind()
    return found


def _answers(server: Server, seconds: float) -> bool:
    """Whether a new connection to the server brings a byte in time."""
    bind = bytes.fromhex("300c020101600702010304008000")
    hello = {"Slapd": bind, "Samba": bind, "PostgreSql": bytes.fromhex("0000000804d2162f")}
    try:
        with socket.create_connection((server.address, server.port), seconds) as connection:
            connection.sendall(hello.get(type(server).__name__, b""))
            return bool(connection.recv(1))
    except OSError:
        return False


@pytest.fixture(params=["slapd", "samba", "postgresql", "mariadb"])
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


def test_a_frozen_server_takes_connections_and_never_answers(server: Server) -> None:
    with server.frozen():
        assert not _answers(server, 0.3)
    assert _answers(server, 10)


def test_a_restarted_server_keeps_its_port(server: Server) -> None:
    port = server.port
    server.restart()
    assert server.port == port
    assert _answers(server, 10)


def test_a_stopped_server_refuses(server: Server) -> None:
    with server.stopped(), pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), 5)
    assert _answers(server, 10)


def test_a_stopped_or_frozen_server_is_healed(server: Server) -> None:
    server.freeze()
    server.heal()
    assert _answers(server, 10)
    server.kill()
    server.heal()
    assert _answers(server, 10)


def test_a_server_that_cannot_start_shows_its_log(tmp_path: Path) -> None:
    server = Slapd(tmp_path / "slapd")
    server.prepare = lambda: None  # type: ignore[method-assign]
    with pytest.raises(ServerFailed, match=r"slapd\.conf"):
        server.start()
    server.destroy()


def test_servers_of_a_killed_run_end_and_leave_no_folder(tmp_path: Path) -> None:
    folder = tmp_path / "slapd"
    script = (
        "import sys, pathlib; from tests.servers import Slapd\n"
        "server = Slapd(pathlib.Path(sys.argv[1])); server.start(); print(server.pids()[0], flush=True); input()"
    )
    root = Path(__file__).parents[2]
    run = subprocess.Popen(
        [sys.executable, "-c", script, str(folder)], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert run.stdout is not None
    pid = int(run.stdout.readline())
    assert state_of(pid) not in ("", "Z")
    os.kill(run.pid, signal.SIGKILL)
    run.communicate()
    deadline = time.monotonic() + 20
    while (state_of(pid) not in ("", "Z") or folder.exists()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert state_of(pid) in ("", "Z")
    assert not folder.exists()


# slapd


def test_slapd_holds_the_sample_people(slapd: Slapd) -> None:
    connection = _connect(slapd)
    connection.search(slapd.people, "(objectClass=inetOrgPerson)", attributes=["uid", "cn", "mail", "proxyAddresses"])
    found = {entry.uid.value: entry for entry in connection.entries}
    assert set(found) == {person.uid for person in PEOPLE}
    assert len(found) == len(PEOPLE) >= 30
    for person in PEOPLE:
        assert found[person.uid].cn.values == [person.full_name]
        assert tuple(found[person.uid].mail.values) == person.emails
    assert found["bob"].proxyAddresses.values == ["SMTP:bob@example.org", "smtp:b.baker@example.org"]
    assert not found["carol"].mail


@pytest.mark.parametrize("person", PEOPLE, ids=lambda person: ascii(person.uid))
def test_every_sample_person_logs_in(slapd: Slapd, person: object) -> None:
    assert isinstance(person, type(PEOPLE[0]))
    _connect(slapd, slapd.dn_of(person.uid), person.password).unbind()
    with pytest.raises(LDAPBindError):
        _connect(slapd, slapd.dn_of(person.uid), person.password + "?")


def test_slapd_knows_groups_both_ways(slapd: Slapd) -> None:
    assert _attributes(slapd, "bob", "memberOf")["memberOf"] == [
        f"cn={group},{slapd.groups}".encode() for group in ("staff", "admins")
    ]
    assert _attributes(slapd, "lonely", "memberOf")["memberOf"] == []


def test_slapd_takes_changes(new_slapd: NewSlapd) -> None:
    server = new_slapd()
    server.modify(f"dn: {server.dn_of('alice')}\nchangetype: modify\nreplace: sn\nsn: Anders\n")
    assert _attributes(server, "alice", "sn")["sn"] == [b"Anders"]
    server.add(f"dn: ou=more,{server.base}\nobjectClass: organizationalUnit\nou: more\n")
    server.delete(f"ou=more,{server.base}")
    with pytest.raises(ServerFailed, match="No such object"):
        server.delete(f"ou=more,{server.base}")


def test_slapd_loads_a_crowd_who_log_in(new_slapd: NewSlapd) -> None:
    server = new_slapd(has_people=True)
    server.load(1500)
    connection = _connect(server)
    connection.search(server.crowd, "(uid=*)", attributes=["uid"])
    assert len(connection.entries) == 1500
    _connect(server, server.dn_of("u1499"), "pw1499").unbind()


def test_slapd_limits_hold_for_the_reader_and_not_for_the_admin(new_slapd: NewSlapd) -> None:
    server = new_slapd(limits="size=10")
    for dn, password, expected in (
        (server.reader_dn, server.reader_password, (10, "sizeLimitExceeded")),
        (server.admin_dn, server.admin_password, (len(PEOPLE), "success")),
    ):
        connection = _connect(server, dn, password)
        connection.search(server.people, "(uid=*)", attributes=["uid"])
        assert (len(connection.entries), connection.result["description"]) == expected
    server.reconfigure(limits="")
    connection = _connect(server)
    connection.search(server.people, "(uid=*)", attributes=["uid"])
    assert len(connection.entries) == len(PEOPLE)


def _handshake(server: Slapd, host: str) -> str:
    context = ssl.create_default_context(cafile=str(server.ca_file))
    with socket.create_connection(("127.0.0.1", server.ldaps_port), 10) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=host):
                return "trusted"
        except ssl.SSLCertVerificationError as exc:
            return exc.verify_message


def test_slapd_speaks_tls_under_each_of_its_certificates(new_slapd: NewSlapd) -> None:
    server = new_slapd()
    assert [_handshake(server, host) for host in ("localhost", "127.0.0.1")] == ["trusted", "trusted"]
    server.reconfigure(certificate="expired")
    assert _handshake(server, "localhost") == "certificate has expired"
    server.reconfigure(certificate="other_name")
    assert "Hostname mismatch" in _handshake(server, "localhost")
    server.reconfigure(certificate="name_only")
    assert _handshake(server, "localhost") == "trusted"
    assert "IP address mismatch" in _handshake(server, "127.0.0.1")


def test_slapd_speaks_starttls(slapd: Slapd) -> None:
    tls = ldap3.Tls(validate=ssl.CERT_REQUIRED, ca_certs_file=str(slapd.ca_file))
    connection = ldap3.Connection(ldap3.Server("localhost", port=slapd.port, tls=tls, get_info=ldap3.NONE))
    connection.open()
    assert connection.start_tls()
    assert connection.bind()
    connection.unbind()


# PostgreSQL and MariaDB


@pytest.fixture(params=["postgresql", "mariadb"])
def database(request: pytest.FixtureRequest) -> PostgreSql | MariaDb:
    found: PostgreSql | MariaDb = request.getfixturevalue(request.param)
    return found


def test_each_database_is_new_and_holds_every_letter(database: PostgreSql | MariaDb) -> None:
    urls = [database.create_database(), database.create_database()]
    assert len(set(urls)) == 2
    for url in urls:
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        with engine.begin() as connection:
            connection.execute(sa.text("CREATE TABLE people (uid VARCHAR(64))"))
            connection.execute(sa.text("INSERT INTO people VALUES (:uid)"), [{"uid": one.full_name} for one in PEOPLE])
            found = connection.execute(sa.text("SELECT uid FROM people")).scalars().all()
        assert set(found) == {one.full_name for one in PEOPLE}


def test_a_wrong_database_password_is_refused(database: PostgreSql | MariaDb) -> None:
    wrong = sa.make_url(database.url).set(password="not-the-secret")
    engine = sa.create_engine(wrong, poolclass=sa.NullPool)
    with pytest.raises(sa.exc.OperationalError, match=r"(?i)password|denied"):
        engine.connect()


def test_freezing_postgresql_freezes_open_connections_too(postgresql: PostgreSql) -> None:
    engine = sa.create_engine(postgresql.url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.execute(sa.text("SELECT 1"))
        own = connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
        with postgresql.frozen():
            assert state_of(own) == "T"
        assert connection.execute(sa.text("SELECT 1")).scalar_one() == 1


def _bound(samba: Samba, user: str, password: str) -> tuple[str, str]:
    """What a simple bind over TLS brings."""
    tls = ldap3.Tls(validate=ssl.CERT_REQUIRED, ca_certs_file=str(samba.ca_file), valid_names=[samba.host_name])
    server = ldap3.Server(samba.address, port=636, use_ssl=True, tls=tls, get_info=ldap3.NONE)
    connection = ldap3.Connection(server, user, password)
    connection.bind(read_server_info=False)
    result = connection.result
    connection.unbind()
    return result["description"], result["message"]


def test_samba_is_a_domain_controller_whose_people_log_in(samba: Samba) -> None:
    dn = samba.add_user("Tessa Able", "Passw0rd!1", {"mail": "tessa@example.test"})
    for name in (dn, "Tessa Able@example.test", "EXAMPLE\\Tessa Able"):
        assert _bound(samba, name, "Passw0rd!1") == ("success", "")
    description, message = _bound(samba, dn, "wrong")
    assert description == "invalidCredentials"
    assert "data 52e" in message
    samba.modify(dn, userAccountControl=514)
    assert "data 533" in _bound(samba, dn, "Passw0rd!1")[1]


def test_samba_takes_changes_of_groups_and_names(samba: Samba) -> None:
    dn = samba.add_user("Cecil Cast", password=None)
    group = samba.add_group("Staff of Cecil", [dn])
    assert samba.read(dn, "memberOf")["memberOf"] == [group.encode()]
    moved = samba.rename(dn, "Cecil New")
    assert samba.read(group, "member")["member"] == [moved.encode()]
    samba.remove_members(group, moved)
    samba.add_members(group, moved)
    samba.delete(moved)
    assert samba.read(group, "member")["member"] == []
    with pytest.raises(ServerFailed, match="noSuchObject"):
        samba.delete(moved)


def test_two_domain_controllers_run_side_by_side(samba: Samba, tmp_path: Path) -> None:
    other = Samba(tmp_path / "other")
    try:
        other.start()
        other.restart()
        assert other.address != samba.address
        assert _bound(other, other.admin_login, other.admin_password)[0] == "success"
    finally:
        other.destroy()
