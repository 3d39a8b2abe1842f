"""Signing in and out."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import unquote

import flask
from flask import request

from integration_server.forwarding.audit import Audit
from integration_server.sdk.errors import CallerRefused, Throttled
from integration_server.sdk.model import normalize_name
from integration_server.web.dashboard.access import Access
from integration_server.web.dashboard.rendering import Rendering, see_other

SIGN_IN, SIGN_OUT = "/sign-in", "/sign-out"
#: Beyond what an administrator can be called, so that a part of it is nobody's.
_LONGEST_NAME = 200
_WRONG = "The name or the password is wrong."
_TOO_MANY = "Too many wrong passwords. Wait some minutes, or run 'integration-server throttle clear NAME'."


class SignIn:
    """The views that need no session."""

    def __init__(self, access: Access, rendering: Rendering, audit: Audit, prefix: str) -> None:
        self._access = access
        self._rendering = rendering
        self._audit = audit
        self._prefix = prefix

    def views(self) -> dict[str, Callable[[], flask.Response]]:
        """By path below the dashboard's."""
        return {SIGN_IN: self.sign_in, SIGN_OUT: self.sign_out}

    def sign_in(self) -> flask.Response:
        """The form, and what it sends."""
        if request.method != "POST":
            wanted = self._wanted(request.args.get("next"))
            return see_other(wanted) if self._access.session() else self._form(wanted)
        self._access.check_origin()
        name, wanted = request.form.get("name", "")[:_LONGEST_NAME], self._wanted(request.form.get("next"))
        try:
            token = self._access.sign_in(name, request.form.get("password", ""))
        except Throttled:
            return self._form(wanted, name, _TOO_MANY, 429)
        except CallerRefused as refused:
            return self._form(wanted, name, refused.message, refused.status)
        if token is None:
            return self._form(wanted, name, _WRONG, 401)
        self._audit.tell("admin.signed_in", normalize_name(name), {"address": request.remote_addr})
        response = see_other(wanted)
        self._access.set_cookie(response, token)
        return response

    def sign_out(self) -> flask.Response:
        """End the session; a GET leads to the overview."""
        session = self._access.session()
        if request.method != "POST":
            return see_other(f"{self._prefix}/")
        if session is not None:
            self._access.visit(session, is_poll=True)
            self._access.sign_out(session)
        response = see_other(f"{self._prefix}{SIGN_IN}")
        self._access.drop_cookie(response)
        return response

    def _form(self, wanted: str, name: str = "", fault: str | None = None, status: int = 200) -> flask.Response:
        is_new = not self._access.is_anybody_known()
        return self._rendering.page("sign_in.html", None, status, wanted=wanted, name=name, fault=fault, is_new=is_new)

    def _wanted(self, given: str | None) -> str:
        """Where to go afterwards: a page of the dashboard, whatever the link said."""
        home = f"{self._prefix}/"
        if given is None or not given.startswith(home) or not given.isprintable() or "\\" in given:
            return home
        # Browsers go up at these, however they are written.
        is_led_up = ".." in unquote(given.partition("?")[0]).split("/")
        return home if is_led_up else given
