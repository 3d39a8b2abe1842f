"""``[backends.NAME]`` with ``type = "ips_connect"``."""

from __future__ import annotations

from typing import Literal

from integration_server import BackendSettings, MapSettings

DEFAULT_MAP = MapSettings.model_validate(
    {
        "id": "id",
        # As in a forum, whose database does not tell cases apart.
        "username": {"from": "name", "ignore_case": True},
        "full_name": ["full_name", "name"],
        "emails": "email",
        "is_disabled": "is_disabled",
    }
)


class IpsConnectSettings(BackendSettings):
    """The accounts of a network of forums that speak IPS Connect, kept in this server's store."""

    type: Literal["ips_connect"]
