"""Making people, and moving an address that they have proved to where verified ones stand."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from integration_server import (
    BackendError,
    BackendMisconfigured,
    Deadline,
    Entry,
    NewAccount,
    UnwritableValue,
    normalize_name,
    values,
)
from integration_server.builtin.ldap import names
from integration_server.builtin.ldap.account_plan import AccountPlan
from integration_server.builtin.ldap.changes import Change, addition, deletion, modification
from integration_server.builtin.ldap.entries import Row
from integration_server.builtin.ldap.messages import Scope, Search, present
from integration_server.builtin.ldap.results import (
    ENTRY_EXISTS,
    NO_SUCH_OBJECT,
    SUCCESS,
    failure,
    is_gone_already,
    is_there_already,
    write_failure,
)
from integration_server.builtin.ldap.search import Referrals, few
from integration_server.builtin.ldap.values import octets_of, several, text_of
from integration_server.builtin.ldap.wire import Wire

_TRIES = 5
#: Bytes; more than this no server takes for certain.
_LONGEST_RDN = 255


@dataclass(frozen=True, slots=True)
class NewEntry:
    """The entry of a person who is to be made. ``attributes`` has no empty values."""

    dn: str
    attributes: dict[str, list[bytes]]


def new_entry(plan: AccountPlan, account: NewAccount) -> NewEntry:
    """The entry as the settings want it, under a name that nobody else gets. Raises BackendError."""
    settings = plan.settings
    if account.password is not None:
        raise UnwritableValue(f"{plan.where}: new people get no password here")
    if not account.email.strip():
        # Nobody would find them, and each try would make one more.
        raise UnwritableValue(f"{plan.where}: a person needs an address")
    full_name = " ".join(account.full_name.split()) or account.email
    wanted = [
        *(("objectClass", name) for name in settings.object_classes),
        (settings.email_attribute, account.email),
        (settings.full_name_attribute, full_name),
        (settings.surname_attribute, full_name.split()[-1]),
        (settings.biography_attribute, account.biography),
        (settings.tz_attribute, account.tz),
    ]
    given = {attribute.lower(): value for attribute, value in reversed(wanted) if attribute and value}
    rdn = given.get(settings.rdn_attribute.lower())
    if rdn is None:
        rdn = secrets.token_hex(10)
        wanted.append((settings.rdn_attribute, rdn))
    if len(rdn.encode("utf-8", "surrogatepass")) > _LONGEST_RDN:
        # OpenLDAP itself says "other" to it, which reads like an outage.
        raise UnwritableValue(f"{plan.where}: {settings.rdn_attribute} is too long to name an entry")
    attributes: dict[str, list[bytes]] = {}
    spellings: dict[str, str] = {}
    for attribute, value in wanted:
        if attribute and value:
            held = attributes.setdefault(spellings.setdefault(attribute.lower(), attribute), [])
            if (octets := _encoded(plan, value)) not in held:
                held.append(octets)
    return NewEntry(f"{settings.rdn_attribute}={names.escape(rdn)},{settings.base}", attributes)


def _encoded(plan: AccountPlan, value: str) -> bytes:
    if "\0" in value:
        # The directory would take it, and then no list could be read any more: the mapping refuses it.
        raise UnwritableValue(f"{plan.where}: a new person's text holds a NUL character")
    try:
        return value.encode()
    except UnicodeEncodeError as exc:
        raise UnwritableValue(f"{plan.where}: a new person's text cannot be written in UTF-8") from exc


class Accounts:
    """People's entries, for one change on one connection. ``people`` is the BER of the filter that tells people.

    ``account`` is the DN of who is bound. Methods raise BackendMisconfigured for what has to be set up at the server,
    other BackendErrors where nothing is known of the outcome.
    """

    def __init__(self, plan: AccountPlan, people: bytes, wire: Wire, account: str | None, deadline: Deadline) -> None:
        self._plan = plan
        self._people = people
        self._wire = wire
        self._account = account
        self._deadline = deadline

    def create(self, new: NewEntry) -> str:
        """Make the entry and return the person's id. One that is there already is the same, left by an earlier try."""
        doing = f"{self._wire.server}: adding {new.dn!r}"
        result = self._wire.write(addition(new.dn, new.attributes), self._deadline)
        if result.code not in (SUCCESS, ENTRY_EXISTS):
            raise write_failure(result, doing, self._account)
        row = self._read(new.dn, self._people, [self._plan.id_attribute, self._plan.settings.email_attribute])
        person_id = None if row is None else self._id(new.dn, row[0])
        if result.code == ENTRY_EXISTS:
            address = text_of(new.attributes[self._plan.settings.email_attribute][0])
            if row is None or person_id is None or _held(row[1], address) is None:
                raise UnwritableValue(f"{doing}: there is another entry of this name")
        elif person_id is None:
            # Left as it is, it would be made again and again by those who do not find it.
            self._wire.write(deletion(new.dn), self._deadline)
            raise BackendMisconfigured(
                f"{doing}: it was taken back, because ldap_filter does not find it or it has no "
                f"{self._plan.id_attribute}; see object_classes of {self._plan.where}"
            )
        assert person_id is not None
        return person_id

    def _id(self, dn: str, value: object) -> str | None:
        try:
            found = values.text(value)
        except ValueError as exc:
            raise BackendError(f"{self._plan.where}: the {self._plan.id_attribute} of {dn!r} cannot be read") from exc
        return found.lower() if found and self._plan.is_id_lower else found

    def confirm(self, entry: Entry, address: str) -> None:
        """Move an address of a found entry to the verified ones, and make it the preferred one where there is none."""
        assert isinstance(entry.handle, str)
        doing = f"{self._wire.server}: confirming an address of {entry.handle!r}"
        for _ in range(_TRIES):
            changes = self._confirmation(entry.handle, address)
            if not changes:
                return
            result = self._wire.write(modification(entry.handle, changes), self._deadline)
            if result.code == SUCCESS:
                return
            # Somebody else changed the addresses meanwhile; nothing of ours was done.
            if not (is_gone_already(result) or is_there_already(result)):
                raise write_failure(result, doing, self._account)
        raise BackendError(f"{doing}: its addresses change all the time")

    def _confirmation(self, dn: str, address: str) -> list[Change]:
        """What is to be changed; nothing where the address is not among the unverified ones."""
        plan = self._plan
        assert plan.unverified is not None
        wanted = [plan.unverified, *plan.verified, *([plan.preferred] if plan.preferred else [])]
        row = self._read(dn, present("objectClass"), wanted)
        if row is None:
            raise BackendError(f"{self._wire.server}: {dn!r} is not there any more")
        held = dict(zip(wanted, row, strict=True))
        found = _held(held[plan.unverified], address)
        if found is None:
            return []
        changes = [Change(plan.unverified, (found,), is_addition=False)]
        # Beside a preferred address this one must not come to stand among the preferred ones.
        has_preferred = plan.preferred is not None and held[plan.preferred] is not None
        target = next((name for name in plan.verified if not has_preferred or name != plan.preferred), plan.verified[0])
        targets = [target] if has_preferred or plan.preferred is None else [target, plan.preferred]
        for name in dict.fromkeys(targets):
            if _held(held[name], address) is None:
                changes.append(Change(name, (found,)))
        return changes

    def _read(self, dn: str, asked: bytes, attributes: list[str]) -> Row | None:
        """These attributes of an entry; None where it is not there, or does not meet the filter."""
        rows, result = few(self._wire, Search(dn, Scope.BASE, asked), attributes, self._deadline, Referrals())
        if result.code not in (SUCCESS, NO_SUCH_OBJECT):
            raise failure(result, f"{self._wire.server}: reading {dn!r}")
        return rows[0] if rows else None


def _held(value: object, address: str) -> bytes | None:
    """The address as an attribute holds it, whatever its case."""
    wanted = normalize_name(address.strip())
    return next((octets_of(one) for one in several(value) if normalize_name(text_of(one).strip()) == wanted), None)
