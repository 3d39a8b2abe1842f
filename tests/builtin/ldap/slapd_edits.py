"""Changes of the sample people as the administrator of a slapd makes them."""

from __future__ import annotations

import base64
import itertools

from tests.servers import Slapd
from tests.servers.slapd import escaped


class LdapEdits:
    """Each is for good when it returns."""

    def __init__(self, slapd: Slapd) -> None:
        self.slapd = slapd
        self._numbers = itertools.count(1)

    def add(self, username: str) -> None:
        self.slapd.add(f"{self._dn(username)}\nobjectClass: inetOrgPerson\nuid: {username}\ncn: New\nsn: New\n")

    def change(self, username: str) -> None:
        self.set(username, "cn", f"Changed {next(self._numbers)}")

    def set(self, username: str, attribute: str, value: str) -> None:
        self._modify(self._dn(username), f"replace: {attribute}\n{attribute}: {value}")

    def remove(self, username: str) -> None:
        self.slapd.modify(f"{self._dn(username)}\nchangetype: delete\n")

    def rename(self, dn: str, new_rdn: str, parent: str | None = None) -> None:
        """Give an entry another name, below another parent where one is given."""
        where = f"newsuperior: {parent}\n" if parent is not None else ""
        self.slapd.modify(f"dn: {dn}\nchangetype: modrdn\nnewrdn: {new_rdn}\ndeleteoldrdn: 1\n{where}")

    def join(self, group: str, username: str) -> None:
        self._modify(f"dn: cn={group},{Slapd.groups}", f"add: member\nmember: uid={username},{Slapd.people}")

    def leave(self, group: str, username: str) -> None:
        self._modify(f"dn: cn={group},{Slapd.groups}", f"delete: member\nmember: uid={username},{Slapd.people}")

    def _modify(self, dn: str, change: str) -> None:
        self.slapd.modify(f"{dn}\nchangetype: modify\n{change}\n")

    def _dn(self, username: str) -> str:
        return f"dn:: {base64.b64encode(f'uid={escaped(username)},{Slapd.people}'.encode()).decode()}"
