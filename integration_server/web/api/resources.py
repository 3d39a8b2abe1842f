"""``/resources``: what one can subscribe to, as far as the token may see it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Literal

import flask
from pydantic import Field

from integration_server.store.groups import Groups
from integration_server.store.resources import Resource
from integration_server.store.tokens import Token
from integration_server.web.api.facts import ApiFacts
from integration_server.web.api.model import Cursor, CursorParameter, Limit, Line, Model, Query
from integration_server.web.api.operation import Operation, answer
from integration_server.web.api.paging import cursor_of, read_cursor

#: The groups are read again at most in this share of the time.
_SHARE = 0.1


class Everything(Model):
    """Every backend."""

    kind: Literal["all"]


class OneBackend(Model):
    """One backend."""

    kind: Literal["backend"]
    backend: Line


class OneGroup(Model):
    """One group of a backend: its memberships, and the people who are or were in it."""

    kind: Literal["group"]
    backend: Line
    group: Line


AnyResource = Annotated[Everything | OneBackend | OneGroup, Field(discriminator="kind")]


def resource_of(model: Everything | OneBackend | OneGroup) -> Resource:
    return Resource.from_json(model.model_dump())


class ListedResource(Model):
    """Something that one can subscribe to."""

    resource: AnyResource
    is_watched: bool = Field(description="false where no changes are noticed at present, so that no events come")


class ResourcePage(Model):
    """A page of resources."""

    resources: list[ListedResource]
    cursor: Cursor


class ResourceQuery(Query):
    """Which resources."""

    backend: Annotated[Line | None, Field(default=None, description="only those of this backend")]
    cursor: CursorParameter
    limit: Limit = 100


class GroupCatalogue:
    """The groups, read again when something changed, but never so often that reading them is what the server does."""

    def __init__(self, groups: Groups) -> None:
        self._groups = groups
        self._lock = threading.Lock()
        self._known: list[tuple[str, str]] = []
        self._stamp: tuple[int, int] | None = None
        self._read_after = 0.0

    def all(self) -> list[tuple[str, str]]:
        """Backend and name of each group, sorted."""
        with self._lock:
            began = time.monotonic()
            if began >= self._read_after and (stamp := self._groups.stamp()) != self._stamp:
                self._known = self._groups.all()
                self._stamp = stamp
                ended = time.monotonic()
                self._read_after = ended + (ended - began) / _SHARE
            return self._known


class ResourcesApi:
    """The noun."""

    def __init__(self, facts: ApiFacts) -> None:
        self._backends = facts.backends
        self._catalogue = GroupCatalogue(facts.store.groups)

    def operations(self) -> list[Operation]:
        return [
            Operation(
                "GET",
                "/resources",
                "listResources",
                "What one can subscribe to: everything, backends, groups",
                self.page,
                ("events:read", "subscriptions:write"),
                {200: ResourcePage},
                query=ResourceQuery,
                description="Groups come into being with their first member and are listed as long as they have one.",
            )
        ]

    def page(self, token: Token, query: ResourceQuery) -> flask.Response:
        after = read_cursor(query.cursor, "", "", "")
        visible = (
            (key, resource)
            for key, resource in self._in_order()
            if key > after and token.may_see(resource) and query.backend in (None, resource.backend)
        )
        found = list(islice(visible, query.limit + 1))
        shown = found[: query.limit]
        entries = [{"resource": resource.as_json(), "is_watched": self._is_watched(resource)} for _, resource in shown]
        cursor = cursor_of(*shown[-1][0]) if len(found) > len(shown) else None
        return answer({"resources": entries, "cursor": cursor})

    def _in_order(self) -> Iterator[tuple[tuple[str, ...], Resource]]:
        yield ("all", "", ""), Resource("all")
        for name in sorted(self._backends):
            yield ("backend", name, ""), Resource("backend", name)
        for name, group in self._catalogue.all():
            if name in self._backends:
                yield ("group", name, group), Resource("group", name, group)

    def _is_watched(self, resource: Resource) -> bool:
        if resource.backend is None:
            return any(backend.is_watched for backend in self._backends.values())
        return self._backends[resource.backend].is_watched
