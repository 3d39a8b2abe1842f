"""The servers that the settings name: addresses, and names for which DNS has the addresses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from integration_server import BackendError, Deadline
from integration_server.builtin.ldap.settings import Address, NameServer, SrvName

if TYPE_CHECKING:
    from integration_server.builtin.ldap.srv import SrvServers


class Addresses:
    """All servers in the order in which they are to be asked. Thread-safe."""

    def __init__(self, servers: Sequence[Address | SrvName], nameservers: Sequence[NameServer] = ()) -> None:
        self._parts: list[Address | SrvServers] = [
            server if isinstance(server, Address) else _from_dns(server, nameservers) for server in servers
        ]
        is_fixed = all(isinstance(part, Address) for part in self._parts)
        #: Nothing to ask for, then: this is looked at before each question to a server.
        self._fixed = self._joined([[part] for part in self._parts if isinstance(part, Address)]) if is_fixed else None

    @property
    def is_one(self) -> bool:
        """Whether there is no other server to turn to, as far as is known."""
        return len(self._joined([[part] if isinstance(part, Address) else part.known for part in self._parts])) < 2

    def current(self, deadline: Deadline) -> tuple[Address, ...]:
        """The servers, asking DNS where its last answer is too old.

        Raises BackendUnavailable, BackendTimeout and BackendMisconfigured where DNS never told the only ones.
        """
        if self._fixed is not None:
            return self._fixed
        found: list[Sequence[Address]] = []
        troubles: list[BackendError] = []
        for part in self._parts:
            try:
                found.append([part] if isinstance(part, Address) else part.current(deadline))
            except BackendError as exc:
                troubles.append(exc)
        if not found:
            raise troubles[0]
        return self._joined(found)

    @property
    def troubles(self) -> list[BackendError]:
        """What is wrong with DNS, as far as it was asked, although others of the servers can be told."""
        return [part.trouble for part in self._parts if not isinstance(part, Address) and part.trouble is not None]

    def renewed(self, deadline: Deadline) -> tuple[Address, ...]:
        """The servers after all of them failed, with what DNS says now where it has said something before."""
        return self._joined([[part] if isinstance(part, Address) else part.renewed(deadline) for part in self._parts])

    def _joined(self, parts: Sequence[Sequence[Address]]) -> tuple[Address, ...]:
        return tuple(dict.fromkeys(address for part in parts for address in part))


def _from_dns(name: SrvName, nameservers: Sequence[NameServer]) -> SrvServers:
    from integration_server.builtin.ldap.srv import SrvServers

    return SrvServers(name, nameservers)
