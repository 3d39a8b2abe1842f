"""One held list or run, person by person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import flask
from flask import request

from integration_server.directory.guard import Held, held
from integration_server.sdk.errors import CallerRefused
from integration_server.sdk.events import Document
from integration_server.store.differences import drafts
from integration_server.store.runs import HeldChange, HeldRun
from integration_server.web.dashboard.asked import whole
from integration_server.web.dashboard.facts import DashboardFacts
from integration_server.web.dashboard.person_shown import FieldChange, field_changes
from integration_server.web.dashboard.rendering import Rendering
from integration_server.web.dashboard.route import Route, Visit

_PEOPLE = 100
#: What a run does to somebody, and how that looks.
_KINDS = {
    "create": ("good", "comes"),
    "update": ("idle", "changes"),
    "delete": ("bad", "is deleted"),
    "vanish": ("warn", "is missing"),
}


@dataclass(frozen=True, slots=True)
class NamesShown:
    """A page of names, each with its backend where that is known. ``before`` and ``after`` lead to other pages."""

    names: Sequence[tuple[str, str]]
    first: int
    count: int
    before: int | None
    after: int | None


@dataclass(frozen=True, slots=True)
class ChangeShown:
    """What a run does to one person."""

    person_id: str
    username: object
    full_name: object
    kind: str
    word: str
    fields: Sequence[FieldChange]
    joins: Sequence[str]
    leaves: Sequence[str]


class HeldPages:
    """The two pages."""

    def __init__(self, facts: DashboardFacts, rendering: Rendering) -> None:
        self._facts = facts
        self._store = facts.store
        self._rendering = rendering

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/guard/list", "guard_list", self.names),
            Route("GET", "/guard/run", "guard_run", self.run),
        ]

    # -- a list ------------------------------------------------------------------------------------------------------

    def names(self, visit: Visit) -> flask.Response:
        name = request.args.get("frontend", "")
        mount = self._facts.mounts.get(name)
        if mount is None:
            raise CallerRefused(404, f"There is no frontend {name[:100]!r}.")
        found = held(self._store.name_lists, name, mount.settings.guard, self._facts.clock())
        if found is None:
            raise CallerRefused(404, f"No list of {name} is held any more.")
        shown = "new" if request.args.get("show") == "new" else "missing"
        return self._rendering.page(
            "guard_list.html",
            visit,
            frontend=name,
            held=found,
            owners=Counter(owner for _, owner in found.missing_from),
            show=shown,
            q=request.args.get("q", ""),
            page=_names(found, shown, request.args.get("q", ""), whole(request.args.get("from")) or 0),
        )

    # -- a run -------------------------------------------------------------------------------------------------------

    def run(self, visit: Visit) -> flask.Response:
        name = request.args.get("backend", "")
        run = next((run for run in self._store.runs.all() if run.backend == name), None)
        if run is None:
            raise CallerRefused(404, f"No run of a backend {name[:100]!r} is held any more.")
        wanted = whole(request.args.get("run"))
        if wanted is not None and wanted != run.id:
            raise CallerRefused(409, f"Another run of {name} is held by now. The page Guard leads to it.")
        after = whole(request.args.get("after")) or 0
        changes, more = self._changes(run, after)
        return self._rendering.page("guard_run.html", visit, run=run, changes=changes, after=more, is_first=after == 0)

    def _changes(self, run: HeldRun, after: int) -> tuple[list[ChangeShown], int | None]:
        found = self._store.runs.changes(run.id, after, _PEOPLE + 1)
        page = found[:_PEOPLE]
        known = self._store.people.documents_by_id(run.backend, [one.person_id for one in page])
        shown = [_change(one, known.get(one.person_id)) for one in page]
        return shown, page[-1].number if len(found) > len(page) else None


def _names(found: Held, show: str, q: str, first: int) -> NamesShown:
    names = found.missing_from if show == "missing" else tuple((name, "") for name in found.new)
    if wanted := q.strip().casefold():
        names = tuple(one for one in names if wanted in one[0].casefold())
    first = min(first, max(len(names) - 1, 0)) // _PEOPLE * _PEOPLE
    after = first + _PEOPLE
    return NamesShown(
        names[first:after],
        first,
        len(names),
        first - _PEOPLE if first else None,
        after if after < len(names) else None,
    )


def _change(change: HeldChange, before: Document | None) -> ChangeShown:
    known = change.document or before or {}
    kind, word = _KINDS[change.kind]
    fields: Sequence[FieldChange] = ()
    joins: list[str] = []
    leaves: list[str] = []
    if change.kind == "update" and before is not None and change.document is not None:
        for draft in drafts(before, change.document):
            if draft.group is not None:
                (joins if draft.type.endswith("added") else leaves).append(draft.group)
            else:
                fields = field_changes(draft.changed)
    return ChangeShown(
        change.person_id, known.get("username"), known.get("full_name"), kind, word, fields, joins, leaves
    )
