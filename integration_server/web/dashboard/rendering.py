"""Templates, and the headers of every page."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import urlencode

import flask
import jinja2
from markupsafe import Markup

from integration_server.sdk.envelopes import rfc3339
from integration_server.web.dashboard.route import Visit
from integration_server.web.dashboard.wording import visible

#: No inline script, no inline style, nothing from elsewhere; htmx asks this server alone.
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

_TEXT = re.compile(r">[^<]+")
#: Control characters but tabs and ends of lines, and those that change the direction of text or take no room.
_UNSEEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u2028-\u202e\u2060-\u2069\ufeff]")
_STEPS = ((60, "s", 1), (3600, "min", 60), (86400 * 2, "h", 3600), (float("inf"), "days", 86400))


class Rendering:
    """Makes pages of templates. Thread-safe."""

    def __init__(self, prefix: str, version: str, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._prefix = prefix
        self._templates = jinja2.Environment(
            loader=jinja2.PackageLoader("integration_server.web.dashboard"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= {
            "moment": moment,
            "ago": self._ago,
            "duration": duration,
            "number": number,
            "visible": visible,
        }
        self._templates.globals |= {"prefix": prefix, "version": version, "link": _link}

    def page(self, template: str, visit: Visit | None, status: int = 200, **values: object) -> flask.Response:
        """A page for somebody; ``visit`` is None where nobody has signed in."""
        return self._answer(template, status, visit=visit, code=status, **values)

    def part(self, template: str, visit: Visit, **values: object) -> flask.Response:
        """A piece of a page, which htmx puts where it belongs."""
        return self._answer(template, 200, visit=visit, **values)

    def see(self, path: str, **query: object) -> flask.Response:
        """After a form: lead to a page by its path below the dashboard's, with a query of what is not None."""
        return see_other(_link(self._prefix + path, **query))

    def _answer(self, template: str, status: int, **values: object) -> flask.Response:
        text = self._templates.get_template(template).render(here=flask.request.path, **values)
        return flask.Response(_spelled_out(text), status, content_type="text/html; charset=utf-8")

    def _ago(self, seconds: float | None) -> Markup:
        """How long ago a Unix time is, or how far off, with the time itself."""
        if seconds is None:
            return Markup("never")
        gone = self._clock() - seconds
        told = "just now" if abs(gone) < 1 else f"{duration(gone)} ago" if gone > 0 else f"in {duration(-gone)}"
        return Markup('<time datetime="{}" title="{}">{}</time>').format(rfc3339(seconds), moment(seconds), told)


def _spelled_out(page: str) -> str:
    """With what cannot be seen and turns or hides text written out, wherever people read it. Attributes keep it: they
    hold ids that come back."""
    if _UNSEEN.search(page) is None:
        return page
    # Autoescape has left no such signs in data, so this is text and no tag.
    return _TEXT.sub(lambda text: _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text[0]), page)


def moment(seconds: float | None) -> str:
    """Unix seconds in UTC, to the second."""
    return "never" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def duration(seconds: float | None) -> str:
    """Seconds as a person says them."""
    if seconds is None:
        return ""
    if seconds < 0.001:
        return "under 1 ms"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    for limit, unit, size in _STEPS:
        if seconds < limit:
            return f"{seconds / size:.0f} {unit}"
    raise AssertionError


def number(count: int) -> str:
    """A number with thin spaces between its thousands."""
    return f"{count:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def _link(path: str, **query: object) -> str:
    """A path with a query of what is not None."""
    given = {key: value for key, value in query.items() if value is not None and value != ""}
    return f"{path}?{urlencode(given)}" if given else path


def see_other(url: str) -> flask.Response:
    """After a form: have the browser ask for a page, so that a reload does nothing twice."""
    return flask.Response(status=303, headers={"Location": url})
