"""Requests that a frontend answers before Flask is asked; see ``Shortcut`` in the sdk.

Flask's way to a view and back, as lean as it is here, takes a quarter of a login.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from integration_server.meters import Meters
from integration_server.sdk.frontend_abilities import ShortAnswer, Shortcut
from integration_server.web import current, request_ids, span

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

#: Key of the environ: what a shortcut raised.
_RAISED = "integration_server.raised"


class Shortcuts:
    """WSGI middleware around ``app``. ``frontends`` are by path, each with its name; what has no shortcut, and what a
    shortcut leaves, is for ``app``."""

    def __init__(
        self, app: WSGIApplication, frontends: Mapping[str, tuple[str, Shortcut]], meters: Meters | None
    ) -> None:
        self._app = app
        self._frontends = frontends
        self._meters = meters

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if (found := self._frontends.get(path)) is None:
            return self._app(environ, start_response)
        name, frontend = found
        span.begin(environ)
        answer = _asked(frontend, environ)
        if answer is None:
            return self._app(environ, start_response)
        body, content_type = answer
        fields = [
            ("Content-Type", content_type),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            (request_ids.HEADER, request_ids.current() or ""),
        ]
        span.end(environ, name, 200, self._meters, lambda: span.printable(environ["REQUEST_METHOD"], path))
        start_response("200 OK", fields)
        return [body]


def _asked(frontend: Shortcut, environ: dict[str, Any]) -> ShortAnswer | None:
    current.shorten(environ)
    try:
        return frontend.shortcut(environ)
    except Exception as exc:
        # For Flask's error handlers, the blueprint's included.
        environ[_RAISED] = exc
        return None
    finally:
        current.shorten(None)


def raise_again(environ: dict[str, Any]) -> None:
    """Raise what the shortcut raised, in its place, where it did."""
    raised: Exception | None = environ.pop(_RAISED, None)
    if raised is not None:
        raise raised
