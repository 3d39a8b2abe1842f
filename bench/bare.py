"""The floor of a login: a Flask view that reads nothing and returns a constant, on the same server. PORT."""

from __future__ import annotations

import sys

import flask

from integration_server.server import ServerLimits, bind, serve


def main() -> None:
    app = flask.Flask("bare")

    @app.post("/mailstore")
    def answer() -> flask.Response:
        return flask.Response(b'{"succeeded":true}', content_type="application/json; charset=utf-8")

    serve(app, bind("127.0.0.1", int(sys.argv[1])), ServerLimits())


if __name__ == "__main__":
    main()
