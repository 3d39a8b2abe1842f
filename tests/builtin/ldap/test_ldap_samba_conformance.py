"""The LDAP backend keeps the contract of every backend at a domain controller of Active Directory, too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from integration_server.builtin.ldap import LdapBackend
from integration_server.sdk.testing import AuthenticatorConformance, BackendConformance, Outage
from tests.servers import Samba
from tests.tcp_proxy import BlackHole, CutAfter, Fault, Pass, Refuse, TcpProxy

#: Names in several scripts; Active Directory takes no "*" and its like in them.
PEOPLE = {name: f"Secret 4 person {i}, ä" for i, name in enumerate(("alicia", "dörte", "李雷", "two words", "o'brien"))}


@pytest.fixture(scope="module")
def place(samba: Samba) -> Iterator[str]:
    place = f"OU=Conformance,{samba.base}"
    samba.add(place, ["organizationalUnit"], {})
    for name, password in PEOPLE.items():
        dn = f"CN={name},{place}"
        samba.add(dn, ["user"], {"sAMAccountName": name, "mail": f"{name.replace(' ', '.')}@example.test"})
        samba.set_password(dn, password)
        samba.modify(dn, userAccountControl=512)
    samba.add(f"CN=Somebody elsewhere,{place}", ["contact"], {"mail": "contact@example.test"})
    yield place
    samba.delete_tree(place)


class Conformance(AuthenticatorConformance, BackendConformance):
    backend_class = LdapBackend
    outage_seconds = 0.4

    @pytest.fixture
    def population(self) -> Mapping[str, str | None]:
        return PEOPLE

    @pytest.fixture
    def secrets(self) -> Sequence[str]:
        return [*PEOPLE.values(), Samba.admin_password]

    def table_of(self, server: str, place: str, **more: object) -> dict[str, Any]:
        return {
            "type": "ldap",
            "profile": "active_directory",
            "servers": [server],
            "bind_dn": Samba.admin_login,
            "bind_password": Samba.admin_password,
            "bases": [place],
            "page_size": 2,
            **more,
        }


class TestLdaps(Conformance):
    @pytest.fixture
    def table(self, samba: Samba, place: str) -> Mapping[str, Any]:
        return self.table_of(samba.ldaps_uri, place, ca_file=str(samba.ca_file))

    @pytest.fixture
    def outages(self, samba: Samba) -> Sequence[Outage]:
        return [Outage("frozen", samba.frozen)]


class TestStartTlsThroughProxy(Conformance):
    """On a bad network."""

    @pytest.fixture
    def proxy(self, samba: Samba) -> Iterator[TcpProxy]:
        with TcpProxy((samba.address, samba.port)) as proxy:
            yield proxy

    @pytest.fixture
    def table(self, samba: Samba, place: str, proxy: TcpProxy) -> Mapping[str, Any]:
        # The certificate is made out to another address than the proxy's.
        return self.table_of(f"ldap://127.0.0.1:{proxy.port}", place, start_tls=True, verify_certificates=False)

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
