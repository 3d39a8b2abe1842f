"""One operation of the API: its route, who may call it, what it takes and answers. Routes and the OpenAPI document are
made from the same list of these."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import flask
import orjson
from pydantic import BaseModel

from integration_server.store.tokens import Scope
from integration_server.web.api.model import Query

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
JSON = "application/json"
NDJSON = "application/x-ndjson"


@dataclass(frozen=True, slots=True)
class Operation:
    """``handler`` gets ``token`` (unless ``scopes`` is empty: then anybody may call), ``query`` and ``body`` where a
    model is given, and each variable of ``path`` (``/subscriptions/{id}``) by its name. One of ``scopes`` is enough.
    ``answers`` maps a status to its model, None for an empty body; ``lines`` is the model of a line where the operation
    also answers NDJSON. ``problems`` are further statuses that it may answer, beside those that all may.
    """

    method: Method
    path: str
    name: str
    summary: str
    handler: Callable[..., flask.Response]
    scopes: tuple[Scope, ...]
    answers: Mapping[int, type[BaseModel] | None]
    query: type[Query] | None = None
    body: type[BaseModel] | None = None
    lines: object = None
    problems: tuple[int, ...] = ()
    description: str = ""
    headers: Mapping[int, Mapping[str, str]] = field(default_factory=dict)

    @property
    def tag(self) -> str:
        """The noun that it is about."""
        return self.path.split("/")[1]


def answer(body: BaseModel | Mapping[str, object], status: int = 200) -> flask.Response:
    """A JSON answer."""
    content = body.model_dump_json(by_alias=True).encode() if isinstance(body, BaseModel) else orjson.dumps(body)
    return flask.Response(content, status, content_type=JSON)


def empty_answer() -> flask.Response:
    """204."""
    response = flask.Response(status=204)
    # Flask would say text/html of nothing.
    del response.headers["Content-Type"]
    return response


def wants_lines(request: flask.Request) -> bool:
    """Whether NDJSON is asked for by name; JSON is the answer to anything else."""
    return request.accept_mimetypes.best_match([JSON, NDJSON], JSON) == NDJSON
