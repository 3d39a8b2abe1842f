"""Lists: everybody on a mount, whole or not at all.

Users stream from the sources through mapping, hooks and filters into a spool file. Only when every source has proved
that it gave everything, and the guard agrees, does the file become an answer. Callers who come while a list is being
made get that list (or its failure); the work is not done twice, neither by threads nor by processes.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import filelock

from integration_server.directory.canary import Canary
from integration_server.directory.guard import Guard
from integration_server.directory.mount import Mount
from integration_server.directory.names import NameTable, normalize_names
from integration_server.directory.source import Source
from integration_server.directory.spool import Outcome, Release, SpoolFolder, SpoolWriter, folder_name
from integration_server.sdk.deadline import Deadline
from integration_server.sdk.errors import (
    BackendError,
    Busy,
    DirectoryUnavailable,
    IntegrationError,
    ListingHeld,
    StoreUnavailable,
)
from integration_server.sdk.gateway import ListEncoder
from integration_server.sdk.model import CLOSED_STATES, AccountState
from integration_server.sdk.page import UserPage
from integration_server.store.name_index import NameIndex
from integration_server.store.name_lists import NamePacker

logger = logging.getLogger(__name__)

_SHOWN_COLLISIONS = 20


@dataclass(frozen=True, slots=True)
class Listing:
    """A list ready to be sent. ``age`` in seconds since it was complete."""

    folder: SpoolFolder
    release: Release
    age: float
    is_last_good: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """Which list of a mount: its name, where a mount has several, and who of a page is on it. Raises BackendError."""

    name: str = ""
    chosen: Callable[[Source, UserPage], Sequence[int]] | None = None


EVERYBODY = View()


@dataclass(slots=True)
class Notes:
    """What was noticed on the way: unreadable entries, and names that an earlier entry holds already."""

    bad_rows: int = 0
    collisions: int = 0

    def bad_row(self, reason: str) -> None:
        self.bad_rows += 1
        logger.warning("left out of the list, as bad_rows_allowed permits: %s", reason)

    def collision(self, mount: str, source: str, username: str) -> None:
        self.collisions += 1
        if self.collisions <= _SHOWN_COLLISIONS:
            logger.warning("mount %s: %r of backend %s is left out: the name is taken", mount, username, source)


class Course:
    """What one walk over a mount's people has seen: the names listed, and those taken.

    A table of taken names costs as much as reading the names from a database. It is spared for as long as everybody
    comes from one source that keeps their names unique, in their normalised form already, and is listed or passed over:
    then no name can be taken, and these names are all there is to catch up on should that end.
    """

    def __init__(self, expected: int = 0) -> None:
        """``expected`` is about how many people there will be."""
        self.notes = Notes()
        self.names = NamePacker()
        self._expected = expected
        self._passed_over = NamePacker()
        self._taken: NameTable | None = None
        self._ids: dict[str, NameTable] = {}

    def take(self, page: UserPage, names: list[str], is_only_source: bool) -> tuple[list[int], frozenset[int]]:
        """Take the normalised names of a page; the positions of those that were taken already, and of entries that came
        before themselves (from a join, say): these are no namesakes."""
        if self._taken is None:
            if is_only_source and page.are_names_unique and page.states is None and names == page.usernames:
                return [], frozenset()
            self._taken = NameTable(self._expected)
            for packer in (self.names, self._passed_over):
                for some in packer.finish().chunks():
                    self._taken.add(some)
        ids = self._ids.setdefault(page.backend, NameTable())
        return self._taken.add(names), frozenset(ids.add(page.ids))

    def pass_over(self, source: str, names: list[str]) -> None:
        """These names are taken by people who are not on this view of the list."""
        if self._taken is None:
            self._passed_over.add(source, names)


def walk(
    mount: Mount, index: NameIndex, now: Callable[[], float], course: Course, view: View = EVERYBODY
) -> Iterator[tuple[UserPage, list[str]]]:
    """Pages of the people on a mount, each name once, with their normalised names.

    Ends normally only when every source gave everything. Raises BackendError.
    """
    for source in mount.sources:
        with _indexing(source, index, now) as add_to_index:
            deadline = Deadline(source.settings.list_seconds)
            canary = Canary(source)
            for whole in source.pages(deadline, course.notes.bad_row):
                canary.look(whole)
                add_to_index(whole)
                page = mount.in_scope(source, whole)
                page, names = _unique(mount, source, page, course)
                page, names = _usable(mount, page, names)
                if view.chosen is not None:
                    kept = view.chosen(source, page)
                    course.pass_over(source.name, [names[i] for i in set(range(len(names))).difference(kept)])
                    page, names = page.take(kept), [names[i] for i in kept]
                course.names.add(source.name, names)
                yield page, names
            canary.check()


def _unique(mount: Mount, source: Source, page: UserPage, course: Course) -> tuple[UserPage, list[str]]:
    names = normalize_names(page.usernames)
    taken, again = course.take(page, names, len(mount.sources) == 1)
    if not taken:
        return page, names
    for position in taken:
        course.notes.collision(mount.name, source.name, page.usernames[position])
    course.names.leave_out(source.name, [page.ids[position] for position in taken if position not in again])
    gone = set(taken)
    kept = [i for i in range(len(names)) if i not in gone]
    return page.take(kept), [names[i] for i in kept]


def _usable(mount: Mount, page: UserPage, names: list[str]) -> tuple[UserPage, list[str]]:
    """Without accounts that may not be used; they have claimed their names all the same."""
    states = page.states
    if mount.settings.list_disabled or states is None or states.count(AccountState.ACTIVE) == len(states):
        return page, names
    kept = [i for i, state in enumerate(states) if state not in CLOSED_STATES]
    return page.take(kept), [names[i] for i in kept]


@contextmanager
def _indexing(source: Source, index: NameIndex, now: Callable[[], float]) -> Iterator[Callable[[UserPage], None]]:
    """Writes the source's name index beside its listing, where it keeps one; complete or not at all.

    It holds everybody, whatever this mount's filters say: other mounts share it. Of two entries with one name it holds
    the first, as the list does.
    """
    if not source.settings.username_index:
        yield lambda page: None
        return
    generation = index.begin(source.name, now())
    seen = NameTable()

    def add(page: UserPage) -> None:
        names = normalize_names(page.usernames)
        again = set(seen.add(names))
        kept = [i for i in range(len(names)) if i not in again]
        index.add(generation, [names[i] for i in kept], [page.ids[i] for i in kept])

    try:
        yield add
    except BaseException:
        index.abandon(generation)
        raise
    index.complete(source.name, generation, now())


def _encoded(encoder: ListEncoder, page: UserPage) -> bytes:
    """The page in the frontend's format; what a frontend cannot encode is an outage like any other."""
    try:
        return encoder.page(page)
    except IntegrationError:
        raise
    except Exception as exc:
        logger.exception("a page of users of backend %s cannot be encoded", page.backend)
        raise BackendError(f"backend {page.backend}: its users cannot be encoded: {type(exc).__name__}") from exc


class Lister:
    """Makes, keeps and shares lists. Thread-safe; owns nothing but the spool folders.

    ``slots`` bounds the callers that make or wait for a list at one time; it must stay below the number of worker
    threads, so that logins always find one free.
    """

    def __init__(
        self, spool_dir: Path, guard: Guard, index: NameIndex, slots: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._spool_dir = spool_dir
        self._guard = guard
        self._index = index
        self._slots = threading.BoundedSemaphore(slots)
        self._clock = clock

    def folder(self, mount: Mount, view: View = EVERYBODY) -> SpoolFolder:
        # No mount's name has a dot.
        return SpoolFolder(self._spool_dir / folder_name(*filter(None, (mount.name, view.name))))

    def outcomes(self, mount: Mount) -> list[Outcome]:
        """How the latest attempt ended, of each list that the mount has."""
        paths = [self._spool_dir / mount.name, *sorted(self._spool_dir.glob(f"{mount.name}.*"))]
        found = (SpoolFolder(path).outcome() for path in paths)
        return [outcome for outcome in found if outcome is not None]

    def listing(self, mount: Mount, encoder: ListEncoder, view: View = EVERYBODY) -> Listing:
        """A whole list. Raises DirectoryUnavailable, ListingHeld, Busy."""
        asked_at = self._clock()
        young = self._young(mount, view, asked_at)
        if young is not None:
            return young
        if not self._slots.acquire(blocking=False):
            raise Busy("too many lists are being made; try again in a moment")
        try:
            outcome = self._shared(mount, encoder, view, asked_at)
        finally:
            self._slots.release()
        return self._answer(mount, view, outcome)

    def _young(self, mount: Mount, view: View, now: float) -> Listing | None:
        if not mount.settings.max_age_seconds:
            return None
        folder = self.folder(mount, view)
        outcome = folder.outcome()
        if outcome is None or outcome.error is not None or outcome.release is None:
            return None
        age = now - outcome.release.ended_at
        if outcome.release.fingerprint != mount.fingerprint or not 0 <= age <= mount.settings.max_age_seconds:
            return None
        return Listing(folder, outcome.release, age)

    def _shared(self, mount: Mount, encoder: ListEncoder, view: View, asked_at: float) -> Outcome:
        """The outcome of the list that was being made when the caller came, or of one made now."""
        folder = self.folder(mount, view)
        patience = sum(source.settings.list_seconds for source in mount.sources) + 60
        try:
            with filelock.FileLock(folder.lock_path, timeout=patience, thread_local=False, is_singleton=False):
                outcome = folder.outcome()
                # Later than now means that the clock was set back: nobody knows how old that outcome is.
                is_ours = outcome is not None and asked_at <= outcome.ended_at <= self._clock()
                if outcome is None or not is_ours or self._is_stale(mount, outcome):
                    outcome = self._make(mount, encoder, view, folder, outcome)
        except filelock.Timeout:
            raise Busy("a list has been in the making for too long") from None
        except OSError as exc:
            raise DirectoryUnavailable(f"the spool folder cannot be used: {exc.strerror or exc}") from exc
        return outcome

    def _is_stale(self, mount: Mount, outcome: Outcome) -> bool:
        return outcome.release is not None and outcome.release.fingerprint != mount.fingerprint

    def _make(
        self, mount: Mount, encoder: ListEncoder, view: View, folder: SpoolFolder, last: Outcome | None
    ) -> Outcome:
        began_at = self._clock()
        last_good = last.release if last is not None and not self._is_stale(mount, last) else None
        failed = Outcome(began_at, began_at, None, False, last_good)
        try:
            expected = last.release.count if last is not None and last.release is not None else 0
            release, reason = self._build(mount, encoder, view, folder, began_at, expected)
            if reason is None:
                outcome = Outcome(began_at, release.ended_at, None, False, release)
            else:
                outcome = replace(failed, error=reason, is_held=True)
        except (BackendError, StoreUnavailable) as exc:
            outcome = replace(failed, error=str(exc))
        except OSError as exc:
            outcome = replace(failed, error=f"the list cannot be written: {exc.strerror or exc}")
        if outcome.error is not None:
            outcome = replace(outcome, ended_at=self._clock())
            logger.error("mount %s: no list: %s", mount.name, outcome.error)
        folder.record(outcome)
        return outcome

    def _build(
        self, mount: Mount, encoder: ListEncoder, view: View, folder: SpoolFolder, began_at: float, expected: int
    ) -> tuple[Release, str | None]:
        """The list as a file, and why the guard holds it, or None."""
        course = Course(expected)
        with SpoolWriter(folder.path, encoder.opening, encoder.separator) as writer:
            for page, _ in walk(mount, self._index, self._clock, course, view):
                writer.add(_encoded(encoder, page))
            names_listed = course.names.finish()
            size, digest = writer.finish(encoder.closing)
            reason = self._guard.judge(mount.name, mount.settings.guard, names_listed)
            if reason is None:
                writer.keep()
        release = Release(
            file=writer.path.name,
            size=size,
            digest=digest,
            count=names_listed.count,
            backends=tuple(source.name for source in mount.sources),
            collisions=course.notes.collisions,
            bad_rows=course.notes.bad_rows,
            began_at=began_at,
            ended_at=self._clock(),
            fingerprint=mount.fingerprint,
        )
        return release, reason

    def _answer(self, mount: Mount, view: View, outcome: Outcome) -> Listing:
        folder = self.folder(mount, view)
        age = self._clock() - outcome.release.ended_at if outcome.release is not None else 0.0
        if outcome.error is None and outcome.release is not None:
            return Listing(folder, outcome.release, max(age, 0.0))
        if outcome.is_held:
            # Also with on_outage = "last_good": an old list would hide that a person has to decide.
            raise ListingHeld(outcome.error or "")
        settings = mount.settings
        if settings.on_outage == "last_good" and outcome.release is not None and age <= settings.last_good_seconds:
            return Listing(folder, outcome.release, max(age, 0.0), is_last_good=True)
        raise DirectoryUnavailable(outcome.error or "")
