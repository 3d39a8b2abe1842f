"""The LDAP backend keeps the contract of every backend, over plain LDAP, LDAPS and StartTLS, and on a bad network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from integration_server.builtin.ldap import LdapBackend
from integration_server.sdk.testing import AuthenticatorConformance, BackendConformance, Outage
from tests.servers import PEOPLE, Slapd
from tests.tcp_proxy import BlackHole, CutAfter, Fault, Pass, Refuse, TcpProxy

#: Some of the sample people, with names in several scripts.
FEW = ("alice", "dörte", "李雷", "two words", "o'brien")


class Conformance(AuthenticatorConformance, BackendConformance):
    backend_class = LdapBackend
    # Each outage is waited out many times.
    outage_seconds = 0.4

    @pytest.fixture
    def population(self) -> Mapping[str, str | None]:
        return {person.uid: person.password for person in PEOPLE}

    def table_of(self, server: str, **more: object) -> dict[str, Any]:
        # A small page, so that the sample people are a listing of several.
        return {
            "type": "ldap",
            "servers": [server],
            "bind_dn": Slapd.reader_dn,
            "bind_password": Slapd.reader_password,
            "bases": [Slapd.people],
            "page_size": 7,
            **more,
        }

    @pytest.fixture
    def secrets(self, population: Mapping[str, str | None]) -> Sequence[str]:
        return [*(password for password in population.values() if password), Slapd.reader_password]


class TestPlain(Conformance):
    @pytest.fixture
    def table(self, slapd: Slapd) -> Mapping[str, Any]:
        return self.table_of(slapd.uri)

    @pytest.fixture
    def outages(self, slapd: Slapd) -> Sequence[Outage]:
        return [Outage("stopped", slapd.stopped), Outage("frozen", slapd.frozen)]


class FewPeople(Conformance):
    """The same for a handful, where each question costs more."""

    @pytest.fixture
    def population(self) -> Mapping[str, str | None]:
        return {person.uid: person.password for person in PEOPLE if person.uid in FEW}

    def table_of(self, server: str, **more: object) -> dict[str, Any]:
        chosen = "".join(f"(uid={uid})" for uid in FEW)
        return super().table_of(server, ldap_filter=f"(&(objectClass=person)(|{chosen}))", **more) | {"page_size": 2}


class TestLdapsThroughProxy(FewPeople):
    @pytest.fixture
    def proxy(self, slapd: Slapd, tcp_proxy: Callable[[int], TcpProxy]) -> TcpProxy:
        return tcp_proxy(slapd.ldaps_port)

    @pytest.fixture
    def table(self, slapd: Slapd, proxy: TcpProxy) -> Mapping[str, Any]:
        return self.table_of(f"ldaps://127.0.0.1:{proxy.port}", ca_file=str(slapd.ca_file), pool_size=3)

    @pytest.fixture
    def outages(self, proxy: TcpProxy) -> Sequence[Outage]:
        def broken(fault: Fault) -> Callable[[], AbstractContextManager[None]]:
            @contextmanager
            def start() -> Iterator[None]:
                proxy.fault = fault
                if isinstance(fault, Refuse):
                    proxy.drop()
                try:
                    yield
                finally:
                    proxy.fault = Pass()

            return start

        return [
            Outage("refused", broken(Refuse())),
            Outage("black hole", broken(BlackHole())),
            Outage("cut", broken(CutAfter(10))),
        ]


class TestStartTls(FewPeople):
    @pytest.fixture
    def table(self, slapd: Slapd) -> Mapping[str, Any]:
        return self.table_of(slapd.uri, start_tls=True, ca_file=str(slapd.ca_file))

    @pytest.fixture
    def outages(self, slapd: Slapd) -> Sequence[Outage]:
        return [Outage("stopped", slapd.stopped)]


class TestByTemplate(Conformance):
    """Names are looked for under a DN made of them instead of by a search; the DN is the id."""

    @pytest.fixture
    def table(self, slapd: Slapd) -> Mapping[str, Any]:
        return self.table_of(
            slapd.uri, dn_template=f"uid={{username}},{Slapd.people}", map={"id": "dn"}, page_size=0, scope="one"
        )

    @pytest.fixture
    def outages(self, slapd: Slapd) -> Sequence[Outage]:
        return [Outage("stopped", slapd.stopped)]


@pytest.mark.parametrize("member_attribute", ["member", "memberOf"], scope="class")
class TestWithGroups(FewPeople):
    """Groups are read from entries of their own, before the people and with each of them."""

    @pytest.fixture
    def table(self, slapd: Slapd, member_attribute: str) -> Mapping[str, Any]:
        groups = {"bases": [Slapd.groups], "member_attribute": member_attribute}
        return self.table_of(slapd.uri, groups=groups, map={"groups": "groups"})

    @pytest.fixture
    def outages(self, slapd: Slapd) -> Sequence[Outage]:
        return [Outage("stopped", slapd.stopped), Outage("frozen", slapd.frozen)]
