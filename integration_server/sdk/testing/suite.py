"""What the suites share: the fixtures that a plugin's author overrides, and how an outage is judged."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeVar

import pytest

from integration_server.sdk.contracts import Backend
from integration_server.sdk.deadline import Deadline, Watchdog
from integration_server.sdk.errors import BackendError
from integration_server.sdk.mapping import Mapper
from integration_server.sdk.model import Lookup
from integration_server.sdk.storage import Storage, Tables, no_storage
from integration_server.sdk.testing.harness import open_backend, open_mapper, within

T = TypeVar("T")


class Outage(NamedTuple):
    """One way to break a backend: while the context manager that ``start`` returns is open, it cannot be asked."""

    name: str
    start: Callable[[], AbstractContextManager[object]]


class Suite:
    """Fixtures and judgements that every suite shares."""

    #: The class under test.
    backend_class: ClassVar[type[Backend]]
    #: False for a backend that cannot be unreachable (a constant in memory); then ``outages`` may be empty.
    can_fail: ClassVar[bool] = True
    #: False where ``Lookup.ignore_case`` is in an admin's hands (own SQL statements).
    can_ignore_case: ClassVar[bool] = True
    #: The deadline that is set during an outage, and how long after it the error may take.
    outage_seconds: ClassVar[float] = 1.0
    grace_seconds: ClassVar[float] = 5.0
    #: How soon after an outage the backend must answer again.
    recovery_seconds: ClassVar[float] = 10.0

    @pytest.fixture
    def table(self) -> Mapping[str, Any]:
        """What stands under ``[backends.test]``, ``type`` included."""
        raise NotImplementedError("override the fixture 'table'")

    @pytest.fixture
    def population(self) -> Mapping[str, str | None]:
        """Every mapped user name that is there, with the password where it is known."""
        raise NotImplementedError("override the fixture 'population'")

    @pytest.fixture
    def outages(self) -> Sequence[Outage]:
        """The ways to break the backend."""
        if self.can_fail:
            raise NotImplementedError("override the fixture 'outages', or say can_fail = False")
        return ()

    @pytest.fixture
    def group_ids(self) -> Sequence[str] | None:
        """The id of every group that is there, or None where the settings name no list of groups."""
        raise NotImplementedError("override the fixture 'group_ids'")

    @pytest.fixture
    def storage(self) -> Callable[[Tables], Storage]:
        """What opens the server's store, for a backend that keeps tables there: ``Store("", folder).storage``."""
        return no_storage

    @pytest.fixture
    def make_backend(
        self, table: Mapping[str, Any], tmp_path: Path, storage: Callable[[Tables], Storage]
    ) -> Iterator[Callable[[], Backend]]:
        """Opens another backend on the same table; all are closed after the test."""
        opened: list[Backend] = []
        watchdog = Watchdog()

        def make() -> Backend:
            opened.append(open_backend(self.backend_class, table, tmp_path, watchdog=watchdog, storage=storage))
            return opened[-1]

        yield make
        for backend in opened:
            backend.close()

    @pytest.fixture
    def backend(self, make_backend: Callable[[], Backend]) -> Backend:
        return make_backend()

    @pytest.fixture
    def mapper(self, table: Mapping[str, Any], tmp_path: Path) -> Mapper:
        return open_mapper(self.backend_class, table, tmp_path)

    def deadline(self) -> Deadline:
        """Time enough for a call that must succeed."""
        return Deadline(30.0)

    def must_refuse(self, what: str, call: Callable[[Deadline], object]) -> None:
        """During an outage the call raises BackendError in time; anything else fails the test."""
        try:
            answer = within(self.outage_seconds + self.grace_seconds, what, lambda: call(Deadline(self.outage_seconds)))
        except BackendError:
            return
        except Exception as exc:
            pytest.fail(f"{what}: raised {type(exc).__name__} ({exc}) where only BackendError may come out")
        pytest.fail(f"{what}: an outage came out as an answer: {str(answer)[:200]}")

    def must_be_late(self, what: str, call: Callable[[Deadline], object]) -> None:
        """With a deadline that has passed the call raises BackendError soon; anything else fails the test."""
        try:
            answer = within(self.grace_seconds, f"{what} after its deadline", lambda: call(Deadline(0.0)))
        except BackendError:
            return
        except Exception as exc:
            pytest.fail(f"{what}: raised {type(exc).__name__} ({exc}) where only BackendError may come out")
        pytest.fail(f"{what}: answered after its deadline: {str(answer)[:200]}")

    def must_recover(self, what: str, call: Callable[[], T]) -> T:
        """After an outage the call succeeds again soon, without a new backend."""
        give_up = time.monotonic() + self.recovery_seconds
        while True:
            try:
                return within(60, what, call)
            except BackendError as exc:
                if time.monotonic() > give_up:
                    pytest.fail(f"{what}: still failing {self.recovery_seconds:g} s after the outage: {exc}")
                time.sleep(0.05)

    def all_outages(self, outages: Sequence[Outage]) -> Sequence[Outage]:
        if not outages:
            if self.can_fail:
                pytest.fail("'outages' is empty: name at least one, or say can_fail = False")
            pytest.skip("declared as a backend that cannot fail")
        return [Outage(*outage) for outage in outages]

    def lookups(self, mapper: Mapper, username: str) -> list[Lookup]:
        """The lookups for a known name; by id where names cannot be undone."""
        return list(mapper.lookups(username)) if mapper.is_reversible else [mapper.id_lookup(username)]
