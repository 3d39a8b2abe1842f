"""``[frontends.NAME]`` with ``type = "groupserver"``."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from integration_server import TokenSettings


class GroupServerSettings(TokenSettings):
    """The web hooks of one GroupServer site.

    Callers show a token (``integration-server token rotate``); no user name and password are needed beside it.
    """

    type: Literal["groupserver"]
    site_url: str = Field(description="what links to people and groups begin with, such as https://groups.example.org")
    mail_host: str = Field(
        default="", description="what follows the @ in addresses of groups that have none; the host of site_url"
    )
    group_type: str = Field(default="Discussion group", description="the type of groups that have none")
    privacy: Literal["public", "private", "site", "secret", "odd"] = Field(
        default="private", description="the privacy of groups that have none"
    )
    profile_lists: bool = Field(
        default=False, description="give id and name of a profile as lists of one text, as GroupServer itself does"
    )
    write_to: str | None = Field(
        default=None, description="the backend that gets new people; that of the group where not set"
    )

    @model_validator(mode="after")
    def _writes_to_own_backend(self) -> GroupServerSettings:
        if self.write_to is not None and self.write_to not in self.backends:
            raise ValueError(f"write_to: {self.write_to!r} is not among its backends: {', '.join(self.backends)}")
        return self

    @field_validator("site_url")
    @classmethod
    def _is_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("is a URL such as https://groups.example.org, without query")
        return value
