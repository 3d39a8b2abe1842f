"""The root entry (RFC 4512 §5.1): what a server holds and offers."""

from __future__ import annotations

from dataclasses import dataclass

from integration_server import BackendMisconfigured, Deadline
from integration_server.builtin.ldap import names
from integration_server.builtin.ldap.messages import Scope, Search, present
from integration_server.builtin.ldap.results import SUCCESS, failure
from integration_server.builtin.ldap.search import Referrals, few
from integration_server.builtin.ldap.values import octets_of, several, text_of
from integration_server.builtin.ldap.wire import Wire

#: Active Directory, and its sibling without a domain (MS-ADTS §3.1.1.3.4.3.1 and .6).
_ACTIVE_DIRECTORY = frozenset({"1.2.840.113556.1.4.800", "1.2.840.113556.1.4.1851"})
_NAMES = (
    *("supportedControl", "supportedCapabilities", "namingContexts"),
    *("dnsHostName", "dsServiceName", "highestCommittedUSN", "vendorName"),
)


@dataclass(frozen=True, slots=True)
class RootEntry:
    """``host``, ``service`` (the DN of the server's own settings) and ``usn`` are empty but in Active Directory."""

    controls: frozenset[str]
    capabilities: frozenset[str]
    contexts: tuple[str, ...]
    host: str
    service: str
    usn: str
    vendor: str

    @property
    def is_active_directory(self) -> bool:
        return not _ACTIVE_DIRECTORY.isdisjoint(self.capabilities)

    @property
    def is_samba(self) -> bool:
        return self.vendor.startswith("Samba")

    def update_number(self, server: str) -> int:
        """The highest update sequence number that is committed (MS-ADTS §3.1.1.3.2.15). Raises BackendMisconfigured."""
        if not self.usn.isdecimal():
            raise BackendMisconfigured(f"{server}: the server does not tell its highestCommittedUSN")
        return int(self.usn)

    def contexts_of(self, bases: tuple[str, ...]) -> tuple[str, ...]:
        """The naming contexts that hold these bases. Raises BackendMisconfigured for a base in none."""
        return tuple(dict.fromkeys(map(self._context_of, bases)))

    def _context_of(self, base: str) -> str:
        name = names.parse(base)
        holding = [context for context in self.contexts if names.is_below(name, names.parse(context))]
        if not holding:
            raise BackendMisconfigured(f"the server names no naming context that holds the base {base!r}")
        return max(holding, key=lambda context: len(names.parse(context)))

    def is_root(self, dn: str) -> bool:
        """Whether this is the name of a naming context's root. Raises ValueError for what is no name."""
        return names.parse(dn) in map(names.parse, self.contexts)


def read_root(wire: Wire, deadline: Deadline) -> RootEntry:
    """Raises BackendError."""
    rows, result = few(wire, Search("", Scope.BASE, present("objectClass")), _NAMES, deadline, Referrals())
    if result.code != SUCCESS:
        raise failure(result, f"{wire.server}: reading its root entry")
    if not rows:
        return RootEntry(frozenset(), frozenset(), (), "", "", "", "")
    controls, capabilities, contexts, host, service, usn, vendor = (
        [text_of(v) for v in several(cell)] for cell in rows[0]
    )
    return RootEntry(
        controls=frozenset(controls),
        capabilities=frozenset(capabilities),
        contexts=tuple(context for context in contexts if context),
        host=next(iter(host), ""),
        service=next(iter(service), ""),
        usn=next(iter(usn), ""),
        vendor=next(iter(vendor), ""),
    )


def read_invocation(wire: Wire, root: RootEntry, deadline: Deadline) -> str:
    """The id of a domain controller's database; it gets another one when it is put back from a backup.

    Raises BackendMisconfigured where the account may not read it, other BackendErrors.
    """
    found: list[object] = []
    if root.service:
        search = Search(root.service, Scope.BASE, present("objectClass"))
        rows, result = few(wire, search, ["invocationId"], deadline, Referrals())
        if result.code != SUCCESS:
            raise failure(result, f"{wire.server}: reading the server's settings {root.service!r}")
        found = [value for row in rows for value in several(row[0])]
    if not found:
        raise BackendMisconfigured(f"{wire.server}: the service account may not read the server's invocationId")
    return octets_of(found[0]).hex()
