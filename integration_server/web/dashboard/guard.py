"""What the guard holds: lists of frontends and runs of backends, and what an administrator may say to them."""

from __future__ import annotations

from dataclasses import dataclass

import flask
from flask import request

from integration_server.directory.guard import accept, accepted, held, shown_id
from integration_server.forwarding.raising import lower, raise_once
from integration_server.sdk.errors import CallerRefused
from integration_server.sdk.settings import GuardSettings, SyncGuardSettings
from integration_server.store.guard_lifts import Guarded, Lift
from integration_server.store.name_lists import HELD, ListSummary
from integration_server.store.runs import HeldRun
from integration_server.web.dashboard.access import Access
from integration_server.web.dashboard.asked import whole
from integration_server.web.dashboard.facts import DashboardFacts
from integration_server.web.dashboard.rendering import Rendering, see_other
from integration_server.web.dashboard.route import Route, Visit


@dataclass(frozen=True, slots=True)
class GuardedFrontend:
    """``reference`` is how many names the list has with which the next one is compared, None before the first."""

    name: str
    limits: GuardSettings
    held: ListSummary | None
    reference: int | None
    lift: Lift | None

    @property
    def held_id(self) -> str:
        return shown_id(self.held.digest) if self.held is not None else ""


@dataclass(frozen=True, slots=True)
class GuardedBackend:
    """``limits`` is None for a backend whose changes are not noticed (any more)."""

    name: str
    limits: SyncGuardSettings | None
    people: int
    held: HeldRun | None
    lift: Lift | None


class GuardPage:
    """The page, and its buttons."""

    def __init__(self, facts: DashboardFacts, rendering: Rendering, access: Access) -> None:
        self._facts = facts
        self._store = facts.store
        self._rendering = rendering
        self._access = access

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/guard", "guard", self.page),
            Route("POST", "/guard/accept", "guard_accept", self.accept),
            Route("POST", "/guard/apply", "guard_apply", self.apply),
            Route("POST", "/guard/discard", "guard_discard", self.discard),
            Route("POST", "/guard/raise", "guard_raise", self.raise_once),
            Route("POST", "/guard/lower", "guard_lower", self.lower),
        ]

    def page(self, visit: Visit) -> flask.Response:
        lifts = {(lift.kind, lift.name): lift for lift in self._store.guard_lifts.all()}
        return self._rendering.page(
            "guard.html", visit, frontends=self._frontends(lifts), backends=self._backends(lifts)
        )

    def _frontends(self, lifts: dict[tuple[Guarded, str], Lift]) -> list[GuardedFrontend]:
        summaries: dict[str, list[ListSummary]] = {}
        for summary in self._store.name_lists.summaries():
            summaries.setdefault(summary.mount, []).append(summary)
        found = []
        for name, mount in self._facts.mounts.items():
            if not mount.sources:
                continue
            limits, mine = mount.settings.guard, summaries.get(name, [])
            since = self._facts.clock() - limits.reference_hours * 3600
            waiting = next((one for one in mine if one.state == HELD), None)
            found.append(GuardedFrontend(name, limits, waiting, _reference(mine, since), lifts.get(("frontend", name))))
        return found

    def _backends(self, lifts: dict[tuple[Guarded, str], Lift]) -> list[GuardedBackend]:
        runs = {run.backend: run for run in self._store.runs.all()}
        watches = {watch.backend: watch for watch in self._store.watches.all()}
        limits = {
            name: source.settings.sync.guard
            for name, source in self._facts.sources.items()
            if source.settings.sync is not None
        }
        names = [*limits, *sorted(runs.keys() - limits.keys())]
        return [
            GuardedBackend(
                name,
                limits.get(name),
                watches[name].people_count if name in watches else 0,
                runs.get(name),
                lifts.get(("backend", name)),
            )
            for name in names
        ]

    # -- decisions ---------------------------------------------------------------------------------------------------

    def accept(self, visit: Visit) -> flask.Response:
        name, shown = self._frontend(), request.form.get("id", "")
        lists = self._store.name_lists
        now = self._facts.clock()
        waiting = held(lists, name, self._facts.mounts[name].settings.guard, now)
        if waiting is None or waiting.id != shown or not accept(lists, name, shown, now):
            return self._back(f"Nothing was done: another list of {name} is held by now, or none. Look at it first.")
        self._facts.audit.tell("list.accepted", name, accepted(waiting), visit.actor)
        return self._back(f"Accepted: the next list of {name} may hold {waiting.stored.content.count:,} names.")

    def apply(self, visit: Visit) -> flask.Response:
        name, run = self._held_run()
        if run is None or not self._store.runs.approve(name, run.id):
            return self._run_changed(name)
        details = {"run": run.id, "counts": dict(run.counts)}
        self._facts.audit.tell("sync.approved", name, details, visit.actor)
        return self._back(f"Run {run.id} of {name} is being applied; receivers are told.")

    def discard(self, visit: Visit) -> flask.Response:
        name, run = self._held_run()
        if run is None or not self._store.runs.discard(name, run.id):
            return self._run_changed(name)
        details = {"run": run.id, "counts": dict(run.counts)}
        self._facts.audit.tell("sync.discarded", name, details, visit.actor)
        return self._back(f"Run {run.id} of {name} is discarded; the next one is judged anew.")

    def _held_run(self) -> tuple[str, HeldRun | None]:
        """The backend of the form, and the run that it means, where that one is held still."""
        name, run_id = request.form.get("backend", ""), whole(request.form.get("run"))
        run = next((run for run in self._store.runs.all() if run.backend == name), None)
        if run is None and name not in self._facts.sources:
            raise CallerRefused(404, f"There is no backend {name[:100]!r}.")
        return name, run if run is not None and run.id == run_id and run.state == HELD else None

    def _run_changed(self, name: str) -> flask.Response:
        return self._back(f"Nothing was done: another run of {name} is held by now, or none. Look at it first.")

    def raise_once(self, visit: Visit) -> flask.Response:
        kind, name = self._guarded()
        raise_once(self._store, self._facts.audit, kind, name, visit.actor)
        what = "list" if kind == "frontend" else "run"
        return self._back(f"The guard of {name} is lifted for one {what}, and for 24 hours at most.")

    def lower(self, visit: Visit) -> flask.Response:
        kind, name = self._guarded()
        is_done = lower(self._store, self._facts.audit, kind, name, visit.actor)
        return self._back(f"The guard of {name} {'is back' if is_done else 'was not lifted any more'}.")

    def _guarded(self) -> tuple[Guarded, str]:
        if "frontend" in request.form:
            return "frontend", self._frontend()
        name = request.form.get("backend", "")
        source = self._facts.sources.get(name)
        if source is None or source.settings.sync is None:
            raise CallerRefused(404, f"There is no backend {name[:100]!r} whose changes are noticed.")
        return "backend", name

    def _frontend(self) -> str:
        name = request.form.get("frontend", "")
        if name not in self._facts.mounts:
            raise CallerRefused(404, f"There is no frontend {name[:100]!r}.")
        return name

    def _back(self, notice: str) -> flask.Response:
        self._access.leave_notice(notice)
        return see_other(flask.url_for(".guard"))


def _reference(lists: list[ListSummary], since: float) -> int | None:
    """How many names the reference has: the largest list of the last hours, or the latest before."""
    released = [one for one in lists if one.state != HELD]
    recent = [one.name_count for one in released if one.last_at >= since]
    if recent:
        return max(recent)
    return released[-1].name_count if released else None
