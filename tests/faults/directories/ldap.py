"""OpenLDAP and a domain controller of Active Directory, over TLS through the proxy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.faults.directories.directory import Directory, Outage
from tests.servers import PEOPLE, Samba, Slapd
from tests.servers.certificates import Authority
from tests.tcp_proxy import Delay, Spoil, TcpProxy
from tests.tls_front import TlsFront

_CROWD: Final = 300
#: How long each answer takes where the directory is too slow: one would be in time, and several are not.
_SLOW = Delay(0.6)
#: Behind the name of the control for pages (RFC 2696) stand five headers, and then slapd's cookie of eight bytes.
_PAGE_COOKIE = Spoil(b"1.2.840.113556.1.4.319", skip=9, count=8)


class LdapDirectory(Directory):
    """Faults of the network meet what is encrypted; a second proxy behind the end of TLS spoils what was."""

    name = "OpenLDAP"

    def open(self) -> None:
        self.slapd = Slapd(self.own_folder())
        self.stack.callback(self.slapd.destroy)
        self.slapd.start()
        self.slapd.load(_CROWD)
        self.people = {person.uid for person in PEOPLE} | {f"u{number}" for number in range(_CROWD)}
        self.login = (PEOPLE[0].uid, PEOPLE[0].password)
        authority = Authority(self.folder / "tls")
        authority.create()
        self.ca_file = authority.ca_file
        self._good, self._expired = authority.issue("good"), authority.issue("expired", is_expired=True)
        self.inner = self.stack.enter_context(TcpProxy(("127.0.0.1", self.slapd.port)))
        self.front = self.stack.enter_context(TlsFront(self.inner.port, self._good))
        self.proxy = self.stack.enter_context(TcpProxy(("127.0.0.1", self.front.port)))

    def table(self) -> str:
        assert self.proxy is not None
        return (
            f'type = "ldap"\nservers = ["ldaps://127.0.0.1:{self.proxy.port}"]\nca_file = "{self.ca_file}"\n'
            f'bind_dn = "{Slapd.reader_dn}"\nbind_password = "{Slapd.reader_password}"\npage_size = 50\n'
            f'bases = ["{Slapd.people}", "{Slapd.crowd}"]\nldap_filter = "(objectClass=inetOrgPerson)"\n'
        )

    def change(self, number: int) -> None:
        dn = self.slapd.dn_of(self.login[0])
        self.slapd.modify(f"dn: {dn}\nchangetype: modify\nreplace: mail\nmail: alice{number}@example.org\n")

    @property
    def outages(self) -> Mapping[str, Outage]:
        return {
            "frozen": self.slapd.frozen,
            "size limit": self.limited,
            "time limit": lambda: self.network(_SLOW),
            "bad cookie": self.spoilt,
            "wrong bind password": self.wrong_password,
            "expired certificate": self.expired,
            "table gone": self.gone,
        }

    @contextmanager
    def limited(self) -> Iterator[None]:
        self.slapd.reconfigure(limits="size=10")
        try:
            yield
        finally:
            self.slapd.reconfigure(limits="")

    @contextmanager
    def spoilt(self) -> Iterator[None]:
        before = self.inner.fault
        self.inner.fault = _PAGE_COOKIE
        try:
            yield
        finally:
            self.inner.fault = before

    @contextmanager
    def wrong_password(self) -> Iterator[None]:
        self._set_password("another secret")
        try:
            yield
        finally:
            self._set_password(Slapd.reader_password)

    def _set_password(self, password: str) -> None:
        assert self.proxy is not None
        change = f"changetype: modify\nreplace: userPassword\nuserPassword: {password}\n"
        self.slapd.modify(f"dn: {Slapd.reader_dn}\n{change}")
        self.proxy.drop()

    @contextmanager
    def expired(self) -> Iterator[None]:
        assert self.proxy is not None
        self.front.show(self._expired)
        self.proxy.drop()
        try:
            yield
        finally:
            self.front.show(self._good)
            self.proxy.drop()

    @contextmanager
    def gone(self) -> Iterator[None]:
        """There is no such branch any more."""
        self._rename("people", "elsewhere")
        try:
            yield
        finally:
            self._rename("elsewhere", "people")

    def _rename(self, old: str, new: str) -> None:
        change = f"changetype: modrdn\nnewrdn: ou={new}\ndeleteoldrdn: 1\n"
        self.slapd.modify(f"dn: ou={old},{Slapd.base}\n{change}")


class SambaDirectory(Directory):
    """Samba ends TLS itself."""

    name = "Active Directory"
    _secret = "the Reader's 2nd secret"

    def __init__(self, folder: Path, samba: Samba) -> None:
        super().__init__(folder)
        self.samba = samba
        self.place = f"OU=Faults,{samba.base}"

    def open(self) -> None:
        samba = self.samba
        samba.add(self.place, ["organizationalUnit"], {})
        self.stack.callback(lambda: samba.delete_tree(self.place))
        names = [f"fault{number}" for number in range(60)]
        for name in names:
            samba.add(f"CN={name},{self.place}", ["user"], {"sAMAccountName": name, "mail": f"{name}@example.test"})
        self.person = f"CN={names[0]},{self.place}"
        for name in names:
            samba.modify(f"CN={name},{self.place}", userAccountControl=544)
        self.login = (names[0], "Passw0rd of Fault 0")
        samba.set_password(self.person, self.login[1])
        samba.modify(self.person, userAccountControl=512)
        self.people = set(names)
        self.reader = samba.add_user("faults reader", self._secret)
        self.stack.callback(lambda: samba.delete(self.reader))
        self.proxy = self.stack.enter_context(TcpProxy((samba.address, 636)))

    def table(self) -> str:
        assert self.proxy is not None
        # The certificate is made out to another address than the proxy's.
        return (
            'type = "ldap"\nprofile = "active_directory"\npage_size = 10\nverify_certificates = false\n'
            f'servers = ["ldaps://127.0.0.1:{self.proxy.port}"]\nbases = ["{self.place}"]\n'
            f'bind_dn = "faults reader@{self.samba.domain}"\nbind_password = "{self._secret}"\n'
        )

    def change(self, number: int) -> None:
        self.samba.modify(self.person, mail=f"fault{number}@example.test")

    @property
    def outages(self) -> Mapping[str, Outage]:
        return {
            "frozen": self.samba.frozen,
            "time limit": lambda: self.network(_SLOW),
            "wrong bind password": self.wrong_password,
            "table gone": self.gone,
        }

    @contextmanager
    def wrong_password(self) -> Iterator[None]:
        assert self.proxy is not None
        # Once more, since the last password but one is taken for an hour.
        for password in ("another Secret 3", "another Secret 4"):
            self.samba.set_password(self.reader, password)
        self.proxy.drop()
        try:
            yield
        finally:
            self.samba.set_password(self.reader, self._secret)
            self.proxy.drop()

    @contextmanager
    def gone(self) -> Iterator[None]:
        admin = self.samba.admin()
        elsewhere = f"OU=Elsewhere,{self.samba.base}"
        assert admin.modify_dn(self.place, "OU=Elsewhere"), admin.result
        try:
            yield
        finally:
            assert admin.modify_dn(elsewhere, "OU=Faults"), admin.result
