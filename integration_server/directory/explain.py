"""Why somebody is on a list or is not, backend by backend, and where each of their attributes came from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from integration_server.directory.mount import Mount
from integration_server.directory.source import Source
from integration_server.directory.survey import asking, batches
from integration_server.sdk import values
from integration_server.sdk.deadline import Deadline
from integration_server.sdk.errors import BackendError, BackendUnavailable, BadEntry, ConfigError
from integration_server.sdk.mapping import Mapper
from integration_server.sdk.model import AccountState, Batch, Entry, Lookup, User, normalize_name
from integration_server.sdk.settings import FieldRule

_HINTS = 5
_STATE_FIELDS = ("is_disabled", "is_enabled", "expires_at")


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
        except BackendUnavailable as exc:
            finding, claims = Finding(source.name, f"cannot be asked: {exc}", is_outage=True), False
        except (BackendError, ConfigError) as exc:
            finding, claims = Finding(source.name, str(exc)), False
        if claims and owner is not None:
            finding = replace(finding, reason=f"the name is taken: backend {owner} comes earlier and has it, too")
        owner = owner or (source.name if claims else None)
        findings.append(finding)
    return findings


def _look(mount: Mount, source: Source, username: str) -> tuple[Finding, bool]:
    """The finding of one source taken alone, and whether it claims the name from later ones."""
    deadline = Deadline(source.settings.list_seconds)
    wanted = normalize_name(username)
    lookups = _lookups(source, username, wanted)
    for lookup in lookups:
        entry = source.backend.find(lookup, deadline)
        if entry is None:
            continue
        mapped = source.mapper.entry_page(entry).user(0)
        page = source.transformed(source.mapper.entry_page(entry))
        if not len(page):
            return Finding(
                source.name, "a transform_user hook hides this person", origins=_origins(source, entry)
            ), False
        user = page.user(0)
        if normalize_name(user.username) != wanted:
            reason = f"{_said(lookup)} finds an entry, but that one is listed as {user.username!r}"
            return Finding(source.name, reason, origins=_origins(source, entry, mapped, user)), False
        left_out = mount.why_not(source, page, 0)
        reason_or_none = left_out or _state_reason(mount, user)
        notes = tuple(_login_notes(source, username))
        found = Finding(source.name, reason_or_none, notes=notes, origins=_origins(source, entry, mapped, user))
        # A disabled account claims its name all the same; one that a filter leaves out does not.
        return found, left_out is None
    reason = " and ".join(map(_said, lookups)) + " finds nothing" if lookups else _no_lookup(source)
    return Finding(source.name, reason, notes=tuple(_search(source, wanted, deadline))), False


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
    if user.state is AccountState.ACTIVE or mount.settings.list_disabled:
        return None
    return f"the account is {user.state.value} (list_disabled = true would list it)"


def _login_notes(source: Source, username: str) -> Iterator[str]:
    if not source.may_own(username):
        yield "is not asked at logins with this name: domains or pattern exclude it"
    if not source.can_verify:
        yield "cannot check passwords, so nobody logs in by it"


# -- where attributes come from --------------------------------------------------------------------------------------


def _origins(source: Source, entry: Entry, mapped: User | None = None, user: User | None = None) -> tuple[Origin, ...]:
    """Every mapped field of an entry. ``user`` is what hooks made of ``mapped``."""
    mapped = mapped or source.mapper.entry_page(entry).user(0)
    user = user or mapped
    chosen = source.settings.map
    found = []
    for name, rule in rules_of(source.mapper).items():
        attributes = tuple((key, _raw(entry.attributes.get(key))) for key in attributes_of(rule))
        before, after = _field(mapped, name), _field(user, name)
        found.append(Origin(name, after, attributes, getattr(chosen, name) is None, before != after))
    return tuple(found)


def rules_of(mapper: Mapper) -> dict[str, FieldRule]:
    """The rules in force: the admin's merged with the backend type's."""
    return mapper._rules


def attributes_of(rule: FieldRule) -> tuple[str, ...]:
    """The attributes that a rule reads, those within templates, too."""
    found: dict[str, None] = {}
    for source in rule.sources:
        inside = [part.partition("}")[0] for part in source.split("{")[1:]]
        found.update(dict.fromkeys(inside or [source]))
    return tuple(found)


def _field(user: User, name: str) -> str | tuple[str, ...] | None:
    if name in _STATE_FIELDS:
        return user.state.value
    value = getattr(user, name)
    if name == "emails":
        return tuple(email.address for email in value)
    assert value is None or isinstance(value, str | tuple)
    return value


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


def _search(source: Source, wanted: str, deadline: Deadline) -> Iterator[str]:
    """Entries in the listing that bear the name in some attribute, or that cannot be read and bear it."""
    hints = 0
    with closing(batches(source, deadline)) as all_of_them:
        for batch in all_of_them:
            for row in batch.rows:
                attribute = _match(batch.names, row, wanted)
                if attribute is not None:
                    yield _hint(source, Batch(batch.names, [row]), attribute, wanted)
                    hints += 1
                if hints >= _HINTS:
                    return


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


def _hint(source: Source, batch: Batch, attribute: str, wanted: str) -> str:
    try:
        page = source.transformed(source.mapper.page(batch))
    except BadEntry as exc:
        return f"the listing holds an entry that cannot be read: {exc}"
    if not len(page):
        return f"the listing holds an entry with this {attribute}, but a transform_user hook hides it"
    listed_as = page.usernames[0]
    if normalize_name(listed_as) == wanted:
        return (
            f"yet the listing holds {listed_as!r}: logins do not find this entry; "
            "ignore_case = true on the rule of username may be what lacks"
        )
    return f"the listing holds an entry with this {attribute}; people know it as {listed_as!r}"
