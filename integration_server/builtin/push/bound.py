"""Channels that are bound to the directory: then this server is their app server, and serials are their versions.

The core keeps what was acknowledged, since such a channel is a subscription like any other. Kept here is which one it
is. The core is never asked within a transaction of ours, or each thread could need two connections at one time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from integration_server import Bindings, CallerRefused, Storage
from integration_server.builtin.push.bonds import Bonds, Mark
from integration_server.builtin.push.letters import Bond, BondRefused
from integration_server.builtin.push.registrations import chunks, take_turn
from integration_server.builtin.push.tables import channels
from integration_server.builtin.push.versions import Update

_c = channels.c
_IS_LIVE = sa.and_(_c.binding.is_not(None), _c.removed_at.is_(None))
#: What an app server put before is nothing to a bound channel, and the other way round.
_UNTOLD = {"version": None, "sent": None, "acknowledged": None}
_SENT = sa.text("UPDATE push_channels SET sent = :version WHERE mount = :mount AND binding = :binding")
_ATTACH = sa.text(
    "UPDATE push_channels SET binding = :binding, version = NULL, sent = NULL, acknowledged = NULL"
    " WHERE mount = :mount AND endpoint = :endpoint"
)
_ANY = "SELECT 1 FROM push_channels WHERE mount = ? AND binding IS NOT NULL LIMIT 1"

#: Subscription -> UAID and channel.
_Owners = dict[str, tuple[str, str]]


class DirectoryBonds(Bonds):
    """Those of one mount."""

    def __init__(
        self, mount: str, storage: Storage, bindings: Bindings, clock: Callable[[], float] = time.time
    ) -> None:
        self._mount = mount
        self._storage = storage
        self._bindings = bindings
        self._clock = clock
        #: Most mounts have none, and should pay nothing for it.
        self._any = storage.question(_ANY)

    def bind(self, channel: str, endpoint: str, bond: Bond | None) -> str | BondRefused:
        assert bond is not None
        # Of the UAID nothing may be seen; the endpoint's id is no secret without its signature.
        name = f"{self._mount}.{channel}.{endpoint}"
        try:
            return self._bindings.bind(name, bond.token, bond.resource).id
        except CallerRefused as exc:
            return BondRefused(exc.status, str(exc), exc.challenge)
        except ValueError as exc:
            return BondRefused(400, str(exc))

    def attach(self, subscriptions: Mapping[str, str]) -> None:
        if not subscriptions:
            return
        with self._storage.writing() as connection:
            take_turn(connection, self._mount)
            before = self._at(connection, subscriptions)
            changed = {id: own for id, own in subscriptions.items() if before.get(id) != own}
            if changed:
                rows = [{"mount": self._mount, "endpoint": id, "binding": own} for id, own in changed.items()]
                connection.execute(_ATTACH, rows)
        self._bindings.remove([before[id] for id in changed if id in before])

    def give_up(self, subscriptions: Sequence[str]) -> None:
        self._bindings.remove(subscriptions)

    def detach(self, endpoints: Sequence[str]) -> None:
        if self._has_any():
            with self._storage.reading() as connection:
                found = list(self._at(connection, endpoints).values())
            self._forget(found)
            self._bindings.remove(found)

    def prune(self) -> None:
        if self._has_any():
            with self._storage.reading() as connection:
                query = sa.select(_c.binding, _c.removed_at).where(_c.mount == self._mount, _c.binding.is_not(None))
                kept = _pairs(connection.execute(query))
            # Some were perhaps unregistered just before a process died.
            removed = [id for id, removed_at in kept.items() if removed_at is not None]
            self._bindings.remove(removed)
            self._forget(sorted(kept.keys() - self._bindings.find(kept).keys()))

    def pending(self, uaids: Iterable[str]) -> Update:
        return self._waiting(uaids)[0]

    def send(self, uaids: Iterable[str]) -> Update:
        update, found = self._waiting(uaids)
        if found:
            rows = [{"mount": self._mount, "binding": id, "version": version} for id, version in found.items()]
            with self._storage.writing(is_durable=False) as connection:
                take_turn(connection, self._mount)
                connection.execute(_SENT, rows)
        return update

    def confirm(self, uaids: Iterable[str]) -> None:
        if not self._has_any():
            return
        sent: dict[str, int] = {}
        with self._storage.reading() as connection:
            for chunk in chunks(uaids):
                theirs = (_c.mount == self._mount, _c.uaid.in_(chunk), _IS_LIVE, _c.sent.is_not(None))
                sent.update(_pairs(connection.execute(sa.select(_c.binding, _c.sent).where(*theirs))))
        if sent:
            self._bindings.acknowledge(sent)
            # Else the same again would acknowledge what was replayed meanwhile.
            with self._storage.writing(is_durable=False) as connection:
                take_turn(connection, self._mount)
                for chunk in chunks(sent):
                    done = channels.update().where(_c.mount == self._mount, _c.binding.in_(chunk))
                    connection.execute(done.values(sent=None))

    def acknowledge(self, versions: Mapping[str, int]) -> None:
        if versions and self._has_any():
            with self._storage.reading() as connection:
                found = self._at(connection, versions)
            if found:
                self._bindings.acknowledge({binding: versions[endpoint] for endpoint, binding in found.items()})

    def mark(self) -> Mark:
        return self._bindings.mark()

    def changes(self, after: Mark) -> Update:
        if not self._has_any():
            return {}
        # Of all mounts of this type.
        versions = self._bindings.pending_of(self._bindings.changed_since(after))
        with self._storage.reading() as connection:
            return _update(self._owners(connection, _c.binding, versions), versions)

    # -- within ------------------------------------------------------------------------------------------------------

    def _has_any(self) -> bool:
        return self._any.first((self._mount,)) is not None

    def _waiting(self, uaids: Iterable[str]) -> tuple[Update, Mapping[str, int]]:
        """What waits for these, and by subscription."""
        if not self._has_any():
            return {}, {}
        with self._storage.reading() as connection:
            owners = self._owners(connection, _c.uaid, uaids)
        versions = self._bindings.pending(owners)
        return _update(owners, versions), versions

    def _owners(self, connection: Connection, column: sa.Column[str], values: Iterable[str]) -> _Owners:
        """The bound channels with one of these values."""
        found: _Owners = {}
        for chunk in chunks(values):
            query = sa.select(_c.binding, _c.uaid, _c.channel)
            rows = connection.execute(query.where(_c.mount == self._mount, column.in_(chunk), _IS_LIVE))
            found.update((binding, (uaid, channel)) for binding, uaid, channel in rows)
        return found

    def _at(self, connection: Connection, endpoints: Iterable[str]) -> dict[str, str]:
        """Endpoint -> subscription, of those that are bound, registered or not."""
        found: dict[str, str] = {}
        for chunk in chunks(endpoints):
            here = (_c.mount == self._mount, _c.endpoint.in_(chunk), _c.binding.is_not(None))
            found.update(_pairs(connection.execute(sa.select(_c.endpoint, _c.binding).where(*here))))
        return found

    def _forget(self, subscriptions: Sequence[str]) -> None:
        """They are gone, and so are their channels."""
        if not subscriptions:
            return
        removed_at = sa.func.coalesce(_c.removed_at, self._clock())
        with self._storage.writing() as connection:
            take_turn(connection, self._mount)
            for chunk in chunks(subscriptions):
                gone = channels.update().where(_c.mount == self._mount, _c.binding.in_(chunk))
                connection.execute(gone.values(binding=None, removed_at=removed_at, **_UNTOLD))


def _pairs(rows: Iterable[Sequence[Any]]) -> dict[str, Any]:
    return {row[0]: row[1] for row in rows}


def _update(owners: _Owners, versions: Mapping[str, int]) -> Update:
    update: Update = {}
    for id, version in versions.items():
        if id in owners:
            uaid, channel = owners[id]
            update.setdefault(uaid, {})[channel] = version
    return update
