"""``[subscriptions.NAME]`` with ``type = "webhook"``, and the same keys over the API."""

from __future__ import annotations

import ipaddress
from typing import Literal

from pydantic import Field, SecretStr, field_serializer, field_validator

from integration_server import ConsumerSettings, Secret, Texts, check_header, masked_url, parse_url
from integration_server.builtin.webhook.signatures import check_secret

_MOST_HEADERS = 32
_LONGEST_HEADERS = 8_000
_LONGEST_URL = 8_000
#: Written by us with every delivery; ``webhook-`` and ``proxy-`` as beginnings of a name.
_RESERVED = frozenset({"content-type", "content-encoding", "x-hook-secret"})
_RESERVED_BEGINNINGS = ("webhook-", "proxy-")


class WebhookSettings(ConsumerSettings):
    """A receiver that takes events by HTTP POST."""

    type: Literal["webhook"]
    url: Secret = Field(description="where to send to; a key in its query is masked wherever it is shown")
    headers: dict[str, Secret] = Field(default={}, description="sent along, such as an Authorization that it wants")
    secret: Secret | None = Field(
        default=None, description="signs what is sent: whsec_ and Base64 of 24 to 64 bytes; made when left out"
    )
    allow_networks: Texts = Field(
        default=(), description="private networks or addresses to which this receiver's name may lead"
    )
    ca_file: str | None = Field(default=None, description="PEM file of the authority that signed its certificate")

    @field_validator("url")
    @classmethod
    def _readable(cls, value: SecretStr) -> SecretStr:
        if len(value.get_secret_value()) > _LONGEST_URL:
            raise ValueError(f"a URL has at most {_LONGEST_URL} characters")
        parse_url(value.get_secret_value())
        return value

    @field_serializer("url", when_used="json")
    def _shown(self, value: SecretStr) -> str:
        return masked_url(value.get_secret_value())

    @field_validator("headers")
    @classmethod
    def _sendable(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        seen: set[str] = set()
        for name, content in value.items():
            check_header(name, content.get_secret_value())
            key = name.lower()
            if key in _RESERVED or key.startswith(_RESERVED_BEGINNINGS):
                raise ValueError(f"the header {name} is written by the server itself")
            if key in seen:
                raise ValueError(f"the header {name} is given twice")
            seen.add(key)
        if len(seen) > _MOST_HEADERS:
            raise ValueError(f"at most {_MOST_HEADERS} headers can be sent along")
        if sum(len(name) + len(content) for name, content in value.items()) > _LONGEST_HEADERS:
            raise ValueError(f"the headers have more than {_LONGEST_HEADERS} characters")
        return value

    @field_validator("secret")
    @classmethod
    def _usable(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            check_secret(value.get_secret_value())
        return value

    @field_validator("allow_networks")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ipaddress.ip_network(network, strict=False)
        return value
