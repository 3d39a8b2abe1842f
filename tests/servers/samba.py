"""A private Samba as the domain controller of an Active Directory of its own.

Its ports cannot be chosen, so each server has a loopback address of its own (RFC 1122 §3.2.1.3: all of 127/8 is this
machine), and any number of them run side by side. Those ports are root's.
"""

from __future__ import annotations

import os
import random
import socket
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import ldap3

from tests.servers.certificates import Authority
from tests.servers.server import Server, ServerFailed, program

_PACKAGE = "the packages samba and samba-ad-provision"
_ANONYMOUS_BIND = bytes.fromhex("300c020101600702010304008000")
#: What provisioning asks for beyond these needs programs of other packages.
_SERVICES = "server services=ldap, cldap"
#: MS-ADTS §3.1.1.3.4.1.15.
_TREE_DELETE = "1.2.840.113556.1.4.805"
NORMAL_ACCOUNT = 512
DISABLED = 2

Values = str | bytes | int | Sequence[str] | Sequence[bytes]


class Samba(Server):
    """``example.test``, NetBIOS name ``EXAMPLE``. Simple binds are taken over TLS alone, as in a fresh Windows."""

    base = "DC=example,DC=test"
    users = f"CN=Users,{base}"
    domain = "example.test"
    netbios = "EXAMPLE"
    host_name = "dc1.example.test"
    admin_dn = f"CN=Administrator,{users}"
    admin_login = "administrator@example.test"
    admin_password = "the Admin's 1st secret"

    def __init__(self, directory: Path, store: Literal["tdb", "mdb"] = "tdb") -> None:
        """``store`` is what its database is made of: only mdb has an index of the order of numbers, as Windows has."""
        super().__init__(directory)
        self._store = store
        if os.geteuid() != 0:
            raise ServerFailed("Samba listens on ports of root's, such as 389: run the suite as root")
        self.address = f"127.{random.randrange(64, 128)}.{random.randrange(256)}.{random.randrange(1, 255)}"
        self._authority = Authority(directory / "tls")
        self._admin: ldap3.Connection | None = None

    @property
    def uri(self) -> str:
        return f"ldap://{self.address}"

    @property
    def ldaps_uri(self) -> str:
        return f"ldaps://{self.address}"

    @property
    def ca_file(self) -> Path:
        return self._authority.ca_file

    def prepare(self) -> None:
        self._authority.create()
        certificate = self._authority.issue("dc", names=(self.host_name,), addresses=(self.address,))
        certificate.key.chmod(0o600)
        self.run(
            [
                *(program("samba-tool", package=_PACKAGE), "domain", "provision", "--server-role=dc"),
                *(f"--realm={self.domain.upper()}", f"--domain={self.netbios}", "--dns-backend=NONE"),
                f"--backend-store={self._store}",
                *(f"--adminpass={self.admin_password}", "--host-name=dc1", f"--host-ip={self.address}"),
                *(f"--targetdir={self.directory / 'domain'}", *self._options()),
            ]
        )
        configuration = self.directory / "domain/etc/smb.conf"
        lines = {
            "tls certfile": certificate.certificate,
            "tls keyfile": certificate.key,
            "tls cafile": self.ca_file,
            "pid directory": self.directory,
        }
        text = configuration.read_text(encoding="utf-8")
        settings = "".join(f"\t{name} = {value}\n" for name, value in lines.items())
        configuration.write_text(text.replace("[global]\n", f"[global]\n{settings}", 1), encoding="utf-8")

    def _options(self) -> list[str]:
        return [f"--option=interfaces={self.address}/8", "--option=bind interfaces only=yes"]

    def choose_ports(self) -> None:
        self.port = 389

    def command(self) -> list[str]:
        samba = program("samba", package=_PACKAGE)
        return [samba, "-i", "-M", "single", "-s", "domain/etc/smb.conf", f"--option={_SERVICES}", *self._options()]

    def is_ready(self) -> bool:
        # TLS comes a moment after the first port, since it makes parameters of its own.
        try:
            with socket.create_connection((self.address, self.port), 5) as connection:
                connection.sendall(_ANONYMOUS_BIND)
                if not connection.recv(1):
                    return False
            with socket.create_connection((self.address, 636), 5):
                return True
        except OSError:
            return False

    # -- as an administrator would -----------------------------------------------------------------------------------

    def admin(self) -> ldap3.Connection:
        """A bound connection, kept for as long as the server is not restarted."""
        if self._admin is None or self._admin.closed:
            tls = ldap3.Tls(validate=ssl.CERT_REQUIRED, ca_certs_file=str(self.ca_file), valid_names=[self.host_name])
            server = ldap3.Server(self.address, port=636, use_ssl=True, tls=tls, get_info=ldap3.NONE)
            connection = ldap3.Connection(server, self.admin_login, self.admin_password, check_names=False)
            connection.bind(read_server_info=False)
            self._admin = connection
        return self._admin

    def stop(self) -> None:
        self._drop_admin()
        super().stop()

    def kill(self) -> None:
        self._drop_admin()
        super().kill()

    def _drop_admin(self) -> None:
        admin, self._admin = self._admin, None
        if admin is not None and admin.socket is not None:
            admin.socket.close()

    def add_user(
        self, name: str, password: str | None = "Passw0rd!y", attributes: Mapping[str, Values] | None = None
    ) -> str:
        """A person who may log in, unless there is no password; the DN."""
        dn = f"CN={name},{self.users}"
        plain = {"sAMAccountName": name, "userPrincipalName": f"{name}@{self.domain}", **(attributes or {})}
        self.add(dn, ["user"], plain)
        if password is not None:
            self.set_password(dn, password)
            self.modify(dn, userAccountControl=NORMAL_ACCOUNT)
        return dn

    def add_group(self, name: str, members: Sequence[str] = (), attributes: Mapping[str, Values] | None = None) -> str:
        """A global security group; the DN."""
        dn = f"CN={name},{self.users}"
        self.add(dn, ["group"], {"sAMAccountName": name, **(attributes or {})})
        for begin in range(0, len(members), 500):
            self._change(dn, {"member": [(ldap3.MODIFY_ADD, list(members[begin : begin + 500]))]})
        return dn

    def set_password(self, dn: str, password: str) -> None:
        self.modify(dn, unicodePwd=f'"{password}"'.encode("utf-16-le"))

    def add(self, dn: str, classes: Sequence[str], attributes: Mapping[str, Values]) -> None:
        """Raises ServerFailed where it is refused, as all below."""
        self.admin().add(dn, list(classes), {name: _several(value) for name, value in attributes.items()})
        self._check(dn)

    def modify(self, dn: str, **attributes: Values) -> None:
        """Set attributes; an empty list removes one."""
        self._change(dn, {name: [(ldap3.MODIFY_REPLACE, _several(value))] for name, value in attributes.items()})

    def add_members(self, dn: str, *members: str) -> None:
        self._change(dn, {"member": [(ldap3.MODIFY_ADD, list(members))]})

    def remove_members(self, dn: str, *members: str) -> None:
        self._change(dn, {"member": [(ldap3.MODIFY_DELETE, list(members))]})

    def rename(self, dn: str, new_name: str, parent: str | None = None) -> str:
        """The new DN."""
        self.admin().modify_dn(dn, f"CN={new_name}", new_superior=parent)
        self._check(dn)
        return f"CN={new_name},{parent or dn.partition(',')[2]}"

    def delete(self, dn: str) -> None:
        self.admin().delete(dn)
        self._check(dn)

    def delete_tree(self, dn: str) -> None:
        """An entry with everything below it."""
        self.admin().delete(dn, controls=[(_TREE_DELETE, True, None)])
        self._check(dn)

    def read(self, dn: str, *names: str) -> dict[str, list[bytes]]:
        """An entry's values as they are stored."""
        connection = self.admin()
        connection.search(dn, "(objectClass=*)", search_scope=ldap3.BASE, attributes=list(names))
        self._check(dn)
        entries = [one for one in connection.response or () if one["type"] == "searchResEntry"]
        found: dict[str, list[bytes]] = entries[0]["raw_attributes"]
        return found

    def grant(self, dn: str, rights: str) -> None:
        """Add one entry of an access control list (in SDDL) to those of an entry."""
        tool = Path(program("samba-tool", package=_PACKAGE))
        interpreter = tool.read_text(encoding="utf-8").partition("\n")[0].removeprefix("#!").split()
        script = Path(__file__).with_name("samba_grant.py")
        # Isolated, or it would take the modules beside the script for Samba's.
        self.run([*interpreter, "-I", str(script), str(self.directory / "domain"), dn, rights])

    def _change(self, dn: str, changes: Mapping[str, object]) -> None:
        self.admin().modify(dn, dict(changes))
        self._check(dn)

    def _check(self, dn: str) -> None:
        result = self.admin().result
        if result["result"] != 0:
            raise ServerFailed(f"{dn}: {result['description']}: {result['message']}")


def _several(value: Values) -> list[str | bytes]:
    if isinstance(value, (str, bytes)):
        return [value]
    if isinstance(value, int):
        return [str(value)]
    return list(value)
