"""``[backends.NAME]`` with ``type = "accounts"``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from integration_server import BackendSettings, MapSettings, Settings

DEFAULT_MAP = MapSettings.model_validate(
    {
        "id": "id",
        "username": "email",
        "full_name": "full_name",
        "emails": "email",
        "biography": "biography",
        "tz": "tz",
    }
)


class AccountGroup(Settings):
    """``[backends.NAME.groups.ID]``: a group that is there because the configuration says so."""

    title: str | None = Field(default=None, description="its name for people to read")
    url: str | None = Field(default=None, description="its web page")
    email: str | None = Field(default=None, description="its address")
    type: str | None = Field(default=None, description="what kind of group it is")
    privacy: str | None = Field(default=None, description="who may see it")


class AccountsSettings(BackendSettings):
    """People whom callers made, kept in this server's store."""

    type: Literal["accounts"]
    groups: dict[str, AccountGroup] = Field(default={}, description="groups, by id; their members are kept, too")
    keep_memberships: Literal[True] = Field(
        default=True, description="always: there is no directory that they could be written to"
    )

    @field_validator("map")
    @classmethod
    def _finds_who_was_made(cls, value: MapSettings) -> MapSettings:
        """Who is made is looked for by both at once."""
        for field, column in (("id", "id"), ("emails", "email")):
            rule = getattr(value, field)
            if rule is not None and rule.sources != (column,):
                raise ValueError(f"{field} is {column!r} here, for people who are made are looked for by it")
        return value

    @field_validator("groups")
    @classmethod
    def _are_ids(cls, value: dict[str, AccountGroup]) -> dict[str, AccountGroup]:
        if any(not id.strip() or "\0" in id for id in value):
            raise ValueError("a group needs an id of characters that can be kept")
        return value
