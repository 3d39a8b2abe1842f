"""What models of requests and answers have in common, and how requests are read. Nothing is guessed: unknown members,
unknown parameters and wrong types are errors."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, TypeVar

from flask import Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError, WithJsonSchema
from pydantic_core import ErrorDetails, from_json
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from integration_server.sdk.envelopes import rfc3339
from integration_server.web.api.problems import Problem, bad_body, bad_parameters

MOST_BYTES = 256 * 1024
#: What the database holds as a number.
LARGEST = 2**63 - 1
_PAGE = 100


class Model(BaseModel):
    """A JSON object of the API."""

    model_config = ConfigDict(
        extra="forbid", strict=True, populate_by_name=True, hide_input_in_errors=True, allow_inf_nan=False
    )


class Query(BaseModel):
    """The parameters of a query, each given once."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, hide_input_in_errors=True)


def _number(value: object) -> object:
    if isinstance(value, str):
        if re.fullmatch(r"-?[0-9]{1,30}", value, re.ASCII) is None:
            raise ValueError("must be a whole number")
        return int(value)
    return value


_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})", re.ASCII
)


def _unix(value: object) -> object:
    """RFC 3339 text as Unix seconds."""
    if not isinstance(value, str):
        raise ValueError("must be a time such as 2026-01-31T08:00:00Z")
    # In a query, a plus sign that was not escaped arrives as a blank.
    if _RFC3339.fullmatch(value) is None:
        raise ValueError("must be a time such as 2026-01-31T08:00:00Z (in a query, + is written %2B)")
    # Nanoseconds are more than datetime takes.
    try:
        return datetime.fromisoformat(re.sub(r"(\.[0-9]{6})[0-9]+", r"\1", value.upper())).timestamp()
    except (ValueError, OverflowError):
        raise ValueError("there is no such time") from None


def _whole(value: object) -> object:
    # To JSON, and to JSON Schema, 1.0 is a whole number; some languages write no other.
    return int(value) if isinstance(value, float) and value.is_integer() else value


#: Makes a whole number in a query of its text. Stands last: what stands before it in Annotated is part of the document.
FROM_TEXT = BeforeValidator(_number)
WHOLE = BeforeValidator(_whole)
#: Text without control characters, which no name holds and PostgreSQL could not store.
Line = Annotated[str, StringConstraints(min_length=1, max_length=1024, pattern=r"^[^\x00-\x1f\x7f]+$")]
#: A time in a request, as Unix seconds.
Instant = Annotated[float, BeforeValidator(_unix), WithJsonSchema({"type": "string", "format": "date-time"})]
#: A time in an answer.
Moment = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
Serial = Annotated[int, Field(ge=0, le=LARGEST), WHOLE]
#: Where the next page begins.
Cursor = Annotated[str | None, Field(default=None, description="where the next page begins; null on the last one")]
CursorParameter = Annotated[
    str | None,
    Field(default=None, max_length=4096, description="the cursor of the page before; the first page when left out"),
]
Limit = Annotated[int, Field(default=_PAGE, ge=1, le=1_000, description="entries on a page, at most"), FROM_TEXT]


def moment_or_none(unix: float | None) -> str | None:
    return rfc3339(unix) if unix is not None else None


M = TypeVar("M", bound=BaseModel)


def read_query(request: Request, schema: type[M] | None) -> M | None:
    """The query of a request. Raises Problem."""
    errors = [
        {"parameter": name, "detail": "is given more than once"}
        for name, values in request.args.lists()
        if len(values) > 1
    ]
    errors += [
        {"parameter": name, "detail": "holds a NUL or an undecodable byte"}
        for name, value in request.args.items()
        if "\0" in value or "\ufffd" in value
    ]
    given = request.args.to_dict()
    if schema is None:
        errors += [{"parameter": name, "detail": "is unknown; this takes no parameters"} for name in given]
    if errors:
        raise bad_parameters(errors)
    if schema is None:
        return None
    try:
        return schema.model_validate(given)
    except ValidationError as exc:
        known = ", ".join(schema.model_fields)
        raise bad_parameters([_parameter_fault(error, known) for error in exc.errors()]) from None


def read_body(request: Request, schema: type[M]) -> M:
    """The body of a request. Raises 415 and 413 of werkzeug's, and as ``parse_body`` does."""
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("send application/json")
    request.max_content_length = MOST_BYTES
    try:
        body = request.get_data(cache=False)
    except RequestEntityTooLarge:
        raise RequestEntityTooLarge(f"a body has at most {MOST_BYTES} bytes") from None
    return parse_body(body, schema)


def parse_body(body: bytes, schema: type[M]) -> M:
    """What came as JSON, or was made of a form. Raises Problem: 400 for what is no JSON, 422 for what does not fit."""
    try:
        return schema.model_validate_json(body)
    except ValidationError as exc:
        errors = exc.errors()
        if errors[0]["type"] == "json_invalid":
            raise Problem(400, f"the body is no JSON: {errors[0]['msg'].partition(': ')[2]}", "bad-body") from None
        content = from_json(body)
        raise bad_body([_member_fault(error, content) for error in errors]) from None


def _parameter_fault(error: ErrorDetails, known: str) -> dict[str, str]:
    told = f"is unknown; there are: {known}" if error["type"] == "extra_forbidden" else _message(error)
    return {"parameter": ".".join(map(str, error["loc"])), "detail": told}


def _member_fault(error: ErrorDetails, body: object) -> dict[str, str]:
    told = "is unknown" if error["type"] == "extra_forbidden" else _message(error)
    return {"pointer": _pointer(error, body), "detail": told}


def _pointer(error: ErrorDetails, body: Any) -> str:
    """Where in the body the fault is, without pydantic's names for the branches of unions, which stand between."""
    parts: list[str] = []
    current = body
    for number, part in enumerate(error["loc"], 1):
        is_last = number == len(error["loc"])
        is_index = isinstance(current, list) and isinstance(part, int)
        is_key = isinstance(current, dict) and part in current and (is_last or current.get("kind") != part)
        if is_index or is_key:
            current = current[part]
        elif not (is_last and error["type"] == "missing"):
            continue
        # RFC 6901 §3.
        parts.append(str(part).replace("~", "~0").replace("/", "~1"))
    return "".join(f"/{part}" for part in parts)


def _message(error: ErrorDetails) -> str:
    if error["type"] == "missing":
        return "is required"
    if error["type"] == "string_pattern_mismatch":
        return "holds characters that have no place here"
    return error["msg"].removeprefix("Value error, ").replace("Input should be ", "must be ").replace(" True", " true")


def no_body(request: Request) -> None:
    """Raise Problem where an operation that takes no body gets one."""
    if request.content_length:
        raise bad_body([{"pointer": "", "detail": "this takes no body"}])
