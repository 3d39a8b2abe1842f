"""The keys of an ``[backends.NAME]`` table of ``type = "ldap"``."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import Literal
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import Field, field_validator

from integration_server import BackendSettings, Secret, Settings, Texts

#: RFC 4512 §2.5: a name or an OID, perhaps with options.
_ATTRIBUTE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*(;[A-Za-z0-9-]+)*")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens: a host and port, or the path of a Unix socket."""

    uri: str
    host: str
    port: int
    is_tls: bool = False
    unix_path: str | None = None

    @property
    def is_local(self) -> bool:
        """Whether what is sent there leaves this machine."""
        if self.unix_path is not None or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class SrvName:
    """A name for which DNS says where the servers are; ``port`` is in place of the one that DNS gives."""

    uri: str
    record: str
    port: int | None
    is_tls: bool
    unix_path: str | None = None


@dataclass(frozen=True, slots=True)
class NameServer:
    """Where to ask DNS."""

    host: str
    port: int


def parse_server(uri: str) -> Address | SrvName:
    """What ``parse_address`` takes, or ``ldap+srv://domain``, ``ldaps+srv://domain``. Raises ValueError.

    A domain stands for ``_ldap._tcp.domain``; a name that begins with an underscore is asked for as it is. What these
    records tell is the port for ldap://, so with ldaps:// it is 636.
    """
    parts = urlsplit(uri)
    if parts.scheme not in ("ldap+srv", "ldaps+srv"):
        return parse_address(uri)
    name = (parts.hostname or "").removesuffix(".")
    is_name = all(0 < len(label) < 64 and label.isascii() for label in name.split("."))
    if not _is_plain(parts) or not is_name or _is_ip(name):
        raise ValueError(f"{uri!r} is no {parts.scheme}://domain or {parts.scheme}://_ldap._tcp.domain")
    record = name if name.startswith("_") else f"_ldap._tcp.{name}"
    is_tls = parts.scheme == "ldaps+srv"
    usual = 636 if is_tls and not record.startswith("_ldaps.") else None
    return SrvName(uri.rstrip("/"), record, parts.port or usual, is_tls)


def parse_name_server(text: str) -> NameServer:
    """``192.0.2.1``, ``192.0.2.1:5353``, ``2001:db8::1`` or ``[2001:db8::1]:5353``. Raises ValueError."""
    parts = urlsplit(f"//{text if not _is_ip(text) or '.' in text else f'[{text}]'}")
    if not _is_plain(parts) or not _is_ip(parts.hostname or ""):
        raise ValueError(f"{text!r} is no address of a name server, such as 192.0.2.1 or [2001:db8::1]:5353")
    return NameServer(parts.hostname or "", parts.port or 53)


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def parse_address(uri: str) -> Address:
    """``ldap://host:port``, ``ldaps://host:port`` or ``ldapi://%2Fpath`` (RFC 4516). Raises ValueError."""
    parts = urlsplit(uri)
    if parts.scheme == "ldapi":
        path = unquote(parts.netloc + parts.path)
        if not path or not hasattr(socket, "AF_UNIX"):
            raise ValueError(f"{uri!r}: ldapi:// takes the path of a Unix socket, on systems that have them")
        return Address(uri, "", 0, unix_path=path)
    if parts.scheme not in ("ldap", "ldaps") or not _is_plain(parts):
        raise ValueError(f"{uri!r} is no ldap://host, ldaps://host:port or ldapi://%2Fpath%2Fof%2Fsocket")
    assert parts.hostname is not None
    is_tls = parts.scheme == "ldaps"
    return Address(uri.rstrip("/"), parts.hostname, parts.port or (636 if is_tls else 389), is_tls)


def _is_plain(parts: SplitResult) -> bool:
    """Nothing but a host and perhaps a port. Raises ValueError where that is no number, or too large."""
    try:
        parts.port  # noqa: B018
    except ValueError:
        raise ValueError(f"{parts.netloc!r} does not end with the number of a port, from 1 to 65535") from None
    has_more = parts.path not in ("", "/") or parts.query or parts.fragment or "@" in parts.netloc
    return bool(parts.hostname) and parts.port != 0 and not has_more


class GroupSettings(Settings):
    """``[backends.NAME.groups]``: the entries that are groups, and how they and their members know each other."""

    bases: Texts = Field(
        default=(),
        description="DNs below which groups are; where not set, those of the people, or with the profile their domains",
    )
    ldap_filter: str | None = Field(
        default=None,
        description="what is a group (RFC 4515); groupOfNames, groupOfUniqueNames, posixGroup and group without it, or "
        "what the profile says",
    )
    member_attribute: Literal["member", "uniqueMember", "memberUid", "memberOf"] = Field(
        default="member",
        description="what tells who is in a group: its own attribute, or memberOf of the people",
    )
    nested: bool | None = Field(
        default=None,
        description="who is in a group that is in another group is in that one, too, however deep; false without it, "
        "or what the profile says",
    )
    primary_group: bool | None = Field(
        default=None,
        description="people are in their primary group, too, which does not name them (Active Directory); false "
        "without it, or what the profile says",
    )
    username_attribute: str = Field(
        default="uid", min_length=1, description="with memberUid: the attribute of people whose value it holds"
    )
    attribute: str = Field(
        default="groups", min_length=1, description="the attribute name under which [map] finds the ids of groups"
    )
    is_writable: bool = Field(
        default=False, description="people may be put into groups and taken out; the service account needs the right to"
    )
    write_attribute: Literal["member", "uniqueMember"] | None = Field(
        default=None, description="with memberOf and is_writable: the attribute of groups that is written"
    )
    placeholder_member: str | None = Field(
        default=None,
        min_length=1,
        description="a DN that is put into a group which must have a member when the last one leaves, and is nobody's",
    )
    id_attribute: str | None = Field(
        default=None,
        min_length=1,
        description="a group's id; cn without it, or what the profile says; a renamed group is another one if its name "
        "is its id",
    )
    title_attribute: str | None = Field(
        default=None, min_length=1, description="its name for people to read; none without it, or what the profile says"
    )
    url_attribute: str | None = Field(default=None, min_length=1, description="the address of its page")
    email_attribute: str | None = Field(default=None, min_length=1, description="its own e-mail address")
    type_attribute: str | None = Field(default=None, min_length=1, description="what kind of group it is")
    privacy_attribute: str | None = Field(default=None, min_length=1, description="who may see it")


class WritingSettings(Settings):
    """``[backends.NAME.writing]``: how entries of new people are made."""

    base: str = Field(min_length=1, description="the DN directly below which they are put; people must be found there")
    rdn_attribute: str = Field(
        default="uid",
        min_length=1,
        description="names the entry; one without another meaning here gets a random value that is never used twice",
    )
    object_classes: Texts = Field(default=("inetOrgPerson",), min_length=1, description="their object classes")
    email_attribute: str = Field(default="mail", min_length=1, description="takes the address")
    full_name_attribute: str = Field(default="cn", min_length=1, description="takes the full name")
    surname_attribute: str = Field(
        default="sn", description="takes the last word of the full name, which persons must have; empty = none"
    )
    biography_attribute: str | None = Field(
        default=None, min_length=1, description="takes the biography, which is not kept without it"
    )
    tz_attribute: str | None = Field(
        default=None, min_length=1, description="takes the time zone, which is not kept without it"
    )


class LdapSettings(BackendSettings):
    """Settings of the LDAP backend."""

    servers: Texts = Field(
        min_length=1,
        description="ldap://host, ldaps://host:port or ldapi://%2Fpath, asked in this order; ldap+srv://domain and "
        "ldaps+srv://domain stand for the servers that DNS names in SRV records",
    )
    nameservers: Texts = Field(
        default=(), description="addresses of name servers for +srv, such as 192.0.2.1; those of the system without it"
    )
    start_tls: bool = Field(default=False, description="encrypt ldap:// connections with StartTLS before anything else")
    ca_file: str | None = Field(default=None, description="PEM file of trusted authorities instead of the system's")
    verify_certificates: bool = Field(
        default=True, description="check the server's certificate and that it is made out to its host name or address"
    )
    tls_minimum: Literal["1.2", "1.3"] = Field(default="1.2", description="the oldest TLS version that is accepted")
    client_certificate: str | None = Field(
        default=None, description="PEM file of the certificate that is shown to servers, perhaps with its key"
    )
    client_key: str | None = Field(default=None, description="PEM file of its key, without a passphrase")
    bind_method: Literal["simple", "external"] = Field(
        default="simple",
        description="external = the service account is whom client_certificate stands for, or on ldapi:// the user of "
        "this process (SASL EXTERNAL); logins stay simple binds",
    )
    bind_dn: str | None = Field(default=None, description="the service account that searches; anonymous without it")
    bind_password: Secret | None = Field(default=None, description="its password")
    bases: Texts = Field(min_length=1, description="DNs below which people are; overlapping ones count once")
    scope: Literal["subtree", "one"] = Field(
        default="subtree", description="one = only the entries directly below a base"
    )
    profile: Literal["active_directory"] | None = Field(
        default=None,
        description="defaults for mapping, ldap_filter, login_attributes and groups that fit Active Directory",
    )
    ldap_filter: str | None = Field(
        default=None,
        description="who is a person (RFC 4515); (objectClass=person) without it, or what the profile says",
    )
    login_attributes: Texts | None = Field(
        default=None,
        description="people may log in by what stands in these attributes, too, asked in this order; an empty list = "
        "by the listed name alone",
    )
    netbios_domain: str | None = Field(
        default=None,
        min_length=1,
        description="with the profile: what stands before the name in ``DOMAIN\\name``; read from the directory "
        "without it",
    )
    dn_template: str | None = Field(
        default=None,
        description="where logins look for a name, such as 'uid={username},ou=people,dc=example,dc=org', "
        "in place of a search",
    )
    groups: GroupSettings | None = Field(default=None, description="groups that are entries of their own")
    writing: WritingSettings | None = Field(
        default=None, description="with this table people can be made, and their addresses confirmed"
    )
    page_size: int = Field(
        default=1000, ge=0, le=1_000_000, description="entries a page when listing; 0 = no paging (RFC 2696)"
    )
    follow_referrals: Literal[False] = Field(
        default=False, description="referrals are never followed; 'check' shows them"
    )
    connect_seconds: float = Field(
        default=5.0,
        gt=0,
        le=3600,
        description="time limit for connecting, TLS and the service account's bind, for each server",
    )
    change_feed: Literal["auto", "dirsync", "usn", "syncrepl", "modifyTimestamp", "off"] = Field(
        default="auto",
        description="by what changes are noticed at once where there is a sync table; auto = the best that the server "
        "offers, which 'check' names",
    )
    syncrepl_mode: Literal["auto", "refreshOnly", "refreshAndPersist"] = Field(
        default="auto",
        description="refreshAndPersist holds a search open, and so is told of deletions by servers that keep no log of "
        "them; auto = where that turns out to be so",
    )
    overlap_seconds: float = Field(
        default=60.0,
        ge=2,
        le=86400,
        description="with modifyTimestamp: how late a change may show up (replication, clocks of the servers)",
    )
    pool_size: int = Field(default=8, ge=1, le=1000, description="connections for searches, and as many for logins")
    switch_back_seconds: float = Field(
        default=30.0,
        gt=0,
        le=86400,
        description="how long a server that failed is left alone while another one answers",
    )

    @field_validator("login_attributes")
    @classmethod
    def _check_login_attributes(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for name in names or ():
            if not _ATTRIBUTE.fullmatch(name):
                raise ValueError(f"{name!r} is no attribute's name, such as mail")
        return names

    @field_validator("servers")
    @classmethod
    def _check_servers(cls, servers: tuple[str, ...]) -> tuple[str, ...]:
        for server in servers:
            parse_server(server)
        return servers

    @field_validator("nameservers")
    @classmethod
    def _check_nameservers(cls, nameservers: tuple[str, ...]) -> tuple[str, ...]:
        for nameserver in nameservers:
            parse_name_server(nameserver)
        return nameservers
