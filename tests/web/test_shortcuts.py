"""What is answered without Flask is answered as Flask would."""

from __future__ import annotations

import gc
import logging
import weakref
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import flask
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from werkzeug.exceptions import Gone
from werkzeug.test import EnvironBuilder, TestResponse, run_wsgi_app

from integration_server import (
    CallerRefused,
    DirectoryUnavailable,
    Frontend,
    FrontendSettings,
    Gateway,
    ShortAnswer,
    Shortcut,
    Throttled,
)
from integration_server.meters import Meters
from integration_server.web import current
from integration_server.web.app import Mounted, create_app
from tests.directory.memory import DOWN
from tests.web.sites import MakeSite, Site, basic

FORM = "application/x-www-form-urlencoded"
#: The same to every reader, but not to the shortcut.
OTHERWISE = "application/x-www-form-urlencoded; charset=utf-8"


class Toy(Frontend, Shortcut):
    """Answers POST shortly, or does what it is given to do instead; its view does it, too."""

    type = "toy"
    Settings = FrontendSettings

    def __init__(self, do: Callable[[], object] = lambda: None) -> None:
        self.do = do
        self.short_calls = 0

    def shortcut(self, environ: dict[str, Any]) -> ShortAnswer | None:
        if environ["REQUEST_METHOD"] != "POST":
            return None
        self.short_calls += 1
        self.do()
        return ShortAnswer(b"short", "text/plain")

    def blueprint(self) -> flask.Blueprint:
        blueprint = flask.Blueprint("toy", __name__)
        blueprint.add_url_rule("/", "toy", self._view, methods=["PUT", "POST"])
        blueprint.register_error_handler(KeyError, lambda error: (f"no {error.args[0]} here", 410))
        return blueprint

    def _view(self) -> str:
        self.do()
        return "long"


def told(response: TestResponse) -> tuple[int, bytes, list[tuple[str, str]]]:
    return response.status_code, response.data, sorted(item for item in response.headers if item[0] != "X-Request-Id")


def fails(exc: BaseException) -> Callable[[], object]:
    def do() -> object:
        raise exc

    return do


# -- logins at MailStore's frontend ----------------------------------------------------------------------------------

ASKED = {
    "right": ("ann", "Ann's password"),
    "in another case": ("ANN", "Ann's password"),
    "wrong": ("ann", "another"),
    "unknown": ("carl", "Ann's password"),
    "no password": ("ann", ""),
    "no name": ("", "Ann's password"),
}


@pytest.mark.parametrize(("user", "password"), ASKED.values(), ids=ASKED)
def test_a_login_has_the_same_answer_on_either_way(user: str, password: str, site: Site) -> None:
    short, long = (site.auth(user, password, content_type=content_type) for content_type in (FORM, OTHERWISE))

    assert told(short) == told(long)
    assert short.status_code == 200


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(body=st.binary(max_size=60) | st.text(alphabet="cmd=authlispue&+%0", max_size=60).map(str.encode))
@example(body=b"")
@example(body=b"cmd=auth&user=ann&pass=%FF")
@example(body=b"cmd=auth&user=ann&pass=a&pass=b")
@example(body=b"cmd=auth&user=ann")
@example(body=b"cmd=auth&user=ann&pass=%00")
@example(body=b"cmd=auth&user=" + b"a" * 5000 + b"&pass=b")
def test_any_body_has_the_same_answer_on_either_way(site: Site, body: bytes) -> None:
    assert told(site.post(body, content_type=FORM)) == told(site.post(body, content_type=OTHERWISE))


def test_an_outage_has_the_same_answer_on_either_way(site: Site) -> None:
    site.world["hq"].error = DOWN
    answers = [site.auth("ann", "Ann's password", content_type=content_type) for content_type in (FORM, OTHERWISE)]

    assert told(answers[0]) == told(answers[1])
    assert answers[0].status_code == 503


@pytest.mark.parametrize(
    ("authorization", "caller", "status"),
    [(None, "127.0.0.1", 401), (basic("mailstore@example.test", "guess"), "127.0.0.1", 401), (None, "192.0.2.1", 403)],
)
def test_a_caller_who_is_not_admitted_hears_the_same_on_either_way(
    authorization: str | None, caller: str, status: int, site: Site
) -> None:
    site.authorization, site.caller = authorization, caller
    answers = [site.auth("ann", "Ann's password", content_type=content_type) for content_type in (FORM, OTHERWISE)]

    assert told(answers[0]) == told(answers[1])
    assert answers[0].status_code == status
    assert site.world["hq"].calls == []


def test_a_list_is_asked_for_in_the_body_that_the_shortcut_has_read(site: Site) -> None:
    assert told(site.list())[:2] == told(site.post({"cmd": "list"}, content_type=OTHERWISE))[:2]
    assert b'"ann"' in site.list().data


@pytest.mark.parametrize("path", ["/", "/mailstore", "/löschen"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_logins_are_short_wherever_the_frontend_is(
    path: str, slash: str, make_site: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_site(path=path)
    site.world["hq"].add("ann", "x")
    monkeypatch.setattr(flask.Flask, "full_dispatch_request", fails(AssertionError("Flask was asked")))

    assert site.auth("ann", "x", path=path.rstrip("/") + slash or "/").data == b'{"succeeded":true}'


@pytest.mark.parametrize("content_type", [FORM, OTHERWISE])
def test_a_login_is_counted_and_written_down_once(
    content_type: str, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    before = counted(site.installation.meters)
    with caplog.at_level(logging.INFO, "integration_server.access"):
        response = site.auth("ann", "Ann's password", content_type=content_type, headers={"X-Request-Id": "of-a-proxy"})

    assert response.headers["X-Request-Id"] == "of-a-proxy"
    lines = [record.getMessage() for record in caplog.records if record.name == "integration_server.access"]
    assert len(lines) == 1
    assert lines[0].startswith("127.0.0.1 POST /mailstore 200 ")
    assert counted(site.installation.meters) == before + 1


@pytest.mark.parametrize("content_type", [FORM, OTHERWISE])
def test_a_login_below_a_path_of_any_letters_is_written_down_as_it_was_asked(
    content_type: str, make_site: MakeSite, caplog: pytest.LogCaptureFixture
) -> None:
    site = make_site(path="/löschen")
    with caplog.at_level(logging.INFO, "integration_server.access"):
        site.auth("ann", "x", path="/löschen", content_type=content_type)

    assert " POST /l%C3%B6schen 200 " in caplog.records[-1].getMessage()


@pytest.mark.parametrize("content_type", [FORM, OTHERWISE])
def test_lines_of_one_login_bear_its_id_whoever_answers(content_type: str, site: Site) -> None:
    seen: list[str | None] = []
    handler = logging.Handler()
    handler.emit = lambda record: seen.append(request_id())  # type: ignore[method-assign]
    logger = logging.getLogger("integration_server")
    logger.addHandler(handler)
    site.world["hq"].error = DOWN
    try:
        answer = site.auth("ann", "Ann's password", content_type=content_type)
    finally:
        logger.removeHandler(handler)

    assert len(seen) > 1
    assert set(seen) == {answer.headers["X-Request-Id"]}
    assert request_id() is None


def request_id() -> str | None:
    from integration_server.web import request_ids

    return request_ids.current()


def counted(meters: Meters) -> float:
    lines = meters.text().decode().splitlines()
    found = [line for line in lines if line.startswith('integration_server_requests_total{frontend="archive",')]
    return sum(float(line.rpartition(" ")[2]) for line in found)


# -- any frontend ----------------------------------------------------------------------------------------------------


def test_other_paths_and_methods_are_flasks() -> None:
    toy = Toy()
    client = create_app({"one": Mounted("/toy", toy)}).test_client()

    assert client.post("/toy").data == b"short"
    assert client.put("/toy").data == b"long"
    assert client.get("/toy/").status_code == 405
    assert client.post("/toy/more").status_code == 404
    assert client.open("/toy", method="POST", environ_overrides={"PATH_INFO": "//toy"}).status_code == 404
    assert toy.short_calls == 1


def test_one_without_shortcuts_keeps_its_paths() -> None:
    class Plain(Toy, Shortcut):
        def shortcut(self, environ: dict[str, Any]) -> None:
            return None

    client = create_app({"one": Mounted("/toy", Plain()), "two": Mounted("/", Toy())}).test_client()
    assert client.post("/toy").data == b"long"
    assert client.post("/").data == b"short"


def test_head_is_flasks() -> None:
    """A body would pass for the next answer."""

    class Ready(Toy):
        def shortcut(self, environ: dict[str, Any]) -> ShortAnswer | None:
            return ShortAnswer(b"short", "text/plain")

        def blueprint(self) -> flask.Blueprint:
            blueprint = flask.Blueprint("toy", __name__)
            blueprint.add_url_rule("/", "toy", self._view)
            return blueprint

    app = create_app({"one": Mounted("/toy", Ready())})
    body, status, _ = run_wsgi_app(app, EnvironBuilder("/toy", method="HEAD").get_environ())

    assert status == "200 OK"
    assert b"".join(body) == b""
    assert app.test_client().get("/toy").data == b"short"


@pytest.mark.parametrize("names", [("one", "two"), ("two", "one")])
def test_a_path_that_leads_to_another_mount_is_not_taken(names: tuple[str, str]) -> None:
    class Deep(Toy):
        short_paths = ("/deep",)

        def blueprint(self) -> flask.Blueprint:
            blueprint = flask.Blueprint("deep", __name__)
            blueprint.add_url_rule("/deep", "deep", lambda: "of one", methods=["PUT", "POST"])
            return blueprint

        def shortcut(self, environ: dict[str, Any]) -> ShortAnswer | None:
            return ShortAnswer(b"of one", "text/html; charset=utf-8")

    class Plain(Toy):
        def blueprint(self) -> flask.Blueprint:
            blueprint = flask.Blueprint("plain", __name__)
            blueprint.add_url_rule("/", "plain", lambda: "of two", methods=["PUT", "POST"])
            return blueprint

        def shortcut(self, environ: dict[str, Any]) -> ShortAnswer | None:
            return ShortAnswer(b"of two", "text/html; charset=utf-8")

    mounts = {"one": Mounted("/toy", Deep()), "two": Mounted("/toy/deep", Plain())}
    meters = Meters()
    client = create_app({name: mounts[name] for name in names}, meters=meters).test_client()
    answers = {path: (client.post(path).data, client.put(path).data) for path in ("/toy/deep", "/toy/deep/")}

    assert answers == {"/toy/deep": (b"of one", b"of one"), "/toy/deep/": (b"of two", b"of two")}
    counts = meters.text().decode()
    assert all(f'requests_total{{frontend="{name}",status="200"}} 2' in counts for name in names)


@pytest.mark.parametrize("is_for_all", [False, True])
@pytest.mark.parametrize("when", ["before", "after", "teardown"])
def test_functions_of_blueprints_around_requests_see_each(when: str, is_for_all: bool) -> None:
    seen: list[str] = []

    class Watching(Toy):
        def blueprint(self) -> flask.Blueprint:
            blueprint = super().blueprint()
            getattr(blueprint, f"{when}_app_request" if is_for_all else f"{when}_request")(self._see)
            return blueprint

        def _see(self, *passed: Any) -> Any:
            seen.append(flask.request.path)
            return passed[0] if when == "after" else None

    client = create_app({"one": Mounted("/watching", Watching()), "two": Mounted("/toy", Toy())}).test_client()
    client.post("/toy")
    client.post("/watching")

    assert seen == (["/toy", "/watching"] if is_for_all else ["/watching"])


RAISED: dict[str, BaseException] = {
    "refused": CallerRefused(401, "authentication required", 'Basic realm="x"'),
    "throttled": Throttled("too often"),
    "down": DirectoryUnavailable("no answer from hq"),
    "of HTTP": Gone("no longer"),
    "of the blueprint": KeyError("it"),
    "unforeseen": RuntimeError("hush-hush"),
}


@pytest.mark.parametrize("exc", RAISED.values(), ids=RAISED)
def test_what_is_raised_is_answered_as_if_a_view_had_raised_it(exc: BaseException) -> None:
    client = create_app({"one": Mounted("/toy", Toy(fails(exc)))}).test_client()
    short, long = client.post("/toy"), client.put("/toy")

    assert told(short) == told(long)
    assert short.status_code >= 400
    assert "hush-hush" not in short.text


NO_ANSWERS: dict[str, object] = {
    "text": ShortAnswer("short", "text/plain"),  # type: ignore[arg-type]
    "two lines": ShortAnswer(b"short", "text/plain\r\nSet-Cookie: a=b"),
    "no ASCII": ShortAnswer(b"short", "text/plain; title=é"),
    "bytes as type": ShortAnswer(b"short", b"text/plain"),  # type: ignore[arg-type]
    "three parts": (b"short", "text/plain", 200),
    "no parts": True,
}


@pytest.mark.parametrize("answer", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_what_cannot_be_sent_is_the_servers_failure(answer: object, caplog: pytest.LogCaptureFixture) -> None:
    class Careless(Toy):
        def shortcut(self, environ: dict[str, Any]) -> ShortAnswer | None:
            return answer  # type: ignore[return-value]

    client = create_app({"one": Mounted("/toy", Careless())}).test_client()
    with caplog.at_level(logging.INFO, "integration_server"):
        response = client.post("/toy")

    assert response.status_code == 500
    assert response.json == {"error": "the server failed; its log says why"}
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0] == "POST /toy failed"
    assert lines[1].startswith("127.0.0.1 POST /toy 500 ")


def test_nothing_that_was_raised_waits_for_the_collector() -> None:
    """Its frames hold what the request brought."""

    class Kept(KeyError):
        """Nobody writes it down: the blueprint has an answer for it."""

    seen: list[weakref.ref[Kept]] = []

    def do() -> None:
        exc = Kept("it")
        seen.append(weakref.ref(exc))
        try:
            raise exc
        finally:
            del exc

    app = create_app({"one": Mounted("/toy", Toy(do))})
    environ = EnvironBuilder("/toy", method="POST").get_environ()
    gc.collect()
    gc.disable()
    try:
        b"".join(app(environ, lambda *_: lambda _: None))
        assert [ref() for ref in seen] == [None]
    finally:
        gc.enable()


def test_what_ends_a_thread_passes() -> None:
    client = create_app({"one": Mounted("/toy", Toy(fails(SystemExit())))}).test_client()
    with pytest.raises(SystemExit):
        client.post("/toy")
    with pytest.raises(RuntimeError):
        current.environ()


def test_afterwards_nobody_asks(site: Site) -> None:
    """The thread goes on to something else."""
    assert site.accepts("ann", "Ann's password")
    gateway: Gateway = site.installation.gateway("archive")
    with pytest.raises(RuntimeError):
        gateway.authenticate("ann", "Ann's password")


def test_one_frontend_counts_as_what_it_is_called() -> None:
    meters = Meters()
    client = create_app({"archive": Mounted("/toy", Toy())}, meters=meters).test_client()
    before = counted(meters)
    client.post("/toy", data=urlencode({"a": "b"}))
    assert counted(meters) == before + 1
