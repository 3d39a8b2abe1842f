"""What a domain of Active Directory is called, beside its distinguished name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from integration_server import BackendMisconfigured, Deadline, normalize_name
from integration_server.builtin.ldap import names
from integration_server.builtin.ldap.entries import Row
from integration_server.builtin.ldap.messages import Scope, Search, present
from integration_server.builtin.ldap.results import SUCCESS, failure
from integration_server.builtin.ldap.search import Referrals, few
from integration_server.builtin.ldap.values import several, text_of
from integration_server.builtin.ldap.wire import Wire


@dataclass(frozen=True, slots=True)
class Domain:
    """``dn`` is its naming context, ``dns_name`` such as ``example.org``, ``netbios_name`` such as ``EXAMPLE``."""

    dn: str
    dns_name: str
    netbios_name: str

    def is_called(self, name: str) -> bool:
        """Whether it has this name, in either form; case does not count."""
        return normalize_name(name) in (normalize_name(self.netbios_name), normalize_name(self.dns_name))


def set_domain(base: str, netbios_name: str) -> Domain:
    """The domain of a base whose NetBIOS name somebody has set. Raises ValueError for a base that is in none."""
    parts = [dict(part).get("dc") for part in names.parse(base)]
    labels = [part for part in parts if part is not None]
    if not labels or None in parts[len(parts) - len(labels) :]:
        raise ValueError(f"{base!r} does not end with the DC=... of a domain")
    return Domain(",".join(f"DC={label}" for label in labels), ".".join(labels), netbios_name)


def read_domains(wire: Wire, bases: Sequence[str], deadline: Deadline) -> tuple[Domain, ...]:
    """The domains that the bases are in, each once, from the forest's list of them (MS-ADTS §6.1.1.2.1.1).

    Raises BackendMisconfigured where it cannot be read, other BackendErrors.
    """
    (configuration,) = _row(wire, "", ("configurationNamingContext",), deadline)
    if configuration is None:
        raise BackendMisconfigured(f"{wire.server}: this is no domain controller of Active Directory")
    place = f"CN=Partitions,{text_of(configuration)}"
    found, result = few(
        wire,
        Search(place, Scope.ONE, present("nETBIOSName")),
        ("nCName", "dnsRoot", "nETBIOSName"),
        deadline,
        Referrals(),
    )
    if result.code != SUCCESS:
        raise failure(result, f"{wire.server}: reading the names of domains in {place!r}")
    known = [Domain(*(text_of(several(value)[0]) for value in row)) for row in found if None not in row]
    domains = dict.fromkeys(_home(known, base, place) for base in bases)
    return tuple(domains)


def _home(known: Sequence[Domain], base: str, place: str) -> Domain:
    """The domain of a base: of those above it the nearest."""
    name = names.parse(base)
    above = [domain for domain in known if names.is_below(name, names.parse(domain.dn))]
    if not above:
        raise BackendMisconfigured(
            f"no domain of the base {base!r} can be read in {place!r}: set netbios_domain, or check the base"
        )
    return max(above, key=lambda domain: len(names.parse(domain.dn)))


def _row(wire: Wire, dn: str, attributes: tuple[str, ...], deadline: Deadline) -> Row:
    rows, result = few(wire, Search(dn, Scope.BASE, present("objectClass")), attributes, deadline, Referrals())
    if result.code != SUCCESS:
        raise failure(result, f"{wire.server}: reading {dn or 'its root entry'!r}")
    return rows[0] if rows else [None] * len(attributes)
