"""What a plugin's own commands may do: open a part of an installation, and speak as the server's commands speak.

A command is one of the library click. It is made while a command line is read, so making it must cost nothing: whatever
it opens, it opens when it runs, and closes before it ends.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from integration_server.sdk.settings import BackendSettings, FrontendSettings
from integration_server.sdk.storage import Storage, Tables

if TYPE_CHECKING:
    from integration_server.sdk.gateway import Gateway

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Backlog:
    """What a receiver has yet to take.

    ``failing_since`` is in Unix seconds, and None where it took what it was handed last. ``parked`` events were not
    taken and are tried again, ``held`` ones wait behind those, ``dead`` ones wait for a person, and ``unread`` ones it
    has not been handed (of one group's, all of the backend are counted).
    """

    failing_since: float | None = None
    parked: int = 0
    held: int = 0
    dead: int = 0
    unread: int = 0

    @property
    def waiting(self) -> int:
        """All of them."""
        return self.parked + self.held + self.dead + self.unread


@dataclass(frozen=True, slots=True)
class FrontendDesk:
    """One frontend of the configuration.

    ``gateway`` is what the frontend itself is given, but there is no request here, so of its methods only ``name``,
    ``backend_types``, ``http``, ``storage``, ``receivers``, ``signing_key`` and ``takes_new_people`` are of use.
    ``where`` names file and table, for messages. ``url`` is where this machine finds the mount, as far as the
    configuration says. ``backlog`` takes the id of a receiver, and raises StoreUnavailable.
    """

    settings: FrontendSettings = field(repr=False)
    gateway: Gateway
    where: str
    url: str | None
    backlog: Callable[[str], Backlog]


@dataclass(frozen=True, slots=True)
class BackendDesk:
    """One backend of the configuration: its name, its settings, and the store for tables of its plugin."""

    name: str
    settings: BackendSettings = field(repr=False)
    storage: Callable[[Tables], Storage]


class Desk(ABC):
    """What the server lends to plugins' commands.

    Errors of the family of IntegrationError end a command with their message and the exit code of their kind; an answer
    that is no calls for ``ctx.exit(1)``.
    """

    @abstractmethod
    def config_option(self, function: F) -> F:
        """Decorator: the option ``--config DIR``, as the argument ``folder``."""

    @abstractmethod
    def json_option(self, function: F) -> F:
        """Decorator: the option ``--json``, as the argument ``is_json``."""

    @abstractmethod
    def frontend(self, folder: Path, type: str, name: str | None) -> AbstractContextManager[FrontendDesk]:
        """Open the frontend of a type that has this name, or the only one of the type.

        Raises UsageError where there is no such one, or several and no name; ConfigError where there is none at all, or
        the configuration is wrong.
        """

    @abstractmethod
    def backend(self, folder: Path, type: str, name: str | None) -> AbstractContextManager[BackendDesk]:
        """Open a backend; raises as ``frontend``."""

    @abstractmethod
    def print_json(self, value: object) -> None:
        """Print one JSON value."""

    @abstractmethod
    def print_table(self, headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Print a table for people; its cells are shown as ``shown`` does."""

    @abstractmethod
    def shown(self, value: object) -> str:
        """A value on one line, without characters that steer a terminal. Names come from others."""

    @abstractmethod
    def confirmed(self, question: str) -> bool:
        """A person's yes or no. Raises UsageError where there is no terminal to ask: have an option ``--yes``."""

    @abstractmethod
    def read_secret(self, prompt: str, is_piped: bool, option: str) -> str:
        """A secret: typed unseen, or the first line of standard input where ``is_piped``, which ``option`` says. Raises
        UsageError where there is no terminal to ask."""

    @abstractmethod
    def data_output(self) -> BinaryIO:
        """Standard output for data, which is written in bytes. Flush it; do not close it."""

    @abstractmethod
    def new_file(self, path: Path) -> AbstractContextManager[BinaryIO]:
        """Write a file that is not there yet, readable by its owner alone (POSIX). It is there, whole, when the block
        has ended well, and not at all where it has not. Raises ConfigError."""
