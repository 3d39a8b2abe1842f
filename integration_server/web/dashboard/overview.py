"""How everything is."""

from __future__ import annotations

import os
import socket
from typing import Any

import flask
from flask import request

from integration_server.web.dashboard.facts import DashboardFacts
from integration_server.web.dashboard.hours import LOGIN_HOURS
from integration_server.web.dashboard.rendering import Rendering
from integration_server.web.dashboard.route import Route, Visit
from integration_server.web.dashboard.summaries import CERTIFICATE_DAYS, MOST_SUBSCRIPTIONS, Summaries


class Overview:
    """The first page. It asks no backend, and shows what is known; each backend's card asks by itself."""

    def __init__(self, facts: DashboardFacts, rendering: Rendering) -> None:
        self._facts = facts
        self._rendering = rendering
        self._summaries = Summaries(facts)
        self._started_at = facts.clock()

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/", "overview", self.page),
            Route("GET", "/overview/backend", "overview_backend", self.backend, is_poll=True),
            Route("GET", "/overview/rest", "overview_rest", self.rest, is_poll=True),
        ]

    def page(self, visit: Visit) -> flask.Response:
        """The whole page. ``?ask=NAME`` asks that backend first, for a few seconds at most."""
        if (wanted := request.args.get("ask", "")) in self._facts.sources:
            self._facts.health.ask(wanted)
        backends = self._summaries.backends()
        return self._rendering.page("overview.html", visit, backends=backends, **self._rest())

    def backend(self, visit: Visit) -> flask.Response:
        """The card of one backend, which is asked for that."""
        name = request.args.get("backend", "")
        if name not in self._facts.sources:
            return self._rendering.page("_backend_gone.html", visit, 404)
        self._facts.health.ask(name)
        return self._rendering.part("_backend.html", visit, backend=self._summaries.backend(name))

    def rest(self, visit: Visit) -> flask.Response:
        """What stands below the backends."""
        return self._rendering.part("_overview.html", visit, **self._rest())

    def _rest(self) -> dict[str, Any]:
        summaries = self._summaries
        return {
            "frontends": summaries.frontends(),
            "login_hours": LOGIN_HOURS,
            "subscriptions": summaries.subscriptions(),
            "most_subscriptions": MOST_SUBSCRIPTIONS,
            "certificates": summaries.certificates(),
            "certificate_days": CERTIFICATE_DAYS,
            "administrators": summaries.administrators(),
            "faults": [f"{work} has ended" for work in self._facts.faults()],
            "started_at": self._started_at,
            "process": f"{os.getpid()} on {socket.gethostname()}",
        }
