"""What every test may ask for: real servers, shared by the run or private to the test."""

from __future__ import annotations

import gc
import os
import signal
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

# Before a run of pytester within the run, which forgets half of what was imported in it: then no store could be made.
import alembic.context  # noqa: F401
import pytest

from tests.servers import MariaDb, PostgreSql, Samba, Server, Slapd, SlapdOptions
from tests.tcp_proxy import TcpProxy

pytest_plugins = ["tests.secrecy.plugin"]

_Some = TypeVar("_Some", bound=Server)
#: Pytest's own: where it makes its folders. Whoever sets it chooses another place.
_PLACE = "PYTEST_DEBUG_TEMPROOT"
#: A run needs a part of it, since the folders of tests that passed are removed at once.
_MEMORY_BYTES = 4 << 30
#: Takes Wine and minutes, and is asked for by name: ``make test-windows``.
collect_ignore = [] if os.environ.get("INTEGRATION_SERVER_WINDOWS") else ["windows"]
_SHARED = pytest.StashKey[list[Server]]()


def pytest_configure() -> None:
    """A shell lets what it starts in the background ignore Ctrl-C, and so would every server of this run."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    _keep_in_memory()


def _keep_in_memory() -> None:
    """Let pytest make its folders in memory where there is room: on a disk, stores would wait for it tens of thousands
    of times, and no test can tell."""
    place = Path("/dev/shm")
    if _PLACE in os.environ or not place.is_dir():
        return
    found = os.statvfs(place)
    if found.f_bavail * found.f_frsize >= _MEMORY_BYTES and not found.f_flag & os.ST_NOEXEC:
        os.environ[_PLACE] = str(place)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Ten thousand tests are a lot to look through for garbage, of which they are none."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What waits for minutes begins first, beside everything else, instead of keeping the run from its end."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@contextmanager
def _running(make: Callable[[Path], _Some]) -> Iterator[_Some]:
    # Not below pytest's own folder: that is closed to the user whom PostgreSQL runs as. Its hundreds of databases are
    # too much for memory, and it does not wait for the disk.
    place = None if make is PostgreSql else os.environ.get(_PLACE)
    directory = Path(tempfile.mkdtemp(prefix="integration server ", dir=place))
    directory.chmod(0o755)
    server = make(directory)
    try:
        server.start()
        yield server
    finally:
        server.destroy()


@contextmanager
def _shared(request: pytest.FixtureRequest, make: Callable[[Path], _Some]) -> Iterator[_Some]:
    with _running(make) as server:
        request.config.stash.setdefault(_SHARED, []).append(server)
        yield server
        request.config.stash[_SHARED].remove(server)


@pytest.fixture(scope="session")
def slapd(request: pytest.FixtureRequest) -> Iterator[Slapd]:
    """OpenLDAP with the sample people. It may be frozen and stopped; to change data or options, take new_slapd."""
    with _shared(request, Slapd) as server:
        yield server


@pytest.fixture(scope="session")
def postgresql(request: pytest.FixtureRequest) -> Iterator[PostgreSql]:
    """PostgreSQL; each test takes a create_database() of its own. It may be frozen and stopped."""
    with _shared(request, PostgreSql) as server:
        yield server


@pytest.fixture(scope="session")
def mariadb(request: pytest.FixtureRequest) -> Iterator[MariaDb]:
    """MariaDB; each test takes a create_database() of its own. It may be frozen and stopped."""
    with _shared(request, MariaDb) as server:
        yield server


@pytest.fixture(scope="session")
def samba(request: pytest.FixtureRequest) -> Iterator[Samba]:
    """Samba as a domain controller; each test makes people and groups of its own. It may be frozen and stopped."""
    if os.geteuid() != 0:
        pytest.skip("Samba listens on ports of root's")
    with _shared(request, Samba) as server:
        yield server


@pytest.fixture
def new_slapd() -> Iterator[Callable[..., Slapd]]:
    """``new_slapd(limits="size=10")``: a server for this test alone, with SlapdOptions of its own."""
    with ExitStack() as servers:
        yield lambda **options: servers.enter_context(_running(lambda place: Slapd(place, SlapdOptions(**options))))


@pytest.fixture
def tcp_proxy() -> Iterator[Callable[[int], TcpProxy]]:
    """``tcp_proxy(port)``: a fault proxy in front of a loopback port."""
    with ExitStack() as proxies:
        yield lambda port: proxies.enter_context(TcpProxy(("127.0.0.1", port)))


@pytest.fixture(autouse=True)
def _healed_servers(request: pytest.FixtureRequest) -> Iterator[None]:
    """No test meets a shared server that an earlier one left frozen or stopped."""
    yield
    for server in request.config.stash.get(_SHARED, list[Server]()):
        server.heal()
