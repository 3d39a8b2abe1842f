"""Tokens of the API: which there are, a new one, and the end of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import flask
from flask import request

from integration_server.sdk.envelopes import rfc3339
from integration_server.sdk.errors import CallerRefused, ConfigError
from integration_server.store.resources import Resource
from integration_server.store.tokens import SCOPES, Scope, Token, expiry
from integration_server.web.dashboard import asked
from integration_server.web.dashboard.access import Access
from integration_server.web.dashboard.facts import DashboardFacts
from integration_server.web.dashboard.rendering import Rendering
from integration_server.web.dashboard.route import Route, Visit
from integration_server.web.dashboard.subscription_forms import sentence
from integration_server.web.dashboard.subscription_words import whose

PATH = "/security/tokens"
_PAGE = 100
_LONGEST_GROUP, _MOST_GROUPS = 1024, 100
_WORDS: Mapping[Scope, str] = {
    "events:read": "read events and people (events:read)",
    "subscriptions:write": "make subscriptions and channels (subscriptions:write)",
    "sync:admin": "decide about held runs and ask for full comparisons (sync:admin)",
}
_STATES = {"live": "good", "expired": "idle", "revoked": "idle"}


@dataclass(frozen=True, slots=True)
class TokenForm:
    """What stands in the form, and what is wrong with it by field."""

    values: Mapping[str, str]
    scopes: Sequence[str] = ()
    backends: Sequence[str] = ()
    faults: Mapping[str, str] = field(default_factory=dict)


class _Wrong(Exception):
    """``name`` is the field."""

    def __init__(self, name: str, told: str) -> None:
        super().__init__(told)
        self.name = name


class Tokens:
    """The page and its forms."""

    def __init__(self, facts: DashboardFacts, rendering: Rendering, access: Access) -> None:
        self._facts = facts
        self._tokens = facts.store.tokens
        self._rendering = rendering
        self._access = access

    def routes(self) -> list[Route]:
        return [
            Route("GET", PATH, "tokens", self.page),
            Route("POST", PATH, "token_create", self.create),
            Route("POST", f"{PATH}/revoke", "token_revoke", self.revoke),
        ]

    def page(self, visit: Visit) -> flask.Response:
        return self._page(visit, TokenForm({"name": "", "groups": "", "expires": ""}))

    def _page(self, visit: Visit, form: TokenForm) -> flask.Response:
        found = self._tokens.page(asked.text("after") or "", _PAGE + 1)
        now = self._facts.clock()
        return self._rendering.page(
            "tokens.html",
            visit,
            422 if form.faults else 200,
            tokens=[(one, state := _state(one, now), _STATES[state], _seen(one)) for one in found[:_PAGE]],
            more=found[_PAGE - 1].name if len(found) > _PAGE else None,
            form=form,
            scopes=[(scope, _WORDS[scope]) for scope in SCOPES],
            backends=[(name, name) for name in sorted(self._facts.config.backends)],
        )

    def create(self, visit: Visit) -> flask.Response:
        """Make one and show it, this once."""
        form = _sent()
        try:
            token, plain = self._made(form)
        except _Wrong as wrong:
            return self._page(visit, replace(form, faults={wrong.name: sentence(str(wrong))}))
        self._facts.audit.tell("token.created", token.name, _audited(token), visit.actor)
        return self._rendering.page(
            "secret.html",
            visit,
            heading=f"Token {token.name}",
            told="The token is shown this once; the server keeps no more than a digest of it.",
            secret=plain,
            after="A caller sends it as the header Authorization: Bearer, followed by the token.",
            back=PATH,
            back_words="To the tokens",
            back_id=None,
        )

    def _made(self, form: TokenForm) -> tuple[Token, str]:
        """Raises _Wrong."""
        if not form.scopes or not set(form.scopes) <= set(SCOPES):
            raise _Wrong("scopes", "choose what it may do")
        resources = self._resources(form)
        try:
            expires_at = expiry(form.values["expires"], self._facts.clock())
        except ValueError as exc:
            raise _Wrong("expires", str(exc)) from None
        try:
            return self._tokens.create(form.values["name"], cast("Sequence[Scope]", form.scopes), resources, expires_at)
        except ConfigError as exc:
            raise _Wrong("name", str(exc)) from None

    def _resources(self, form: TokenForm) -> list[Resource]:
        """What it may see. Raises _Wrong."""
        known = self._facts.config.backends
        if not set(form.backends) <= known.keys():
            raise _Wrong("backends", "there is no such backend")
        found = [Resource("backend", name) for name in form.backends]
        for line in filter(None, map(str.strip, form.values["groups"].splitlines())):
            backend, slash, group = line.partition("/")
            is_name = bool(slash) and group.isprintable() and 0 < len(group) <= _LONGEST_GROUP
            if not is_name or backend not in known:
                raise _Wrong("groups", "write a backend and a group on each line, such as hq/staff")
            found.append(Resource("group", backend, group))
        if len(found) > _MOST_GROUPS:
            raise _Wrong("groups", f"a token for more than {_MOST_GROUPS} backends and groups is made by command")
        return found or [Resource()]

    def revoke(self, visit: Visit) -> flask.Response:
        """End one for good."""
        token = self._tokens.revoke(asked.needed("name"))
        if token is None:
            raise CallerRefused(404, "There is no such token that is not revoked already.")
        self._facts.audit.tell("token.revoked", token.name, _audited(token), visit.actor)
        self._access.leave_notice(
            f"The token {token.name} is revoked. Subscriptions that were made with it go on until you remove them."
        )
        return self._rendering.see(PATH)


def _sent() -> TokenForm:
    given = {name: request.form.get(name, "")[:100_000] for name in ("name", "groups", "expires")}
    given["name"] = given["name"].strip()
    return TokenForm(given, request.form.getlist("scopes"), request.form.getlist("backends"))


def _state(token: Token, now: float) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "live" if token.is_live(now) else "expired"


def _seen(token: Token) -> str:
    return ", ".join(map(whose, token.resources))


def _audited(token: Token) -> Mapping[str, object]:
    return {
        "id": token.id,
        "scopes": list(token.scopes),
        "resources": [resource.as_json() for resource in token.resources],
        "expires_at": token.expires_at and rfc3339(token.expires_at),
    }
