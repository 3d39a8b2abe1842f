"""The post office of a relay: endpoints are those of the server before it, and versions come from there."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import ClassVar

from integration_server import Rates, Storage
from integration_server.builtin.push import registrations, upstream_rows, versions
from integration_server.builtin.push.letters import Greeting, Hello, Refusal, Registered, Registration, is_uaid
from integration_server.builtin.push.office import PostOffice, Rules, new_uaid
from integration_server.builtin.push.upstream import (
    Upstream,
    UpstreamChannel,
    UpstreamNonsense,
    UpstreamRefused,
    UpstreamUnavailable,
)
from integration_server.builtin.push.upstream_rows import REMOVE, Errand, Link
from integration_server.builtin.push.versions import Letter, Update
from integration_server.builtin.push.waking import Waking

logger = logging.getLogger(__name__)

#: Of what is to be done at the upstream server.
ERRANDS_AT_ONCE = 100


class RelayOffice(PostOffice):
    """Registration asks the upstream server while the client waits; everything else is done here, and told there later.

    ``Registered.token`` is the whole URL of the upstream server's endpoint.
    """

    is_slow: ClassVar[bool] = True

    def __init__(
        self,
        mount: str,
        storage: Storage,
        rules: Rules,
        upstream: Upstream,
        waking: Waking | None = None,
        rates: Rates | None = None,
        clock: Callable[[], float] = time.time,
        make_uaid: Callable[[], str] = new_uaid,
    ) -> None:
        super().__init__(mount, storage, rules, waking, rates, clock, make_uaid)
        self._upstream = upstream
        #: Is told of user agents that must begin anew.
        self.on_reset: Callable[[Sequence[str]], None] = _nobody

    # -- what clients ask --------------------------------------------------------------------------------------------

    def greet(self, hellos: Sequence[Hello]) -> list[Greeting]:
        greetings = super().greet(hellos)
        named = {one.uaid: one.channels for one, told in zip(hellos, greetings, strict=True) if told.is_known}
        wanted = {uaid: all for uaid, all in named.items() if uaid is not None and all}
        if wanted:
            with self._storage.writing(is_durable=False) as connection:
                upstream_rows.want(connection, self._mount, wanted)
        return greetings

    def register(self, wanted: Sequence[Registration]) -> list[Registered | Refusal]:
        return [self._pass_on(one) for one in wanted]

    def unregister(self, removed: Sequence[tuple[str, str]]) -> None:
        with self._storage.writing() as connection:
            upstream_rows.unwant(connection, self._mount, removed)
        super().unregister(removed)

    def prune(self) -> int:
        gone = super().prune()
        with self._storage.writing() as connection:
            upstream_rows.unwant_dead(connection, self._mount)
        return gone

    # -- what comes from the upstream server -------------------------------------------------------------------------

    def links(self) -> dict[str, str]:
        """Who is asked for there: UAIDs by those of the upstream server."""
        with self._storage.reading() as connection:
            return upstream_rows.links(connection, self._mount)

    def link_stamp(self) -> tuple[int, float]:
        """Another one whenever ``links`` would have somebody new in it."""
        with self._storage.reading() as connection:
            return upstream_rows.link_stamp(connection, self._mount)

    def deposit(self, update: Update) -> None:
        """Keep versions. When this returns they are on the disk, and are this server's to deliver."""
        endpoints, now = self._endpoints(), self._clock()
        letters = [
            Letter(endpoints.id(uaid, channel), version, now)
            for uaid, all in update.items()
            for channel, version in all.items()
        ]
        with self._storage.writing() as connection:
            versions.store(connection, self._mount, letters)
        self.bell.ring()

    def disown(self, uaids: Sequence[str]) -> None:
        """The upstream server does not know these any more. Each begins anew as soon as it has what waits for it."""
        with self._storage.reading() as connection:
            pending = versions.pending(connection, self._mount, uaids)
        self._reset([uaid for uaid in uaids if uaid not in pending])

    def errands(self, after: tuple[str, str]) -> list[Errand]:
        """The next of what is to be done there, after one with this UAID and channel."""
        with self._storage.reading() as connection:
            return upstream_rows.errands(connection, self._mount, after, ERRANDS_AT_ONCE)

    def run_errand(self, errand: Errand) -> UpstreamChannel | None:
        """Do it there, without any use of the store. Raises UpstreamUnavailable."""
        if errand.errand != REMOVE:
            return self._upstream.register(errand.upstream_uaid, errand.channel)
        if errand.upstream_uaid is not None:
            self._upstream.unregister(errand.upstream_uaid, errand.channel)
        return None

    def settle_errand(self, errand: Errand, found: UpstreamChannel | None) -> None:
        """Note that it was done. Raises UpstreamNonsense."""
        uaid = errand.uaid
        if found is None:
            with self._storage.writing() as connection:
                if not upstream_rows.is_removed(connection, self._mount, errand):
                    # It was registered there again, and we have just undone that.
                    upstream_rows.redo(connection, self._mount, errand)
        elif errand.upstream_uaid is not None and found.uaid != errand.upstream_uaid:
            with self._storage.writing() as connection:
                upstream_rows.drop(connection, self._mount, errand)
            self.disown([uaid])
        else:
            self._check_owner(found, uaid)
            with self._storage.writing() as connection:
                upstream_rows.settle(connection, self._mount, errand, found, self._clock())

    # -- within ------------------------------------------------------------------------------------------------------

    def _pass_on(self, wanted: Registration) -> Registered | Refusal:
        if not wanted.is_greeted and not self._is_usable(wanted.kick):
            return Refusal.UNUSABLE_KICK
        wanted, link = self._known(wanted)
        try:
            found = self._upstream.register(link.uaid, wanted.channel)
            self._check_owner(found, wanted.uaid)
        except UpstreamUnavailable as exc:
            logger.debug("a registration is not passed on: %s", exc)
            if isinstance(exc, UpstreamRefused) and exc.status == 403:
                return Refusal.REFUSED_UPSTREAM
            return self._registered_before(wanted, link)
        if wanted.uaid is not None and link.uaid not in (None, found.uaid):
            # Its other channels are gone there, too.
            self._reset([wanted.uaid])
            if wanted.is_greeted:
                return Refusal.RESET
            wanted = replace(wanted, uaid=None)
        (done,) = super().register([wanted])
        if not isinstance(done, Registered):
            return done
        with self._storage.writing() as connection:
            is_saved = upstream_rows.save(connection, self._mount, done.uaid, done.channel, found, self._clock())
        return replace(done, token=found.endpoint) if is_saved else Refusal.NO_UPSTREAM

    def _registered_before(self, wanted: Registration, link: Link) -> Registered | Refusal:
        """While the upstream server is away, a channel that it knows stays as it is."""
        if wanted.uaid is None or link.endpoint is None:
            return Refusal.NO_UPSTREAM
        (done,) = super().register([wanted])
        if not isinstance(done, Registered):
            return done
        with self._storage.writing() as connection:
            upstream_rows.want(connection, self._mount, {wanted.uaid: [wanted.channel]})
        return replace(done, token=link.endpoint)

    def _known(self, wanted: Registration) -> tuple[Registration, Link]:
        """The registration, without a UAID that nobody here knows, and what is known of it there."""
        if not is_uaid(wanted.uaid):
            return replace(wanted, uaid=None), Link()
        with self._storage.reading() as connection:
            known = registrations.find_agents(connection, self._mount, [wanted.uaid])
            link = upstream_rows.find_link(connection, self._mount, wanted.uaid, wanted.channel)
        if wanted.uaid in known:
            return wanted, link
        return (wanted if wanted.is_greeted else replace(wanted, uaid=None)), Link()

    def _check_owner(self, found: UpstreamChannel, uaid: str | None) -> None:
        """One that gave the same UAID to two would have one of them get the other's versions."""
        with self._storage.reading() as connection:
            owner = upstream_rows.owner(connection, self._mount, found.uaid)
        if owner is not None and owner != uaid:
            raise UpstreamNonsense(f"{self._upstream.origin} gives one UAID to two")

    def _reset(self, uaids: Iterable[str]) -> None:
        gone = list(uaids)
        if not gone:
            return
        logger.info("%d user agents are not known upstream any more and begin anew", len(gone))
        with self._storage.writing() as connection:
            registrations.take_turn(connection, self._mount)
            upstream_rows.forget(connection, self._mount, gone)
        for uaid in gone:
            self._waking.forget(uaid)
        self.on_reset(gone)


def _nobody(uaids: Sequence[str]) -> None:
    return
