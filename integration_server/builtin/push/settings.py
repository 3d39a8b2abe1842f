"""``[frontends.NAME]`` with ``type = "push"``."""

from __future__ import annotations

import ipaddress
import math
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from integration_server import FrontendSettings, Secret, Texts, parse_url
from integration_server.builtin.push.connection import Manners
from integration_server.builtin.push.office import Rules
from integration_server.builtin.push.registrations import Lifetimes


class PushSettings(FrontendSettings):
    """A push server. Its clients show ids that only they know; no user name and password are needed beside them."""

    has_own_key: ClassVar[bool] = True

    needs_backends: ClassVar[bool] = False

    type: Literal["push"]
    backends: Texts = Field(
        default=(), description="names of backends to whose changes channels can be bound; none are needed"
    )
    public_url: str | None = Field(
        default=None,
        description="the URL of this mount for app servers; as clients call it when left out; websocket_port needs it",
    )
    websocket_host: str = Field(default="127.0.0.1", description="address on which WebSocket clients are served")
    websocket_port: int | None = Field(
        default=None, ge=0, le=65535, description="TCP port for WebSocket clients, who are served where it is set"
    )
    websocket_clients: int = Field(default=12_000, ge=1, description="connections of WebSocket clients, at most")
    hello_seconds: float = Field(default=30.0, gt=0, le=3600, description="time within which a client must say hello")
    resend_seconds: float = Field(
        default=60.0, gt=0, le=86400, description="what a connected client has not acknowledged for so long comes again"
    )
    silence_seconds: float = Field(
        default=2400.0, gt=0, le=86400, description="a client from which nothing came for so long is asked for a pong"
    )
    pong_seconds: float = Field(default=30.0, gt=0, le=600, description="time within which that must come")
    puts_per_minute: int = Field(
        default=240, ge=0, description="versions that one endpoint takes in each process, at most; 0 = no limit"
    )
    channels_per_agent: int = Field(default=200, ge=1, le=10_000, description="channels of one user agent, at most")
    user_agents: int = Field(default=100_000, ge=1, description="user agents that are kept, at most")
    updated_hours: float = Field(
        default=72.0, gt=0, description="how long a channel is kept that has a version, and that nobody uses"
    )
    registered_hours: float = Field(default=3.0, gt=0, description="how long one is kept that never had a version")
    removed_hours: float = Field(
        default=24.0, gt=0, description="how long app servers are told that a channel was unregistered"
    )
    kick: Literal["none", "udp", "http", "plugin"] = Field(
        default="none", description="how user agents are woken that are not connected when something comes for them"
    )
    kick_url: Secret | None = Field(
        default=None,
        description="with http: where a POST wakes them all; left out, each user agent names a URL in its kick data",
    )
    kick_format: Literal["form", "json"] = Field(default="form", description="with http: how kick data are sent")
    kick_allow_networks: Texts = Field(
        default=(), description="private networks or addresses in which user agents may be woken"
    )
    kick_seconds: float = Field(
        default=5.0, ge=1, le=3600, description="a user agent is woken no more often than once in this time"
    )
    idle_seconds: float | None = Field(
        default=None, ge=1, description="WebSocket clients that can be woken are closed when idle for so long"
    )
    upstream: str | None = Field(
        default=None, description="the URL of another push server, whose relay this one is: versions come from there"
    )
    upstream_username: str | None = Field(default=None, description="HTTP Basic user name that it wants to see")
    upstream_password: Secret | None = Field(default=None, description="its password")
    upstream_ca_file: str | None = Field(
        default=None, description="PEM file with the only authorities that are trusted for its certificate"
    )
    upstream_wait_seconds: int = Field(
        default=25, ge=1, le=60, description="how long it is asked to wait for something new"
    )
    in_flight_seconds: float = Field(
        default=10.0, ge=0, le=3600, description="how long app servers wait for the ACK of an UPDATE, at most"
    )

    @property
    def rules(self) -> Rules:
        """What holds for the post office."""
        hour = 3600.0
        lifetimes = Lifetimes(self.updated_hours * hour, self.registered_hours * hour, self.removed_hours * hour)
        return Rules(lifetimes, self.channels_per_agent, self.user_agents, self.in_flight_seconds)

    @property
    def upstream_login(self) -> tuple[str, str] | None:
        """User name and password for the upstream server."""
        if self.upstream_username is None or self.upstream_password is None:
            return None
        return self.upstream_username, self.upstream_password.get_secret_value()

    @property
    def manners(self) -> Manners:
        """What is expected of WebSocket clients."""
        idle_seconds = math.inf if self.idle_seconds is None else self.idle_seconds
        return Manners(self.hello_seconds, self.silence_seconds, self.pong_seconds, idle_seconds)

    @field_validator("kick_allow_networks")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ipaddress.ip_network(network, strict=False)
        return value

    @field_validator("kick_url")
    @classmethod
    def _is_kick_url(cls, value: Secret | None) -> Secret | None:
        if value is not None:
            parse_url(value.get_secret_value())
        return value

    @model_validator(mode="after")
    def _has_what_a_relay_needs(self) -> Self:
        if (self.upstream_username is None) != (self.upstream_password is None):
            raise ValueError("upstream_username and upstream_password go together")
        if self.upstream is None and (self.upstream_username or self.upstream_ca_file):
            raise ValueError("upstream: must be set, too")
        return self

    @model_validator(mode="after")
    def _has_what_kicks_need(self) -> Self:
        if self.kick_url is not None and self.kick != "http":
            raise ValueError('kick_url: goes with kick = "http"')
        if self.idle_seconds is not None and self.kick == "none":
            raise ValueError("idle_seconds: needs kick, or who was closed would hear of nothing any more")
        return self

    @field_validator("upstream_ca_file")
    @classmethod
    def _resolved(cls, value: str | None, info: ValidationInfo) -> str | None:
        base_dir = (info.context or {}).get("base_dir", Path())
        return None if value is None else str((base_dir / value).resolve())

    @field_validator("public_url", "upstream")
    @classmethod
    def _is_url(cls, value: str | None) -> str | None:
        if value is not None:
            parse_url(value)
        return value

    @model_validator(mode="after")
    def _has_what_websockets_need(self) -> Self:
        if self.websocket_port is not None:
            if self.public_url is None and self.upstream is None:
                raise ValueError("websocket_port: public_url must be set, too; endpoints of WebSocket clients begin so")
            if self.username is not None:
                raise ValueError("websocket_port: clients show no user name there; leave one of the two out")
        return self
