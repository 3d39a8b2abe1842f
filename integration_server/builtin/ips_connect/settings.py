"""``[backends.NAME]``, ``[frontends.NAME]`` and ``[subscriptions.NAME]`` with ``type = "ips_connect"``."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from integration_server import (
    BackendSettings,
    ConsumerSettings,
    FilterSettings,
    FrontendSettings,
    MapSettings,
    Secret,
    Texts,
    parse_url,
)
from integration_server.builtin.ips_connect.keys import is_short

_LONGEST_URL = 2048
#: What is told of a key that ``is_short``.
SHORT_KEY = "{}: has fewer than 16 characters, so that users can find it out; take 32 random ones"

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


class GatewaySettings(FrontendSettings):
    """The gateway of a master, for slaves and for the browsers of their users.

    Callers show the master's key; no user name and password are needed beside it.
    """

    has_own_key: ClassVar[bool] = True

    type: Literal["ips_connect"]
    master_key: Secret | None = Field(
        default=None, description="what slaves must know; made at the first start and kept in the store when left out"
    )
    public_url: str | None = Field(
        default=None, description="the URL of this mount for slaves and browsers; as they call it when left out"
    )
    home_url: str | None = Field(default=None, description="where a browser is led that has no way back")
    known_hosts: Texts = Field(
        default=(), description="hosts beside those of slaves to which browsers may be sent back"
    )
    slave_networks: Texts = Field(
        default=(),
        description="networks or addresses from which accounts may be changed, beside those of registered slaves;"
        " slaves with private addresses in them are told of changes",
    )
    fake_salts: bool = Field(
        default=False, description="answer fetchSalt for people who are not there, too, so that it tells nobody who is"
    )
    salts_per_minute: int = Field(
        default=600,
        ge=0,
        description="salts that one address is told in each process, at most; slaves ten times as many; 0 = no limit",
    )
    propagate: Texts = Field(
        default=(),
        description="other backends, with a sync table, whose people have accounts here and are told to all slaves",
    )
    propagate_names: Literal["username", "full_name"] = Field(
        default="username",
        description="what their display names are made of; of a user name that is an address, what stands before the @",
    )
    propagate_deletions: Literal["ban", "delete"] = Field(
        default="ban", description="what becomes of the account of somebody who is gone there"
    )
    link_accounts: bool = Field(
        default=True,
        description="somebody whose address an account has already gets that account, and it stays as it is",
    )
    learn_passwords: bool = Field(
        default=False,
        description="accounts of these people get the password with which they log in at any frontend of this server",
    )
    session_days: float = Field(default=30.0, gt=0, le=400, description="how long a browser stays logged in here")

    def risks(self) -> Sequence[str]:
        if self.master_key is None or not is_short(self.master_key.get_secret_value()):
            return ()
        return [SHORT_KEY.format("master_key")]

    @field_validator("slave_networks")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            try:
                ipaddress.ip_network(text, strict=False)
            except ValueError:
                raise ValueError(f"{text!r} is no address or network, such as 192.0.2.7 or 10.1.0.0/16") from None
        return value

    @field_validator("filter")
    @classmethod
    def _is_none(cls, value: FilterSettings) -> FilterSettings:
        if value != FilterSettings():
            raise ValueError("slaves have all accounts; a filter of a gateway has no effect")
        return value


class SlaveSettings(ConsumerSettings):
    """A slave, which is told of every change of the accounts."""

    type: Literal["ips_connect"]
    backend: str = Field(description="the accounts whose changes it is told of")
    events: Texts = Field(
        default=("ips_connect.*",), description='the changes that it is told of, such as "ips_connect.register"'
    )
    url: str = Field(description="its gateway")
    key: Secret = Field(description="its own key, with which it is called")
    accept_empty: bool = Field(default=False, description="an empty answer with status 200 is a success")
    allow_networks: Texts = Field(default=(), description="private networks or addresses to which its name may lead")
    ca_file: str | None = Field(default=None, description="PEM file of the authority that signed its certificate")
    timeout_seconds: float = Field(default=10.0, gt=0, le=120, description="time limit for one try, all in all")

    @field_validator("url")
    @classmethod
    def _callable(cls, value: str) -> str:
        if len(value) > _LONGEST_URL:
            raise ValueError(f"a URL has at most {_LONGEST_URL} characters")
        parse_url(value)
        return value

    @field_validator("events")
    @classmethod
    def _own(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in value:
            if pattern.partition(".")[0] != "ips_connect":
                raise ValueError('slaves are told of "ips_connect.*", or of some of these, and of nothing else')
        return value

    @field_validator("group")
    @classmethod
    def _of_all(cls, value: str | None) -> None:
        if value is not None:
            raise ValueError("a slave is told of all accounts; leave it out")

    @field_validator("batch_size")
    @classmethod
    def _single(cls, value: int) -> int:
        if value != 1:
            raise ValueError("a slave takes one change at a time; leave it out")
        return value

    @field_validator("coalesce")
    @classmethod
    def _each(cls, value: bool) -> bool:
        if value:
            raise ValueError("a slave is told of each change; leave it out")
        return value

    @field_validator("allow_networks")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ipaddress.ip_network(network, strict=False)
        return value


class PeopleSettings(ConsumerSettings):
    """The accounts themselves, which follow the people of another backend. Asked for by ``propagate`` of a frontend."""

    type: Literal["ips_connect_people"]
    events: Texts = Field(default=("user.*",), description="leave it as it is")
    accounts: str = Field(description="the backend whose accounts follow the people")
    sources: Texts = Field(description="all backends whose people these accounts follow")
    names: Literal["username", "full_name"] = Field(default="username", description="as propagate_names of a frontend")
    deletions: Literal["ban", "delete"] = Field(default="ban", description="as propagate_deletions of a frontend")
    link_accounts: bool = Field(default=True, description="as link_accounts of a frontend")
