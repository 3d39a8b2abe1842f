"""The floor of a login: a Flask view that reads nothing and returns a constant, on the same server. PORT [DATABASE].

With a database of people, /gs-search-people.json beside it is a search as somebody writes it by hand for just this
table: the form, the token's digest from a database, the person by address, and JSON.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sqlite3
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import flask

from integration_server.server import ServerLimits, bind, serve

HAND_TOKEN = "of the view that was written by hand"
_PERSON = "SELECT id, username, full_name, email, team FROM people WHERE email = ? COLLATE NOCASE LIMIT 2"


def main() -> None:
    app = flask.Flask("bare")

    @app.post("/mailstore")
    def answer() -> flask.Response:
        return flask.Response(b'{"succeeded":true}', content_type="application/json; charset=utf-8")

    if len(sys.argv) > 2:
        app.add_url_rule("/gs-search-people.json", "search", _search(Path(sys.argv[2])), methods=["POST"])
    serve(app, bind("127.0.0.1", int(sys.argv[1])), ServerLimits())


def _search(source: Path) -> Callable[[], flask.Response]:
    tokens = source.with_name("token.db")
    with sqlite3.connect(tokens) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS token (mount TEXT PRIMARY KEY, digest TEXT)")
        connection.execute("INSERT OR REPLACE INTO token VALUES ('site', ?)", (_digest(HAND_TOKEN),))
    connection.close()
    local = threading.local()

    def open_databases() -> tuple[sqlite3.Connection, sqlite3.Connection]:
        if not hasattr(local, "databases"):
            local.databases = sqlite3.connect(tokens), sqlite3.connect(source)
        found: tuple[sqlite3.Connection, sqlite3.Connection] = local.databases
        return found

    def search() -> flask.Response:
        own, people = open_databases()
        form = flask.request.form
        (digest,) = own.execute("SELECT digest FROM token WHERE mount = 'site'").fetchone()
        if not hmac.compare_digest(digest, _digest(form["token"])):
            flask.abort(403)
        row = people.execute(_PERSON, (form["user"],)).fetchone()
        profile = dict(zip(("id", "username", "name", "email", "team"), row, strict=True))
        return flask.Response(json.dumps(profile), content_type="application/json; charset=utf-8")

    return search


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


if __name__ == "__main__":
    main()
