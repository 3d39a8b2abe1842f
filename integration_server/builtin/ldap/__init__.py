"""LDAP directories: OpenLDAP, Active Directory, 389 DS and whatever else speaks LDAP version 3."""

from __future__ import annotations

from collections.abc import Sequence

from integration_server import Backend, hookimpl
from integration_server.builtin.ldap.backend import LdapBackend

__all__ = ["LdapBackend", "register_backends"]


@hookimpl
def register_backends() -> Sequence[type[Backend]]:
    return (LdapBackend,)
