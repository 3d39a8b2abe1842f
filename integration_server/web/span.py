"""How each request begins and ends, whether Flask answers it or not: its id, its time, and who is told."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import quote

from integration_server.meters import Meters
from integration_server.web import request_ids

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

access_logger = logging.getLogger("integration_server.access")

#: Key of the environ: when the request began, by the clock for durations.
_BEGAN = "integration_server.began"
_GIVEN_ID = "HTTP_X_REQUEST_ID"
#: What a path holds as it is (RFC 3986 §3.3).
_PATH_CHARACTERS = "/:@!$&'()*+,;=~"


def begin(environ: WSGIEnvironment) -> None:
    """Said where a request comes in; again for one that was begun changes nothing."""
    if _BEGAN not in environ:
        environ[_BEGAN] = time.perf_counter()
        request_ids.begin(environ.get(_GIVEN_ID))


def end(environ: WSGIEnvironment, frontend: str, status: int, meters: Meters | None, asked: Callable[[], str]) -> None:
    """Count an answer that is made, and write it to the access log. ``asked`` is called for what was asked, if that is
    wanted."""
    now = time.perf_counter()
    seconds = now - environ.get(_BEGAN, now)
    if meters is not None:
        meters.answered(frontend, status, seconds)
    if access_logger.isEnabledFor(logging.INFO):
        told = (environ.get("REMOTE_ADDR"), asked(), status, seconds * 1000)
        access_logger.info("%s %s %d %.0f ms", *told)
    request_ids.end()


def printable(method: str, path: str) -> str:
    """Method and path as one line of a log. Never the query string: callers who do not know better put passwords
    there."""
    return f"{quote(method)} {quote(path, safe=_PATH_CHARACTERS)}"
