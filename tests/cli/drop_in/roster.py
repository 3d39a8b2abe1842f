"""A backend on a JSON file of people, for the tests of the command line. Without the file it cannot be asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from integration_server import (
    AmbiguousEntry,
    Authenticator,
    Backend,
    BackendContext,
    BackendSettings,
    BackendUnavailable,
    Batch,
    Deadline,
    Entry,
    Finding,
    IncompleteListing,
    Lookup,
    MapSettings,
    Verdict,
    hookimpl,
    normalize_name,
)

NAMES = ("no", "login", "name", "mail", "groups", "off")


class RosterSettings(BackendSettings):
    file: str
    breaks_after: int | None = None


class RosterBackend(Backend, Authenticator):
    type = "roster"
    Settings = RosterSettings
    default_map = MapSettings.model_validate(
        {
            "id": "no",
            "username": "login",
            "full_name": "name",
            "emails": "mail",
            "groups": "groups",
            "is_disabled": "off",
        }
    )

    def __init__(self, settings: BackendSettings, context: BackendContext) -> None:
        assert isinstance(settings, RosterSettings)
        self._path = context.path(settings.file)
        self._breaks_after = settings.breaks_after

    def _people(self, deadline: Deadline) -> list[dict[str, Any]]:
        deadline.remaining()
        try:
            people: list[dict[str, Any]] = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError as exc:
            raise BackendUnavailable("the roster is missing") from exc
        return people

    def users(self, deadline: Deadline) -> Iterator[Batch]:
        for number, person in enumerate(self._people(deadline)):
            if number == self._breaks_after:
                raise IncompleteListing("the roster ends in the middle")
            yield Batch(NAMES, [[person.get(name) for name in NAMES]])

    def find(self, lookup: Lookup, deadline: Deadline) -> Entry | None:
        wanted = normalize_name(lookup.value)
        found = [p for p in self._people(deadline) if normalize_name(str(p.get(lookup.attribute))) == wanted]
        if len(found) > 1:
            raise AmbiguousEntry("two people answer to this name")
        if not found:
            return None
        return Entry({name: found[0].get(name) for name in NAMES}, found[0].get("password"))

    def verify(self, entry: Entry, password: str, deadline: Deadline) -> Verdict:
        deadline.remaining()
        return Verdict.ACCEPTED if entry.handle == password else Verdict.REJECTED

    def verify_nobody(self, password: str, deadline: Deadline) -> None:
        deadline.remaining()

    def check(self, deadline: Deadline) -> Iterator[Finding]:
        yield Finding("ok", f"{len(self._people(deadline))} people")

    def close(self) -> None:
        return


@hookimpl
def register_backends() -> list[type[Backend]]:
    return [RosterBackend]
