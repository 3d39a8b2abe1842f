"""``[frontends.NAME]`` with ``type = "push"``."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from integration_server import FrontendSettings, parse_url
from integration_server.builtin.push.office import Rules
from integration_server.builtin.push.registrations import Lifetimes


class PushSettings(FrontendSettings):
    """A push server. Its clients show ids that only they know; no user name and password are needed beside them."""

    has_own_key: ClassVar[bool] = True

    type: Literal["push"]
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
    in_flight_seconds: float = Field(
        default=10.0, ge=0, le=3600, description="how long app servers wait for the ACK of an UPDATE, at most"
    )

    @property
    def rules(self) -> Rules:
        """What holds for the post office."""
        hour = 3600.0
        lifetimes = Lifetimes(self.updated_hours * hour, self.registered_hours * hour, self.removed_hours * hour)
        return Rules(lifetimes, self.channels_per_agent, self.user_agents, self.in_flight_seconds)

    @field_validator("public_url")
    @classmethod
    def _is_url(cls, value: str | None) -> str | None:
        if value is not None:
            parse_url(value)
        return value

    @model_validator(mode="after")
    def _has_what_websockets_need(self) -> Self:
        if self.websocket_port is not None:
            if self.public_url is None:
                raise ValueError("websocket_port: public_url must be set, too; endpoints of WebSocket clients begin so")
            if self.username is not None:
                raise ValueError("websocket_port: clients show no user name there; leave one of the two out")
        return self
