"""Where and how a gateway is called: the mount's own path and the usual one below it, by GET and POST alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import flask

from integration_server.builtin.ips_connect.places import USUAL_PATH

_TAKEN = ("GET", "POST")
#: All that there are, or the others would be told that nothing is here.
_METHODS = (*_TAKEN, "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


def gateway_blueprint(name: str, answer: Callable[[], flask.Response]) -> flask.Blueprint:
    """A blueprint that answers calls with ``answer``, and every other HTTP method with 405: what only asks, as HEAD
    does, must not change accounts."""

    def view() -> flask.Response:
        if flask.request.method not in _TAKEN:
            flask.abort(405, valid_methods=_TAKEN)
        return answer()

    blueprint = flask.Blueprint(name, __name__)
    for number, path in enumerate(("/", USUAL_PATH)):
        blueprint.add_url_rule(path, f"gateway{number}", view, methods=_METHODS, provide_automatic_options=False)
    return blueprint


def sent_form() -> dict[str, list[str]]:
    """The fields of the request's body. A part of a multipart body may have come without a name, which is no field."""
    named: Iterable[tuple[str | None, list[str]]] = flask.request.form.lists()
    return {name: values for name, values in named if name is not None}
