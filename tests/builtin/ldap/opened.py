"""A backend and its mapper, with the few questions that tests ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from integration_server import Deadline, Entry, Finding, Lookup, User, Verdict
from integration_server.builtin.ldap import LdapBackend
from integration_server.sdk.testing import list_users, open_backend, open_mapper, resolve
from tests.servers import Slapd


@dataclass(frozen=True, slots=True)
class Told:
    """What a feed told from a position on: people by id, who is gone, and where it ended."""

    users: dict[str, User]
    gone: frozenset[str]
    position: str

    @property
    def usernames(self) -> list[str]:
        return sorted(user.username for user in self.users.values())


class Opened:
    """What an admin's table describes; what it leaves out fits the tests' slapd."""

    def __init__(self, folder: Path, servers: Sequence[str], settings: Mapping[str, object]) -> None:
        defaults: dict[str, Any] = {
            "type": "ldap",
            "servers": list(servers),
            "bind_dn": Slapd.reader_dn,
            "bind_password": Slapd.reader_password,
            "bases": [Slapd.people],
        }
        table = {key: value for key, value in {**defaults, **settings}.items() if value is not None}
        backend = open_backend(LdapBackend, table, folder)
        assert isinstance(backend, LdapBackend)
        self.backend = backend
        self.mapper = open_mapper(LdapBackend, table, folder)

    def users(self, seconds: float = 20) -> list[User]:
        return list_users(self.backend, self.mapper, Deadline(seconds))

    def usernames(self, seconds: float = 20) -> list[str]:
        return [user.username for user in self.users(seconds)]

    def rows(self, seconds: float = 20) -> list[Sequence[object]]:
        return [row for batch in self.backend.users(Deadline(seconds)) for row in batch.rows]

    def find(
        self, value: str, attribute: str = "uid", seconds: float = 20, *, ignore_case: bool = False
    ) -> Entry | None:
        return self.backend.find(Lookup(attribute, value, ignore_case), Deadline(seconds))

    def login(self, username: str, password: str, seconds: float = 20) -> Verdict:
        """As the server does it: find, then verify."""
        found = resolve(self.backend, self.mapper, username, Deadline(seconds))
        if found is None:
            self.backend.verify_nobody(password, Deadline(seconds))
            return Verdict.UNKNOWN_USER
        return self.backend.verify(found[0], password, Deadline(seconds))

    def findings(self, seconds: float = 20) -> list[Finding]:
        return list(self.backend.check(Deadline(seconds)))

    def position(self, seconds: float = 20) -> str:
        return self.backend.feed_position(Deadline(seconds))

    def told(self, position: str, seconds: float = 20) -> Told:
        """Everything that the change feed tells. Raises ComparisonNeeded."""
        users: dict[str, User] = {}
        gone: set[str] = set()
        for step in self.backend.changes(position, Deadline(seconds)):
            position = step.position
            gone.update(step.gone)
            if step.entries is not None:
                users |= {user.id: user for user in self.mapper.page(step.entries).users()}
        return Told(users, frozenset(gone), position)

    def ids(self) -> dict[str, str]:
        """Everybody's id by user name."""
        return {user.username: user.id for user in self.users()}
