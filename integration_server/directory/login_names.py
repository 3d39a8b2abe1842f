"""Names by which people log in beside the one under which each of them is listed (the sdk's LoginNames).

Whoever asks us takes a yes for a yes to the name that was typed. So a name under which somebody is listed, in any
backend of the mount, means that person alone: nobody gets there by writing it into an address of their own.
"""

from __future__ import annotations

import logging
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from integration_server.directory.mount import Mount
from integration_server.directory.source import Source
from integration_server.sdk.deadline import Deadline
from integration_server.sdk.errors import AmbiguousEntry, BackendError
from integration_server.sdk.model import Lookup, normalize_name
from integration_server.store.name_lists import NameLists

logger = logging.getLogger(__name__)

_REMEMBERED_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Meant:
    """Whom another name means: the backend, the id there, and the name under which they are listed."""

    source: str
    id: str
    username: str


class OtherNames:
    """Finds whom a name means under which nobody is listed. Thread-safe."""

    def __init__(self, lists: NameLists) -> None:
        self._last = _LastNames(lists)

    def meant(
        self,
        mount: Mount,
        username: str,
        sources: Sequence[Source],
        is_looked_up: Callable[[Source], bool],
        deadline: Deadline,
        failed: list[Source],
    ) -> Meant | None:
        """The one person of ``sources`` whom this name means, in scope or not; None for nobody, and for several.

        ``is_looked_up`` tells of which sources it is known that nobody is listed there under the name; the others are
        asked. A source that could not be asked is added to ``failed``, and then nobody is meant. Raises
        StoreUnavailable.
        """
        asked = _Asked(sources, username, deadline)
        try:
            found = [] if asked.has_no_form() or asked.is_listed(is_looked_up) else asked.meant()
        except AmbiguousEntry as exc:
            logger.info("mount %s: %r is nobody's name at a login: %s", mount.name, username, exc)
            return None
        except BackendError as exc:
            assert asked.current is not None
            logger.warning("mount %s: no verdict: %s", mount.name, exc)
            failed.append(asked.current)
            return None
        if len(found) > 1:
            names = ", ".join(f"{one.username!r} of {one.source}" for one in found)
            logger.info("mount %s: %r is nobody's name at a login: it means %s", mount.name, username, names)
        # Whoever was on the last list and is gone since, or renamed: what they left with the caller is still theirs.
        return found[0] if len(found) == 1 and not self._last.holds(mount.name, username) else None


class _Asked:
    """One name, asked of several sources; ``current`` is the one that is asked now. Methods raise BackendError."""

    def __init__(self, sources: Sequence[Source], username: str, deadline: Deadline) -> None:
        self._sources = sources
        self._username = username
        self._deadline = deadline
        self._lookups: list[tuple[Source, Sequence[Lookup]]] = []
        self.current: Source | None = None

    def _limits(self, sources: Sequence[Source]) -> Iterator[tuple[Source, Deadline]]:
        for source in sources:
            self.current = source
            yield source, self._deadline.sooner(min(source.settings.auth_seconds, self._deadline.remaining()))

    def has_no_form(self) -> bool:
        """Whether it has the form of no other name, anywhere: then nobody needs to be looked up."""
        for source, limit in self._limits(self._sources):
            if lookups := source.login_lookups(self._username, limit):
                self._lookups.append((source, lookups))
        return not self._lookups

    def is_listed(self, is_looked_up: Callable[[Source], bool]) -> bool:
        """Whether a source that was not asked yet lists somebody under it."""
        for source, limit in self._limits([source for source in self._sources if not is_looked_up(source)]):
            try:
                if source.locate(self._username, limit) is not None:
                    return True
            except AmbiguousEntry:
                return True
        return False

    def meant(self) -> list[Meant]:
        """Everybody whom it means, each once."""
        found: dict[Meant, None] = {}
        lookups = dict(self._lookups)
        for source, limit in self._limits(list(lookups)):
            if (located := source.locate_by(lookups[source], limit)) is not None:
                found[Meant(source.name, located.page.ids[0], located.page.usernames[0])] = None
        return list(found)


class _LastNames:
    """The names on each mount's last list; at most a second old."""

    def __init__(self, lists: NameLists) -> None:
        self._lists = lists
        self._known: dict[str, tuple[float, str | None, bytes]] = {}

    def holds(self, mount: str, username: str) -> bool:
        """Whether the name, whatever its case, is on the list that was released last. Raises StoreUnavailable."""
        now = time.monotonic()
        looked_at, digest, plain = self._known.get(mount, (-_REMEMBERED_SECONDS, None, b""))
        if now - looked_at >= _REMEMBERED_SECONDS:
            if self._lists.latest_digest(mount) != digest:
                latest = self._lists.latest(mount)
                digest = latest.content.digest if latest is not None else None
                plain = b"\0%b\0" % zlib.decompress(latest.content.packed) if latest is not None else b""
            self._known[mount] = (now, digest, plain)
        return b"\0%b\0" % normalize_name(username).encode() in plain
