"""The blueprint under /api/v1: reads requests, lets the right callers pass, and answers every error as a problem."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Protocol

import flask
from flask import request

from integration_server.web.api.access import Access
from integration_server.web.api.deliveries import DeliveriesApi
from integration_server.web.api.event_types import EventTypesApi
from integration_server.web.api.events import EventsApi
from integration_server.web.api.facts import ApiFacts
from integration_server.web.api.model import no_body, read_body, read_query
from integration_server.web.api.openapi import document_of
from integration_server.web.api.operation import Operation, answer
from integration_server.web.api.problems import problem_of
from integration_server.web.api.receivers import Receivers
from integration_server.web.api.resources import ResourcesApi
from integration_server.web.api.snapshot import SnapshotApi
from integration_server.web.api.subscription_actions import SubscriptionActionsApi
from integration_server.web.api.subscriptions import SubscriptionsApi
from integration_server.web.api.sync import SyncApi

PREFIX = "/api/v1"
#: No frontend can be called so.
NAME = "(api)"


class _Noun(Protocol):
    def operations(self) -> list[Operation]: ...


def create_api(facts: ApiFacts, receivers: Receivers | None = None) -> flask.Blueprint:
    """The API as a blueprint, to be mounted on ``PREFIX``. ``receivers`` is made here where nobody shares it."""
    blueprint = flask.Blueprint(NAME, __name__, url_prefix=PREFIX)
    access = Access(facts.store.tokens.find, facts.allow_plain_http)
    operations = _operations(facts, receivers or Receivers(facts))
    for operation in [*operations, _openapi(operations)]:
        blueprint.add_url_rule(
            operation.path.replace("{", "<").replace("}", ">"),
            operation.name,
            _view(operation, access),
            methods=[operation.method],
            provide_automatic_options=False,
        )
    blueprint.register_error_handler(Exception, error_answer)
    return blueprint


def error_answer(error: Exception) -> flask.Response:
    """Any exception as a problem document."""
    return problem_of(error).response()


def is_below(path: str) -> bool:
    """Whether a path is the API's."""
    return path == PREFIX or path.startswith(PREFIX + "/")


def _operations(facts: ApiFacts, receivers: Receivers) -> list[Operation]:
    nouns: list[_Noun] = [
        ResourcesApi(facts),
        EventTypesApi(),
        EventsApi(facts),
        SnapshotApi(facts),
        SubscriptionsApi(facts, receivers),
        SubscriptionActionsApi(facts, receivers),
        DeliveriesApi(facts),
        SyncApi(facts),
    ]
    return [operation for noun in nouns for operation in noun.operations()]


def _view(operation: Operation, access: Access) -> Callable[..., flask.Response]:
    def view(**given: object) -> flask.Response:
        # Nothing of a stranger's request is read.
        if operation.scopes:
            given["token"] = access.admit(request, operation.scopes)
        query = read_query(request, operation.query)
        if operation.query is not None:
            given["query"] = query
        if operation.body is not None:
            given["body"] = read_body(request, operation.body)
        else:
            no_body(request)
        return operation.handler(**given)

    return view


def _openapi(operations: list[Operation]) -> Operation:
    @cache
    def document() -> dict[str, object]:
        # Made when somebody asks: it takes longer than everything else at the start.
        return document_of(operations)

    def handler() -> flask.Response:
        return answer(document())

    return Operation("GET", "/openapi.json", "openapi", "This document", handler, (), {200: None})
