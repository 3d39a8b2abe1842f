"""The MailStore frontend: Application Integration, ``cmd=list`` and ``cmd=auth``.

Source: MailStore Server Help, "Implementing an Application Integration Server". The verdict on a login stands in the
body of a 200; everything that is not a verdict or a whole list has a status of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl

import flask
import orjson
from pydantic import Field
from werkzeug.exceptions import BadRequest, MethodNotAllowed, UnsupportedMediaType

from integration_server import (
    DirectoryUnavailable,
    Frontend,
    FrontendSettings,
    Gateway,
    StoreUnavailable,
    Throttled,
    UserPage,
    Verdict,
    hookimpl,
)

_FORM = "application/x-www-form-urlencoded"
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
    try:
        # Passwords may hold any character, so the only separator is & and blanks are kept.
        pairs = parse_qsl(
            body.decode("utf-8"), keep_blank_values=True, encoding="utf-8", errors="strict", max_num_fields=_MOST_FIELDS
        )
    except UnicodeError:
        raise ValueError("the form is not UTF-8") from None
    except ValueError:
        raise ValueError("the form cannot be read, or has too many fields") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a field is given twice")
    if any(len(value) > _LONGEST_FIELD or "\0" in value for value in fields.values()):
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
    emails: Sequence[Sequence[str]] = users.emails if users.emails is not None else [()] * len(users)
    dns, names = users.distinguished_names, users.full_names
    if dns is None and names is not None and None not in names:
        rows = zip(users.usernames, names, emails, strict=True)
        found: list[dict[str, object]] = [{"userName": u, "fullName": f, "emailAddresses": e} for u, f, e in rows]
    elif dns is not None and names is not None and None not in names and None not in dns:
        whole = zip(users.usernames, dns, names, emails, strict=True)
        found = [{"userName": u, "distinguishedName": d, "fullName": f, "emailAddresses": e} for u, d, f, e in whole]
    else:
        nothing = [None] * len(users)
        each = zip(users.usernames, dns or nothing, names or nothing, emails, strict=True)
        found = [_render_user(*row) for row in each]
    return orjson.dumps(found)[1:-1]


def _render_user(username: str, dn: str | None, name: str | None, emails: Sequence[str]) -> dict[str, object]:
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
        return render_users(users) if len(users) else b""


class MailStoreSettings(FrontendSettings):
    """``[frontends.NAME]`` with ``type = "mailstore"``."""

    content_type: Literal["application/json", "text/json"] = Field(
        default="application/json", description="text/json is what the sample of MailStore's help page sends"
    )
    auth_on_outage: Literal["error", "reject"] = Field(
        default="error", description="error = 503 when a directory is down; reject = as for a wrong password"
    )


class MailStoreFrontend(Frontend):
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
            "/", "command", self._command, methods=_METHODS, provide_automatic_options=False, strict_slashes=False
        )
        return blueprint

    def _command(self) -> flask.Response:
        request = flask.request
        if request.method != "POST":
            raise MethodNotAllowed(["POST"])
        self._gateway.admit()
        if request.query_string:
            raise BadRequest("send the fields in the body: passwords in a URL end up in logs")
        if request.mimetype not in (_FORM, ""):
            raise UnsupportedMediaType(f"send {_FORM}")
        try:
            command = parse_command(request.get_data(cache=False))
        except ValueError as exc:
            raise BadRequest(str(exc)) from None
        if isinstance(command, ListCommand):
            response = self._gateway.list_response(self._encoder)
            assert isinstance(response, flask.Response)
            return response
        return self._json({"succeeded": self._login(command)})

    def _login(self, command: AuthCommand) -> bool:
        try:
            return self._gateway.authenticate(command.user, command.password) is Verdict.ACCEPTED
        except Throttled:
            return False
        except (DirectoryUnavailable, StoreUnavailable):
            if self._rejects_on_outage:
                return False
            raise

    def _json(self, value: object) -> flask.Response:
        return flask.Response(orjson.dumps(value), content_type=self._media_type)


@hookimpl
def register_frontends() -> list[type[Frontend]]:
    return [MailStoreFrontend]
