"""A directory over backends in memory, with a clock that stands still."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from integration_server import BackendContext, FrontendSettings, UserPage, Watchdog
from integration_server.directory.dispatch import Directory
from integration_server.directory.guard import Guard
from integration_server.directory.listing import Lister
from integration_server.directory.mount import Mount
from integration_server.directory.source import Source
from integration_server.directory.throttle import Throttle, ThrottlePolicy
from integration_server.directory.transforms import Transform
from integration_server.sdk.mapping import Mapper
from integration_server.store import Store
from tests.directory.memory import WORLD, ListOnlyBackend, ManyNamesBackend, MemoryBackend, MemorySettings, People


@dataclass
class Clock:
    """Unix seconds, moved by the test alone."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class LinesEncoder:
    """A user name a line, between brackets: enough to see what a list holds."""

    media_type = "text/plain"
    opening = b"<"
    separator = b"\n"
    closing = b">"

    def page(self, users: UserPage) -> bytes:
        return "\n".join(users.usernames).encode()


@dataclass
class House:
    """Everything between frontends and backends. ``world`` holds the people of each backend by its name."""

    folder: Path
    store: Store
    clock: Clock
    world: dict[str, People] = field(default_factory=lambda: WORLD)
    encoder: LinesEncoder = field(default_factory=LinesEncoder)
    lister: Lister = field(init=False)
    directory: Directory = field(init=False)

    def __post_init__(self) -> None:
        self.lister = self.new_lister()
        self.directory = Directory(self.throttle(), self.store.name_lists)

    def new_lister(self, slots: int = 4) -> Lister:
        guard = Guard(self.store.name_lists, self.store.guard_lifts, clock=self.clock)
        return Lister(self.folder / "spool", guard, self.store.name_index, slots, self.clock)

    def throttle(self, **policy: Any) -> Throttle:
        return Throttle(self.store.failed_logins, b"k" * 32, ThrottlePolicy(**policy), self.clock)

    def people(self, name: str, **passwords: str | None) -> People:
        """The people of a backend, with those given added."""
        people = self.world.setdefault(name, People())
        for login, password in passwords.items():
            people.add(login, password)
        return people

    def source(
        self,
        name: str,
        *,
        transforms: Sequence[Transform] = (),
        can_verify: bool = True,
        has_other_names: bool = False,
        max_calls: int = 12,
        **settings: Any,
    ) -> Source:
        self.people(name)
        parsed = MemorySettings.model_validate({"type": "memory", **settings})
        mapper = Mapper(name, parsed.map, MemoryBackend.default_map)
        context = BackendContext(name, mapper.attributes, self.folder, self.folder, Watchdog())
        kind = ManyNamesBackend if has_other_names else MemoryBackend if can_verify else ListOnlyBackend
        backend = kind(parsed, context)
        return Source(name, backend, parsed, mapper, self.store.name_index, transforms, max_calls)

    def mount(self, *sources: Source | str, name: str = "archive", **settings: Any) -> Mount:
        made = tuple(source if isinstance(source, Source) else self.source(source) for source in sources)
        table = {"type": "x", "path": "/", "backends": [source.name for source in made], **settings}
        return Mount.of(name, FrontendSettings.model_validate(table), made)

    def listed(self, mount: Mount) -> list[str]:
        """The names of a list as a caller gets it."""
        listing = self.lister.listing(mount, self.encoder)
        text = (listing.folder.path / listing.release.file).read_text(encoding="utf-8")
        assert text[0] + text[-1] == "<>"
        return text[1:-1].split("\n") if len(text) > 2 else []


#: Rules that read the columns off and until.
STATES = {"is_disabled": "off", "expires_at": "until"}


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store as a first start leaves it; making one takes longer than most tests."""
    folder = tmp_path_factory.mktemp("empty store")
    Store("", folder).close()
    return folder / "store.db"


@pytest.fixture
def store(empty_store: Path, tmp_path: Path) -> Iterator[Store]:
    shutil.copy(empty_store, tmp_path / "store.db")
    store = Store("", tmp_path)
    yield store
    store.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def house(tmp_path: Path, store: Store, clock: Clock) -> Iterator[House]:
    WORLD.clear()
    yield House(tmp_path, store, clock)
    WORLD.clear()
