"""Bearer tokens (RFC 6750): who asks, and whether they may."""

from __future__ import annotations

import logging
from collections.abc import Callable

from flask import Request

from integration_server.store.resources import Resource
from integration_server.store.tokens import Scope, Token
from integration_server.web.api.problems import Problem
from integration_server.web.callers import is_loopback
from integration_server.web.proxy import IS_FORWARDED

logger = logging.getLogger(__name__)

_REALM = 'Bearer realm="integration-server"'


class Access:
    """Admits requests. ``find`` gives the live token with a plain text."""

    def __init__(self, find: Callable[[str], Token | None], allow_plain_http: bool) -> None:
        self._find = find
        self._allow_plain_http = allow_plain_http

    def admit(self, request: Request, scopes: tuple[Scope, ...]) -> Token:
        """The token of a request, if it has one of ``scopes``. Raises Problem."""
        # A proxy on this machine that nobody told us about makes everybody look local; its headers give it away.
        is_local = is_loopback(request.remote_addr or "") and not request.environ.get(IS_FORWARDED, False)
        if request.scheme != "https" and not is_local and not self._allow_plain_http:
            raise Problem(
                403,
                "tokens travel here: use HTTPS (a proxy that adds it must be named in [server] trusted_proxies), "
                "or set [api] allow_plain_http",
            )
        token = self._token(request)
        if not set(scopes) & set(token.scopes):
            # RFC 6750 §3.1 lists the scopes that are needed; where one of several will do, the first stands for it.
            challenge = f'{_REALM}, error="insufficient_scope", scope="{scopes[0]}"'
            told = f"this token has the scopes {', '.join(token.scopes)}; this needs {' or '.join(scopes)}"
            raise Problem(403, told, headers={"WWW-Authenticate": challenge})
        return token

    def _token(self, request: Request) -> Token:
        scheme, _, plain = request.headers.get("Authorization", "").strip().partition(" ")
        if scheme.lower() != "bearer":
            # No error code for a caller who offered no token (RFC 6750 §3.1).
            raise Problem(401, "give a token: Authorization: Bearer ist_...", headers={"WWW-Authenticate": _REALM})
        token = self._find(plain.strip())
        if token is None:
            logger.warning("an API token of %s is unknown, expired or revoked", request.remote_addr)
            challenge = f'{_REALM}, error="invalid_token"'
            raise Problem(401, "this token is unknown, expired or revoked", headers={"WWW-Authenticate": challenge})
        return token


def permit(token: Token, resource: Resource) -> None:
    """Raise Problem unless the token may see all of the resource, whether or not that exists."""
    if not token.may_see(resource):
        seen = ", ".join(str(mine) for mine in token.resources)
        raise Problem(403, f"this token may see {seen}, which does not include {resource}", "not-permitted")
