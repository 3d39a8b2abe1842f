"""The forms about subscriptions: what browsers send, as the models of the API, which say what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from flask import request

from integration_server.sdk.events import EVENT_TYPES
from integration_server.sdk.urls import MASK, masked_url, parse_url
from integration_server.store.resources import Resource
from integration_server.store.subscriptions import Subscription
from integration_server.web.api.model import parse_body
from integration_server.web.api.problems import Problem
from integration_server.web.api.subscription_actions import Replay
from integration_server.web.api.subscription_models import NewSubscription, SubscriptionPatch

#: What can be chosen; others may have been chosen over the API.
EVENTS = {"*": "all of them", **{kind: kind for kind in EVENT_TYPES}}
_LONGEST = 200_000
_MOST_EVENTS = 100
#: As many as the API takes.
_MOST_HEADERS = 32
_WHOLE = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_DECIMAL = re.compile(r"-?[0-9]{1,18}\.[0-9]{1,18}", re.ASCII)
#: Fields by the first member of a JSON pointer.
_FIELDS = {"from": "serial", "": "form"}
#: For people who read no API.
_WORDS = {
    "uid-taken": ("uid", "There is a subscription with this name already."),
    "serial-pruned": ("serial", "Events from there on are no longer kept. Send everybody as they are now instead."),
    "serial-unknown": ("serial", "The journal has not come so far."),
    "intent-not-confirmed": ("verify_intent", None),
}


@dataclass(frozen=True, slots=True)
class Form:
    """A form about a subscription: what stands in its fields, and what is wrong with them by name; ``form`` is what is
    wrong with all of it."""

    values: Mapping[str, str]
    events: tuple[str, ...] = ("*",)
    faults: Mapping[str, str] = field(default_factory=dict)

    def at_fault(self, faults: Mapping[str, str]) -> Form:
        return replace(self, faults=faults)

    def offered(self) -> list[tuple[str, str]]:
        """The types of events that can be chosen, and whatever is, each with its words."""
        return [*EVENTS.items(), *((kind, kind) for kind in self.events if kind not in EVENTS)]

    def backends(self, known: Iterable[str]) -> list[tuple[str, str]]:
        """Whose changes can be chosen."""
        return [("", "everybody's"), *((name, f"those of backend {name}") for name in known)]


_EMPTY = {"uid": "", "type": "", "url": "", "headers": "", "backend": "", "group": ""}
_NUMBERS = {"batch_size": "1", "rate_per_second": ""}
_NEW = {**_EMPTY, **_NUMBERS, "start": "now", "serial": "", "coalesce": "", "verify_intent": ""}


def new_form() -> Form:
    """With nothing in it."""
    return Form(_NEW)


def form_of(one: Subscription) -> Form:
    """With what is stored, keys masked."""
    url, headers = one.settings.get("url"), one.settings.get("headers")
    values = {
        **_NEW,
        "uid": one.uid or "",
        "type": one.type,
        "url": masked_url(url) if isinstance(url, str) else "",
        "headers": "\n".join(f"{name}: {MASK}" for name in headers) if isinstance(headers, Mapping) else "",
        "backend": one.resource.backend or "",
        "group": one.resource.group or "",
        "batch_size": str(one.batch_size),
        "rate_per_second": f"{one.rate_per_second:g}" if one.rate_per_second is not None else "",
        "coalesce": "yes" if one.is_coalescing else "",
    }
    return Form(values, one.events)


def sent_form() -> Form:
    """As the request has it."""
    given = {name: request.form.get(name, "")[:_LONGEST].replace("\r\n", "\n") for name in _NEW}
    # There are fewer types of events, so what is left out matters no more than what is not.
    events = tuple(dict.fromkeys(request.form.getlist("events")))[:_MOST_EVENTS]
    return Form(given, events)


def new_subscription(form: Form) -> NewSubscription:
    """Raises Problem."""
    values = form.values
    body = {
        **_common(form),
        "type": values["type"],
        "url": values["url"].strip(),
        "headers": _headers(values["headers"]),
    }
    body["verify_intent"] = bool(values["verify_intent"])
    body["resource"] = resource(form).as_json()
    if not body["uid"]:
        raise Faults({"uid": "Give it a name, by which it is found again."})
    if values["start"] == "everybody":
        body["from"] = "snapshot"
    elif values["start"] == "serial":
        body["from"] = _number(values["serial"])
        if not isinstance(body["from"], int):
            raise Faults({"serial": "Must be a whole number: the serial of the last event that it shall not be sent."})
    return parse_body(orjson.dumps(body), NewSubscription)


def changes(form: Form, one: Subscription, has_address: bool) -> SubscriptionPatch:
    """What the form says that is not so yet; ``has_address``: address and headers are in the form. Raises Problem."""
    before = form_of(one)
    body = _common(form)
    if form.events == before.events:
        del body["events"]
    if resource(form) != one.resource:
        body["resource"] = resource(form).as_json()
    if has_address:
        body |= _changed_address(form, before)
    return parse_body(orjson.dumps(body), SubscriptionPatch)


def _changed_address(form: Form, before: Form) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if form.values["url"].strip() != before.values["url"]:
        found["url"] = form.values["url"].strip()
    headers = _headers(form.values["headers"])
    if headers != _headers(before.values["headers"]):
        found["headers"] = headers
    if "url" in found and MASK in headers.values() and _origin(found["url"]) != _origin(before.values["url"]):
        # Or whoever sits at a signed-in browser has them sent to a machine of theirs.
        raise Faults({"headers": "The address is another machine's now: write the values of the headers anew."})
    return found


def _origin(url: str) -> str:
    """Where it is sent, as far as the address says."""
    try:
        return parse_url(url).origin
    except ValueError:
        return ""


def _common(form: Form) -> dict[str, Any]:
    values = form.values
    return {
        "uid": values["uid"].strip() or None,
        "events": list(form.events),
        "batch_size": _number(values["batch_size"]),
        "rate_per_second": _number(values["rate_per_second"]),
        "coalesce": bool(values["coalesce"]),
    }


def resource(form: Form) -> Resource:
    """Whose changes. Raises Problem."""
    backend, group = form.values["backend"] or None, form.values["group"].strip() or None
    if group is not None and backend is None:
        raise Faults({"group": "Choose the backend whose group it is."})
    if group is not None:
        return Resource("group", backend, group)
    return Resource("backend", backend) if backend is not None else Resource()


def replay(kind: str, serial: str, since: str) -> Replay:
    """What is to be sent again. ``since`` is a date and time in UTC as browsers give it. Raises Problem."""
    if kind == "everybody":
        body: dict[str, Any] = {"snapshot": True}
    elif kind == "since":
        # Browsers leave out the seconds where they are zero.
        text = since.strip().replace(" ", "T")
        body = {"since": f"{text}:00Z" if text.count(":") == 1 else f"{text.removesuffix('Z')}Z"}
    elif kind == "serial":
        body = {"from": _number(serial)}
    else:
        raise Faults({"replay": "Choose what is to be sent again."})
    try:
        return parse_body(orjson.dumps(body), Replay)
    except Problem:
        told = (
            "Write a whole number." if kind == "serial" else "Write a date and time, such as 2026-01-31T08:00, in UTC."
        )
        raise Faults({"replay": told}) from None


def _number(text: str) -> int | float | str | None:
    """A number as JSON has it; text that is none stays, so that it is refused in words."""
    text = text.strip()
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _DECIMAL.fullmatch(text) else text or None


def _headers(text: str) -> dict[str, str]:
    """``Name: value``, one a line. Raises Problem."""
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) > _MOST_HEADERS:
        raise Faults({"headers": f"No more than {_MOST_HEADERS} headers can be sent."})
    found: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise Faults({"headers": "Write one header a line, such as Authorization: Bearer 123."})
        if name.strip().lower() in map(str.lower, found):
            raise Faults({"headers": f"The header {name.strip()} is given twice."})
        found[name.strip()] = value.strip()
    return found


class Faults(Problem):
    """What is wrong with fields of a form, by name."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        super().__init__(422, "; ".join(faults.values()))
        self.faults = faults


def faults_of(problem: Problem) -> dict[str, str]:
    """What is wrong, by field of the form."""
    if isinstance(problem, Faults):
        return dict(problem.faults)
    if problem.kind in _WORDS:
        name, words = _WORDS[problem.kind]
        return {name: words or sentence(problem.detail)}
    found: dict[str, str] = {}
    for error in _errors(problem.members.get("errors")):
        first, *rest = str(error.get("pointer", "")).strip("/").split("/")
        name = rest[0] if first == "resource" and rest else _FIELDS.get(first, first)
        found.setdefault(name, sentence(str(error.get("detail", ""))))
    return found or {"form": sentence(problem.detail)}


def _errors(given: object) -> Iterable[Mapping[str, object]]:
    return [error for error in given if isinstance(error, Mapping)] if isinstance(given, list) else []


def sentence(text: str) -> str:
    """With a capital letter, but for an address, and a full stop."""
    first = text[:1] if text.startswith(("http://", "https://")) else text[:1].upper()
    return first + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
