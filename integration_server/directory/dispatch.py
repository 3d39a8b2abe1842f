"""Logins: one question to an ordered chain of sources, one verdict or an outage.

Empty and NUL-bearing credentials are refused before any backend (a bind without password "succeeds", RFC 4513 §5.1.2).
An outage anywhere outweighs a "no" from elsewhere, unless configuration gives the name to whoever said no.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from integration_server.directory.login_names import Meant, OtherNames
from integration_server.directory.mount import Mount
from integration_server.directory.source import Located, Source
from integration_server.directory.throttle import Attempt, Throttle
from integration_server.sdk.deadline import Deadline
from integration_server.sdk.errors import BackendError, DirectoryUnavailable
from integration_server.sdk.frontend_abilities import LoginObserver
from integration_server.sdk.model import Verdict, normalize_name
from integration_server.store.failed_logins import Who
from integration_server.store.name_lists import NOBODY, NameLists, unpack_left_out

logger = logging.getLogger(__name__)

#: In bytes of the normalised form, under which the store counts failures.
_NAMESAKES_SECONDS = 1.0
LONGEST_USERNAME = 1024
#: In characters.
LONGEST_PASSWORD = 4096


@dataclass(frozen=True, slots=True)
class Asked:
    """One source's part in a login, for people who want to know why."""

    source: str
    outcome: str
    seconds: float


@dataclass(slots=True)
class _Course:
    """What has happened so far in one login.

    ``accepted`` are backends that took the password, each with the person. ``looked_up`` are the sources that know
    nobody of the name; ``is_known`` where one does, in scope or not. ``meant`` is whose other name was typed; then the
    question goes on by the name under which they are listed.
    """

    #: None where nobody wants to know.
    asked: list[Asked] | None
    accepted: list[tuple[str, str]] = field(default_factory=list)
    failed: list[Source] = field(default_factory=list)
    looked_up: set[str] = field(default_factory=set)
    checked: set[str] = field(default_factory=set)
    is_known: bool = False
    is_claimed: bool = False
    meant: Meant | None = None


class _Namesakes:
    """Who was left out of each mount's last list because another entry holds their name; at most a second old."""

    def __init__(self, lists: NameLists) -> None:
        self._lists = lists
        self._known: dict[str, tuple[float, bytes, frozenset[tuple[str, str]]]] = {}

    def of(self, mount: str) -> frozenset[tuple[str, str]]:
        """Backends and ids. Raises StoreUnavailable."""
        now = time.monotonic()
        looked_at, packed, found = self._known.get(mount, (-_NAMESAKES_SECONDS, NOBODY, frozenset()))
        if now - looked_at >= _NAMESAKES_SECONDS:
            latest = self._lists.left_out(mount)
            if latest != packed:
                packed, found = latest, unpack_left_out(latest)
            self._known[mount] = (now, packed, found)
        return found


class Directory:
    """Answers logins for all mounts. Thread-safe; owns nothing.

    ``clock`` measures durations, in seconds.
    """

    def __init__(self, throttle: Throttle, lists: NameLists, clock: Callable[[], float] = time.perf_counter) -> None:
        self._throttle = throttle
        self._lists = lists
        self._namesakes = _Namesakes(lists)
        self._other_names = OtherNames(lists)
        self._clock = clock
        self._observers: Sequence[LoginObserver] = ()

    def observe(self, observers: Sequence[LoginObserver]) -> None:
        """Let these, and no others, hear of the logins that are let in."""
        self._observers = observers

    def authenticate(self, mount: Mount, username: str, password: str, caller: str) -> Verdict:
        """The verdict of the mount's sources. Raises Throttled, or DirectoryUnavailable when it could not be reached.

        ``caller`` is the address that asks. A wrong password counts once per login, not once per source.
        """
        if not is_askable(username, password):
            return Verdict.REJECTED
        course = _Course(asked=None)
        verdict = self._braked(mount, username, password, caller, course)
        if verdict is Verdict.ACCEPTED:
            self._tell_observers(course, password)
        return verdict

    def attempt(self, mount: Mount, username: str, password: str, caller: str, asked: list[Asked]) -> Verdict:
        """As ``authenticate``, for somebody who only wants to know: nobody hears of it, and ``asked`` is told who was
        asked and answered what, also in outages. Raises Throttled, DirectoryUnavailable."""
        if not is_askable(username, password):
            return Verdict.REJECTED
        return self._braked(mount, username, password, caller, _Course(asked))

    def _braked(self, mount: Mount, username: str, password: str, caller: str, course: _Course) -> Verdict:
        tried: list[Attempt] = []

        def brake(name: str) -> None:
            attempt = self._throttle.attempt(Who(mount.name, normalize_name(name), caller), password)
            attempt.begin()
            tried.append(attempt)

        try:
            brake(username)
            verdict = self._ask(mount, username, password, course, brake)
            for attempt in tried:
                if verdict is Verdict.ACCEPTED:
                    self._throttle.success(attempt.who, attempt.failures)
                elif verdict in (Verdict.REJECTED, Verdict.UNKNOWN_USER):
                    self._throttle.failure(attempt.who, password)
        finally:
            for attempt in tried:
                attempt.end()
        return verdict

    def _tell_observers(self, course: _Course, password: str) -> None:
        for observer in self._observers:
            for backend, person_id in course.accepted:
                try:
                    observer.login_accepted(backend, person_id, password)
                except Exception as exc:
                    # Neither its text nor a traceback, which may quote the password.
                    logger.error("%s failed on a login: %s", type(observer).__name__, type(exc).__name__)

    def ask(self, mount: Mount, username: str, password: str, asked: list[Asked] | None = None) -> Verdict:
        """As ``authenticate``, without throttle. ``asked`` is told who was asked and answered what, also in outages."""
        course = _Course(asked)
        return self._ask(mount, username, password, course, lambda name: None)

    def _ask(
        self, mount: Mount, username: str, password: str, course: _Course, brake: Callable[[str], None]
    ) -> Verdict:
        """``brake`` is told the listed name of whoever typed another one of theirs, before their password is checked:
        guesses count for the person, whatever name they are made at. It may raise Throttled."""
        deadline = Deadline(mount.settings.auth_seconds)
        routed = [source for source in mount.sources if source.may_own(username)]
        verdict, decider = self._walk(mount, routed, username, password, deadline, course)
        if verdict is Verdict.UNKNOWN_USER and not (course.is_known or course.failed):
            course.meant = self._other_names.meant(
                mount, username, routed, lambda source: source.name in course.looked_up, deadline, course.failed
            )
            if course.meant is not None:
                username = course.meant.username
                brake(username)
                owners = [source for source in mount.sources if source.may_own(username)]
                verdict, decider = self._walk(mount, owners, username, password, deadline, course)
        if verdict is not Verdict.ACCEPTED:
            _spend(routed or list(mount.sources), password, deadline, course)
        return self._weigh(mount, username, verdict, decider, course)

    def _walk(
        self,
        mount: Mount,
        sources: Sequence[Source],
        username: str,
        password: str,
        deadline: Deadline,
        course: _Course,
    ) -> tuple[Verdict, Source | None]:
        """Ask one source after the other; the verdict, and whose it is."""
        verdict, decider = Verdict.UNKNOWN_USER, None
        for source in sources:
            found = self._ask_one(mount, source, username, password, deadline, course)
            if found is None:
                if source.settings.on_error == "stop":
                    break
                continue
            if found is not Verdict.UNKNOWN_USER or decider is None:
                verdict, decider = found, source
            if course.is_claimed or _stops(source, found):
                break
        return verdict, decider

    def _ask_one(
        self, mount: Mount, source: Source, username: str, password: str, deadline: Deadline, course: _Course
    ) -> Verdict | None:
        """One source's verdict, or None for an outage (which is noted)."""
        began = self._clock()
        failure, verdict = "", None
        try:
            verdict = self._verdict(mount, source, username, password, deadline, course)
        except BackendError as exc:
            course.failed.append(source)
            logger.warning("mount %s: no verdict: %s", mount.name, exc)
            failure = f"unavailable: {exc}"
        if course.asked is not None:
            name = f" (as {username!r})" if course.meant is not None else ""
            outcome = failure if verdict is None else verdict.value + name
            course.asked.append(Asked(source.name, outcome, self._clock() - began))
        return verdict

    def _verdict(
        self, mount: Mount, source: Source, username: str, password: str, deadline: Deadline, course: _Course
    ) -> Verdict:
        if not source.can_verify:
            return Verdict.UNKNOWN_USER
        limit = deadline.sooner(min(source.settings.auth_seconds, deadline.remaining()))
        located = source.locate(username, limit)
        if located is None:
            course.looked_up.add(source.name)
            return Verdict.UNKNOWN_USER
        course.is_known = True
        if not mount.settings.auth_outside_list and mount.why_not(source, located.page, 0) is not None:
            return Verdict.UNKNOWN_USER
        if not course.checked and (source.name, located.page.ids[0]) in self._namesakes.of(mount.name):
            # Another entry holds the name on the list, perhaps in another case, and this is not their password. Where
            # an earlier source was asked and hands the login on, configuration says that both are one person.
            return Verdict.UNKNOWN_USER
        if course.meant is not None and not course.checked and not _is(located, source, course.meant):
            # Under the name of whom the typed one means, this mount lists somebody else.
            course.is_claimed = True
            return Verdict.UNKNOWN_USER
        course.checked.add(source.name)
        # An account that may not be used holds its name, whatever on_rejected says: it is not listed, so a namesake in
        # a later source is not either.
        course.is_claimed = not located.is_active
        verdict = source.verify(located, password, limit)
        if verdict is Verdict.ACCEPTED:
            course.accepted.append((source.name, located.page.ids[0]))
        return verdict

    def _weigh(self, mount: Mount, username: str, verdict: Verdict, decider: Source | None, course: _Course) -> Verdict:
        if not course.failed:
            return verdict
        names = ", ".join(source.name for source in course.failed)
        if verdict is Verdict.ACCEPTED:
            if self._belongs_to(mount, username, course.failed):
                raise DirectoryUnavailable(f"this name belongs to a backend that is down ({names})")
            return verdict
        if verdict is not Verdict.UNKNOWN_USER and decider is not None and decider.is_routed:
            return verdict
        raise DirectoryUnavailable(f"no answer from {names}")

    def _belongs_to(self, mount: Mount, username: str, failed: list[Source]) -> bool:
        """Whether the name is one of the failed sources', as far as the last list tells: a namesake elsewhere must not
        get in. A name that is on no list may be held by a disabled account, so it is nobody's to take, either.
        """
        last = self._lists.latest(mount.name)
        if last is None:
            return False
        owner = last.content.owner(normalize_name(username))
        if owner is None:
            return not mount.settings.auth_outside_list
        return owner in {source.name for source in failed}


def told(mount: Mount, username: str, asked: Sequence[Asked]) -> list[tuple[str, str, float | None]]:
    """Every backend of a mount with what became of it in a login, also those that were not asked; seconds."""
    by_name = {one.source: one for one in asked}
    rows: list[tuple[str, str, float | None]] = []
    for source in mount.sources:
        if (one := by_name.get(source.name)) is not None:
            rows.append((source.name, one.outcome, one.seconds))
        elif not source.may_own(username):
            rows.append((source.name, "not asked: its domains or pattern exclude this name", None))
        else:
            rows.append((source.name, "not asked: an earlier answer was final", None))
    return rows


def _is(located: Located, source: Source, meant: Meant) -> bool:
    return (source.name, located.page.ids[0]) == (meant.source, meant.id)


def is_askable(username: str, password: str) -> bool:
    """Whether credentials may be shown to a backend at all: not empty, whole text without NUL, not absurdly long."""
    if not username.strip() or not password or "\0" in username or "\0" in password:
        return False
    if len(username) > LONGEST_USERNAME or len(password) > LONGEST_PASSWORD:
        return False
    try:
        password.encode()
        return len(normalize_name(username).encode()) <= LONGEST_USERNAME
    except UnicodeEncodeError:
        return False


def _spend(sources: list[Source], password: str, deadline: Deadline, course: _Course) -> None:
    """Spend what every source not yet paid would have taken, so that the clock tells neither who exists nor where.

    A source that is down is passed over: whether its answer was needed is decided already.
    """
    for source in sources:
        if source.can_verify and source.name not in course.checked and source not in course.failed:
            try:
                source.verify_nobody(password, deadline.sooner(source.settings.auth_seconds))
            except BackendError as exc:
                logger.info("%s", exc)


def _stops(source: Source, found: Verdict) -> bool:
    """Whether the chain ends with this source's verdict."""
    if found is Verdict.ACCEPTED:
        return source.settings.on_success == "return"
    if found is Verdict.UNKNOWN_USER:
        return source.settings.on_unknown == "stop"
    # DISABLED and EXPIRED may also be the directory's own word, at the login; such an account holds its name, too.
    return found is not Verdict.REJECTED or source.settings.on_rejected == "stop"
