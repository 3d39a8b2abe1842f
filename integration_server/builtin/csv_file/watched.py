"""Which content of the file is in force."""

from __future__ import annotations

import logging
from array import array
from dataclasses import dataclass

from integration_server import BackendError, Deadline
from integration_server.builtin.csv_file.content import Content, ContentWriter
from integration_server.builtin.csv_file.folder import ContentFolder
from integration_server.builtin.csv_file.quiet import QuietPeriod
from integration_server.builtin.csv_file.sharing import SharedWork
from integration_server.builtin.csv_file.source import BrokenFile, Columns, Signature, SourceFile, UnsettledFile

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why the file's present state is not in force."""

    signature: Signature
    error: BrokenFile | UnsettledFile


class WatchedFile:
    """Looks at the file whenever it is asked, and gives the newest content that can be believed. Thread-safe."""

    def __init__(self, name: str, source: SourceFile, folder: ContentFolder, quiet_seconds: float) -> None:
        self._name = name
        self._source = source
        self._folder = folder
        self._quiet = QuietPeriod(source, quiet_seconds)
        self._work = SharedWork(f"backend {name}")
        self._content: Content | None = None
        self._trouble: Trouble | None = None
        self._own: Signature | None = None
        self._written = 0

    @property
    def trouble(self) -> Trouble | None:
        """Why the content that ``content`` gave last is not the file's present one, or None where it is."""
        return self._trouble

    def content(self, deadline: Deadline) -> Content:
        """The content in force. Raises BackendUnavailable where there is none."""
        # A look that began before we wrote the file may not answer those who ask after that.
        return self._work.result(("content", self._written), self._look, deadline)

    def settled(self) -> Signature:
        """The file's present state, once it can be taken for whole. Raises UnsettledFile, BackendUnavailable."""
        signature = self._source.signature()
        if self._is_settled(signature):
            return signature
        # Another process that wrote the file has made the copy of it, too.
        copy = self._folder.copy_of(signature)
        if copy is None:
            return self._quiet.wait()
        copy.close()
        return signature

    def believe(self, signature: Signature) -> None:
        """Put a state of the file in force that we have written ourselves: it is whole, however young it is."""
        try:
            self._content = self._load(signature)
        except BackendError as exc:
            # The write itself has happened. Whoever reads meets the same trouble.
            logger.warning("backend %s: %s", self._name, exc)
        self._own = signature
        self._written += 1

    def index(self, content: Content, column: int, deadline: Deadline) -> array[int]:
        """The index of a column, made when it is first asked for."""
        known = content.known_index(column)
        if known is not None:
            return known
        return self._work.result((id(content), column), lambda: content.index(column), deadline)

    def drop(self, content: Content) -> None:
        """Forget a copy that turned out damaged; the file is read again when somebody asks next."""
        self._folder.drop(content)
        self._content = None

    def close(self) -> None:
        """Close the copy. The next question opens it again."""
        content, self._content = self._content, None
        if content is not None:
            content.close()

    def _look(self) -> Content:
        signature = self._source.signature()
        current = self._content or self._folder.newest()
        if current is None or current.inventory.signature != signature:
            current = self._folder.copy_of(signature) or self._renewed(signature, current)
        if current.inventory.signature == signature:
            self._trouble = None
        if current is not self._content:
            self._content = current
            logger.info("backend %s: %d people from %s", self._name, current.inventory.rows, self._source.path)
        return current

    def _renewed(self, signature: Signature, current: Content | None) -> Content:
        """The file's new content, or the current one where the new one cannot be believed (yet)."""
        known = self._trouble
        try:
            if known is not None and known.signature == signature and isinstance(known.error, BrokenFile):
                # The same bytes are as broken as they were.
                raise BrokenFile(str(known.error))
            if not self._is_settled(signature):
                if current is not None:
                    raise UnsettledFile(f"{self._source.path} is being written")
                signature = self._quiet.wait()
            return self._load(signature)
        except (BrokenFile, UnsettledFile) as exc:
            self._trouble = Trouble(signature, exc)
            if current is None:
                raise
            if known is None or known.signature != signature or type(known.error) is not type(exc):
                level = logging.WARNING if isinstance(exc, BrokenFile) else logging.INFO
                logger.log(level, "backend %s: %s; the last good content stays in force", self._name, exc)
            return current

    def _is_settled(self, signature: Signature) -> bool:
        return signature == self._own or self._quiet.is_over(signature)

    def _load(self, signature: Signature) -> Content:
        def fill(writer: ContentWriter) -> Columns:
            columns = self._source.read(writer.add)
            if self._source.signature() != signature:
                raise UnsettledFile(f"{self._source.path} changed while it was read")
            return columns

        return self._folder.make(signature, fill)
