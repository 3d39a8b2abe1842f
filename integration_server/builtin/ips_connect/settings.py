"""``[backends.NAME]``, ``[frontends.NAME]`` and ``[subscriptions.NAME]`` with ``type = "ips_connect"``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from integration_server import BackendSettings, ConsumerSettings, FrontendSettings, MapSettings, Secret, Texts

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
    """The gateway of a master, for slaves and for the browsers of their users."""

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


class SlaveSettings(ConsumerSettings):
    """A slave, which is told of every change of the accounts."""

    type: Literal["ips_connect"]
    backend: str = Field(description="the accounts whose changes it is told of")
    events: Texts = Field(default=("ips_connect.*",), description="its own kind of events; leave it as it is")
    url: str = Field(description="its gateway")
    key: Secret = Field(description="its own key, with which it is called")
    accept_empty: bool = Field(default=False, description="an empty answer with status 200 is a success")
    allow_networks: Texts = Field(default=(), description="private networks or addresses to which its name may lead")
    ca_file: str | None = Field(default=None, description="PEM file of the authority that signed its certificate")
    timeout_seconds: float = Field(default=10.0, gt=0, le=120, description="time limit for one try, all in all")


class PeopleSettings(ConsumerSettings):
    """The accounts themselves, which follow the people of another backend. Asked for by ``propagate`` of a frontend."""

    type: Literal["ips_connect_people"]
    events: Texts = Field(default=("user.*",), description="leave it as it is")
    accounts: str = Field(description="the backend whose accounts follow the people")
    sources: Texts = Field(description="all backends whose people these accounts follow")
    names: Literal["username", "full_name"] = Field(default="username", description="as propagate_names of a frontend")
    deletions: Literal["ban", "delete"] = Field(default="ban", description="as propagate_deletions of a frontend")
    link_accounts: bool = Field(default=True, description="as link_accounts of a frontend")
