"""What ``integration-server check`` says about an LDAP backend: servers, encryption, permissions, bases, mapping."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from datetime import UTC, datetime

from integration_server import (
    BackendError,
    BackendMisconfigured,
    BackendUnavailable,
    Certificate,
    Deadline,
    Finding,
    IncompleteListing,
    authorities_of,
    certificate_expiry,
    certificates_in,
)
from integration_server.builtin.ldap.domain_check import check_domain
from integration_server.builtin.ldap.entries import Row
from integration_server.builtin.ldap.groups import read_groups
from integration_server.builtin.ldap.messages import PAGING, Scope, Search, present
from integration_server.builtin.ldap.people import check_states
from integration_server.builtin.ldap.plan import Plan
from integration_server.builtin.ldap.results import NO_SUCH_OBJECT, SUCCESS, describe
from integration_server.builtin.ldap.search import Referrals, few, listing
from integration_server.builtin.ldap.servers import Servers
from integration_server.builtin.ldap.settings import Address, SrvName
from integration_server.builtin.ldap.wire import Wire

_WARN_DAYS = 30
#: Counting stops here; a first look at a huge directory need not take minutes.
_COUNT_SECONDS = 20.0
_ACTIVE_DIRECTORY = "1.2.840.113556.1.4.800"
#: The partitions of a forest to which the root of each domain refers: settings and names in DNS, and nobody.
_OWN_PARTITION = re.compile(r"/(CN=Configuration|DC=(Domain|Forest)DnsZones),DC=", re.IGNORECASE)


def check(plan: Plan, servers: Servers, deadline: Deadline) -> Iterator[Finding]:
    """Findings from the outside in. Raises BackendUnavailable where no server can be reached."""
    with ExitStack() as stack:
        best: Wire | None = None
        troubles: list[BackendError] = []
        addresses = servers.current(deadline)
        yield from _dns(plan, servers, addresses)
        yield from _files(plan)
        for address in addresses:
            try:
                wire = stack.enter_context(closing(servers.open_one(address, deadline, as_service=True)))
            except BackendError as exc:
                troubles.append(exc)
                continue
            yield from _connection(plan, address, wire, deadline)
            best = best or wire
        outages = [trouble for trouble in troubles if isinstance(trouble, BackendUnavailable)]
        for trouble in troubles:
            if trouble not in outages:
                yield Finding("error", str(trouble))
        if best is None:
            if outages:
                raise BackendUnavailable("; ".join(map(str, outages))) from outages[-1]
            return
        # A server that is down is no outage while another one stands in for it.
        for outage in outages:
            yield Finding("warning", str(outage))
        yield from _contents(plan, best, deadline)


def _contents(plan: Plan, wire: Wire, deadline: Deadline) -> Iterator[Finding]:
    try:
        yield from _server(plan, wire, deadline)
        yield from _bases(plan, wire, deadline)
        if plan.profile.is_active_directory:
            yield from check_domain(plan, wire, deadline)
        # Before the people: counting them may leave the connection in the middle of a page.
        yield from _groups(plan, wire, deadline)
        yield from _entries(plan, wire, deadline)
    except (BackendMisconfigured, IncompleteListing) as exc:
        # Limits that cut the list short do not go away by waiting.
        yield Finding("error", str(exc))


def _dns(plan: Plan, servers: Servers, addresses: Sequence[Address]) -> Iterator[Finding]:
    for trouble in servers.dns_troubles:
        yield Finding("warning", str(trouble))
    if names := [server.uri for server in plan.servers if isinstance(server, SrvName)]:
        fixed = [server for server in plan.servers if isinstance(server, Address)]
        found = ", ".join(address.uri for address in addresses if address not in fixed)
        yield Finding("ok", f"{', '.join(names)}: DNS names {found or 'no server'}, which are asked in this order")


def _connection(plan: Plan, address: Address, wire: Wire, deadline: Deadline) -> Iterator[Finding]:
    who = f"bound as {plan.account.dn}" if plan.account else "anonymously"
    if plan.account is not None and plan.account.password is None and (name := wire.who_am_i(deadline)) is not None:
        who += f" ({name or 'nobody'})"
    if not isinstance(wire.socket, ssl.SSLSocket):
        yield Finding("ok", f"{address.uri}: connected {who}, not encrypted")
        if not address.is_local:
            yield Finding(
                "warning",
                f"{address.uri}: passwords cross the network in plain text; use ldaps:// or start_tls = true",
            )
        return
    yield Finding("ok", f"{address.uri}: connected {who}, {wire.socket.version()}")
    if not plan.tls.verify:
        yield Finding("warning", f"{address.uri}: verify_certificates is off, so anybody in between can read passwords")
    try:
        expires_at = certificate_expiry(wire.socket.getpeercert(binary_form=True) or b"")
    except ValueError:
        return
    yield _lasting(f"{address.uri}: the certificate", Certificate(address.uri, expires_at))


def _files(plan: Plan) -> Iterator[Finding]:
    """How long what stands in files is good for; files that cannot be read show when somebody connects."""
    own, trusted = plan.tls.client_certificate, plan.tls.ca_file
    with suppress(OSError, ValueError):
        if own is not None and (ends := certificates_in(own)):
            yield _lasting(f"client_certificate {own}", Certificate(f"client_certificate {own}", min(ends)))
    with suppress(OSError, ValueError):
        if trusted is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(trusted)
            for authority in authorities_of(context, f"ca_file {trusted}", time.time()):
                yield _lasting(authority.holder, authority)


def _lasting(whose: str, certificate: Certificate) -> Finding:
    days = int((certificate.expires_at - time.time()) // 86400)
    level = "warning" if days < _WARN_DAYS else "ok"
    end = datetime.fromtimestamp(certificate.expires_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    told = f"expires in {days} days" if days >= 0 else "has expired"
    return Finding(level, f"{whose} {told} ({end})", (certificate,))


def _server(plan: Plan, wire: Wire, deadline: Deadline) -> Iterator[Finding]:
    """What the root entry tells (RFC 4512 §5.1)."""
    names = ("vendorName", "vendorVersion", "supportedControl", "supportedCapabilities", "namingContexts")
    rows, result = few(wire, Search("", Scope.BASE, present("objectClass")), names, deadline, Referrals())
    if result.code != SUCCESS or not rows:
        yield Finding("warning", f"{wire.server}: its root entry cannot be read ({describe(result)})")
        return
    vendor, version, controls, capabilities, contexts = map(_values, rows[0])
    product = " ".join(vendor + version) or ("Active Directory" if _ACTIVE_DIRECTORY in capabilities else "LDAP")
    yield Finding("ok", f"{wire.server}: {product}, holds {', '.join(contexts) or 'nothing that it would name'}")
    if plan.page_size and PAGING not in controls:
        yield Finding("warning", f"{wire.server}: does not offer paging; set page_size = 0 if listings fail")
    if _ACTIVE_DIRECTORY in capabilities and "entryuuid" in map(str.lower, plan.attributes):
        yield Finding(
            "warning", 'Active Directory has no entryUUID; set profile = "active_directory", or map id to objectGUID'
        )


def _bases(plan: Plan, wire: Wire, deadline: Deadline) -> Iterator[Finding]:
    for base in (*plan.bases, *((plan.accounts.settings.base,) if plan.accounts else ())):
        search = Search(base, Scope.BASE, present("objectClass"))
        rows, result = few(wire, search, ("dn",), deadline, Referrals())
        if result.code == SUCCESS and rows:
            yield Finding("ok", f"base {base!r} is there")
        elif result.code == SUCCESS:
            yield Finding("warning", f"base {base!r} may not be read by the service account")
        else:
            until = f", which exists up to {result.matched_dn!r}" if result.matched_dn else ""
            level = "error" if result.code == NO_SUCH_OBJECT else "warning"
            yield Finding(level, f"base {base!r}{until}: {describe(result)}")


def _groups(plan: Plan, wire: Wire, deadline: Deadline) -> Iterator[Finding]:
    if plan.groups is None:
        return
    if plan.groups.column is None:
        yield Finding(
            "warning", f"{plan.groups.where}: [map] groups does not read its 'attribute', so nobody is in any"
        )
    referrals = Referrals()
    if count := len(read_groups(plan.groups, wire, deadline, referrals)):
        yield Finding("ok", f"{count} groups match ldap_filter of {plan.groups.where}")
    else:
        yield Finding("warning", f"no group matches ldap_filter of {plan.groups.where}, or the account may see none")
    yield from _not_followed(plan, referrals, "groups")


def _entries(plan: Plan, wire: Wire, deadline: Deadline) -> Iterator[Finding]:
    """List everybody, or as many as come in a while: limits show only at the end of a list."""
    referrals = Referrals()
    first: list[Row] = []
    # A directory is not down because it holds more people than can be counted until the deadline.
    give_up = deadline.sooner(min(_COUNT_SECONDS, deadline.remaining() / 2))
    count, is_whole = 0, True
    for base in plan.bases:
        pages = listing(wire, Search(base, plan.scope, plan.filter), plan.asked, plan.page_size, deadline, referrals)
        for rows in pages:
            first = first or rows
            count += len(rows)
            if give_up.is_over():
                is_whole = False
                break
        if not is_whole:
            # The next page is under way, so this connection is good for nothing more.
            break
    if count:
        yield Finding("ok", f"{'' if is_whole else 'at least '}{count} entries match ldap_filter")
    else:
        yield Finding("warning", "no entry matches ldap_filter below the bases, or the service account may see none")
    yield from _not_followed(plan, referrals, "people")
    yield from _attributes(plan, first)


def _not_followed(plan: Plan, referrals: Referrals, who: str) -> Iterator[Finding]:
    if not referrals.count:
        return
    where = ", ".join(referrals.urls[:3])
    is_all_known = referrals.count == len(referrals.urls)
    if plan.profile.is_active_directory and is_all_known and all(map(_OWN_PARTITION.search, referrals.urls)):
        yield Finding("ok", f"{referrals.count} referrals are not followed, to where a domain keeps no {who}: {where}")
        return
    yield Finding("warning", f"{referrals.count} referrals are not followed; {who} may be there as well: {where}")


def _attributes(plan: Plan, rows: Sequence[Row]) -> Iterator[Finding]:
    check_states(plan, rows)
    for column, name in enumerate(plan.asked):
        lacking = sum(row[column] is None for row in rows)
        if rows and lacking == len(rows) and (other := plan.profile.stand_ins.get(name.lower())) is not None:
            yield Finding("ok", f"none of the first {len(rows)} entries has {name!r}; {other!r} stands in for it")
        elif rows and lacking == len(rows):
            yield Finding("warning", f"none of the first {len(rows)} entries has the mapped attribute {name!r}")
        elif lacking and name.lower() in plan.key_attributes:
            yield Finding(
                "warning", f"{lacking} of the first {len(rows)} entries lack {name!r}, without which nobody is listed"
            )


def _values(value: object) -> list[str]:
    return [str(item) for item in (value if isinstance(value, list) else [value]) if item is not None]
