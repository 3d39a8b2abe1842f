"""A backend and its mapper, with the few questions that tests ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from integration_server import Deadline, Entry, Finding, Lookup, User, Verdict
from integration_server.builtin.ldap import LdapBackend
from integration_server.sdk.testing import list_users, open_backend, open_mapper, resolve
from tests.servers import Slapd


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
