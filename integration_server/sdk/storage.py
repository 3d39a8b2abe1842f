"""Tables of a plugin in the server's own store, beside the server's own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from integration_server.sdk.errors import StoreUnavailable

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class Tables:
    """What a plugin keeps. ``name`` is the plugin's own, and each of its tables is called so or begins with ``name_``.

    ``steps`` bring the tables from one version of the plugin to the next, in this order: the first makes them. Each
    gets a connection within a transaction, and runs once. One that was released never changes; the next version adds
    another.
    """

    name: str
    steps: tuple[Callable[[Connection], None], ...]


@dataclass(frozen=True, slots=True)
class Notice:
    """An event of a plugin's own kind, for its own consumers.

    ``type`` is the name of the plugin's tables, a dot, and one word. It is about ``person_id`` of ``backend``.
    ``details`` are plain JSON values, which the event has as its ``after``; never a password or a hash. ``origin`` is
    the subscription whose own call caused it, which is not told of it.
    """

    type: str
    backend: str
    person_id: str
    details: Mapping[str, object]
    origin: str | None = None


class Question(ABC):
    """A SELECT of one row; see ``Storage.question``. Thread-safe."""

    @abstractmethod
    def first(self, values: Sequence[object]) -> Sequence[Any] | None:
        """The row as the database gives it (a truth value may be a number), or None. Raises StoreUnavailable."""


class Statement(ABC):
    """An INSERT, UPDATE or DELETE; see ``Storage.statement``. Thread-safe."""

    @abstractmethod
    def run(self, values: Sequence[object]) -> int:
        """How many rows it touched. Raises StoreUnavailable."""


class Storage(ABC):
    """The store, open for one plugin's tables. Thread-safe. The first use brings the tables to this version's.

    A store that fails raises StoreUnavailable, in the block of ``with`` and at its end, whatever the database's own
    exception is.
    """

    @abstractmethod
    def reading(self) -> AbstractContextManager[Connection]:
        """A connection to read from."""

    @abstractmethod
    def question(self, statement: str) -> Question:
        """A SELECT with a ``?`` for each value, for what is asked with nearly every request: then a connection and a
        transaction for each time would cost more than the answer. Asks nothing yet; make it once."""

    @abstractmethod
    def statement(self, statement: str) -> Statement:
        """An INSERT, UPDATE or DELETE with a ``?`` for each value, for what is written with nearly every delivery: a
        transaction of its own each time, as one of ``writing`` that is not durable. Writes nothing yet; make it
        once."""

    @abstractmethod
    def writing(self, is_durable: bool = True) -> AbstractContextManager[Connection]:
        """One transaction; on the disk when the block has ended, and undone when it raises.

        One that is not ``is_durable`` takes a fraction of the time, outlives every end of the process, and may be
        undone by a power cut.
        """

    @abstractmethod
    def tell(self, connection: Connection, notices: Sequence[Notice]) -> None:
        """Journal events as a part of the transaction that ``writing`` gave ``connection`` for: they are told if it
        ends well, in the order in which such transactions end, and never without it.

        Call it last, since other writers of events wait from here on until the block ends. Raises ValueError for a
        type that is not the plugin's own.
        """


def no_storage(tables: Tables) -> Storage:
    """For backends that are looked at without a store: raises StoreUnavailable once they use it."""
    return _NoStorage()


class _NoStorage(Storage):
    def reading(self) -> AbstractContextManager[Connection]:
        raise StoreUnavailable("the store is not open here")

    def question(self, statement: str) -> Question:
        return _NoQuestion()

    def statement(self, statement: str) -> Statement:
        return _NoStatement()

    def writing(self, is_durable: bool = True) -> AbstractContextManager[Connection]:
        raise StoreUnavailable("the store is not open here")

    def tell(self, connection: Connection, notices: Sequence[Notice]) -> None:
        raise StoreUnavailable("the store is not open here")


class _NoQuestion(Question):
    def first(self, values: Sequence[object]) -> Sequence[Any] | None:
        raise StoreUnavailable("the store is not open here")


class _NoStatement(Statement):
    def run(self, values: Sequence[object]) -> int:
        raise StoreUnavailable("the store is not open here")
