"""What a change feed tells, held beside what is known."""

from __future__ import annotations

from dataclasses import dataclass, field

from integration_server.directory.canary import Canary
from integration_server.directory.source import Source, Step
from integration_server.forwarding.detection.comparison import can_ask
from integration_server.forwarding.detection.documents import checked_ids, digests, documents
from integration_server.forwarding.detection.staging import Staging
from integration_server.sdk.deadline import Deadline
from integration_server.sdk.errors import AmbiguousEntry, ComparisonNeeded
from integration_server.sdk.events import Document
from integration_server.sdk.page import UserPage
from integration_server.store.people import VANISHED, People

#: One run takes in about so many people; the rest is the next run's, at once.
MOST_PEOPLE = 5_000


@dataclass(slots=True)
class News:
    """The latest word on each person: digest and document, or None for somebody who is gone or out of scope."""

    position: str
    latest: dict[str, tuple[bytes, Document] | None] = field(default_factory=dict)
    is_all: bool = True

    def put(self, person_id: str, state: tuple[bytes, Document] | None) -> None:
        # The latest word comes last, too.
        self.latest.pop(person_id, None)
        self.latest[person_id] = state

    def put_page(self, page: UserPage) -> None:
        for person_id, digest, found in zip(checked_ids(page), digests(page), documents(page), strict=True):
            self.put(person_id, (digest, found))


def read_news(source: Source, position: str) -> News:
    """What the feed tells since ``position``. Raises ComparisonNeeded, other BackendErrors."""
    deadline = Deadline(source.settings.list_seconds)
    # Also where there is no news: a run that finds the canary missing must not seem to go well in between.
    Canary(source).ask(deadline)
    news = News(position)
    unsure: set[str] = set()
    for step in source.changes(position, deadline):
        _take(step, news, unsure)
        news.position = step.position
        if len(news.latest) >= MOST_PEOPLE:
            news.is_all = False
            break
    gone = [person_id for person_id, state in news.latest.items() if state is None and person_id in unsure]
    if can_ask(source):
        for person_id in gone:
            _ask_again(source, person_id, news, deadline)
    return news


def _take(step: Step, news: News, unsure: set[str]) -> None:
    for person_id in step.gone:
        news.put(person_id, None)
        unsure.add(person_id)
    for person_id in step.out_of_scope:
        news.put(person_id, None)
        unsure.discard(person_id)
    if step.page is not None and len(step.page):
        news.put_page(step.page)


def _ask_again(source: Source, person_id: str, news: News, deadline: Deadline) -> None:
    """Who is said to be gone may have come back since, under the same id."""
    try:
        page = source.by_id(person_id, deadline)
    except AmbiguousEntry as exc:
        raise ComparisonNeeded(
            f"backend {source.name}: {person_id!r} is said to be gone, but several are there"
        ) from exc
    if page is not None:
        news.put_page(page)


def stage_news(source: Source, people: People, news: News, staging: Staging) -> None:
    """Stage what of it is new to us. Raises StoreUnavailable, OSError."""
    known = {person_id: (key, digest) for person_id, key, digest in people.known(source.name, list(news.latest))}
    sync = source.settings.sync
    is_delayed = sync is not None and sync.delete_after_days > 0
    differing: dict[int, tuple[bytes, Document]] = {}
    for person_id, state in news.latest.items():
        key, before = known.get(person_id, (None, None))
        if state is None:
            if key is None or (is_delayed and before == VANISHED):
                continue
            if is_delayed:
                staging.vanish(person_id, key)
            else:
                staging.delete(person_id, key)
        elif key is None:
            staging.create(person_id, *state)
        elif before != state[0]:
            differing[key] = state
    if differing:
        found, people_now = zip(*differing.values(), strict=True)
        staging.differing.add(list(differing), found, people_now)
