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
        found = self._frontends.get(path)
        # Who asks with HEAD waits for no body, and would take it for the next answer; Flask sees to that.
        if found is None or environ["REQUEST_METHOD"] == "HEAD":
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
        span.end(environ, name, 200, self._meters, lambda: _printable(environ))
        start_response("200 OK", fields)
        return [body]


def _asked(frontend: Shortcut, environ: dict[str, Any]) -> ShortAnswer | None:
    current.shorten(environ)
    try:
        answer = frontend.shortcut(environ)
        return None if answer is None else _sendable(answer)
    except Exception as exc:
        # For Flask's error handlers, the blueprint's included.
        environ[_RAISED] = exc
        return None
    finally:
        current.shorten(None)


def _sendable(answer: ShortAnswer) -> ShortAnswer:
    """The answer. Raises TypeError or ValueError where it is none: once it is counted and begun, nothing else can be
    said."""
    body, content_type = answer
    if not isinstance(body, bytes):
        raise TypeError(f"the body of a short answer is of bytes, not {type(body).__name__}")
    if not (content_type.isascii() and content_type.isprintable()):
        raise ValueError("the content type of a short answer is one line of ASCII")
    return answer


def _printable(environ: WSGIEnvironment) -> str:
    """What was asked, as Flask's requests have it."""
    path = environ["PATH_INFO"].encode("latin-1").decode(errors="replace")
    return span.printable(environ["REQUEST_METHOD"], path)


def raise_again(environ: dict[str, Any]) -> None:
    """Raise what the shortcut raised, in its place, where it did."""
    raised: Exception | None = environ.pop(_RAISED, None)
    if raised is not None:
        try:
            raise raised
        finally:
            # The traceback has this frame, which would keep it, and the request, until the collector comes.
            del raised
