"""Post offices on SQLite and on PostgreSQL: one store for all tests, with a mount of its own for each."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from integration_server.builtin.push.letters import Registered, Registration
from integration_server.builtin.push.office import PostOffice, Rules
from integration_server.builtin.push.tables import TABLES
from integration_server.builtin.push.waking import KickData, Unwakeable, Waking
from integration_server.server.installation import opened
from integration_server.store import Store
from tests.builtin.push.live_push import LivePush, live_push
from tests.builtin.push.push_site import PushSite, write_push

_NUMBERS = itertools.count()
NOON = 1_700_000_000.0


@dataclass
class Clock:
    """Stands still until it is set."""

    now: float = NOON

    def __call__(self) -> float:
        return self.now


@dataclass
class Woken(Waking):
    """Writes down what it is told."""

    said: list[tuple[object, ...]] = field(default_factory=list)

    def check(self, kick: KickData) -> None:
        if "bad" in kick:
            raise Unwakeable("bad")

    def register(self, uaid: str, kick: KickData) -> None:
        self.said.append(("register", uaid, dict(kick)))

    def wake(self, uaid: str) -> None:
        self.said.append(("wake", uaid))

    def forget(self, uaid: str) -> None:
        self.said.append(("forget", uaid))


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def push_store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    url = "" if request.param == "sqlite" else request.getfixturevalue("postgresql").create_database()
    store = Store(url, tmp_path_factory.mktemp("store"))
    yield store
    store.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def woken() -> Woken:
    return Woken()


OpenOffice = Callable[..., PostOffice]


@pytest.fixture
def open_office(push_store: Store, clock: Clock, woken: Woken) -> OpenOffice:
    """Opens the post office of the test; each call as another process would. Takes fields of ``Rules``."""
    mount = f"push{next(_NUMBERS)}"
    return lambda **rules: PostOffice(
        mount, push_store.storage(TABLES), replace(Rules(), **rules), waking=woken, clock=clock
    )


@pytest.fixture
def office(open_office: OpenOffice) -> PostOffice:
    return open_office()


def registered(office: PostOffice, channel: str, uaid: str | None = None) -> Registered:
    """A channel, for a new user agent where none is named."""
    (done,) = office.register([Registration(uaid, channel)])
    assert isinstance(done, Registered)
    return done


@pytest.fixture(scope="session")
def empty_push_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store as a first start leaves it; making one takes longer than most tests."""
    folder = tmp_path_factory.mktemp("empty push store")
    Store("", folder).close()
    return folder / "store.db"


@pytest.fixture
def make_push(tmp_path: Path, empty_push_store: Path) -> Iterator[Callable[..., PushSite]]:
    """``make_push(**settings)``: a mount of a whole installation, and what calls it."""
    (tmp_path / "data").mkdir()
    shutil.copy(empty_push_store, tmp_path / "data" / "store.db")
    with ExitStack() as sites:
        yield lambda **settings: PushSite(sites.enter_context(opened(write_push(tmp_path, **settings))))


@pytest.fixture(scope="session")
def push(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PushSite]:
    """One for all tests that need no other settings: each has user agents of its own."""
    with opened(write_push(tmp_path_factory.mktemp("push"))) as installation:
        yield PushSite(installation)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivePush]:
    """One server for all tests of a module that need no settings of their own."""
    with live_push(tmp_path_factory.mktemp("live push")) as running:
        yield running
