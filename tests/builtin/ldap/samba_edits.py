"""People of a Samba domain in a unit of their own, and changes of them as an administrator makes them."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterable

from tests.servers import Samba


class SambaEdits:
    """Each is for good when it returns. User names are the first parts of DNs. Nobody sweeps up: units are many."""

    def __init__(self, samba: Samba, names: Iterable[str]) -> None:
        self.samba = samba
        self.unit = f"OU=feed {secrets.token_hex(4)},{Samba.base}"
        self._numbers = itertools.count(1)
        samba.add(self.unit, ["organizationalUnit"], {})
        for name in names:
            self.add(name)

    def dn(self, username: str) -> str:
        return f"CN={username},{self.unit}"

    def add(self, username: str) -> str:
        account = secrets.token_hex(8)
        self.samba.add(self.dn(username), ["user"], {"sAMAccountName": account, "displayName": f"New {username}"})
        return self.dn(username)

    def add_group(self, name: str, *members: str) -> str:
        self.samba.add(self.dn(name), ["group"], {"sAMAccountName": secrets.token_hex(8)})
        if members:
            self.samba.add_members(self.dn(name), *map(self.dn, members))
        return self.dn(name)

    def change(self, username: str) -> None:
        self.samba.modify(self.dn(username), displayName=f"Changed {next(self._numbers)}")

    def remove(self, username: str) -> None:
        self.samba.delete(self.dn(username))
