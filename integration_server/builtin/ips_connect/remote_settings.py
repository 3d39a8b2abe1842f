"""``[backends.NAME]`` with ``type = "ips_connect_remote"``, and ``[frontends.NAME]`` with ``type =
"ips_connect_slave"``."""

from __future__ import annotations

import ipaddress
from typing import ClassVar, Literal

from pydantic import Field, SecretStr, field_validator

from integration_server import BackendSettings, FrontendSettings, Secret, Texts, parse_url

#: Characters. Real masters cut longer ones; and what users see of the key must not tell it to whoever tries some.
_KEY_LENGTHS = range(16, 33)


class RemoteSettings(BackendSettings):
    """The accounts of another server that is the master of a network of forums; this server is one of its slaves."""

    type: Literal["ips_connect_remote"]
    url: str = Field(description="the master's gateway")
    master_key: Secret = Field(description="its key, as its administrator gave it to you")
    slave_url: str | None = Field(
        default=None,
        description='where the master reaches our mount of type "ips_connect_slave"; this server registers there with'
        " it",
    )
    slave_key: Secret | None = Field(
        default=None,
        description="the key with which the master calls us, 16 to 32 characters; made and kept in the store when left"
        " out",
    )
    ca_file: str | None = Field(default=None, description="PEM file of the authority that signed its certificate")
    allow_plain_http: bool = Field(
        default=False, description="send keys and hashes to another machine over unencrypted HTTP"
    )
    is_complete: bool = Field(
        default=False,
        description="every account of the master was imported, and it pushes all changes here: only then can they be"
        " listed",
    )

    @field_validator("url", "slave_url")
    @classmethod
    def _is_url(cls, value: str | None) -> str | None:
        if value is not None:
            parse_url(value)
        return value

    @field_validator("slave_key")
    @classmethod
    def _is_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) not in _KEY_LENGTHS:
            raise ValueError(f"must have {_KEY_LENGTHS[0]} to {_KEY_LENGTHS[-1]} characters; masters cut longer ones")
        return value


class SlaveGatewaySettings(FrontendSettings):
    """Where the master of a network pushes its changes to us, and leads browsers through."""

    #: Callers show a key; no user name and password are needed beside it.
    has_own_key: ClassVar[bool] = True

    type: Literal["ips_connect_slave"]
    is_active: bool = Field(
        default=True, description="false = answer that IPS Connect is off here; the master then forgets this server"
    )
    master_networks: Texts = Field(
        min_length=1,
        description="addresses or networks from which the master calls; users see enough of the key to call, too",
    )
    known_hosts: Texts = Field(
        default=(), description="hosts to which browsers may be sent back, beside that of the master's URL"
    )

    @field_validator("master_networks")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            try:
                ipaddress.ip_network(text, strict=False)
            except ValueError:
                raise ValueError(f"{text!r} is no address or network, such as 192.0.2.7 or 10.1.0.0/16") from None
        return value

    @field_validator("known_hosts")
    @classmethod
    def _are_hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """As they are compared."""
        for text in value:
            behind = text.partition("]")[2] if text.startswith("[") else text
            if any(mark in behind for mark in ":/?#"):
                raise ValueError(f"{text!r} is no host, such as forum.example.org")
        return tuple(parse_url(f"https://{text}/").host for text in value)
