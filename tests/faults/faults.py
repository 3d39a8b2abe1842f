"""The faults: what each is called, what happens, and how it is applied and lifted."""

from __future__ import annotations

import resource
import sqlite3
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from typing import ClassVar, Final

from tests.faults.served import Place
from tests.tcp_proxy import BlackHole, CutAfter, Drip, FreezeAfter, Refuse
from tests.tcp_proxy import Fault as NetworkFault

#: So much of an answer comes before it breaks off: the greetings, and a page or more of a list.
_A_PAGE: Final = 12_000
_LITTLE: Final = 20


class Fault(ABC):
    """``name`` is its row in the table, ``about`` what happens. An instance is applied and lifted once."""

    name: ClassVar[str]
    about: ClassVar[str]
    #: Whether the server must have been started under a clock that can be set.
    needs_clock: ClassVar[bool] = False

    def __init__(self) -> None:
        self._during = ExitStack()

    def apply(self, place: Place) -> None:
        self._during.enter_context(self.during(place))

    def lift(self) -> None:
        self._during.close()

    def holds_store(self, place: Place) -> bool:
        """Whether nobody can write the server's own store meanwhile, not even we."""
        return False

    def strike(self, place: Place) -> None:  # noqa: B027
        """What happens once everything was asked; mostly nothing."""

    @abstractmethod
    def during(self, place: Place) -> AbstractContextManager[None]:
        """The fault holds while this is open."""


class _OnTheWay(Fault):
    """The network, or what stands there in the directory's place."""

    network: ClassVar[NetworkFault]
    #: Whether connections end that are open.
    drops: ClassVar[bool] = False

    def during(self, place: Place) -> AbstractContextManager[None]:
        own = place.outages.get(self.name)
        return own() if own is not None else place.network(self.network, drops=self.drops)


class _AtTheDirectory(Fault):
    """What the directory itself can be made to do; each kind has its own way."""

    def during(self, place: Place) -> AbstractContextManager[None]:
        return place.outages[self.name]()


class Refused(_OnTheWay):
    name = "server refused"
    about = "Nobody listens on its port, and open connections are reset."
    network = Refuse()
    drops = True


class Frozen(_AtTheDirectory):
    name = "frozen"
    about = "SIGSTOP to its process: connections are taken, and nothing is answered."


class Swallowed(_OnTheWay):
    name = "black hole"
    about = "Connections are taken, all that is sent is swallowed, and nothing comes back."
    network = BlackHole()


class Dripping(_OnTheWay):
    name = "drip"
    about = "Its answers come a byte at a time, one in 50 ms."
    network = Drip(0.05)


class Reset(_OnTheWay):
    name = "reset mid-answer"
    about = f"A reset (RST) after {_LITTLE} bytes of an answer."
    network = CutAfter(_LITTLE, is_reset=True)


class SizeLimit(_AtTheDirectory):
    name = "size limit"
    about = "It gives fewer than there are (sizelimit, sql_select_limit); a receiver sends ten million bytes."


class TimeLimit(_AtTheDirectory):
    name = "time limit"
    about = "It takes longer than it may, by its own limit (statement_timeout, max_statement_time) or by ours."


class DroppedMidPage(_OnTheWay):
    name = "dropped mid-page"
    about = f"The connection ends in order (FIN) after {_A_PAGE} bytes of an answer."
    network = CutAfter(_A_PAGE)


class BadCookie(_AtTheDirectory):
    name = "bad cookie"
    about = "The cookie of the next page, and the change feed's token in the store, are others."


class WrongBindPassword(_AtTheDirectory):
    name = "wrong bind password"
    about = "The password or key of the server's own account was changed there."


class ExpiredCertificate(_AtTheDirectory):
    name = "expired certificate"
    about = "It shows a certificate that ended yesterday, and open connections end."


class LockHeld(Fault):
    name = "lock held"
    about = "Somebody holds a lock on what is read; where that knows no locks, on the server's own store."

    def holds_store(self, place: Place) -> bool:
        return self.name not in place.outages

    def during(self, place: Place) -> AbstractContextManager[None]:
        return self._on_store(place) if self.holds_store(place) else place.outages[self.name]()

    @contextmanager
    def _on_store(self, place: Place) -> Iterator[None]:
        with closing(sqlite3.connect(place.store_file, timeout=30, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")


class TableGone(_AtTheDirectory):
    name = "table gone"
    about = "The table, the branch or the file is not there."


class HalfWritten(_AtTheDirectory):
    name = "file half-written"
    about = "The file breaks off in its middle."


class DiskFull(Fault):
    name = "disk full"
    about = "No file of the server's may grow (RLIMIT_FSIZE)."

    @contextmanager
    def during(self, place: Place) -> Iterator[None]:
        before = resource.prlimit(place.pid, resource.RLIMIT_FSIZE)
        # Less than the first page of the store's log.
        resource.prlimit(place.pid, resource.RLIMIT_FSIZE, (1000, before[1]))
        try:
            yield
        finally:
            resource.prlimit(place.pid, resource.RLIMIT_FSIZE, before)


class ClockBack(Fault):
    name = "clock back"
    about = "The server's clock is set back by an hour, and set right again."
    needs_clock = True

    @contextmanager
    def during(self, place: Place) -> Iterator[None]:
        place.set_clock(-3600)
        try:
            yield
        finally:
            place.set_clock(0)


class Killed(Fault):
    name = "kill -9"
    about = "The server itself is killed in the middle of all that it was asked, and started again."

    @contextmanager
    def during(self, place: Place) -> Iterator[None]:
        # Where the directory is far, everybody is in the middle for certain.
        with place.network(FreezeAfter(_A_PAGE)) if place.is_far else nullcontext():
            yield
        place.restart()

    def strike(self, place: Place) -> None:
        place.wait_scanning()
        time.sleep(0.1)
        place.kill()


FAULTS: Final[tuple[type[Fault], ...]] = (
    Refused,
    Frozen,
    Swallowed,
    Dripping,
    Reset,
    SizeLimit,
    TimeLimit,
    DroppedMidPage,
    BadCookie,
    WrongBindPassword,
    ExpiredCertificate,
    LockHeld,
    TableGone,
    HalfWritten,
    DiskFull,
    ClockBack,
    Killed,
)
