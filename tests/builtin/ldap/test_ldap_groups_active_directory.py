"""Groups of a domain controller: members in portions, groups within groups, and everybody's primary group."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from integration_server import Deadline
from integration_server.builtin.ldap import ranges
from integration_server.builtin.ldap.entries import Portion
from tests.builtin.ldap.opened import Opened
from tests.servers import Samba

Open = Callable[..., Opened]

AD_MAP = {
    "id": "objectGUID",
    "username": "sAMAccountName",
    "full_name": "cn",
    "emails": "mail",
    "distinguished_name": "dn",
    "groups": "groups",
}


def open_on(open_ldap: Open, samba: Samba, base: str, groups: Mapping[str, object], **settings: object) -> Opened:
    """People and groups below ``base``; ``groups`` is the table of groups."""
    defaults: dict[str, Any] = {
        "bind_dn": samba.admin_dn,
        "bind_password": samba.admin_password,
        "ca_file": str(samba.ca_file),
        "bases": [base],
        "ldap_filter": "(&(objectClass=user)(!(objectClass=computer)))",
        "map": AD_MAP,
        "groups": {"id_attribute": "sAMAccountName", **groups},
    }
    return open_ldap(samba.ldaps_uri, **{**defaults, **settings})


@pytest.fixture
def unit(samba: Samba) -> Iterator[Callable[[str], str]]:
    """``unit(name)``: the DN of a new organizational unit."""

    def make(name: str) -> str:
        dn = f"OU={name},{samba.base}"
        samba.add(dn, ["organizationalUnit"], {})
        return dn

    return make


def add_group(samba: Samba, unit: str, name: str, *members: str) -> str:
    dn = f"CN={name},{unit}"
    samba.add(dn, ["group"], {"sAMAccountName": name, "member": members} if members else {"sAMAccountName": name})
    return dn


def add_person(samba: Samba, unit: str, name: str) -> str:
    dn = f"CN={name},{unit}"
    samba.add(dn, ["user"], {"sAMAccountName": name})
    return dn


def test_a_domain_controller_gives_the_rest_from_any_place_on(
    samba: Samba, open_ldap: Open, unit: Callable[[str], str]
) -> None:
    here = unit("ranges")
    members = [add_group(samba, here, f"range{i}") for i in range(8)]
    group = add_group(samba, here, "ranged", *members)
    opened = open_on(open_ldap, samba, here, {})
    wire = opened.backend._servers.open(Deadline(10), as_service=True)
    stored = [value.decode() for value in samba.read(group, "member")["member"]]
    assert sorted(stored) == sorted(members)
    row: list[object] = [None]
    for size in (1, 3, 8):
        portion = Portion(row, (0,), group.encode(), "member", 0, False, list[object](stored[:size]))
        ranges.complete(wire, [portion], Deadline(10))
        assert row == [stored]
        row[0] = None
    wire.close()
