"""Changes in one transaction, on a connection of its own: everybody else's connections are read-only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from integration_server import ConfigError, Deadline, Watchdog
from integration_server.builtin.sql.driver import Driver, Query, Session, Values
from integration_server.builtin.sql.errors import translate
from integration_server.builtin.sql.plans import unknown_parameter

T = TypeVar("T")


class Writing:
    """Thread-safe. ``seconds`` is what one statement may take."""

    def __init__(self, driver: Driver, watchdog: Watchdog, shown_url: str, seconds: float) -> None:
        self._driver = driver
        self._watchdog = watchdog
        self._shown_url = shown_url
        self._seconds = seconds

    def change(self, deadline: Deadline, lock: str, work: Callable[[Session], T]) -> T:
        """What ``work`` makes of a session, whose changes are kept when it returns, all or none of them.

        Calls with the same ``lock`` follow each other. Where a key forbids what ``work`` did, some other program may
        have done the same in the meantime: it is called once more, to see that. Raises BackendError.
        """
        try:
            try:
                return self._once(deadline, lock, work)
            except self._driver.conflicts:
                return self._once(deadline, lock, work)
        except self._driver.errors as exc:
            raise translate(exc, self._shown_url) from exc

    def _once(self, deadline: Deadline, lock: str, work: Callable[[Session], T]) -> T:
        deadline.remaining()
        session = self._driver.connect_for_writing(deadline, self._seconds)
        try:
            with self._watchdog.guard(deadline, session.cancel):
                session.begin_changes(lock, deadline)
                answer = work(session)
                session.commit()
            return answer
        finally:
            # What was not committed is undone by it.
            session.close()


class OwnStatements:
    """The admin's statements for one kind of change, run one after the other.

    ``key`` names them in errors; each of ``needed`` must be in one of them, nothing but these and ``optional`` may be.
    Raises ConfigError.
    """

    def __init__(
        self,
        driver: Driver,
        key: str,
        statements: Sequence[str],
        needed: set[str],
        optional: frozenset[str] = frozenset(),
    ) -> None:
        self.key = key
        self._queries: tuple[Query, ...] = tuple(map(driver.query, statements))
        names = {name for query in self._queries for name in query.names}
        if unknown := names - needed - optional:
            raise unknown_parameter(key, min(unknown))
        if missing := needed - names:
            raise ConfigError(f"{key} must say :{min(missing)}; it would do the same for everybody")

    def run(self, session: Session, values: Values) -> int:
        """How many rows they changed, or gave. Raises the driver's exceptions."""
        return sum([session.change(query, values) for query in self._queries])
