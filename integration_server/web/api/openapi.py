"""The OpenAPI 3.1 document, made from the operations and their models."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from integration_server import __version__
from integration_server.web.api.operation import JSON, NDJSON, Operation
from integration_server.web.api.problems import MEDIA_TYPE, ProblemDocument

_REF = "#/components/schemas/{model}"
_INTRODUCTION = """\
Who changed, who came, who went: as a journal to read, and as subscriptions to which changes are sent.

Every call needs a token (integration-server token create) in the Authorization header. A token has scopes, and sees
certain backends or groups. Errors are problem documents (RFC 9457); programs should look at their type. Members may be
added to answers in future versions of this API.
"""
_PATH_PARAMETERS = {
    "id": {"type": "string", "minLength": 1, "maxLength": 200},
    "backend": {"type": "string", "minLength": 1, "maxLength": 100},
}
_TOLD = {
    400: "The query or the JSON is wrong.",
    401: "There is no token, or it is unknown, expired or revoked.",
    403: "The token may not do that, or not see that, or came over plain HTTP.",
    404: "There is no such thing, or it is somebody else's.",
    409: "That is not possible as things are.",
    410: "Events from there on are no longer kept.",
    413: "The body is too large.",
    415: "The body is not application/json.",
    422: "The body is JSON, but not what this takes.",
    503: "The store cannot be used, or too much is asked at one time; see Retry-After.",
}


def document_of(operations: Sequence[Operation]) -> dict[str, object]:
    """The document, without the operation that serves it."""
    schemas = _Schemas(operations)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "integration-server", "version": __version__, "description": _INTRODUCTION},
        "servers": [{"url": "/api/v1"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas.definitions,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


class _Schemas:
    """Every model of the operations, by reference."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        answers = {model for one in operations for model in one.answers.values() if model is not None}
        wanted: set[tuple[type[BaseModel], JsonSchemaMode]] = {(model, "serialization") for model in answers}
        wanted |= {(one.body, "validation") for one in operations if one.body is not None}
        wanted.add((ProblemDocument, "serialization"))
        self._references, found = models_json_schema(
            sorted(wanted, key=lambda pair: (pair[0].__name__, pair[1])), ref_template=_REF
        )
        self.definitions: dict[str, Any] = dict(found.get("$defs", {}))

    def of(self, model: type[BaseModel], mode: JsonSchemaMode) -> dict[str, Any]:
        return self._references[(model, mode)]

    def of_lines(self, type_: Any) -> dict[str, Any]:
        schema = TypeAdapter(type_).json_schema(ref_template=_REF, mode="serialization")
        self.definitions.update(schema.pop("$defs", {}))
        return schema


def _operation(operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [operation.tag],
        "description": _description(operation),
        "parameters": [*_path_parameters(operation.path), *_query_parameters(operation)],
        "responses": {
            **{str(status): _answer(operation, status, schemas) for status in operation.answers},
            **{str(status): _problem(status, schemas) for status in _statuses(operation)},
        },
    }
    if operation.body is not None:
        content = {JSON: {"schema": schemas.of(operation.body, "validation")}}
        found["requestBody"] = {"required": True, "content": content}
    return found


def _description(operation: Operation) -> str:
    scopes = f"Scope: {' or '.join(operation.scopes)}."
    return f"{operation.description} {scopes}".strip()


def _path_parameters(path: str) -> Iterable[dict[str, Any]]:
    for name in re.findall(r"{(\w+)}", path):
        yield {"name": name, "in": "path", "required": True, "schema": _PATH_PARAMETERS[name]}


def _query_parameters(operation: Operation) -> Iterable[dict[str, Any]]:
    if operation.query is None:
        return
    schema = operation.query.model_json_schema()
    for name, given in schema["properties"].items():
        told = given.pop("description", "")
        given.pop("title", None)
        options = [one for one in given.get("anyOf", ()) if one != {"type": "null"}]
        if len(options) == 1:
            # A parameter is left out, not null.
            given = options[0]
        elif given.get("default") is None:
            given.pop("default", None)
        yield {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", ()),
            "description": told,
            "schema": given,
        }


def _answer(operation: Operation, status: int, schemas: _Schemas) -> dict[str, Any]:
    model = operation.answers[status]
    told = inspect.cleandoc(model.__doc__ or "") if model is not None else "Done; there is nothing to say."
    found: dict[str, Any] = {"description": told}
    if model is not None:
        found["content"] = {JSON: {"schema": schemas.of(model, "serialization")}}
        if operation.lines is not None:
            found["content"][NDJSON] = {"schema": {"description": "One of these a line.", "type": "string"}}
            found["content"][NDJSON]["x-line-schema"] = schemas.of_lines(operation.lines)
    headers = operation.headers.get(status, {})
    if headers:
        found["headers"] = {name: {"description": text, "schema": {"type": "string"}} for name, text in headers.items()}
    return found


def _statuses(operation: Operation) -> list[int]:
    every = {400, 401, 403, 503, *operation.problems}
    if "{" in operation.path:
        every.add(404)
    if operation.body is not None:
        every |= {413, 415}
    # Also for a body where none is taken.
    return sorted(every | {422})


def _problem(status: int, schemas: _Schemas) -> dict[str, Any]:
    found: dict[str, Any] = {
        "description": _TOLD[status],
        "content": {MEDIA_TYPE: {"schema": schemas.of(ProblemDocument, "serialization")}},
    }
    if status == 401:
        found["headers"] = {"WWW-Authenticate": {"description": "RFC 6750", "schema": {"type": "string"}}}
    return found
