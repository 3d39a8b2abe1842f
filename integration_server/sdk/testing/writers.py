"""What the suites for backends that write share: who is there before and after, and how a refusal is judged."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from integration_server.sdk.contracts import Backend
from integration_server.sdk.errors import BackendError, ConfigError, ReadOnlyBackend, UnknownGroup
from integration_server.sdk.mapping import Mapper
from integration_server.sdk.model import Entry, User
from integration_server.sdk.storage import Storage, Tables
from integration_server.sdk.testing.harness import list_users, open_backend, resolve
from integration_server.sdk.testing.suite import Suite

T = TypeVar("T")

#: Everybody by id.
People = Mapping[str, User]


class WriterSuite(Suite):
    """Fixtures and judgements of the suites that write."""

    @pytest.fixture
    def read_only_table(self) -> Mapping[str, Any] | None:
        """The table again, on the same people, but with settings that allow no writing. Nothing is tried without it."""
        return None

    @pytest.fixture
    def read_only_backend(
        self, read_only_table: Mapping[str, Any] | None, tmp_path: Path, storage: Callable[[Tables], Storage]
    ) -> Iterator[Backend]:
        if read_only_table is None:
            pytest.skip("there is no fixture 'read_only_table'")
        backend = open_backend(self.backend_class, read_only_table, tmp_path, storage=storage)
        yield backend
        backend.close()

    def everybody(self, backend: Backend, mapper: Mapper) -> People:
        """Who is there, with their groups in one order, as nobody promises any."""
        users = list_users(backend, mapper, self.deadline())
        return {user.id: replace(user, groups=tuple(sorted(user.groups))) for user in users}

    def check_others(self, before: People, after: People, but: set[str], what: str) -> None:
        """Nobody but these changed, came or went."""
        ids = (before.keys() | after.keys()) - but
        changed = sorted(user_id for user_id in ids if before.get(user_id) != after.get(user_id))
        shown = [(before.get(user_id), after.get(user_id)) for user_id in changed[:2]]
        assert not changed, f"{what} changed {len(changed)} other people, such as {shown}"

    def entry(self, backend: Backend, mapper: Mapper, user: User) -> Entry:
        """The entry of somebody who is there, asked for as the server does it before it writes."""
        try:
            entry = backend.find(mapper.id_lookup(user.id), self.deadline())
        except ConfigError:
            found = resolve(backend, mapper, user.username, self.deadline())
            entry = found[0] if found is not None else None
        assert entry is not None, f"{user.username!r} is not found by the id {user.id!r}"
        return entry

    def no_verdict(self, call: Callable[[], T]) -> T | BackendError:
        """What the call gives, for outages: that there is no such group, or no writing, is an answer, too."""
        try:
            return call()
        except (UnknownGroup, ReadOnlyBackend) as exc:
            return exc

    def refusal(self, what: str, call: Callable[[], object]) -> tuple[bool, object]:
        """Whether the call was refused by a BackendError, and else what it gave; any other exception fails the test."""
        try:
            return False, call()
        except BackendError as exc:
            return True, exc
        except Exception as exc:
            pytest.fail(f"{what}: raised {type(exc).__name__} ({str(exc)[:200]}) where only BackendError may come out")

    def must_be_read_only(
        self, what: str, table: Mapping[str, Any], read_only: Mapping[str, Any], call: Callable[[], object]
    ) -> None:
        """The call raises ReadOnlyBackend, and its message has a key in which the two tables differ."""
        keys = _differing(table, read_only)
        assert keys, "'read_only_table' is the same as 'table'"
        is_refused, answer = self.refusal(what, call)
        assert is_refused, f"{what}: settings that allow no writing gave {answer!r}"
        assert isinstance(answer, ReadOnlyBackend), f"{what}: {answer!r} where ReadOnlyBackend is due"
        named = keys.intersection(re.findall(r"\w+", str(answer)))
        assert named, f"{what}: the message must name the key to set, one of {sorted(keys)}: {answer}"


def _differing(one: Any, other: Any) -> set[str]:
    """The keys that only one of two tables has, or that they give another value; with those within."""
    if not isinstance(one, Mapping) and not isinstance(other, Mapping):
        return set()
    one, other = (table if isinstance(table, Mapping) else {} for table in (one, other))
    changed = {key for key in (*one, *other) if one.get(key) != other.get(key)}
    return changed.union(*(_differing(one.get(key), other.get(key)) for key in changed))
