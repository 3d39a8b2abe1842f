"""Searching people, and everything about one of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import flask
from flask import request

from integration_server.directory.mount import Mount
from integration_server.directory.person import Present, ask, look_up
from integration_server.directory.source import Source
from integration_server.sdk.deadline import Deadline
from integration_server.sdk.errors import BackendError, CallerRefused, ConfigError
from integration_server.sdk.model import User, normalize_name
from integration_server.store.journal import Person
from integration_server.store.name_lists import unpack_left_out
from integration_server.store.people_search import Match
from integration_server.web.dashboard.asked import whole
from integration_server.web.dashboard.facts import DashboardFacts
from integration_server.web.dashboard.person_shown import FIELDS, value_text
from integration_server.web.dashboard.rendering import Rendering
from integration_server.web.dashboard.route import Route, Visit

_PEOPLE = 50
#: How long a page may look through the store, and how long a backend may be asked.
_SEARCH_SECONDS = 0.15
ASK_SECONDS = 5.0
_LONGEST_TEXT = 1024


class Questions:
    """How many pages may wait for backends at one time: those that hang must not take every thread. Thread-safe."""

    def __init__(self, most: int) -> None:
        self._places = threading.BoundedSemaphore(most)

    @contextmanager
    def one(self) -> Iterator[None]:
        """Raises CallerRefused."""
        if not self._places.acquire(blocking=False):
            raise CallerRefused(503, "Too many questions are waiting for backends; try again in a moment.")
        try:
            yield
        finally:
            self._places.release()


@dataclass(frozen=True, slots=True)
class Found:
    """Somebody who was found, in the store or by asking."""

    backend: str
    person_id: str
    username: object
    full_name: object
    emails: Sequence[object]
    state: object


@dataclass(frozen=True, slots=True)
class LastListed:
    """What the last list of a frontend says of somebody. ``owner`` is whose person it listed under the name."""

    frontend: str
    at: float | None
    owner: str | None
    is_left_out: bool


class PeoplePages:
    """The search and the person."""

    def __init__(self, facts: DashboardFacts, rendering: Rendering, questions: Questions) -> None:
        self._facts = facts
        self._store = facts.store
        self._rendering = rendering
        self._questions = questions

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/people", "people", self.search),
            Route("GET", "/people/person", "person", self.person),
        ]

    # -- searching ---------------------------------------------------------------------------------------------------

    def search(self, visit: Visit) -> flask.Response:
        text, backend = request.args.get("q", "").strip()[:_LONGEST_TEXT], request.args.get("backend", "")
        if backend and backend not in self._facts.sources:
            raise CallerRefused(404, f"There is no backend {backend[:100]!r}.")
        found: list[Found] = []
        after, fault = None, None
        if backend and not self._is_watched(backend):
            if text:
                found, fault = self._asked(self._facts.sources[backend], text)
        else:
            found, after = self._stored(text, backend or None)
        return self._rendering.page(
            "people.html",
            visit,
            q=text,
            backend=backend,
            backends=list(self._facts.sources),
            is_watched=self._is_watched,
            frontends=_with_logins(self._facts),
            found=found,
            after=after,
            fault=fault,
        )

    def _is_watched(self, backend: str) -> bool:
        return self._facts.sources[backend].settings.sync is not None

    def _stored(self, text: str, backend: str | None) -> tuple[list[Found], int | None]:
        """A page of those in the store (of everybody, where nothing was typed), and the key behind which the next one
        begins. On the first page, whoever has just this id comes first."""
        start = whole(request.args.get("after")) or 0
        matches = self._store.people_search.find(text, backend, start, _PEOPLE, _SEARCH_SECONDS)
        found = [_of_match(match) for match in matches.people]
        if text and not start and "\0" not in text:
            backends = [backend] if backend else [name for name in self._facts.sources if self._is_watched(name)]
            exact = [person for name in backends if (person := self._store.journal.person(name, text)) is not None]
            first = [_of_match(person) for person in exact]
            found = [*first, *(one for one in found if one not in first)]
        return found, matches.after

    def _asked(self, source: Source, text: str) -> tuple[list[Found], str | None]:
        """Who has just this name, id or address by the backend's own word; or why it could not say."""
        with self._questions.one():
            try:
                users = look_up(source, text, Deadline(min(ASK_SECONDS, source.settings.auth_seconds)))
            except (BackendError, ConfigError) as exc:
                return [], str(exc)
        return [_of_user(user) for user in users], None

    # -- one person --------------------------------------------------------------------------------------------------

    def person(self, visit: Visit) -> flask.Response:
        backend, person_id = request.args.get("backend", ""), request.args.get("id", "")
        source = self._facts.sources.get(backend)
        known = self._known(backend, person_id)
        if known is None and (source is None or source.settings.sync is not None):
            return self._rendering.page("person_gone.html", visit, 404, backend=backend, person_id=person_id)
        present, fault = None, None
        is_asked = source is not None and request.args.get("ask") == "1" and _may_be_asked(person_id)
        if source is not None and is_asked:
            present, fault = self._ask(source, person_id, known)
        username = _username(known, present)
        return self._rendering.page(
            "person.html",
            visit,
            backend=backend,
            person_id=person_id,
            known=known,
            fields=FIELDS,
            text=value_text,
            changed_at=self._store.journal.noticed_at(known.serial) if known is not None and known.serial else None,
            is_configured=source is not None,
            is_asked=is_asked,
            present=present,
            fault=fault,
            username=username,
            listed=self._last_listed(backend, person_id, username),
            index=_index_note(source, username, person_id),
            frontends=_with_logins(self._facts, source),
        )

    def _known(self, backend: str, person_id: str) -> Person | None:
        if not _may_be_asked(person_id) or "\0" in backend:
            return None
        return self._store.journal.person(backend, person_id)

    def _ask(self, source: Source, person_id: str, known: Person | None) -> tuple[Present | None, str | None]:
        """The person now, None where there is nobody; or why the backend could not say."""
        username = _username(known, None)
        deadline = Deadline(min(ASK_SECONDS, source.settings.auth_seconds))
        with self._questions.one():
            try:
                return ask(source, self._facts.mounts.values(), person_id, username, deadline), None
            except (BackendError, ConfigError) as exc:
                return None, str(exc)

    def _last_listed(self, backend: str, person_id: str, username: str | None) -> list[LastListed]:
        return [
            self._last(mount, backend, person_id, username)
            for mount in self._facts.mounts.values()
            if any(source.name == backend for source in mount.sources)
        ]

    def _last(self, mount: Mount, backend: str, person_id: str, username: str | None) -> LastListed:
        latest = self._store.name_lists.latest(mount.name)
        if latest is None:
            return LastListed(mount.name, None, None, False)
        owner = latest.content.owner(normalize_name(username)) if username else None
        is_left_out = (backend, person_id) in unpack_left_out(latest.content.left_out)
        return LastListed(mount.name, latest.last_at, owner, is_left_out)


def _may_be_asked(person_id: str) -> bool:
    return 0 < len(person_id) <= _LONGEST_TEXT and "\0" not in person_id


def _username(known: Person | None, present: Present | None) -> str | None:
    if present is not None and present.user is not None:
        return present.user.username
    return str(known.document.get("username")) if known is not None and known.document.get("username") else None


def _index_note(source: Source | None, username: str | None, person_id: str) -> str | None:
    """What the index of listed names says, where the backend has one."""
    if source is None or username is None or not source.settings.username_index:
        return None
    found = source.index.entry_id(source.name, normalize_name(username))
    if found is None:
        return "The index of listed names does not hold this name, so nobody logs in by it before the next list."
    if found == person_id:
        return "The index of listed names leads from this name to this person."
    return f"The index of listed names leads from this name to somebody else ({found})."


def _with_logins(facts: DashboardFacts, source: Source | None = None) -> list[str]:
    """The frontends at which a login can be tried, those of a backend first."""
    names = [name for name, mount in facts.mounts.items() if any(one.can_verify for one in mount.sources)]
    return sorted(names, key=lambda name: source is not None and source not in facts.mounts[name].sources)


def _of_match(match: Match | Person) -> Found:
    document = match.document
    emails = document.get("emails") or ()
    return Found(
        match.backend,
        match.person_id,
        document.get("username"),
        document.get("full_name"),
        [email["address"] for email in emails],  # type: ignore[attr-defined]
        "missing" if match.gone_at is not None else document.get("state"),
    )


def _of_user(user: User) -> Found:
    emails = [email.address for email in user.emails]
    return Found(user.backend, user.id, user.username, user.full_name, emails, user.state.value)
