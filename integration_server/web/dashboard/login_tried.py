"""Trying a login as a frontend would, to see which backends say what. The password goes to them and nowhere else."""

from __future__ import annotations

import flask
from flask import request

from integration_server.directory.dispatch import LONGEST_USERNAME, Asked, is_askable, told
from integration_server.directory.mount import Mount
from integration_server.sdk.errors import CallerRefused, DirectoryUnavailable, Throttled
from integration_server.sdk.model import Verdict
from integration_server.web.dashboard.facts import DashboardFacts
from integration_server.web.dashboard.people import Questions
from integration_server.web.dashboard.rendering import Rendering
from integration_server.web.dashboard.route import Route, Visit

#: As the throttle knows who asks here: guesses are braked, and no caller of the frontend is in anybody's way.
CALLER = "dashboard"


class LoginTried:
    """The form's answer. It is a page of its own, as nothing of it is kept."""

    def __init__(self, facts: DashboardFacts, rendering: Rendering, questions: Questions) -> None:
        self._facts = facts
        self._rendering = rendering
        self._questions = questions

    def routes(self) -> list[Route]:
        return [Route("POST", "/people/try", "login_tried", self.answer)]

    def answer(self, visit: Visit) -> flask.Response:
        mount = self._facts.mounts.get(request.form.get("frontend", ""))
        if mount is None:
            raise CallerRefused(404, "There is no such frontend.")
        name, password = request.form.get("name", ""), request.form.get("password", "")
        if not is_askable(name, password):
            fault = "No backend is shown an empty name or password, or one that is absurdly long or holds NUL."
            return self._page(visit, mount, name, 422, fault=fault)
        asked: list[Asked] = []
        outage = None
        verdict: Verdict | None = None
        with self._questions.one():
            try:
                verdict = self._facts.directory.attempt(mount, name, password, CALLER, asked)
            except Throttled as exc:
                return self._braked(visit, mount, name, exc)
            except DirectoryUnavailable as exc:
                outage = str(exc)
        said = verdict.value if verdict is not None else "unavailable"
        self._facts.audit.tell("login.tried", name, {"frontend": mount.name, "verdict": said}, visit.actor)
        return self._page(visit, mount, name, verdict=said, outage=outage, rows=told(mount, name, asked))

    def _braked(self, visit: Visit, mount: Mount, name: str, exc: Throttled) -> flask.Response:
        self._facts.audit.tell("login.tried", name, {"frontend": mount.name, "verdict": "throttled"}, visit.actor)
        return self._page(visit, mount, name, 429, fault=f"Braked: {exc}. Real callers are not in the way of this one.")

    def _page(self, visit: Visit, mount: Mount, name: str, status: int = 200, **values: object) -> flask.Response:
        shown = {"verdict": None, "outage": None, "rows": (), "fault": None} | values
        frontends = [mount.name, *(one for one in self._facts.mounts if one != mount.name)]
        return self._rendering.page(
            "login_tried.html",
            visit,
            status,
            frontend=mount.name,
            frontends=frontends,
            name=name[:LONGEST_USERNAME],
            **shown,
        )
