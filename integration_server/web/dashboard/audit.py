"""The audit log: what was done, by whom."""

from __future__ import annotations

import json
from collections.abc import Mapping

import flask

from integration_server.web.dashboard import asked
from integration_server.web.dashboard.facts import DashboardFacts
from integration_server.web.dashboard.rendering import Rendering
from integration_server.web.dashboard.route import Route, Visit

PATH = "/security/audit"
_PAGE = 50
#: So many entries are looked through for a page, however few of them are meant.
_SPAN = 50_000
_LONGEST = 300
_MOST_DETAILS = 30


class AuditPage:
    """The latest first, by action and actor."""

    def __init__(self, facts: DashboardFacts, rendering: Rendering) -> None:
        self._log = facts.store.audit_log
        self._rendering = rendering

    def routes(self) -> list[Route]:
        return [Route("GET", PATH, "audit", self.page)]

    def page(self, visit: Visit) -> flask.Response:
        before = asked.number("before")
        action, actor = asked.search("action"), asked.search("actor")
        top = before if before is not None else self._log.last_id() + 1
        found = self._log.page(top, _PAGE + 1, action, actor, after=max(0, top - 1 - _SPAN))
        entries = found[:_PAGE]
        # Where too few were found, there may be more beyond what was looked through.
        further = top - _SPAN if top - 1 > _SPAN else None
        return self._rendering.page(
            "audit.html",
            visit,
            entries=[(entry, readable(entry.details)) for entry in entries],
            action=action,
            actor=actor,
            more=entries[-1].id if len(found) > _PAGE else further,
            is_cut=len(found) <= _PAGE and further is not None,
        )


def readable(details: Mapping[str, object]) -> list[tuple[str, str]]:
    """Keys and values for people, none of them long."""
    return [(key.replace("_", " "), _value(value)) for key, value in list(details.items())[:_MOST_DETAILS]]


def _value(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
