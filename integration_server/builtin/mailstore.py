"""The MailStore frontend: Application Integration, ``cmd=list`` and ``cmd=auth``.

Source: MailStore Server Help, "Implementing an Application Integration Server". The verdict on a login stands in the
body of a 200; everything that is not a verdict or a whole list has a status of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import repeat
from typing import Any, Literal

import flask
import orjson
from pydantic import Field
from werkzeug.exceptions import BadRequest, MethodNotAllowed, UnsupportedMediaType

from integration_server import (
    FORM,
    Aligned,
    DirectoryUnavailable,
    Frontend,
    FrontendSettings,
    Gateway,
    ShortAnswer,
    Shortcut,
    StoreUnavailable,
    Throttled,
    UserPage,
    Verdict,
    form_pairs,
    hookimpl,
    is_short_form,
    short_body,
)

Column = list[str | None]

_YES, _NO = b'{"succeeded":true}', b'{"succeeded":false}'
_MOST_FIELDS = 16
_LONGEST_FIELD = 4096
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]


@dataclass(frozen=True, slots=True)
class ListCommand:
    """``cmd=list``."""


@dataclass(frozen=True, slots=True)
class AuthCommand:
    """``cmd=auth``."""

    user: str
    password: str


def parse_command(body: bytes) -> ListCommand | AuthCommand:
    """The command in a form body. Raises ValueError with a message that holds none of the body's values."""
    # Passwords may hold any character, so the only separator is & and blanks are kept.
    if body.count(b"&") >= _MOST_FIELDS:
        raise ValueError("the form has too many fields")
    try:
        pairs = form_pairs(body)
    except UnicodeError:
        raise ValueError("the form is not UTF-8") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a field is given twice")
    for value in fields.values():
        if len(value) > _LONGEST_FIELD or "\0" in value:
            raise ValueError("a field is too long or holds a NUL character")
    command = fields.get("cmd")
    if command == "list":
        return ListCommand()
    if command != "auth":
        raise ValueError("cmd must be list or auth")
    if "user" not in fields or "pass" not in fields:
        raise ValueError("cmd=auth needs the fields user and pass")
    return AuthCommand(fields["user"], fields["pass"])


def render_users(users: UserPage) -> bytes:
    """The users of a page as JSON objects, joined by commas. Optional keys without a value are left out."""
    dns, names, emails = users.distinguished_names, users.full_names, users.emails
    rows: list[dict[str, object]]
    # What most pages are needs no call for each user, and no list of addresses before the one in the answer. ``all`` is
    # quicker than to look for None.
    if dns is None and names is not None and all(names):
        if isinstance(emails, Aligned) and len(emails.columns) == 2 and all(emails.columns[0]):
            rows = [
                {"userName": username, "fullName": name, "emailAddresses": [first] if more is None else [first, more]}
                for username, name, first, more in zip(users.usernames, names, *emails.columns, strict=True)
            ]
        else:
            rows = [
                {"userName": username, "fullName": name, "emailAddresses": some}
                for username, name, some in zip(users.usernames, names, emails or repeat([], len(users)), strict=True)
            ]
    else:
        nothing: Column = [None] * len(users)
        columns = zip(users.usernames, dns or nothing, names or nothing, emails or repeat([], len(users)), strict=True)
        rows = [_render_user(*row) for row in columns]
    return orjson.dumps(rows)[1:-1]


def _render_user(username: str, dn: str | None, name: str | None, emails: list[str]) -> dict[str, object]:
    user: dict[str, object] = {"userName": username}
    if dn is not None:
        user["distinguishedName"] = dn
    if name is not None:
        user["fullName"] = name
    user["emailAddresses"] = emails
    return user


class MailStoreEncoder:
    """The list as one JSON array."""

    opening = b"["
    separator = b","
    closing = b"]"

    def __init__(self, media_type: str) -> None:
        self.media_type = media_type

    def page(self, users: UserPage) -> bytes:
        return render_users(users)


class MailStoreSettings(FrontendSettings):
    """``[frontends.NAME]`` with ``type = "mailstore"``."""

    content_type: Literal["application/json", "text/json"] = Field(
        default="application/json", description="text/json is what the sample of MailStore's help page sends"
    )
    auth_on_outage: Literal["error", "reject"] = Field(
        default="error", description="error = 503 when a directory is down; reject = as for a wrong password"
    )


class MailStoreFrontend(Frontend, Shortcut):
    """One mount of the protocol."""

    type = "mailstore"
    Settings = MailStoreSettings

    def __init__(self, settings: FrontendSettings, gateway: Gateway) -> None:
        assert isinstance(settings, MailStoreSettings)
        self._gateway = gateway
        self._rejects_on_outage = settings.auth_on_outage == "reject"
        # Never charset=utf8: .NET's reader throws on that label.
        self._media_type = f"{settings.content_type}; charset=utf-8"
        self._encoder = MailStoreEncoder(self._media_type)

    def blueprint(self) -> flask.Blueprint:
        blueprint = flask.Blueprint(self.type, __name__)
        blueprint.add_url_rule(
            "/", "command", self._answer, methods=_METHODS, provide_automatic_options=False, strict_slashes=False
        )
        return blueprint

    def shortcut(self, environ: dict[str, Any]) -> ShortAnswer | None:
        """A login as callers send it."""
        if not is_short_form(environ):
            return None
        self._gateway.admit()
        command = _command(short_body(environ))
        return ShortAnswer(self._verdict(command), self._media_type) if isinstance(command, AuthCommand) else None

    def _answer(self) -> flask.Response:
        request = flask.request
        if request.method != "POST":
            raise MethodNotAllowed(["POST"])
        self._gateway.admit()
        if request.query_string:
            raise BadRequest("send the fields in the body: passwords in a URL end up in logs")
        if request.mimetype not in (FORM, ""):
            raise UnsupportedMediaType(f"send {FORM}")
        command = _command(request.get_data(cache=False))
        if isinstance(command, AuthCommand):
            return flask.Response(self._verdict(command), content_type=self._media_type)
        response = self._gateway.list_response(self._encoder)
        assert isinstance(response, flask.Response)
        return response

    def _verdict(self, command: AuthCommand) -> bytes:
        return _YES if self._login(command) else _NO

    def _login(self, command: AuthCommand) -> bool:
        try:
            return self._gateway.authenticate(command.user, command.password) is Verdict.ACCEPTED
        except Throttled:
            return False
        except (DirectoryUnavailable, StoreUnavailable):
            if self._rejects_on_outage:
                return False
            raise


def _command(body: bytes) -> ListCommand | AuthCommand:
    try:
        return parse_command(body)
    except ValueError as exc:
        raise BadRequest(str(exc)) from None


@hookimpl
def register_frontends() -> list[type[Frontend]]:
    return [MailStoreFrontend]
