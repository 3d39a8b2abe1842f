"""Ten changes among many people of an LDAP directory: found by its change feed, against comparing everybody."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import ldap3

from bench.measured import Measured, Median
from integration_server.forwarding.detection.watcher import Watcher
from integration_server.server.installation import Installation, opened
from tests.servers.samba import Samba
from tests.servers.slapd import Slapd, SlapdOptions

_CHANGES = 10
_TARGET = 1 / 50


class _Directory(ABC):
    """A directory full of people, and how to change some of them."""

    def __init__(self) -> None:
        self._turn = 0

    @abstractmethod
    def tables(self, settings: str) -> str:
        """The backend ``people`` in the configuration, with these settings of the feed."""

    @abstractmethod
    def change(self, number: int, value: str) -> None:
        """Give one person another name."""

    def change_some(self, count: int) -> None:
        """Ten people spread over all."""
        self._turn += 1
        for number in range(0, count, count // _CHANGES):
            self.change(number, f"Changed {self._turn}")


class _Slapd(_Directory):
    def __init__(self, server: Slapd) -> None:
        super().__init__()
        self._server = server
        connection = ldap3.Connection(ldap3.Server(server.uri), server.admin_dn, server.admin_password)
        connection.bind()
        self._connection = connection

    def tables(self, settings: str) -> str:
        server = self._server
        return (
            f'[backends.people]\ntype = "ldap"\nservers = ["{server.uri}"]\nbind_dn = "{server.reader_dn}"\n'
            f'bind_password = "{server.reader_password}"\nbases = ["{server.crowd}"]\n{settings}'
            "list_seconds = 3600\n[backends.people.sync]\n"
        )

    def change(self, number: int, value: str) -> None:
        changed = {"cn": [(ldap3.MODIFY_REPLACE, [value])]}
        if not self._connection.modify(f"uid=u{number},{self._server.crowd}", changed):  # type: ignore[no-untyped-call]
            raise SystemExit(f"the change in slapd failed: {self._connection.result}")


class _Samba(_Directory):
    unit = f"OU=crowd,{Samba.base}"

    def __init__(self, server: Samba, count: int) -> None:
        super().__init__()
        self._server = server
        server.add(self.unit, ["organizationalUnit"], {})
        for number in range(count):
            name = f"u{number}"
            server.add(f"CN={name},{self.unit}", ["user"], {"sAMAccountName": name, "displayName": f"User {number}"})

    def tables(self, settings: str) -> str:
        server = self._server
        return (
            f'[backends.people]\ntype = "ldap"\nservers = ["{server.ldaps_uri}"]\nca_file = "{server.ca_file}"\n'
            f'bind_dn = "{server.admin_login}"\nbind_password = "{server.admin_password}"\nbases = ["{self.unit}"]\n'
            f'ldap_filter = "(objectClass=user)"\n{settings}list_seconds = 3600\n[backends.people.map]\n'
            'id = "objectGUID"\nusername = "sAMAccountName"\nfull_name = "displayName"\n[backends.people.sync]\n'
        )

    def change(self, number: int, value: str) -> None:
        self._server.modify(f"CN=u{number},{self.unit}", displayName=value)


def syncrepl(folder: Path, count: int, rounds: int) -> list[Measured]:
    """Of a slapd: by refreshes, and by a search that is held."""
    place = folder / "feeds slapd"
    place.mkdir()
    server = Slapd(place, SlapdOptions(database_lines="syncprov-sessionlog 10000\n"))
    server.start()
    try:
        server.load(count)
        found = []
        for mode in ("refreshOnly", "refreshAndPersist"):
            settings = f'change_feed = "syncrepl"\nsyncrepl_mode = "{mode}"\n'
            found.append(_measure(folder, _Slapd(server), count, rounds, f"syncrepl {mode}", settings))
        return found
    finally:
        server.destroy()


def active_directory(folder: Path, count: int, rounds: int) -> list[Measured]:
    """Of a Samba, which takes too long to be filled with a hundred thousand.

    Its database is the one that has an index of the order of changes, as Windows has: with its usual one Samba looks
    through all entries for what is new, so that no feed could be much quicker than a comparison there.
    """
    place = folder / "feeds samba"
    place.mkdir()
    server = Samba(place, "mdb")
    server.start()
    try:
        directory = _Samba(server, count)
        return [
            _measure(folder, directory, count, rounds, f"{name} of Samba", f'change_feed = "{feed}"\n')
            for name, feed in (("DirSync", "dirsync"), ("uSNChanged", "usn"))
        ]
    finally:
        server.destroy()


def _measure(folder: Path, directory: _Directory, count: int, rounds: int, name: str, settings: str) -> Measured:
    config = folder / f"feeds {name}"
    config.mkdir()
    head = '[server]\ndata_dir = "data"\n[log]\nlevel = "warning"\n'
    (config / "bench.toml").write_text(head + directory.tables(settings), encoding="utf-8")
    fed, compared = [], []
    with _watched(config) as (installation, watcher):
        _seconds(installation, watcher, is_feed=False, events=0)  # the baseline
        for _ in range(rounds):
            directory.change_some(count)
            compared.append(_seconds(installation, watcher, is_feed=False, events=_CHANGES))
            directory.change_some(count)
            fed.append(_seconds(installation, watcher, is_feed=True, events=_CHANGES))
    ours, floor = Median(fed), Median(compared)
    return Measured(f"{_CHANGES} changes of {count:,} users, {name}", ours, floor, "s", _TARGET, "comparing everybody")


@contextmanager
def _watched(config: Path) -> Iterator[tuple[Installation, Watcher]]:
    with opened(config) as installation:
        forwarding = installation.forwarding
        yield (
            installation,
            Watcher(installation.sources["people"], installation.store, forwarding.audit, forwarding.bell),
        )


def _seconds(installation: Installation, watcher: Watcher, *, is_feed: bool, events: int) -> float:
    before = installation.store.journal.last_serial()
    began = time.perf_counter()
    result = watcher.feed_once() if is_feed else watcher.run_once()
    seconds = time.perf_counter() - began
    came = installation.store.journal.last_serial() - before
    if result is None or result.reason is not None or came != events:
        raise SystemExit(f"{events} changes were made, and {came} found: {result}")
    return seconds


def measure(folder: Path, count: int, few: int, rounds: int) -> Sequence[Measured]:
    """All of them: ``few`` people where adding one takes long."""
    return [*syncrepl(folder, count, rounds), *active_directory(folder, few, rounds)]
