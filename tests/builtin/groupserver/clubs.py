"""A backend in memory whose groups and people can be written, and broken in every way."""

from __future__ import annotations

import threading
import time
from typing import ClassVar

from integration_server import (
    AccountWriter,
    Backend,
    BackendSettings,
    Deadline,
    Entry,
    Group,
    GroupReader,
    MapSettings,
    MembershipWriter,
    NewAccount,
    Texts,
    UnknownGroup,
    hookimpl,
)
from tests.directory.memory import COLUMNS, ListOnlyBackend, MemoryBackend, MemorySettings, People

_LOCK = threading.Lock()


class ClubSettings(MemorySettings):
    groups: Texts = ()


class ClubBackend(MemoryBackend, GroupReader, MembershipWriter, AccountWriter):
    """Groups are a list in column ``ou``; those of ``groups`` are all there are."""

    type: ClassVar[str] = "club"
    Settings = ClubSettings
    default_map = MapSettings.model_validate(
        {
            "id": "no",
            "username": "login",
            "full_name": "cn",
            "emails": "mail",
            "unverified_emails": "off",
            "groups": "ou",
        }
    )

    def __init__(self, settings: BackendSettings, context: object) -> None:
        assert isinstance(settings, ClubSettings)
        super().__init__(settings, context)  # type: ignore[arg-type]
        self._groups = settings.groups

    def groups(self, deadline: Deadline) -> tuple[Group, ...] | None:
        self.people.reach("groups", None, deadline)
        return tuple(Group(name, f"The {name}") for name in self._groups) or None

    def add_member(self, entry: Entry, group_id: str, deadline: Deadline) -> bool:
        self.people.reach("add_member", group_id, deadline)
        return self._change(entry.handle, group_id, is_in=True)

    def remove_member(self, entry: Entry, group_id: str, deadline: Deadline) -> bool:
        self.people.reach("remove_member", group_id, deadline)
        return self._change(entry.handle, group_id, is_in=False)

    def _change(self, number: object, group: str, *, is_in: bool) -> bool:
        if self.people.refusal is not None:
            raise self.people.refusal
        if self._groups and group not in self._groups:
            raise UnknownGroup(f"there is no group {group!r}")
        with _LOCK:
            i, row = _row(self.people, number)
            groups = list(row["ou"] or ())  # type: ignore[call-overload]
            if (group in groups) == is_in:
                return False
            row["ou"] = [*groups, group] if is_in else [one for one in groups if one != group]
            self.people.rows[i] = tuple(row[name] for name in COLUMNS)
            return True

    def create_account(self, account: NewAccount, deadline: Deadline) -> str:
        self.people.reach("create_account", account.email, deadline)
        # Whoever looked a moment ago would find nobody.
        time.sleep(0.02)
        with _LOCK:
            login = f"{account.email.partition('@')[0]}{len(self.people.rows)}"
            return str(self.people.add(login, cn=account.full_name, mail=[account.email], ou=[]))

    def confirm_email(self, entry: Entry, address: str, deadline: Deadline) -> None:
        self.people.reach("confirm_email", address, deadline)
        with _LOCK:
            i, row = _row(self.people, entry.handle)
            row["off"] = [one for one in row["off"] or () if one != address]  # type: ignore[attr-defined]
            row["mail"] = [*(row["mail"] or ()), address]  # type: ignore[misc]
            self.people.rows[i] = tuple(row[name] for name in COLUMNS)


def _row(people: People, number: object) -> tuple[int, dict[str, object]]:
    for i, values in enumerate(people.rows):
        row = dict(zip(COLUMNS, values, strict=True))
        if row["no"] == number:
            return i, row
    raise AssertionError(number)


@hookimpl
def register_backends() -> list[type[Backend]]:
    return [ClubBackend, ListOnlyBackend]
