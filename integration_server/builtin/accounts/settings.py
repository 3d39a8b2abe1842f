"""``[backends.NAME]`` with ``type = "accounts"``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

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
