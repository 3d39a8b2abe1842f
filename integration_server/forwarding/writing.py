"""Writes of ours into somebody else's directory, and how they get into the journal.

Such a write cannot share a transaction with the journal. So an intent is stored first, then the backend is written to,
then the person is read again, and snapshot, events and the end of the intent are one transaction. What a crash leaves
open is read and told by whoever watches the backend.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from integration_server.directory.site import Site
from integration_server.directory.source import Source
from integration_server.forwarding.detection.documents import checked_ids, digests, documents
from integration_server.forwarding.membership import KeptMembership, Membership, WrittenMembership
from integration_server.sdk.contracts import AccountWriter
from integration_server.sdk.deadline import Deadline
from integration_server.sdk.errors import (
    BackendError,
    BackendMisconfigured,
    BackendUnavailable,
    Busy,
    DirectoryUnavailable,
    ReadOnlyBackend,
    UnknownGroup,
    WriteRefused,
)
from integration_server.sdk.gateway import Joined, Profile, SiteGroup
from integration_server.sdk.model import Entry, NewAccount, User, normalize_name
from integration_server.sdk.page import UserPage
from integration_server.store import Store
from integration_server.store.bell import Bell
from integration_server.store.differences import Change
from integration_server.store.intents import Intent

logger = logging.getLogger(__name__)

#: Seconds after which whoever began a write has given up; no call of a backend takes so long.
LEFT_AFTER = 60.0
#: Who adds somebody holds one of so many claims for a moment, so that two do not make one person twice.
_CLAIMS = 256
_CLAIM_SECONDS = 45.0
_CLAIM_PAUSE = 0.02
_PATIENCE = 20.0
#: What a person can mend.
_REFUSALS = (WriteRefused, BackendMisconfigured)


class Writing:
    """Writes on behalf of one mount. Thread-safe; owns nothing."""

    def __init__(self, site: Site, origin: str, store: Store, bell: Bell) -> None:
        """``origin`` is told with each event, so that who caused it is not told of it."""
        self._site = site
        self._origin = origin
        self._store = store
        self._bell = bell

    def join(self, group_id: str, account: NewAccount, write_to: str | None) -> Joined:
        """See Gateway.join."""
        with _asking():
            group = self._site.group(group_id)
        if group is None:
            raise UnknownGroup(f"there is no group {group_id!r}")
        with self._claim(account.email) as renew, _asking():
            profile = self._site.profile_of_address(account.email)
            if profile is None:
                # Who left the last group of a filter is there all the same, and must not be made again.
                profile = self._site.profile_in_waiting(account.email, group)
            if profile is None:
                return self._join_new(group, account, write_to, renew)
            if group.id in profile.user.groups:
                return Joined(profile, group, is_new_person=False, is_new_member=False)
            source = self._site.source(profile.user.backend)
            membership = self._membership(source, group)
            with self._intending(source, profile.user.id, None) as intent:
                entry = self._entry(source, profile.user.id)
                # First, so that where this is refused nothing is written at all.
                try:
                    self._confirm(source, entry, profile.user, account.email)
                except ReadOnlyBackend:
                    # Memberships are kept beside directories that take no writes: there the address stays as it is.
                    if not isinstance(membership, KeptMembership):
                        raise
                is_new = membership.set_member(entry, is_member=True)
                page = self._told(source, intent, profile.user.id)
            return Joined(self._seen(source, page), group, is_new_person=False, is_new_member=is_new)

    def _join_new(
        self, group: SiteGroup, account: NewAccount, write_to: str | None, renew: Callable[[], None]
    ) -> Joined:
        source = self._site.source(write_to or group.backend)
        backend = source.backend
        if not isinstance(backend, AccountWriter):
            raise ReadOnlyBackend(
                f"backend {source.name}: nobody can be made in a backend of its type; let write_to name another one"
            )
        membership = self._membership(source, group)
        # Directories may have been slow to say that nobody has the address.
        renew()
        with self._intending(source, None, account.email) as intent:
            person_id = source.write(lambda deadline: backend.create_account(account, deadline))
            membership.set_member(self._entry(source, person_id), is_member=True)
            page = self._told(source, intent, person_id)
        return Joined(self._seen(source, page), group, is_new_person=True, is_new_member=True)

    def leave(self, group: SiteGroup, profile: Profile) -> bool:
        """See Gateway.leave."""
        with _asking():
            source = self._site.source(profile.user.backend)
            membership = self._membership(source, group)
            with self._intending(source, profile.user.id, None) as intent:
                was_in = membership.set_member(self._entry(source, profile.user.id), is_member=False)
                self._told(source, intent, profile.user.id)
            return was_in

    # -- steps -------------------------------------------------------------------------------------------------------

    def _membership(self, person: Source, group: SiteGroup) -> Membership:
        """How people of a backend are put into a group. Raises ReadOnlyBackend."""
        home = self._site.source(group.backend)
        if home.settings.keep_memberships and person.kept is not None:
            return KeptMembership(person, group, person.kept)
        if person is not home:
            raise ReadOnlyBackend(
                f"the person belongs into backend {person.name}, and groups of backend {home.name} take only its own,"
                f" as long as keep_memberships is not set in [backends.{home.name}]"
            )
        return WrittenMembership(home, group)

    def _confirm(self, source: Source, entry: Entry, user: User, address: str) -> None:
        backend = source.backend
        if isinstance(backend, AccountWriter) and _wants_confirming(user, address):
            known = next(e.address for e in user.emails if normalize_name(e.address) == normalize_name(address))
            source.write(lambda deadline: backend.confirm_email(entry, known, deadline))

    def _entry(self, source: Source, person_id: str) -> Entry:
        lookup = source.mapper.id_lookup(person_id)
        entry = source.write(lambda deadline: source.backend.find(lookup, deadline))
        if entry is None:
            raise BackendError(f"backend {source.name}: {person_id!r} vanished meanwhile")
        return entry

    @contextmanager
    def _intending(self, source: Source, person_id: str | None, address: str | None) -> Iterator[Intent | None]:
        """What is about to be written, stored; None where nobody is told of changes in this backend.

        Where the backend refuses, what it did before is told at once, mostly nothing. After an outage nobody knows what
        it did, and the intent stays for the watcher.
        """
        intent = None
        if _is_watched(source, self._store):
            intent = self._store.intents.begin(source.name, person_id, address, self._origin)
        try:
            yield intent
        except _REFUSALS:
            if intent is not None:
                tell(source, self._store, self._bell, intent, person_id, address, self._origin)
            raise

    def _told(self, source: Source, intent: Intent | None, person_id: str) -> UserPage | None:
        return tell(source, self._store, self._bell, intent, person_id, None, self._origin)

    def _seen(self, source: Source, page: UserPage | None) -> Profile:
        profile = None if page is None else self._site.shown(source, page)
        if profile is None:
            raise BackendMisconfigured(
                f"backend {source.name}: the person was written, and its filter or that of the mount hides them"
            )
        return profile

    @contextmanager
    def _claim(self, address: str) -> Iterator[Callable[[], None]]:
        """Hold off others who add the same person; gives what prolongs that, or raises Busy where it ran out and
        somebody else had a turn. Raises Busy, StoreUnavailable."""
        digest = hashlib.sha256(normalize_name(address).encode()).digest()
        name, owner = f"address/{digest[0] % _CLAIMS}", secrets.token_hex(8)
        give_up = time.monotonic() + _PATIENCE
        while not (got := self._store.leases.take(owner, {name: _CLAIM_SECONDS})):
            if time.monotonic() >= give_up:
                raise Busy("somebody with this address is being added already; try again in a moment")
            time.sleep(_CLAIM_PAUSE)

        def renew() -> None:
            fence = self._store.leases.take(owner, {name: _CLAIM_SECONDS}).get(name)
            # It grows by one where the claim ran out, and once more for each other who had it since.
            if fence is None or fence > got[name] + 1:
                raise Busy("the directory took so long that others had their turn; try again in a moment")

        try:
            yield renew
        finally:
            self._store.leases.free(owner, [name])


def tell(
    source: Source,
    store: Store,
    bell: Bell,
    intent: Intent | None,
    person_id: str | None,
    address: str | None,
    origin: str,
) -> UserPage | None:
    """Read a person again and journal what changed, with the end of the intent; the person, or None where there is
    nobody in scope. Raises BackendError, StoreUnavailable; then the intent stays."""
    serial = store.journal.last_serial()
    deadline = Deadline(source.settings.auth_seconds)
    if person_id is not None:
        page = source.by_id(person_id, deadline)
    else:
        found = source.filter.keep(source.with_address(address or "", deadline))
        page = found if len(found) == 1 else None
    if intent is None:
        return page
    if page is None:
        if person_id is not None and store.journal.person(source.name, person_id) is not None:
            # They left the directory or the scope of its filter: the guard has a say in that.
            store.watches.want_scan(source.name)
        store.intents.end(intent)
        return None
    change = Change("update", checked_ids(page)[0], digests(page)[0], next(documents(page)))
    applied = store.journal.apply(
        source.name,
        [change],
        serial,
        origin,
        before_commit=lambda connection: store.intents.take_off(connection, intent),
    )
    if applied.events:
        bell.ring()
    return page


def finish_left(source: Source, store: Store, bell: Bell, age: float = LEFT_AFTER) -> int:
    """Tell of writes whose process died, or could not read what it had written; returns how many there were. Raises
    BackendError, StoreUnavailable."""
    left = store.intents.left(source.name, age)
    failures: list[BackendError] = []
    for intent in left:
        try:
            tell(source, store, bell, intent, intent.person_id, intent.address, intent.origin)
        except BackendUnavailable:
            raise
        except BackendError as exc:
            # About this person alone, such as an entry that cannot be read; it must not hold up the others.
            failures.append(exc)
        else:
            logger.info("backend %s: a write that was cut off is told of, if it happened", source.name)
    if failures:
        raise failures[0]
    return len(left)


def tell_removed(source: Source, store: Store, person_id: str) -> None:
    """Journal that somebody is gone whom an administrator took away: that was a person's yes, and the guard need not
    ask for another. Raises StoreUnavailable; then the next comparison finds it out."""
    if _is_watched(source, store):
        store.journal.apply(source.name, [Change("delete", person_id)], store.journal.last_serial())


def _is_watched(source: Source, store: Store) -> bool:
    return source.settings.sync is not None and store.watches.get(source.name).baseline_at is not None


def _wants_confirming(user: User, address: str) -> bool:
    wanted = normalize_name(address)
    is_unverified = any(normalize_name(e.address) == wanted and not e.is_verified for e in user.emails)
    return is_unverified or not any(e.is_preferred for e in user.emails)


@contextmanager
def _asking() -> Iterator[None]:
    """What a person can mend passes; everything else is an outage."""
    try:
        yield
    except _REFUSALS:
        raise
    except BackendError as exc:
        raise DirectoryUnavailable(str(exc)) from exc
