"""Flask, without what it finds out at every request although it is always the same."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import flask
from flask.sessions import NullSession, SessionInterface
from werkzeug.routing import MapAdapter, Rule

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

#: Of the environ: what says under which address the server was asked.
_PLACE = ("HTTP_HOST", "wsgi.url_scheme", "SERVER_NAME", "SERVER_PORT", "SCRIPT_NAME")
_MOST_HOSTS = 64
#: Fields that mean nothing for how an answer is sent, beside its length.
_USUAL = frozenset({"Content-Type", "Content-Length", "Cache-Control", "X-Content-Type-Options", "X-Request-Id"})


class Answer(flask.Response):
    """A response, for which nothing is looked for where it is a short one without anything unusual."""

    @classmethod
    def force_type(cls, response: Any, environ: WSGIEnvironment | None = None) -> Any:
        """Those of a class of their own stay what they are."""
        if isinstance(response, flask.Response) and type(response) is not flask.Response:
            return response
        return super().force_type(response, environ)

    def get_wsgi_response(self, environ: WSGIEnvironment) -> tuple[Iterable[bytes], str, list[tuple[str, str]]]:
        body, fields = self.response, self.headers.to_wsgi_list()
        names = [name for name, _ in fields]
        if (
            self.status_code == 200
            and type(body) is list
            and len(body) == 1
            and type(body[0]) is bytes
            and not getattr(self, "_on_close", True)
            and _USUAL.issuperset(names)
            and "Content-Length" in names
            and environ["REQUEST_METHOD"] != "HEAD"
        ):
            return body, self.status, fields
        return super().get_wsgi_response(environ)


class _Request(flask.Request):
    """Has files to close only where somebody looked for some."""

    def close(self) -> None:
        if "files" in self.__dict__:
            super().close()


class _Adapter(MapAdapter):
    """Looks up once where a path without variable parts leads."""

    def __init__(self, known: dict[tuple[str, str], Rule], *arguments: Any) -> None:
        super().__init__(*arguments)
        self._known = known

    def match(self, *arguments: Any, **named: Any) -> Any:
        if arguments or named != {"return_rule": True}:
            return super().match(*arguments, **named)
        asked = (self.path_info, self.default_method)
        if (rule := self._known.get(asked)) is not None:
            return rule, {}
        rule, values = super().match(return_rule=True)
        # Only paths as they stand in rules, so that there are as many of them as rules.
        if not values and self.path_info.rstrip("/") == rule.rule.rstrip("/"):
            self._known[asked] = rule
        return rule, values


class _NoSessions(SessionInterface):
    """The dashboard has sessions of its own."""

    _nothing = NullSession()

    def open_session(self, app: flask.Flask, request: flask.Request) -> NullSession:
        return self._nothing


class Application(flask.Flask):
    """An application without sessions and files."""

    request_class = _Request
    response_class = Answer

    def __init__(self) -> None:
        super().__init__("integration_server", static_folder=None)
        self.session_interface = _NoSessions()
        self._hosts: dict[tuple[object, ...], tuple[str, str, str]] = {}
        self._rules: dict[tuple[str, str], Rule] = {}

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Whether a function is a coroutine takes longer to see than what most of them do.

        None is remembered: some are made for one request, and hold what it brought.
        """
        code = getattr(func, "__code__", None)
        if code is not None and not code.co_flags & inspect.CO_COROUTINE and not func.__dict__:
            return func
        return super().ensure_sync(func)

    def do_teardown_request(self, *arguments: Any, **named: Any) -> None:
        if self.teardown_request_funcs or flask.request_tearing_down.receivers:
            super().do_teardown_request(*arguments, **named)

    def do_teardown_appcontext(self, *arguments: Any, **named: Any) -> None:
        if self.teardown_appcontext_funcs or flask.appcontext_tearing_down.receivers:
            super().do_teardown_appcontext(*arguments, **named)

    def make_response(self, rv: Any) -> flask.Response:
        if isinstance(rv, flask.Response):
            answer: flask.Response = Answer.force_type(rv)
            return answer
        return super().make_response(rv)

    def create_url_adapter(self, request: flask.Request | None) -> MapAdapter | None:
        """Callers name one host or a few, each of which is looked at once: whether it is one, and how it is written."""
        if request is None or "HTTP_UPGRADE" in request.environ:
            return super().create_url_adapter(request) if request is not None or self.config["SERVER_NAME"] else None
        environ = request.environ
        key = tuple([environ.get(name) for name in _PLACE])
        if (known := self._hosts.get(key)) is not None:
            request.host, server_name, script_name = known
            query = request.query_string.decode(errors="replace")
            place = (self.url_map, server_name, script_name, "", request.scheme)
            return _Adapter(self._rules, *place, request.path, request.method, query)
        adapter = super().create_url_adapter(request)
        if adapter is not None and len(self._hosts) < _MOST_HOSTS:
            self._hosts[key] = request.host, adapter.server_name, adapter.script_name
        return adapter
