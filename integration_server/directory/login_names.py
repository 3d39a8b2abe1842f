"""Names by which people log in beside the one under which each of them is listed (the sdk's LoginNames).

Whoever asks us takes a yes for a yes to the name that was typed. So a name under which somebody is listed, in any
backend of the mount, means that person alone: nobody gets there by writing it into an address of their own.
"""

from __future__ import annotations

import logging
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from integration_server.directory.mount import Mount
from integration_server.directory.source import Source
from integration_server.sdk.deadline import Deadline
from integration_server.sdk.errors import AmbiguousEntry, BackendError
from integration_server.sdk.model import normalize_name
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
        if not any(source.has_login_names for source in sources):
            return None
        found: dict[tuple[str, str], Meant] = {}
        for source in sources:
            limit = deadline.sooner(min(source.settings.auth_seconds, deadline.remaining()))
            try:
                if not is_looked_up(source) and source.locate(username, limit) is not None:
                    return None
                meant = _meant_in(source, username, limit)
            except AmbiguousEntry as exc:
                logger.info("mount %s: %r is nobody's name at a login: %s", mount.name, username, exc)
                return None
            except BackendError as exc:
                logger.warning("mount %s: no verdict: %s", mount.name, exc)
                failed.append(source)
                return None
            if meant is not None:
                found[meant.source, meant.id] = meant
        if len(found) > 1:
            names = ", ".join(f"{one.username!r} of {one.source}" for one in found.values())
            logger.info("mount %s: %r is nobody's name at a login: it means %s", mount.name, username, names)
        if len(found) != 1 or self._last.holds(mount.name, username):
            # Somebody who was on the last list and is gone since, or renamed: what they left there is theirs.
            return None
        return next(iter(found.values()))


def _meant_in(source: Source, username: str, deadline: Deadline) -> Meant | None:
    located = source.locate_otherwise(username, deadline)
    if located is None:
        return None
    page = located.page
    return Meant(source.name, page.ids[0], page.usernames[0])


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
