"""Errors of the API as problem documents (RFC 9457)."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus

import flask
import orjson
from pydantic import BaseModel, ConfigDict, Field
from werkzeug.exceptions import HTTPException

from integration_server.sdk.errors import Busy, CallerRefused, IntegrationError, StoreUnavailable

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
_TYPES = "urn:problem-type:integration-server:"
_RETRY_AFTER_SECONDS = "5"
STORE_FAILS = "the server's own store cannot be used; its log says why"
#: No person makes more at once, and an answer must not be larger than what it answers.
_MOST_FAULTS = 20

#: Problems that a program may want to tell from others of the same status, and their titles.
_TITLES = {
    "bad-parameter": "A parameter of the query is wrong",
    "bad-body": "The body is not what this operation takes",
    "not-permitted": "This token may not see that",
    "uid-taken": "A subscription with this uid exists",
    "too-many-subscriptions": "This token has as many subscriptions as it may have",
    "serial-pruned": "Events from this serial on are no longer kept",
    "serial-unknown": "The journal has not come so far",
    "intent-not-confirmed": "The receiver did not confirm that it wants this",
    "channel": "A channel is told a version, and nothing else is to be set or sent",
    "not-due": "This delivery does not wait for that",
    "run-changed": "Another run is held now, or none",
    "not-watched": "Changes of this backend are not noticed",
    "elsewhere": "Another process of this installation does that",
}


class Fault(BaseModel):
    """One thing that is wrong: in the body at a JSON pointer (RFC 6901), or in a parameter."""

    model_config = ConfigDict(strict=True, extra="forbid")

    detail: str
    pointer: str | None = Field(default=None, description="where in the body, as a JSON pointer")
    parameter: str | None = Field(default=None, description="which parameter of the query")


class ProblemDocument(BaseModel):
    """What every error of this API looks like (RFC 9457)."""

    model_config = ConfigDict(strict=True, extra="forbid")

    type: str = Field(description="about:blank, or which problem it is, for programs")
    title: str
    status: int
    detail: str | None = None
    errors: list[Fault] | None = Field(
        default=None, description="what is wrong with the request; the first of them where they are very many"
    )
    id: str | None = Field(default=None, description="the subscription that exists already")
    pruned_serial: int | None = Field(default=None, description="events up to this serial are gone")
    last_serial: int | None = Field(default=None, description="the serial of the latest event")
    snapshot: str | None = Field(default=None, description="where to get everybody as they are now")


class Problem(Exception):
    """An answer that says what is wrong. ``kind`` is None where the status says it all."""

    def __init__(
        self,
        status: int,
        detail: str,
        kind: str | None = None,
        headers: Mapping[str, str] | None = None,
        **members: object,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.kind = kind
        self.headers = dict(headers or {})
        self.members = members

    def response(self) -> flask.Response:
        """As an answer."""
        title = _TITLES[self.kind] if self.kind is not None else HTTPStatus(self.status).phrase
        kind = _TYPES + self.kind if self.kind is not None else "about:blank"
        members = {key: value for key, value in self.members.items() if value is not None}
        document = {"type": kind, "title": title, "status": self.status, "detail": self.detail, **members}
        response = flask.Response(orjson.dumps(document), self.status, content_type=MEDIA_TYPE)
        response.headers.update(self.headers)
        return response


def not_found(what: str) -> Problem:
    """Also for what exists but is not the caller's."""
    return Problem(404, f"there is no such {what}")


def bad_parameter(name: str, detail: str) -> Problem:
    return bad_parameters([{"parameter": name, "detail": detail}])


def bad_parameters(errors: Sequence[Mapping[str, str]]) -> Problem:
    return Problem(400, _told(errors, "parameter"), "bad-parameter", errors=list(errors[:_MOST_FAULTS]))


def bad_body(errors: Sequence[Mapping[str, str]]) -> Problem:
    return Problem(422, _told(errors, "pointer"), "bad-body", errors=list(errors[:_MOST_FAULTS]))


def _told(errors: Sequence[Mapping[str, str]], where: str) -> str:
    told = [f"{error[where] or 'the body'}: {error['detail']}" for error in errors[:_MOST_FAULTS]]
    if len(errors) > _MOST_FAULTS:
        told.append(f"and {len(errors) - _MOST_FAULTS} more")
    return "; ".join(told)


def bad_member(pointer: str, detail: str) -> Problem:
    return bad_body([{"pointer": pointer, "detail": detail}])


def problem_of(error: Exception) -> Problem:
    """Any exception as a problem. What only our own log should know is left out."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, HTTPException):
        return _of_http(error)
    if isinstance(error, CallerRefused):
        challenge = {"WWW-Authenticate": error.challenge} if error.challenge is not None else {}
        return Problem(error.status, error.message, headers=challenge)
    if isinstance(error, IntegrationError):
        if not isinstance(error, Busy):
            logger.error("%s %s: %s", flask.request.method, flask.request.endpoint, error)
        return Problem(503, outward(error), headers={"Retry-After": _RETRY_AFTER_SECONDS})
    logger.error("%s %s failed", flask.request.method, flask.request.endpoint, exc_info=error)
    return Problem(500, "the server failed; its log says why")


def outward(error: Exception) -> str:
    """For callers, who may be anybody: a database's own words say where it is and as whom we log in."""
    return STORE_FAILS if isinstance(error, StoreUnavailable) else str(error)


def _of_http(error: HTTPException) -> Problem:
    # Allow with a 405, Retry-After with a 429: what the exception knows beside its text.
    kept = {key: value for key, value in error.get_headers() if key not in ("Content-Type", "Content-Length")}
    status = error.code or 500
    detail = {404: "there is nothing at this path", 405: f"{flask.request.method} does nothing here"}.get(status)
    return Problem(status, detail or error.description or error.name, headers=kept)
