"""What is left out of Flask's way is nowhere to be missed."""

from __future__ import annotations

import functools
import gc
import io
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import flask
import pytest
from werkzeug.test import run_wsgi_app
from werkzeug.wrappers import Response as BaseResponse

from integration_server.web.application import Answer, Application

Made = Callable[[], Any]


class Shouting(flask.Response):
    """A plugin's own."""

    def get_data(self, as_text: bool = False) -> Any:
        return super().get_data(as_text).upper()

    def get_wsgi_response(self, environ: Any) -> Any:
        body, status, fields = super().get_wsgi_response(environ)
        return [part.upper() for part in body], status, fields


def with_field(name: str, value: str) -> Made:
    return lambda: flask.Response(b"text", headers={name: value})


ANSWERS: dict[str, Made] = {
    "bytes": lambda: flask.Response(b'{"succeeded":true}', content_type="application/json"),
    "text": lambda: flask.Response("größer"),
    "text of a view": lambda: "größer",
    "status": lambda: flask.Response(b"made", status=201),
    "nothing": lambda: flask.Response(status=204),
    "empty": lambda: flask.Response(b""),
    "parts": lambda: flask.Response([b"a", b"b"]),
    "texts in a list": lambda: flask.Response(["a"]),
    "stream": lambda: flask.Response(iter([b"a", b"b"])),
    "location": with_field("Location", "/größer"),
    "content location": with_field("Content-Location", "/größer"),
    "length in lower case": with_field("content-length", "4"),
    "cookie": with_field("Set-Cookie", "a=b"),
    "not modified": lambda: flask.Response(b"text", status=304),
    "of werkzeug": lambda: BaseResponse(b"text"),
    "of a class of its own": lambda: Shouting(b"text"),
}


def application(base: type[flask.Flask], view: Made) -> flask.Flask:
    app = base() if base is Application else base("plain", static_folder=None)  # type: ignore[call-arg]
    app.add_url_rule("/answer", "answer", view, methods=["GET", "POST"])
    return app


def answered(app: flask.Flask, method: str, path: str = "/answer") -> tuple[bytes, str, list[tuple[str, str]]]:
    environ = flask.Flask.test_request_context(app, path, method=method).request.environ
    body, status, fields = run_wsgi_app(app, environ, buffered=True)
    return b"".join(body), status, sorted(fields)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
@pytest.mark.parametrize("made", ANSWERS.values(), ids=ANSWERS)
def test_answers_are_those_of_flask(made: Made, method: str) -> None:
    ours, flasks = application(Application, made), application(flask.Flask, made)
    assert answered(ours, method) == answered(ours, method) == answered(flasks, method)


def test_what_is_to_be_done_when_an_answer_was_sent_is_done() -> None:
    done = []

    def view() -> flask.Response:
        response = flask.Response(b"text")
        response.call_on_close(lambda: done.append("closed"))
        return response

    def stream() -> Iterator[bytes]:
        try:
            yield b"text"
        finally:
            done.append("ended")

    answered(application(Application, view), "GET")
    answered(application(Application, lambda: flask.Response(stream())), "GET")
    assert done == ["closed", "ended"]


def test_class_of_a_plugins_answer_is_kept() -> None:
    app = application(Application, lambda: Shouting(b"text"))
    classes = []

    @app.after_request
    def see(response: flask.Response) -> flask.Response:
        classes.append(type(response))
        return response

    app.add_url_rule("/plain", "plain", lambda: flask.Response(b"text"))
    assert answered(app, "GET")[0] == b"TEXT"
    assert answered(app, "GET", "/plain")[0] == b"text"
    assert classes == [Shouting, Answer]


def test_hooks_and_globals_are_those_of_flask() -> None:
    app = Application()
    seen: list[str] = []
    plugin = flask.Blueprint("plugin", __name__, url_prefix="/plugin")

    @plugin.before_request
    def before() -> None:
        flask.g.who = flask.request.args.get("who")
        seen.append("before")

    @plugin.teardown_request
    def teardown(exc: BaseException | None) -> None:
        seen.append("teardown")

    @plugin.errorhandler(ValueError)
    def failed(exc: ValueError) -> tuple[str, int]:
        return "failed", 418

    @plugin.get("/hello/<name>")
    def hello(name: str) -> str:
        flask.after_this_request(lambda response: seen.append("after") or response)
        return f"{name} {flask.g.who} {flask.url_for('plugin.hello', name='b')} {flask.request.endpoint}"

    @plugin.get("/fail")
    def fail() -> str:
        raise ValueError

    app.register_blueprint(plugin)
    client = app.test_client()
    for _ in range(2):
        assert client.get("/plugin/hello/a?who=me").text == "a me /plugin/hello/b plugin.hello"
        assert client.get("/plugin/fail").status_code == 418
    assert seen == ["before", "after", "teardown", "before", "teardown"] * 2


def test_ends_of_requests_are_told_to_whoever_asked_for_that() -> None:
    app = application(Application, lambda: "text")
    told: list[str] = []
    app.teardown_appcontext(lambda exc: told.append("context"))
    app.test_client().get("/answer")
    assert told == ["context"]
    other = application(Application, lambda: "text")

    def ends(sender: flask.Flask, **named: object) -> None:
        told.append("signal")

    with flask.request_tearing_down.connected_to(ends, other), flask.appcontext_tearing_down.connected_to(ends, other):
        other.test_client().get("/answer")
    assert told == ["context", "signal", "signal"]


def test_files_that_were_sent_are_closed() -> None:
    app = Application()
    seen: list[Any] = []

    @app.post("/files")
    def files() -> str:
        seen.append(flask.request.files["one"])
        return "text"

    app.test_client().post("/files", data={"one": (io.BytesIO(b"a" * 600_000), "one.txt")})
    assert seen[0].stream.closed


def test_paths_lead_where_they_led_the_first_time() -> None:
    app = Application()
    app.url_map.strict_slashes = False
    app.add_url_rule("/fixed/", "fixed", lambda: "fixed", methods=["POST"])
    app.add_url_rule("/<part>", "part", lambda part: part, methods=["GET"])
    client = app.test_client()
    for _ in range(3):
        assert client.post("/fixed").text == client.post("/fixed/").text == "fixed"
        assert client.get("/fixed").text == "fixed"
        assert client.get("/a").text == "a"
        assert client.get("/b").text == "b"
        assert client.put("/fixed/").status_code == 405
        assert client.post("/nowhere/at/all").status_code == 404


def test_no_more_paths_are_remembered_than_there_are_rules() -> None:
    app = application(Application, lambda: "text")
    app.add_url_rule("/of/<part>", "part", lambda part: part)
    client = app.test_client()
    for number in range(20):
        client.get("/answer" + "/" * number)
        client.get("/" * number + "answer")
        client.get(f"/of/{number}")
    assert len(app._rules) <= 2  # type: ignore[attr-defined]


def test_view_may_be_an_object_that_cannot_be_hashed() -> None:
    @dataclass
    class View:
        text: str

        def __call__(self) -> str:
            return self.text

    for text in ("one", "two"):
        assert answered(application(Application, View(text)), "GET")[0] == text.encode()


def test_what_was_to_be_done_after_one_request_is_not_kept() -> None:
    kept = []

    def view() -> str:
        def finish(response: flask.Response) -> flask.Response:
            return response

        kept.append(weakref.ref(finish))
        flask.after_this_request(finish)
        return "text"

    app = application(Application, view)
    for _ in range(3):
        assert answered(app, "GET")[0] == b"text"
    gc.collect()
    assert [found() for found in kept] == [None] * 3


def test_coroutine_is_no_answer() -> None:
    """Flask runs it, or says what is missing for that."""

    async def view() -> str:
        return "text"

    @functools.wraps(view)
    def wrapper() -> str:
        return "wrapped"

    ours, flasks = application(Application, view), application(flask.Flask, view)  # type: ignore[arg-type]
    assert answered(ours, "GET") == answered(flasks, "GET")
    assert answered(application(Application, wrapper), "GET")[0] == b"wrapped"
