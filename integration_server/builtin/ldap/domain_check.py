"""What ``check`` says of a domain of Active Directory: names, what is out of reach, and whom the profile leaves out."""

from __future__ import annotations

from collections.abc import Iterator

from integration_server import BackendMisconfigured, Deadline, Finding
from integration_server.builtin.ldap import names
from integration_server.builtin.ldap.domain import read_domains
from integration_server.builtin.ldap.library import parsed_filter
from integration_server.builtin.ldap.messages import Scope, Search, present
from integration_server.builtin.ldap.plan import Plan
from integration_server.builtin.ldap.results import SUCCESS
from integration_server.builtin.ldap.search import Referrals, few, listing
from integration_server.builtin.ldap.values import text_of
from integration_server.builtin.ldap.wire import Wire

_GLOBAL_CATALOGUE = frozenset({3268, 3269})
#: Accounts and contacts that the profile's own filter leaves out.
_OTHERS = {
    "computers": "(objectCategory=computer)",
    "managed service accounts": "(|(objectCategory=msDS-GroupManagedServiceAccount)"
    "(objectCategory=msDS-ManagedServiceAccount)(objectCategory=msDS-DelegatedManagedServiceAccount))",
    "contacts": "(objectClass=contact)",
    "trusts": "(&(objectClass=user)(sAMAccountType=805306370))",
}


def check_domain(plan: Plan, wire: Wire, deadline: Deadline) -> Iterator[Finding]:
    """Findings on one connection. Raises BackendError."""
    for address in plan.servers:
        if address.port in _GLOBAL_CATALOGUE:
            yield Finding(
                "warning",
                f"{address.uri} is a global catalogue, which holds only part of the attributes, and people of every "
                "domain: use ldaps:// with its usual port, 636",
            )
    yield from _contexts(plan, wire, deadline)
    yield from _names(plan, wire, deadline)
    if plan.is_filter_of_profile:
        yield from _left_out(plan, wire, deadline)


def _contexts(plan: Plan, wire: Wire, deadline: Deadline) -> Iterator[Finding]:
    """Whether the bases are in the domain whose controller this is."""
    rows, result = few(
        wire, Search("", Scope.BASE, present("objectClass")), ("defaultNamingContext",), deadline, Referrals()
    )
    context = rows[0][0] if result.code == SUCCESS and rows else None
    if context is None:
        yield Finding("warning", f"{wire.server}: this does not look like a domain controller of Active Directory")
        return
    for base in plan.bases:
        if not names.is_below(names.parse(base), names.parse(text_of(context))):
            yield Finding("warning", f"base {base!r} is not in this controller's own domain, {text_of(context)!r}")


def _names(plan: Plan, wire: Wire, deadline: Deadline) -> Iterator[Finding]:
    try:
        domains = (plan.domain,) if plan.domain is not None else read_domains(wire, plan.bases, deadline)
    except BackendMisconfigured as exc:
        yield Finding("warning", f"nobody can log in by DOMAIN\\name or name@domain: {exc}")
        return
    for domain in domains:
        source = "set" if plan.domain is not None else "read"
        yield Finding("ok", f"domain {domain.dns_name}, NetBIOS name {domain.netbios_name} ({source})")
    if len(domains) > 1:
        yield Finding(
            "warning",
            "the bases are in several domains: nobody can log in by DOMAIN\\name or name@domain, and user names are "
            "unique within a domain only; make each domain a backend",
        )


def _left_out(plan: Plan, wire: Wire, deadline: Deadline) -> Iterator[Finding]:
    """How many of what kind the profile's filter leaves out."""
    counts = {kind: _count(plan, wire, text, deadline) for kind, text in _OTHERS.items()}
    if found := ", ".join(f"{kind} ({count})" for kind, count in counts.items() if count):
        yield Finding("ok", f"the profile's ldap_filter leaves out: {found}")


def _count(plan: Plan, wire: Wire, text: str, deadline: Deadline) -> int:
    count = 0
    for base in plan.bases:
        search = Search(base, plan.scope, parsed_filter(text))
        count += sum(map(len, listing(wire, search, ("dn",), plan.page_size, deadline, Referrals())))
    return count
