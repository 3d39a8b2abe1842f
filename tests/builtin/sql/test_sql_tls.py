"""Encrypted connections: verified where the URL says so, and cancelled as well as plain ones."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from integration_server import BackendTimeout, BackendUnavailable, Deadline, IncompleteListing, Lookup
from tests.builtin.sql.people_database import SIMPLE, PeopleDatabase, faulty, opened, settings, soon, through
from tests.servers import PEOPLE, MariaDb, PostgreSql, Server
from tests.servers.certificates import Authority
from tests.servers.tls import TlsMariaDb, TlsPostgreSql
from tests.tcp_proxy import BlackHole, CutAfter, Drip, FreezeAfter, TcpProxy

ALICE = Lookup("login", "alice")


@pytest.fixture(scope="module", params=[TlsPostgreSql, TlsMariaDb])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    directory = Path(tempfile.mkdtemp(prefix="integration server "))
    directory.chmod(0o755)
    found: Server = request.param(directory)
    try:
        found.start()
        yield found
    finally:
        found.destroy()


@pytest.fixture(scope="module")
def people(server: Server) -> PeopleDatabase:
    assert isinstance(server, PostgreSql | MariaDb)
    database = PeopleDatabase(server.create_database())
    database.create()
    database.load(9_000)
    return database


@pytest.fixture
def proxy(server: Server, tcp_proxy: Callable[[int], TcpProxy]) -> TcpProxy:
    return tcp_proxy(server.port)


def _url(server: Server, people: PeopleDatabase, proxy: TcpProxy, authority: Path | None = None) -> str:
    assert isinstance(server, TlsPostgreSql | TlsMariaDb)
    ca_file = authority or server.certificate.certificate.with_name("ca.pem")
    url = through(proxy, people.url)
    return f"{url}{'&' if '?' in url else '?'}{server.trust.format(str(ca_file).replace(' ', '%20'))}"


def test_faults_of_an_encrypted_connection_end_in_time(
    server: Server, people: PeopleDatabase, proxy: TcpProxy, tmp_path: Path
) -> None:
    backend = opened(settings(_url(server, people, proxy), **SIMPLE), tmp_path)
    told = [finding.message for finding in backend.check(soon())]
    assert "9030 rows in persons" in told
    for fault in (BlackHole(), FreezeAfter(50), Drip(0.02)):
        assert backend.find(ALICE, soon()) is not None
        for _ in ("on a connection that is open", "on a new one"):
            started = time.monotonic()
            with faulty(proxy, fault), pytest.raises(BackendTimeout):
                backend.find(ALICE, Deadline(0.3))
            assert time.monotonic() - started < 3
    with faulty(proxy, FreezeAfter(300_000)), pytest.raises(BackendTimeout):
        list(backend.users(Deadline(0.7)))
    with faulty(proxy, CutAfter(300_000)), pytest.raises(IncompleteListing):
        list(backend.users(soon()))
    batches = backend.users(soon())
    next(batches)
    with faulty(proxy, BlackHole()):
        started = time.monotonic()
        batches.close()
        assert time.monotonic() - started < 5
    assert sum(len(batch.rows) for batch in backend.users(soon())) == len(PEOPLE) + 9_000
    assert backend.find(ALICE, soon()) is not None
    backend.close()


def test_a_certificate_of_somebody_else_is_refused(
    server: Server, people: PeopleDatabase, proxy: TcpProxy, tmp_path: Path
) -> None:
    other = Authority(tmp_path / "other")
    other.create()
    backend = opened(settings(_url(server, people, proxy, other.ca_file), **SIMPLE), tmp_path)
    for _ in range(2):
        with pytest.raises(BackendUnavailable, match="certificate verify failed"):
            backend.find(ALICE, soon())
        with pytest.raises(BackendUnavailable, match="certificate verify failed"):
            list(backend.users(soon()))
    backend.close()


def test_encryption_is_known(server: Server, people: PeopleDatabase, proxy: TcpProxy, tmp_path: Path) -> None:
    # Without a word about it in the URL, what the server offers is taken.
    for url in (_url(server, people, proxy), people.url):
        backend = opened(settings(url, **SIMPLE), tmp_path)
        backend._driver.is_remote = True
        assert not [finding for finding in backend.check(soon()) if "TLS" in finding.message]
        backend.close()
