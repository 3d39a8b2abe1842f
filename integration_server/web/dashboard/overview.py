"""How everything is."""

from __future__ import annotations

import flask

from integration_server.web.dashboard.facts import DashboardFacts
from integration_server.web.dashboard.rendering import Rendering
from integration_server.web.dashboard.route import Route, Visit


class Overview:
    """The first page."""

    def __init__(self, facts: DashboardFacts, rendering: Rendering) -> None:
        self._facts = facts
        self._rendering = rendering

    def routes(self) -> list[Route]:
        return [Route("GET", "/", "overview", self.page)]

    def page(self, visit: Visit) -> flask.Response:
        return self._rendering.page("overview.html", visit)
