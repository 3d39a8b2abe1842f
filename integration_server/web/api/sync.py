"""``/sync``: how detection stands, and the runs that the guard holds."""

from __future__ import annotations

from typing import Annotated, Literal

import flask
from pydantic import Field

from integration_server.sdk.envelopes import rfc3339
from integration_server.store.resources import Resource
from integration_server.store.runs import HeldRun
from integration_server.store.tokens import Scope, Token
from integration_server.store.watches import Watch
from integration_server.web.api.access import permit
from integration_server.web.api.facts import ApiFacts
from integration_server.web.api.model import (
    LARGEST,
    WHOLE,
    Cursor,
    CursorParameter,
    Limit,
    Model,
    Moment,
    Query,
    moment_or_none,
)
from integration_server.web.api.operation import Operation, answer
from integration_server.web.api.paging import cursor_of, read_cursor
from integration_server.web.api.problems import Problem, not_found
from integration_server.web.api.wire import PersonDocument

_ADMIN: tuple[Scope, ...] = ("sync:admin",)


class HeldRunShown(Model):
    """A run that waits for a person's yes, or is being applied."""

    id: int
    state: Literal["held", "approved"]
    reason: str
    first_at: Moment
    last_at: Moment
    counts: dict[str, int] = Field(description="how many people it would create, update, delete and so on")


class BackendSync(Model):
    """How detection stands for one backend."""

    backend: str
    is_watched: bool = Field(description="false where the configuration does not ask for it")
    baseline_at: Moment | None = Field(description="when everybody was first written down")
    scanned_at: Moment | None = Field(description="when the last full comparison ended well")
    scan_seconds: float | None
    people_count: int
    failed_at: Moment | None = Field(
        description="when the first of the latest runs failed; null where the last one went well"
    )
    failure: str | None
    is_scan_wanted: bool
    held: HeldRunShown | None


class SyncOverview(Model):
    """How detection stands for each backend that the token may see."""

    backends: list[BackendSync]


class HeldChangeShown(Model):
    """What a held run would do to one person."""

    number: int
    person_id: str
    kind: Literal["create", "update", "delete", "vanish"] = Field(
        description="vanish: gone, but deleted only after some days"
    )
    object: PersonDocument | None = Field(description="the person afterwards; null for one who goes")
    before: PersonDocument | None = Field(description="the person as known now; null for one who comes")


class HeldChangePage(Model):
    """A page of a held run."""

    run: int = Field(description="its id; give it to apply or discard")
    changes: list[HeldChangeShown]
    cursor: Cursor


class HeldChangeQuery(Query):
    """Which page."""

    cursor: CursorParameter = None
    limit: Limit = 100


class Decision(Model):
    """Which run is meant: another one may have taken its place meanwhile."""

    run: Annotated[int, Field(ge=0, le=LARGEST), WHOLE]


class SyncApi:
    """The noun."""

    def __init__(self, facts: ApiFacts) -> None:
        self._watches = facts.store.watches
        self._runs = facts.store.runs
        self._people = facts.store.people
        self._backends = facts.backends
        self._audit = facts.audit

    def operations(self) -> list[Operation]:
        one = "/sync/{backend}"
        return [
            Operation("GET", "/sync", "listSync", "How detection stands", self.all, _ADMIN, {200: SyncOverview}),
            Operation("GET", one, "getSync", "How detection of a backend stands", self.get, _ADMIN, {200: BackendSync}),
            Operation(
                "GET",
                f"{one}/changes",
                "listHeldChanges",
                "What the held run would do, person by person",
                self.changes,
                _ADMIN,
                {200: HeldChangePage},
                query=HeldChangeQuery,
                problems=(409,),
            ),
            Operation(
                "POST",
                f"{one}/apply",
                "applyHeldRun",
                "Say yes to the held run",
                self.apply,
                _ADMIN,
                {202: BackendSync},
                body=Decision,
                problems=(409,),
            ),
            Operation(
                "POST",
                f"{one}/discard",
                "discardHeldRun",
                "Forget the held run; the next comparison is judged anew",
                self.discard,
                _ADMIN,
                {200: BackendSync},
                body=Decision,
                problems=(409,),
            ),
            Operation(
                "POST",
                f"{one}/scan",
                "wantScan",
                "Ask for a full comparison as soon as may be",
                self.scan,
                _ADMIN,
                {202: BackendSync},
                problems=(409,),
            ),
        ]

    def all(self, token: Token) -> flask.Response:
        watches = {watch.backend: watch for watch in self._watches.all()}
        runs = {run.backend: run for run in self._runs.all()}
        names = [name for name in sorted(self._backends) if token.may_see(Resource("backend", name))]
        shown = [self._shown(watches.get(name, Watch(name)), runs.get(name)) for name in names]
        return answer(SyncOverview(backends=shown))

    def get(self, token: Token, backend: str) -> flask.Response:
        self._check(token, backend)
        return self._one(backend)

    def changes(self, token: Token, backend: str, query: HeldChangeQuery) -> flask.Response:
        self._check(token, backend)
        run = self._runs.get(backend)
        if run is None:
            raise Problem(409, "no run of this backend is held", "run-changed")
        run_id, after = read_cursor(query.cursor, run.id, 0)
        if run_id != run.id:
            raise Problem(409, "another run is held now; begin with its first page", "run-changed")
        found = self._runs.changes(run.id, after, query.limit + 1)
        page = found[: query.limit]
        cursor = cursor_of(run.id, page[-1].number) if len(found) > len(page) else None
        known = self._people.documents_by_id(backend, [one.person_id for one in page])
        changes = [
            {
                "number": one.number,
                "person_id": one.person_id,
                "kind": one.kind,
                "object": one.document,
                "before": known.get(one.person_id),
            }
            for one in page
        ]
        return answer({"run": run.id, "changes": changes, "cursor": cursor})

    def apply(self, token: Token, backend: str, body: Decision) -> flask.Response:
        self._check(token, backend)
        if not self._runs.approve(backend, body.run):
            raise Problem(409, f"run {body.run} is not held (any more)", "run-changed")
        self._audit.tell("sync.approved", backend, {"run": body.run, "token": token.name}, f"token:{token.name}")
        return self._one(backend, 202)

    def discard(self, token: Token, backend: str, body: Decision) -> flask.Response:
        self._check(token, backend)
        if not self._runs.discard(backend, body.run):
            raise Problem(409, f"run {body.run} is not held (any more)", "run-changed")
        self._audit.tell("sync.discarded", backend, {"run": body.run, "token": token.name}, f"token:{token.name}")
        return self._one(backend)

    def scan(self, token: Token, backend: str) -> flask.Response:
        self._check(token, backend)
        if not self._backends[backend].is_watched:
            told = f"the configuration has no [backends.{backend}.sync], so nobody looks for changes"
            raise Problem(409, told, "not-watched")
        self._watches.want_scan(backend)
        return self._one(backend, 202)

    def _check(self, token: Token, backend: str) -> None:
        """Raise Problem for a backend that the token may not see, or that is not there."""
        permit(token, Resource("backend", backend))
        if backend not in self._backends:
            raise not_found("backend")

    def _one(self, backend: str, status: int = 200) -> flask.Response:
        return answer(self._shown(self._watches.get(backend), self._runs.get(backend)), status)

    def _shown(self, watch: Watch, run: HeldRun | None) -> BackendSync:
        return BackendSync(
            backend=watch.backend,
            is_watched=self._backends[watch.backend].is_watched,
            baseline_at=moment_or_none(watch.baseline_at),
            scanned_at=moment_or_none(watch.scanned_at),
            scan_seconds=watch.scan_seconds,
            people_count=watch.people_count,
            failed_at=moment_or_none(watch.failed_at),
            failure=watch.failure,
            is_scan_wanted=watch.is_scan_wanted,
            held=_run(run) if run is not None else None,
        )


def _run(run: HeldRun) -> HeldRunShown:
    return HeldRunShown(
        id=run.id,
        state=run.state,  # type: ignore[arg-type]
        reason=run.reason,
        first_at=rfc3339(run.first_at),
        last_at=rfc3339(run.last_at),
        counts=dict(run.counts),
    )
