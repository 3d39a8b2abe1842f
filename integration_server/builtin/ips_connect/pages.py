"""What browsers get of a gateway: redirects, and small pages where there is nowhere to go. Pure functions.

Nothing that a caller sent stands in a page but the address of a page whose host is known.
"""

from __future__ import annotations

import enum
import html
import json

import flask

#: URLs of chains hold keys. No cache keeps them, and other sites are told no more than our origin: slaves want that.
_HEADERS = {
    "Cache-Control": "no-cache, no-store, must-revalidate",
    "Pragma": "no-cache",
    "Expires": "0",
    "Referrer-Policy": "strict-origin",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}
_RETRY_AFTER_SECONDS = "5"
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title></head>
<body>
<h1>{title}</h1>
<p>{text}</p>
{way_on}</body>
</html>
"""


class Reason(enum.Enum):
    """Why a browser is not led on, with what its user is told."""

    BAD_KEY = "The link that led here is wrong or out of date."
    REQUEST_MISSING_DATA = "The link that led here does not say who is meant."
    INVALID_REDIRECTION = "The link that led here leads to a site that does not belong to this network."
    REQUEST_SLAVE_NOT_SLAVE = "This is the master of the network, and takes no such calls."
    REQUEST_NOT_SLAVE_IS_SLAVE = "No site has joined this network yet."
    INVALID_HOST = "This server was called by a name that is none."
    INVALID_STATE = "This step of logging in or out is not known here."
    REPEATED_STATE = "This step of logging in or out has been done already."
    EXPIRED_STATE = "This step of logging in or out took too long."


def redirect(url: str, is_script: bool = False) -> flask.Response:
    """Lead a browser on to ``url``, which is in ASCII. ``is_script``: a script asks, and leads it itself."""
    if is_script:
        body = json.dumps({"redirect": url, "message": ""})
        return flask.Response(body, content_type="application/json", headers=_HEADERS)
    return flask.Response("", 303, {**_HEADERS, "Location": url}, content_type="text/plain; charset=utf-8")


def refusal(reason: Reason, way_on: str | None) -> flask.Response:
    """The page with status 403. ``way_on`` is an URL that may be shown."""
    return _page(403, "You cannot be led on from here", f"{reason.value} ({reason.name})", way_on)


def outage(way_on: str | None) -> flask.Response:
    """The page with status 503: the server's own store cannot be asked now."""
    text = "You were not logged in or out everywhere. Please try again in a moment."
    page = _page(503, "This server cannot lead you on now", text, way_on)
    page.headers["Retry-After"] = _RETRY_AFTER_SECONDS
    return page


def end(is_login: bool) -> flask.Response:
    """The page for whom nobody waits."""
    return _page(200, "You are logged in" if is_login else "You are logged out", "You can close this page.", None)


def _page(status: int, title: str, text: str, way_on: str | None) -> flask.Response:
    link = "" if way_on is None else f'<p><a href="{html.escape(way_on)}">Go on</a></p>\n'
    body = _PAGE.format(title=html.escape(title), text=html.escape(text), way_on=link)
    return flask.Response(body, status, _HEADERS, content_type="text/html; charset=utf-8")
