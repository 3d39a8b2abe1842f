"""The Flask application: mounts frontends on their paths and turns errors into answers."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import flask
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.routing import MapAdapter, RequestRedirect

from integration_server.meters import Meters
from integration_server.sdk.errors import (
    Busy,
    CallerRefused,
    ConfigError,
    IntegrationError,
    Throttled,
)
from integration_server.sdk.frontend_abilities import Shortcut
from integration_server.sdk.gateway import Frontend
from integration_server.web import request_ids, shortcuts, span
from integration_server.web.api.blueprint import NAME as API
from integration_server.web.api.blueprint import error_answer, is_below
from integration_server.web.api.problems import outward
from integration_server.web.application import Application
from integration_server.web.dashboard.blueprint import NAME as DASHBOARD_NAME
from integration_server.web.dashboard.blueprint import PREFIX as DASHBOARD
from integration_server.web.dashboard.blueprint import is_below as is_of_dashboard
from integration_server.web.dashboard.rendering import see_other
from integration_server.web.monitoring import PATHS as MONITORED
from integration_server.web.shortcuts import Shortcuts

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 1 << 20
#: Who answers on paths that nobody has, to those who count.
_NOBODY = "(none)"
_RETRY_AFTER_SECONDS = "5"
#: The one route whose answers may be kept: files of the package.
_STATIC = f"{DASHBOARD_NAME}.static"
#: What every answer gets, in lower case.
_FINISHED = frozenset({"cache-control", "x-content-type-options", request_ids.HEADER.lower()})
#: A token, and no name of a path that somebody has.
_LONG_PART = re.compile(r"[^/]{24,}")


@dataclass(frozen=True, slots=True)
class Mounted:
    """A frontend and the path it answers on."""

    path: str
    frontend: Frontend


def create_app(
    mounted: Mapping[str, Mounted],
    api: flask.Blueprint | None = None,
    monitoring: flask.Blueprint | None = None,
    dashboard: flask.Blueprint | None = None,
    meters: Meters | None = None,
) -> flask.Flask:
    """An application that answers for every mount, under /api/v1 for ``api`` (from ``web.api.create_api``), for
    ``monitoring`` (from ``web.monitoring.create_monitoring``), and under /dashboard for ``dashboard`` (from
    ``web.dashboard.create_dashboard``), to which the root leads where no frontend has it. ``meters`` are told of every
    answer.

    Raises ConfigError when two share a path.
    """
    app = Application()
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.url_map.strict_slashes = False
    # A redirect would repeat the query string.
    app.url_map.merge_slashes = False
    taken: dict[str, str] = {}
    for name, mount in mounted.items():
        path = normalize_path(name, mount.path)
        if api is not None and is_below(path):
            raise ConfigError(f"frontends.{name}: path {mount.path!r} is where the API answers; take another")
        if monitoring is not None and any(f"{path}/".startswith(f"{one}/") for one in MONITORED):
            raise ConfigError(f"frontends.{name}: path {mount.path!r} is where monitors ask; take another")
        if dashboard is not None and is_of_dashboard(path):
            raise ConfigError(f"frontends.{name}: path {mount.path!r} is where the dashboard is; take another")
        if path in taken:
            raise ConfigError(f"frontends.{name} and frontends.{taken[path]} share the path {mount.path!r}")
        taken[path] = name
        blueprint = mount.frontend.blueprint()
        assert isinstance(blueprint, flask.Blueprint)
        app.register_blueprint(blueprint, name=name, url_prefix=path or None)
    for own in (api, monitoring, dashboard):
        if own is not None:
            app.register_blueprint(own)
    if dashboard is not None and "" not in taken:
        app.add_url_rule("/", "root", _to_the_dashboard, methods=["GET"], provide_automatic_options=False)
    app.register_error_handler(IntegrationError, _integration_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _unforeseen)
    # Before the application has functions for every request itself.
    app.wsgi_app = Shortcuts(app.wsgi_app, _shortcuts(app, mounted), meters)  # type: ignore[method-assign]
    app.before_request(_begin)
    app.after_request(_finisher(meters))
    return app


def _shortcuts(app: flask.Flask, mounted: Mapping[str, Mounted]) -> dict[str, tuple[str, Shortcut]]:
    """The frontends that have some, by the paths as they stand in the environ (PEP 3333)."""
    found: dict[str, tuple[str, Shortcut]] = {}
    routes = app.url_map.bind("localhost")
    for name, mount in mounted.items():
        if isinstance(mount.frontend, Shortcut) and not _has_functions_around(app, name):
            own = normalize_path(name, mount.path)
            for path in mount.frontend.short_paths:
                both = {f"{own}{path}", f"{own}{path}".rstrip("/") or "/"}
                found |= {
                    one.encode().decode("latin-1"): (name, mount.frontend)
                    for one in both
                    if _leads_to(routes, one) == {name}
                }
    return found


def _has_functions_around(app: flask.Flask, name: str) -> bool:
    """Whether a blueprint has Flask call something before or after each request of this one: a check of its own, or a
    record. A shortcut would pass it by."""
    kinds = (
        app.before_request_funcs,
        app.after_request_funcs,
        app.teardown_request_funcs,
        app.url_value_preprocessors,
    )
    return any(kind.get(scope) for kind in kinds for scope in (None, name))


def _leads_to(routes: MapAdapter, path: str) -> set[str]:
    """The names of the blueprints that have a path, with one method or another."""
    found: set[str] = set()
    for method in {method for rule in routes.map.iter_rules() for method in rule.methods or ()}:
        try:
            rule, _ = routes.match(path, method, return_rule=True)
        except RequestRedirect:
            return set()
        except (NotFound, MethodNotAllowed):
            continue
        found.add(rule.endpoint.partition(".")[0])
    return found


def normalize_path(name: str, path: str) -> str:
    """A mount's path without its last slash; empty for the root. Raises ConfigError."""
    if not path.startswith("/") or any(c in path for c in "?#<>% ") or "//" in path:
        raise ConfigError(f"frontends.{name}: path {path!r} must begin with / and hold plain path characters only")
    return path.rstrip("/")


def _to_the_dashboard() -> flask.Response:
    return see_other(f"{DASHBOARD}/")


def _answer(status: int, message: str) -> flask.Response:
    response = flask.jsonify(error=message)
    response.status_code = status
    return response


def _integration_error(error: Exception) -> flask.Response:
    if isinstance(error, CallerRefused):
        response = _answer(error.status, error.message)
        if error.challenge is not None:
            response.headers["WWW-Authenticate"] = error.challenge
        if error.status == 429:
            response.headers["Retry-After"] = _RETRY_AFTER_SECONDS
        return response
    if isinstance(error, Throttled):
        response = _answer(429, "too many attempts")
    elif isinstance(error, Busy):
        response = _answer(503, str(error))
    else:
        logger.error("%s: %s", _asked(), error)
        response = _answer(503, outward(error))
    response.headers["Retry-After"] = _RETRY_AFTER_SECONDS
    return response


def _http_error(error: HTTPException) -> flask.Response:
    if is_below(flask.request.path) and API in flask.current_app.blueprints:
        # No route was found, so no error handler of the blueprint is asked.
        return error_answer(error)
    response = _answer(error.code or 500, error.name if error.code in (404, 405) else error.description or error.name)
    # Allow with a 405, Retry-After with a 429: what the exception knows beside its text.
    for key, value in error.get_headers():
        if key not in ("Content-Type", "Content-Length"):
            response.headers[key] = value
    return response


def _unforeseen(error: Exception) -> flask.Response:
    logger.error("%s failed", _asked(), exc_info=error)
    return _answer(500, "the server failed; its log says why")


def _asked() -> str:
    """Method and path for the log, without what a route calls ``token``; where no route was found, nothing that is as
    long as one."""
    path = flask.request.path
    if flask.request.url_rule is None:
        # With another method, or a slash too many, it may be somebody's token all the same.
        path = _LONG_PART.sub("***", path)
    elif token := (flask.request.view_args or {}).get("token"):
        path = path.replace(token, "***")
    return span.printable(flask.request.method, path)


def _begin() -> None:
    environ = flask.request.environ
    span.begin(environ)
    shortcuts.raise_again(environ)
    if environ.get("PATH_INFO", "").startswith("//"):
        # Routing takes them for one; a proxy in front, whose rules keep callers from a path, need not.
        flask.abort(404)


def _request() -> flask.Request:
    """The request itself: each look through Flask's proxy takes three calls."""
    found: flask.Request = flask.request._get_current_object()  # type: ignore[attr-defined]
    return found


def _finisher(meters: Meters | None) -> Callable[[flask.Response], flask.Response]:
    """What is done to every answer."""

    def finish(response: flask.Response) -> flask.Response:
        request, headers = _request(), response.headers
        # What is not there yet is added without looking for it again and again.
        present = {name.lower() for name, _ in headers}
        put = headers.__setitem__ if present & _FINISHED else headers.add
        # As text: to have it parsed takes longer than all else here.
        if "cache-control" not in present or (
            "no-store" not in headers["Cache-Control"] and request.endpoint != _STATIC
        ):
            put("Cache-Control", "no-store")
        put("X-Content-Type-Options", "nosniff")
        put(request_ids.HEADER, request_ids.current() or "")
        span.end(request.environ, request.blueprint or _NOBODY, response.status_code, meters, _asked)
        return response

    return finish
