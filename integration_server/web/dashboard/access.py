"""Who may see the dashboard: signing in and out, the session's cookie, and the token that every form holds.

The cookie is HttpOnly and SameSite=Lax, so another site's form bears none; what changes something must hold the
session's form token as well, and must not say that it comes from elsewhere (Origin, Sec-Fetch-Site). The library for
such tokens (Flask-WTF) keeps them in a signed cookie of the whole application; here there is a session in the store
anyhow, which ends when an administrator is removed.
"""

from __future__ import annotations

import hmac
import logging
from urllib.parse import urlsplit

import flask
from flask import request

from integration_server.config import DashboardSettings
from integration_server.directory.dispatch import is_askable
from integration_server.directory.throttle import Throttle
from integration_server.sdk.errors import CallerRefused
from integration_server.sdk.model import normalize_name
from integration_server.sdk.passwords import CORES, PasswordChecker
from integration_server.store.admins import Admin, Admins, AdminSession, is_name
from integration_server.store.failed_logins import Who
from integration_server.web.callers import is_loopback
from integration_server.web.dashboard.places import Places
from integration_server.web.dashboard.route import Visit
from integration_server.web.proxy import IS_FORWARDED

logger = logging.getLogger(__name__)

COOKIE = "integration_server_admin"
FORM_TOKEN = "form_token"
#: As the throttle knows administrators; no frontend can be called so.
MOUNT = "(dashboard)"


class Access:
    """Admits administrators. Thread-safe."""

    def __init__(
        self, admins: Admins, throttle: Throttle, settings: DashboardSettings, prefix: str, places: Places
    ) -> None:
        self._admins = admins
        self._throttle = throttle
        self._settings = settings
        self._prefix = prefix
        self._places = places
        # Strangers keep half of the processors busy at most.
        self._checker = PasswordChecker(declared="argon2", max_concurrent=max(1, CORES // 2))
        self._longest = settings.session_hours * 3600
        self._idle = settings.idle_minutes * 60

    def check_transport(self) -> None:
        """Raise CallerRefused where passwords and cookies would travel unencrypted from another machine."""
        # A proxy on this machine that nobody told us about makes everybody look local; its headers give it away.
        is_local = is_loopback(request.remote_addr or "") and not request.environ.get(IS_FORWARDED, False)
        if request.scheme != "https" and not is_local and not self._settings.allow_plain_http:
            raise CallerRefused(
                403,
                "The dashboard is open over HTTPS only (the proxy that adds it is named in [server] trusted_proxies), "
                "or from this machine itself, or with [dashboard] allow_plain_http.",
            )

    def check_origin(self) -> None:
        """Raise CallerRefused for a form that another site sent."""
        origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site", "same-origin")
        is_foreign = origin is not None and _host_of(origin) != request.host.lower()
        if is_foreign or site not in ("same-origin", "none"):
            raise CallerRefused(403, "This form was sent from another site, so nothing was done.")

    def session(self) -> AdminSession | None:
        """The session of this request, if it is alive. Raises StoreUnavailable."""
        token = request.cookies.get(COOKIE, "")
        return self._admins.session(token, self._longest, self._idle) if token else None

    def visit(self, session: AdminSession, *, is_poll: bool) -> Visit:
        """The request's visit. A form must hold the session's token. Raises CallerRefused, StoreUnavailable."""
        if request.method == "POST":
            self.check_origin()
            given = request.form.get(FORM_TOKEN, "")
            if not hmac.compare_digest(given.encode("utf-8", "surrogatepass"), session.form_token.encode()):
                raise CallerRefused(
                    403, "This form belongs to another session, so nothing was done. Load the page again and repeat it."
                )
        if not is_poll:
            self._admins.seen(session)
            if session.notice is not None and request.method == "GET":
                self._admins.notice(session, None)
        return Visit(session.admin, session.form_token, None if is_poll else session.notice)

    def told(self, session: AdminSession) -> Visit:
        """The visit as pages of errors show it: nothing of the request is read, which may be what is wrong."""
        return Visit(session.admin, session.form_token, None)

    def leave_notice(self, text: str) -> None:
        """Have the next page of this request's session say something. Raises StoreUnavailable."""
        session = self.session()
        if session is not None:
            self._admins.notice(session, text)

    def sign_in(self, name: str, password: str) -> str | None:
        """The token of a new session, None for a wrong name or password, which take the same time. Raises Throttled,
        CallerRefused, StoreUnavailable."""
        name, address = normalize_name(name), request.remote_addr or ""
        # What nobody can be called, and no password can be, is no guess: to count it would fill the store.
        if not is_name(name) or not is_askable(name, password):
            return None
        with self._places.one(address):
            admin = self._checked(Who(MOUNT, name, address), password)
        token = self._admins.begin(admin, self._longest) if admin is not None else None
        if token is None:
            logger.warning("dashboard: %r was refused to %s", name, address)
        else:
            logger.info("dashboard: %s signed in from %s", name, address)
        return token

    def _checked(self, who: Who, password: str) -> Admin | None:
        """The administrator whose password this is."""
        with self._throttle.attempt(who, password) as failures:
            known = self._admins.get(who.username)
            if known is None:
                self._checker.verify_nobody(password)
            if known is None or not self._checker.verify(known.password_hash, password):
                self._throttle.failure(who, password)
                return None
            self._throttle.success(who, failures)
        return known

    def sign_out(self, session: AdminSession) -> None:
        """End a session. Raises StoreUnavailable."""
        self._admins.end(session.digest)

    def is_anybody_known(self) -> bool:
        """Whether there is an administrator at all. Raises StoreUnavailable."""
        return bool(self._admins.all())

    def set_cookie(self, response: flask.Response, token: str) -> None:
        """Give the browser a session's token, for as long as the browser runs or the session lives."""
        response.set_cookie(
            COOKIE,
            token,
            max_age=int(self._longest),
            path=self._prefix,
            secure=request.scheme == "https",
            httponly=True,
            samesite="Lax",
        )

    def drop_cookie(self, response: flask.Response) -> None:
        """Have the browser forget it."""
        response.delete_cookie(COOKIE, path=self._prefix, httponly=True, samesite="Lax")


def _host_of(origin: str) -> str | None:
    """Host and port of an Origin; None for what is none."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None
