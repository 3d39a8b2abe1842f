"""The LDAP backend keeps the promises of groups, memberships and accounts, for each kind of group."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import pytest

from integration_server.builtin.ldap import LdapBackend, names
from integration_server.sdk.testing import (
    AccountWriterConformance,
    GroupReaderConformance,
    MembershipWriterConformance,
    Outage,
)
from tests.builtin.ldap.test_ldap_accounts import with_addresses
from tests.builtin.ldap.test_ldap_groups import line
from tests.builtin.ldap.test_ldap_members import ADMIN, PLACEHOLDER
from tests.servers import PEOPLE, Slapd
from tests.servers.people import GROUPS

#: A group whose name has a meaning in filters, in names and to whoever splits at commas.
ODD = "Odd, *(the)* group\\ +1 ä"
UNVERIFIED = {"emails": ["mail", "title"], "unverified_emails": "title", "biography": "description", "tz": "l"}


def group(cn: str, kind: str, **values: str) -> str:
    lines = [line("dn", f"cn={names.escape(cn)},{Slapd.groups}"), f"objectClass: {kind}\n", line("cn", cn)]
    return "".join([*lines, *(line(name, value) for name, value in values.items()), "\n"])


class LdapWriting:
    """What the suites below share: a server of their own, on which they may write."""

    backend_class = LdapBackend
    # Each outage is waited out many times.
    outage_seconds = 0.4

    @pytest.fixture
    def server(self, new_slapd: Callable[..., Slapd]) -> Slapd:
        return new_slapd()

    @pytest.fixture
    def population(self) -> Mapping[str, str | None]:
        return {person.uid: person.password for person in PEOPLE}

    @pytest.fixture
    def outages(self, server: Slapd) -> Sequence[Outage]:
        return [Outage("stopped", server.stopped), Outage("frozen", server.frozen)]

    def table_of(self, server: Slapd, **more: object) -> dict[str, Any]:
        return {"type": "ldap", "servers": [server.uri], "bases": [Slapd.people], "page_size": 7, **ADMIN, **more}


class Groups(LdapWriting, GroupReaderConformance, MembershipWriterConformance):
    kind: ClassVar = "groupOfNames"
    settings: ClassVar[Mapping[str, object]] = {}
    #: The attribute with the members, who is in a group, and who is there for the schema's sake.
    attribute: ClassVar = "member"
    somebody: ClassVar = f"uid=alice,{Slapd.people}"
    nobody: ClassVar = PLACEHOLDER

    @pytest.fixture
    def server(self, new_slapd: Callable[..., Slapd]) -> Slapd:
        slapd = new_slapd()
        more = {"gidNumber": "7"} if self.kind == "posixGroup" else {}
        for cn, member in (("chess", self.somebody), ("empty", self.nobody), (ODD, self.nobody)):
            slapd.add(group(cn, self.kind, **({self.attribute: member} if member else {}), **more))
        return slapd

    @pytest.fixture
    def table(self, server: Slapd) -> dict[str, Any]:
        groups = {"bases": [Slapd.groups], "ldap_filter": f"(objectClass={self.kind})", "is_writable": True}
        return self.table_of(server, groups={**groups, **self.settings}, map={"groups": "groups"})

    @pytest.fixture
    def read_only_table(self, table: dict[str, Any]) -> dict[str, Any]:
        return {**table, "groups": {**table["groups"], "is_writable": False}}

    @pytest.fixture
    def group_ids(self) -> list[str]:
        return [*(GROUPS if self.kind == "groupOfNames" else ()), "chess", "empty", ODD]


class TestMember(Groups):
    settings: ClassVar = {"placeholder_member": PLACEHOLDER}


class TestUniqueMember(Groups):
    kind = "groupOfUniqueNames"
    settings: ClassVar = {"member_attribute": "uniqueMember"}
    attribute = "uniqueMember"


class TestMemberOf(Groups):
    settings: ClassVar = {"member_attribute": "memberOf", "write_attribute": "member"}


class TestMemberUid(Groups):
    kind = "posixGroup"
    settings: ClassVar = {"member_attribute": "memberUid"}
    attribute = "memberUid"
    somebody = "alice"
    nobody = ""

    def table_of(self, server: Slapd, **more: object) -> dict[str, Any]:
        # What memberUid holds is ASCII.
        chosen = "(|(uid=alice)(uid=bob)(uid=carol)(uid=o'brien)(uid=star\\2a)(uid=two words)(uid=UPPER)(uid=12345))"
        return super().table_of(server, ldap_filter=f"(&(objectClass=person){chosen})", **more)


class TestAccounts(LdapWriting, AccountWriterConformance):
    @pytest.fixture
    def server(self, new_slapd: Callable[..., Slapd]) -> Slapd:
        slapd = new_slapd()
        with_addresses(slapd, "alice", title=["new@example.org", "other@example.org"])
        with_addresses(slapd, "carol", title=["Carol@example.org"])
        return slapd

    @pytest.fixture
    def table(self, server: Slapd) -> dict[str, Any]:
        writing = {"base": Slapd.people, "biography_attribute": "description", "tz_attribute": "l"}
        return self.table_of(server, map=UNVERIFIED, writing=writing)

    @pytest.fixture
    def read_only_table(self, table: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in table.items() if key != "writing"}

    @pytest.fixture
    def unproved(self) -> dict[str, str]:
        return {"alice": "new@example.org", "carol": "Carol@example.org"}


class TestAccountsNamedByTheirAddresses(TestAccounts):
    """The address is part of the DN, with whatever has a meaning there, and the user name."""

    knows_unverified = False

    @pytest.fixture
    def table(self, server: Slapd) -> dict[str, Any]:
        return self.table_of(server, writing={"base": Slapd.people, "rdn_attribute": "mail"}, map={"username": "mail"})

    @pytest.fixture
    def server(self, new_slapd: Callable[..., Slapd]) -> Slapd:
        slapd = new_slapd()
        slapd.modify(line("dn", slapd.dn_of("carol")) + "changetype: modify\nreplace: mail\nmail: carol@example.org\n")
        return slapd
