"""Why somebody is on a list or is not, backend by backend, and where each of their attributes came from."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from integration_server.directory.mount import Mount
from integration_server.directory.source import Source
from integration_server.directory.survey import asking, batches
from integration_server.sdk import values
from integration_server.sdk.deadline import Deadline
from integration_server.sdk.errors import AmbiguousEntry, BackendError, BadEntry, ConfigError
from integration_server.sdk.logins import AccountNotes
from integration_server.sdk.model import CLOSED_STATES, AccountState, Batch, Email, Entry, Lookup, User, normalize_name
from integration_server.sdk.page import UserPage
from integration_server.sdk.settings import FieldRule

_HINTS = 5
NOT_SHOWN = "(not shown)"
#: What attributes and columns are called that hold passwords, and what most hashes begin with.
_SECRET_NAME = re.compile(
    r"(pass|passwd|password|passphrase|pwd|hash|salt|secret|token|krbprincipalkey)s?$", re.IGNORECASE
)
_HASH = re.compile(r"\{[A-Za-z0-9-]{3,}\}|\$(1|2[abxy]|5|6|7|y|P|H|wp|apr1|argon2\w*|scrypt|pbkdf2\S*)\$")
_BAD_ENTRY = "more such entries than bad_rows_allowed make the whole list an error"
#: What each of these fields makes of a person.
_STATE_FIELDS = {
    "is_disabled": AccountState.DISABLED,
    "is_enabled": AccountState.DISABLED,
    "expires_at": AccountState.EXPIRED,
    "is_locked": AccountState.LOCKED,
    "is_password_expired": AccountState.PASSWORD_EXPIRED,
}
#: Which of a user's addresses each field is about.
_ADDRESS_FIELDS: dict[str, Callable[[Email], bool]] = {
    "emails": lambda email: True,
    "preferred_emails": lambda email: email.is_preferred,
    "unverified_emails": lambda email: not email.is_verified,
}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where one field came from: the attributes it is made of, with what the backend holds in them."""

    field: str
    value: str | tuple[str, ...] | None
    attributes: tuple[tuple[str, str | None], ...]
    is_default_rule: bool
    is_changed_by_hook: bool


@dataclass(frozen=True, slots=True)
class Finding:
    """One backend's part. ``reason`` says why the person is not listed from here; None where they are."""

    source: str
    reason: str | None
    is_outage: bool = False
    notes: tuple[str, ...] = ()
    origins: tuple[Origin, ...] = ()


def explain(mount: Mount, username: str) -> list[Finding]:
    """What each source of a mount makes of a name. A backend that cannot be asked is a finding like any other."""
    findings: list[Finding] = []
    owner: str | None = None
    for source in mount.sources:
        try:
            with asking(source):
                finding, claims = _look(mount, source, username)
        except BadEntry as exc:
            finding, claims = Finding(source.name, str(exc), notes=(_BAD_ENTRY,)), False
        except (BackendError, ConfigError) as exc:
            finding, claims = Finding(source.name, f"cannot be asked: {exc}", is_outage=True), False
        if claims and owner is not None:
            finding = replace(finding, reason=f"the name is taken: backend {owner} comes earlier and has it, too")
        owner = owner or (source.name if claims else None)
        findings.append(finding)
    return findings


def _look(mount: Mount, source: Source, username: str) -> tuple[Finding, bool]:
    """The finding of one source taken alone, and whether it claims the name from later ones."""
    deadline = Deadline(source.settings.list_seconds)
    wanted = normalize_name(username)
    notes = list(_login_notes(source, username))
    try:
        entry, missed = _find(source, username, wanted, deadline)
    except AmbiguousEntry as exc:
        entry, missed = None, str(exc)
    if entry is not None:
        notes += _account_notes(source, entry, deadline)
        found = Batch(tuple(entry.attributes), [tuple(entry.attributes.values())])
        return _judge(mount, source, found, tuple(notes))
    notes += _other_names(source, username, deadline)
    # Lists do not look people up, so the list may hold somebody whom a login does not find.
    listed, hints = _search(source, wanted, deadline)
    if listed is None:
        return Finding(source.name, missed, notes=(*notes, *hints)), False
    notes.append(f"logins do not find this entry: {missed}")
    return _judge(mount, source, listed, tuple(notes))


@dataclass(frozen=True, slots=True)
class Seen:
    """An entry as a source makes a person of it. ``page`` is of one, or of nobody where a hook hides them."""

    page: UserPage
    notes: tuple[str, ...]
    origins: tuple[Origin, ...]


def see(source: Source, found: Batch) -> Seen:
    """The one entry in ``found``. Raises BackendError."""
    alone = source.mapper.page(found)
    mapped, page = source.merged(alone).user(0), source.transformed(alone)
    user = page.user(0) if len(page) else mapped
    return Seen(page, _kept_notes(alone.user(0), mapped), _origins(source, found, mapped, user))


def why_not_listed(mount: Mount, source: Source, page: UserPage) -> tuple[str | None, bool]:
    """Why a seen person is not on a mount's list, taken alone, and whether they claim their name from later sources."""
    if not len(page):
        return "a transform_user hook hides this person", False
    left_out = mount.why_not(source, page, 0)
    # A disabled account claims its name all the same; one that a filter leaves out does not.
    return left_out or _state_reason(mount, page.user(0)), left_out is None


def _judge(mount: Mount, source: Source, found: Batch, notes: tuple[str, ...]) -> tuple[Finding, bool]:
    """What becomes of the one entry in ``found``."""
    seen = see(source, found)
    reason, claims = why_not_listed(mount, source, seen.page)
    return Finding(source.name, reason, notes=(*notes, *seen.notes), origins=seen.origins), claims


def _kept_notes(before: User, after: User) -> tuple[str, ...]:
    """What the memberships that are kept beside the backend change."""
    changes = [f"in {name}" for name in after.groups if name not in before.groups]
    changes += [f"not in {name}" for name in before.groups if name not in after.groups]
    return (f"kept beside the backend: {', '.join(changes)}",) if changes else ()


def _find(source: Source, username: str, wanted: str, deadline: Deadline) -> tuple[Entry | None, str]:
    """The entry that a login finds; or why it finds none. Raises BackendError."""
    missed = []
    for lookup in _lookups(source, username, wanted):
        entry = source.backend.find(lookup, deadline)
        if entry is None:
            missed.append(f"{_said(lookup)} finds nothing")
            continue
        page = source.transformed(source.mapper.entry_page(entry))
        if not len(page) or normalize_name(page.usernames[0]) == wanted:
            return entry, ""
        missed.append(f"{_said(lookup)} finds an entry, but that one is listed as {page.usernames[0]!r}")
    return None, "; ".join(missed) or _no_lookup(source)


def _lookups(source: Source, username: str, wanted: str) -> Sequence[Lookup]:
    if not source.settings.username_index:
        return source.mapper.lookups(username)
    entry_id = source.index.entry_id(source.name, wanted)
    return () if entry_id is None else (source.mapper.id_lookup(entry_id),)


def _no_lookup(source: Source) -> str:
    if source.settings.username_index:
        return "the index of listed names, which the last list wrote, does not hold this name"
    return "the mapping gives no name of this form to anybody"


def _said(lookup: Lookup) -> str:
    return f"looking for {lookup.attribute} = {lookup.value!r}{' in any case' if lookup.ignore_case else ''}"


def _state_reason(mount: Mount, user: User) -> str | None:
    if user.state not in CLOSED_STATES or mount.settings.list_disabled:
        return None
    return f"the account is {user.state.value} (list_disabled = true would list it)"


def _login_notes(source: Source, username: str) -> Iterator[str]:
    if not source.may_own(username):
        yield "is not asked at logins with this name: domains or pattern exclude it"
    if not source.can_verify:
        yield "cannot check passwords, so nobody logs in by it"


def _account_notes(source: Source, entry: Entry, deadline: Deadline) -> Sequence[str]:
    """What the backend itself would say against a login."""
    backend = source.backend
    return backend.account_notes(entry, deadline) if isinstance(backend, AccountNotes) else ()


def _other_names(source: Source, username: str, deadline: Deadline) -> Iterator[str]:
    """Whom a login by this name means, where nobody is listed under it."""
    try:
        located = source.locate_by(source.login_lookups(username, deadline), deadline)
    except AmbiguousEntry as exc:
        yield f"nobody logs in by this name: {exc}"
        return
    if located is not None:
        yield f"{located.page.usernames[0]!r} may log in by this name, where no backend lists anybody under it"


# -- where attributes come from --------------------------------------------------------------------------------------


def _origins(source: Source, found: Batch, mapped: User, user: User) -> tuple[Origin, ...]:
    """Every mapped field of an entry. ``user`` is what hooks made of ``mapped``."""
    values_of = dict(zip(found.names, found.rows[0], strict=True))
    chosen = source.settings.map
    origins = []
    for name, rule in source.mapper.rules.items():
        attributes = tuple((key, shown_value(key, values_of.get(key))) for key in attributes_of(rule))
        before, after = _field(mapped, name), _field(user, name)
        # Whoever maps a password by mistake should not read it here as well.
        is_secret = any(value == NOT_SHOWN for _, value in attributes)
        value = NOT_SHOWN if is_secret and after else after
        origins.append(Origin(name, value, attributes, getattr(chosen, name) is None, before != after))
    return tuple(origins)


def attributes_of(rule: FieldRule) -> tuple[str, ...]:
    """The attributes that a rule reads, those within templates, too."""
    found: dict[str, None] = {}
    for source in rule.sources:
        inside = [part.partition("}")[0] for part in source.split("{")[1:]]
        found.update(dict.fromkeys(inside or [source]))
    return tuple(found)


def _field(user: User, name: str) -> str | tuple[str, ...] | None:
    if name in _STATE_FIELDS:
        # Beside the field that made the state the others say nothing.
        return user.state.value if user.state in (AccountState.ACTIVE, _STATE_FIELDS[name]) else None
    if name in _ADDRESS_FIELDS:
        return tuple(email.address for email in user.emails if _ADDRESS_FIELDS[name](email))
    value = getattr(user, name)
    assert value is None or isinstance(value, str | tuple)
    return value


def shown_value(attribute: str, value: object) -> str | None:
    """What a backend holds in an attribute, for people to read; never a password or what was made of one."""
    text = _raw(value)
    is_secret = _SECRET_NAME.search(attribute) is not None or (text is not None and _HASH.match(text) is not None)
    return NOT_SHOWN if is_secret and text else text


def _raw(value: object) -> str | None:
    """What a backend holds, for people to read."""
    if value is None:
        return None
    if isinstance(value, bytes | bytearray | memoryview):
        return f"({len(value)} bytes)"
    if isinstance(value, list | tuple):
        return ", ".join(_raw(one) or "" for one in value)
    try:
        return values.text(value)
    except ValueError:
        return repr(value)


# -- who else it could be --------------------------------------------------------------------------------------------


def _search(source: Source, wanted: str, deadline: Deadline) -> tuple[Batch | None, list[str]]:
    """The entry that the listing holds under this name, as a batch of one; else hints at others that bear it."""
    hints: list[str] = []
    with closing(batches(source, deadline)) as all_of_them:
        for batch in all_of_them:
            for row in batch.rows:
                attribute = _match(batch.names, row, wanted)
                if attribute is None:
                    continue
                one = Batch(batch.names, [row])
                listed_as = _listed_as(source, one)
                if listed_as is not None and normalize_name(listed_as) == wanted:
                    return one, []
                if len(hints) < _HINTS:
                    known = "it is hidden by a hook" if listed_as is None else f"people know it as {listed_as!r}"
                    hints.append(f"the listing holds an entry with this {attribute}; {known}")
    return None, hints


def _listed_as(source: Source, one: Batch) -> str | None:
    page = source.transformed(source.mapper.page(one))
    return page.usernames[0] if len(page) else None


def _match(names: Sequence[str], row: Sequence[object], wanted: str) -> str | None:
    """The attribute in which an entry bears the name, alone or before an @."""
    for name, value in zip(names, row, strict=False):
        for one in value if isinstance(value, list | tuple) else (value,):
            if one is None:
                continue
            try:
                found = normalize_name(values.text(one) or "")
            except ValueError:
                continue
            if wanted in (found, found.partition("@")[0]):
                return name
    return None
