"""The request that is being answered in this thread, by Flask or without it."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

import flask

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

#: Of a request about which Flask was not asked.
_short: ContextVar[WSGIEnvironment | None] = ContextVar("short", default=None)

#: Say that a request is being answered without Flask, or (None) that none is any more.
shorten = _short.set


def environ() -> WSGIEnvironment:
    """The environment of the request."""
    return _short.get() or flask.request.environ
