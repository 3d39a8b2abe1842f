"""The blueprint under /dashboard: lets administrators in, serves the pages, and answers every error as a page."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import flask
from flask import request
from werkzeug.exceptions import HTTPException

from integration_server.sdk.errors import CallerRefused, IntegrationError
from integration_server.web.api.problems import outward
from integration_server.web.dashboard.access import Access
from integration_server.web.dashboard.audit import AuditPage
from integration_server.web.dashboard.change import OneChange
from integration_server.web.dashboard.changes import ChangesPage
from integration_server.web.dashboard.configuration import ConfigurationPage
from integration_server.web.dashboard.facts import DashboardFacts
from integration_server.web.dashboard.guard import GuardPage
from integration_server.web.dashboard.guard_held import HeldPages
from integration_server.web.dashboard.login_tried import LoginTried
from integration_server.web.dashboard.overview import Overview
from integration_server.web.dashboard.people import PeoplePages, Questions
from integration_server.web.dashboard.places import BUSY, Places
from integration_server.web.dashboard.rendering import HEADERS, Rendering, see_other
from integration_server.web.dashboard.route import Page, Route
from integration_server.web.dashboard.security import Security
from integration_server.web.dashboard.sign_in import SignIn
from integration_server.web.dashboard.stuck import Stuck
from integration_server.web.dashboard.stuck_person import StuckPerson
from integration_server.web.dashboard.stuck_receivers import StuckReceivers
from integration_server.web.dashboard.subscription_actions import SubscriptionActions
from integration_server.web.dashboard.subscription_forms import sentence
from integration_server.web.dashboard.subscriptions import Subscriptions
from integration_server.web.dashboard.tokens import Tokens

logger = logging.getLogger(__name__)

PREFIX = "/dashboard"
#: No frontend can be called so.
NAME = "(dashboard)"
_STATIC = Path(__file__).parent / "static"
_STATIC_SECONDS = 3600


def create_dashboard(facts: DashboardFacts) -> flask.Blueprint:
    """The dashboard as a blueprint, to be mounted on ``PREFIX``."""
    return _Dashboard(facts).blueprint()


def is_below(path: str) -> bool:
    """Whether a path is the dashboard's."""
    return path == PREFIX or path.startswith(PREFIX + "/")


class _Dashboard:
    def __init__(self, facts: DashboardFacts) -> None:
        # As many as may make lists: logins at frontends find a thread free whoever signs in here.
        threads = facts.config.core.server.threads
        most = max(2, threads // 8)
        places = Places(most, max(1, most // 2))
        # Half of the threads are for others, however long the store keeps these waiting; where there are few, one.
        pages = max(3, threads // 2)
        self._visits = Places(pages, pages, BUSY)
        self._access = Access(facts.store.admins, facts.throttle, facts.config.core.dashboard, PREFIX, places)
        self._rendering = Rendering(PREFIX, facts.version, facts.clock)
        self._sign_in = SignIn(self._access, self._rendering, facts.audit, PREFIX)
        self._pages = _pages(facts, self._rendering, self._access)

    def blueprint(self) -> flask.Blueprint:
        blueprint = flask.Blueprint(NAME, __name__, url_prefix=PREFIX)
        blueprint.add_url_rule("/static/<path:name>", "static", self._static, methods=["GET"])
        for path, view in self._sign_in.views().items():
            blueprint.add_url_rule(path, view.__name__, self._open(view), methods=["GET", "POST"])
        for page in self._pages:
            for route in page.routes():
                blueprint.add_url_rule(route.path, route.name, self._closed(route), methods=[route.method])
        blueprint.add_url_rule("/<path:rest>", "nothing", self._closed(Route("GET", "", "nothing", _nothing)))
        blueprint.register_error_handler(Exception, self._failed)
        return blueprint

    def _open(self, view: Callable[[], flask.Response]) -> Callable[[], flask.Response]:
        """A view that anybody may ask for."""

        def answer() -> flask.Response:
            self._access.check_transport()
            return _with_headers(view())

        return answer

    def _closed(self, route: Route) -> Callable[..., flask.Response]:
        """A view for administrators."""

        def answer(**given: object) -> flask.Response:
            self._access.check_transport()
            with self._visits.one(request.remote_addr or ""):
                session = self._access.session()
                if session is None:
                    return _with_headers(self._stranger(route))
                return _with_headers(route.handler(self._access.visit(session, is_poll=route.is_poll), **given))

        return answer

    def _stranger(self, route: Route) -> flask.Response:
        if route.is_poll or request.method == "POST":
            return self._rendering.page("lapsed.html", None, 401)
        query = request.query_string.decode("ascii", "replace")
        wanted = request.path + (f"?{query}" if query else "")
        return see_other(flask.url_for(f"{NAME}.sign_in", next=wanted))

    def _static(self, name: str) -> flask.Response:
        response = flask.send_from_directory(_STATIC, name, max_age=_STATIC_SECONDS)
        response.headers["Cache-Control"] = f"public, max-age={_STATIC_SECONDS}"
        return response

    def _failed(self, error: Exception) -> flask.Response:
        status, told = _told(error)
        if request.headers.get("HX-Request") == "true":
            # What htmx asked for takes the place of a part, whatever its status.
            return _with_headers(self._rendering.page("_failed.html", None, status, told=told))
        try:
            session = self._access.session()
            visit = self._access.told(session) if session is not None and status != 403 else None
        except IntegrationError:
            visit = None
        return _with_headers(self._rendering.page("error.html", visit, status, told=told))


def _pages(facts: DashboardFacts, rendering: Rendering, access: Access) -> list[Page]:
    # As many as may make lists: logins find a thread free whatever backends hang.
    questions = Questions(max(1, facts.config.core.server.threads // 8))
    return [
        Overview(facts, rendering),
        Stuck(facts, rendering),
        StuckPerson(facts, rendering, access),
        StuckReceivers(facts, rendering, access),
        ChangesPage(facts, rendering),
        OneChange(facts, rendering),
        GuardPage(facts, rendering, access),
        HeldPages(facts, rendering),
        PeoplePages(facts, rendering, questions),
        LoginTried(facts, rendering, questions),
        Subscriptions(facts, rendering),
        SubscriptionActions(facts, rendering, access),
        Security(facts, rendering, access),
        Tokens(facts, rendering, access),
        AuditPage(facts, rendering),
        ConfigurationPage(facts, rendering),
    ]


def _told(error: Exception) -> tuple[int, str]:
    """Status and words for an error."""
    if isinstance(error, CallerRefused):
        return error.status, error.message
    if isinstance(error, HTTPException):
        words = {404: "There is no such page.", 405: "This page takes no such request."}
        code = error.code or 500
        return code, words.get(code, error.description or error.name)
    if isinstance(error, IntegrationError):
        logger.error("%s: %s", quote(request.path), error)
        return 503, sentence(outward(error))
    logger.error("%s failed", quote(request.path), exc_info=error)
    return 500, "The server failed; its log says why."


def _nothing(_visit: object, rest: str) -> flask.Response:
    flask.abort(404)


def _with_headers(response: flask.Response) -> flask.Response:
    for name, value in HEADERS.items():
        response.headers[name] = value
    return response
