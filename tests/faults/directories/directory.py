"""What the matrix needs of a directory."""

from __future__ import annotations

import signal
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from tests.tcp_proxy import Fault, TcpProxy

Outage = Callable[[], AbstractContextManager[None]]


class Directory(ABC):
    """A directory with people in it, from ``with`` to its end. ``folder`` is the configuration's."""

    #: The column of the table.
    name: ClassVar[str]
    #: Whether it knows people's passwords.
    has_logins: ClassVar[bool] = True
    #: The configured limit of a login.
    login_seconds: ClassVar[float] = 1.0
    #: What edit() makes.
    edit_event: ClassVar[str] = "user.updated"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        #: Between the server and the directory, where it is reached over a network.
        self.proxy: TcpProxy | None = None
        #: The names that a list must have.
        self.people: set[str] = set()
        self.login = ("", "")
        #: Where the server must listen, if that matters.
        self.own_port: int | None = None
        self.stack = ExitStack()
        self._edits = 0

    def __enter__(self) -> Self:
        try:
            self.open()
        except BaseException:
            self.stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stack.close()

    @abstractmethod
    def open(self) -> None:
        """Start it, and fill it; what must end later goes on the stack."""

    @abstractmethod
    def table(self) -> str:
        """What stands in the tables of its backend, ``people``: TOML that begins within ``[backends.people]``."""

    def more(self) -> str:
        """Other tables of the configuration."""
        return ""

    def settle(self) -> None:  # noqa: B027
        """What must be done when the server is ready; mostly nothing."""

    @abstractmethod
    def change(self, number: int) -> None:
        """Change one person, each time differently."""

    @property
    @abstractmethod
    def outages(self) -> Mapping[str, Outage]:
        """Faults that only it can make, by their names."""

    def edit(self) -> None:
        self._edits += 1
        self.change(self._edits)

    def own_folder(self) -> Path:
        """A folder that a server of another user may enter."""
        made = tempfile.TemporaryDirectory(prefix="integration server ")
        self.stack.enter_context(made)
        folder = Path(made.name)
        folder.chmod(0o755)
        return folder / "server"

    @contextmanager
    def network(self, fault: Fault, *, drops: bool = False) -> Iterator[None]:
        """The network misbehaves. Connections that lost bytes meanwhile are broken when it heals, as they would be."""
        assert self.proxy is not None
        before = self.proxy.fault
        self.proxy.fault = fault
        if drops:
            self.proxy.drop()
        try:
            yield
        finally:
            self.proxy.fault = before
            self.proxy.drop()


@contextmanager
def stopped_process(send: Callable[[signal.Signals], object]) -> Iterator[None]:
    """SIGSTOP, and SIGCONT at the end."""
    send(signal.SIGSTOP)
    try:
        yield
    finally:
        send(signal.SIGCONT)
