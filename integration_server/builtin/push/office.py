"""The post office: the one set of rules behind REST and WebSocket. The store is the truth; nothing is kept here that
another process could not do without."""

from __future__ import annotations

import json
import logging
import secrets
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import ClassVar

from sqlalchemy import Connection

from integration_server import Rates, Storage
from integration_server.builtin.push import registrations, sleeping, versions
from integration_server.builtin.push.bell import Bell
from integration_server.builtin.push.bonds import Bonds, Mark, NoBonds
from integration_server.builtin.push.endpoint_key import EndpointKey
from integration_server.builtin.push.endpoints import Endpoints
from integration_server.builtin.push.letters import (
    BondRefused,
    Collected,
    Greeting,
    Hello,
    Posted,
    Receipt,
    Refusal,
    Registered,
    Registration,
    is_uaid,
    kick_text,
    time_version,
)
from integration_server.builtin.push.registrations import Agent, Lifetimes
from integration_server.builtin.push.together import Together
from integration_server.builtin.push.versions import EndpointState, Letter, Update
from integration_server.builtin.push.waking import KickData, NoWaking, Sleeper, Unwakeable, Waking

logger = logging.getLogger(__name__)

#: Signs of life are written down when the last one is so many seconds old.
SEEN_SECONDS = 300.0
_COUNTED_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Rules:
    """Limits of one mount. ``in_flight_seconds``: so long app servers are held off while an UPDATE is on its way."""

    lifetimes: Lifetimes = field(default_factory=Lifetimes)
    channels_per_agent: int = 200
    agents: int = 100_000
    in_flight_seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class _Book:
    """Registrations on their way into the store: who is known, with which channels, and what is to be written."""

    known: set[str]
    live: dict[str, set[str]]
    agents: dict[str, str | None] = field(default_factory=dict)
    channels: dict[str, tuple[str, str]] = field(default_factory=dict)

    def enter(self, uaid: str, channel: str, endpoint: str, kick: str | None) -> None:
        self.known.add(uaid)
        self.live[uaid].add(channel)
        self.agents[uaid] = kick or self.agents.get(uaid)
        self.channels[endpoint] = uaid, channel


def new_uaid() -> str:
    """One that nobody can guess, which is all that keeps a user agent's channels from others."""
    return uuid.UUID(bytes=secrets.token_bytes(16), version=4).hex


class PostOffice:
    """The user agents of one mount. Thread-safe, and so are several processes. Does no I/O when made; everything else
    raises StoreUnavailable. ``is_slow``: registration takes its time, and must not hold up anything else."""

    is_slow: ClassVar[bool] = False

    def __init__(
        self,
        mount: str,
        storage: Storage,
        rules: Rules,
        waking: Waking | None = None,
        rates: Rates | None = None,
        clock: Callable[[], float] = time.time,
        make_uaid: Callable[[], str] = new_uaid,
        bonds: Bonds | None = None,
    ) -> None:
        self._mount = mount
        self._storage = storage
        self._rules = rules
        self._waking = waking or NoWaking()
        self._rates = rates
        self._clock = clock
        self._make_uaid = make_uaid
        self._bonds = bonds or NoBonds()
        self._endpoints = EndpointKey(mount, storage).endpoints
        self._lock = threading.Lock()
        self._counted: tuple[float, int] | None = None
        self._state = storage.question(versions.ENDPOINT_STATE)
        self._last_change = storage.question(versions.LAST_CHANGE)
        self._letters = Together[Letter](self._store)
        #: Rings when versions came in this process.
        self.bell = Bell()

    # -- user agents and their channels ------------------------------------------------------------------------------

    def greet(self, hellos: Sequence[Hello]) -> list[Greeting]:
        """User agents come. Channels that they have and we do not (any more) are registered again, and get the
        endpoints that they had."""
        usable = [self._is_usable(one.kick) for one in hellos]
        hellos = [one if is_usable else replace(one, kick=None) for one, is_usable in zip(hellos, usable, strict=True)]
        with self._storage.reading() as connection:
            wanted = {one.uaid for one in hellos if one.uaid is not None and is_uaid(one.uaid)}
            known = registrations.find_agents(connection, self._mount, wanted)
            naming = {one.uaid for one in hellos if one.uaid in known and one.channels and one.uaid}
            live = registrations.live_channels(connection, self._mount, naming)
        now = self._clock()
        # None for those who are strangers, or have too much.
        greeted = [known.get(one.uaid or "") if self._fits(one, live) else None for one in hellos]
        late = [one for one, agent in zip(hellos, greeted, strict=True) if agent and _is_news(one, agent, live, now)]
        if late:
            self._note(late, live, now)
        here = {agent.uaid for agent in greeted if agent}
        with self._storage.reading() as connection:
            pending = versions.pending(connection, self._mount, here)
        versions.merge(pending, self._bonds.pending(here))
        return [
            Greeting(agent.uaid, True, pending.get(agent.uaid, {}), one.kick is not None)
            if agent
            else Greeting(self._make_uaid(), False, is_wakeable=one.kick is not None)
            for one, agent in zip(hellos, greeted, strict=True)
        ]

    def register(self, wanted: Sequence[Registration]) -> list[Registered | Refusal]:
        """Register channels, in this order. Again is as good as once. Kick data that nobody can use are refused; with a
        greeting, they were as good as none."""
        endpoints, now = self._endpoints(), self._clock()
        wanted = [
            replace(one, kick=None) if one.is_greeted and not self._is_usable(one.kick) else one for one in wanted
        ]
        with self._storage.writing() as connection:
            registrations.take_turn(connection, self._mount)
            uaids = {one.uaid for one in wanted if is_uaid(one.uaid)}
            known = set(registrations.find_agents(connection, self._mount, uaids))
            book = _Book(known, registrations.live_channels(connection, self._mount, known))
            done = [self._registered(connection, one, endpoints, book) for one in wanted]
            registrations.save_agents(connection, self._mount, book.agents, now)
            registrations.save_channels(connection, self._mount, book.channels, now)
        for one, result in zip(wanted, done, strict=True):
            if one.kick is not None and isinstance(result, Registered):
                self._waking.register(result.uaid, one.kick)
        return done

    def bind(self, wanted: Sequence[Registration]) -> list[Registered | Refusal | BondRefused]:
        """Register channels whose versions come from the directory: see ``Registration.bond``."""
        with self._storage.reading() as connection:
            known = registrations.find_agents(connection, self._mount, filter(is_uaid, (one.uaid for one in wanted)))
        keeps = [one.uaid in known or (one.is_greeted and is_uaid(one.uaid)) for one in wanted]
        uaids = [one.uaid if kept and one.uaid else self._make_uaid() for one, kept in zip(wanted, keeps, strict=True)]
        ids = [self._endpoints().id(uaid, one.channel) for uaid, one in zip(uaids, wanted, strict=True)]
        made = [self._bonds.bind(one.channel, id, one.bond) for one, id in zip(wanted, ids, strict=True)]
        named = [replace(one, uaid=uaid, is_greeted=True) for one, uaid in zip(wanted, uaids, strict=True)]
        done = iter(self.register([one for one, bond in zip(named, made, strict=True) if isinstance(bond, str)]))
        results = [next(done) if isinstance(bond, str) else bond for bond in made]
        is_done = [isinstance(result, Registered) for result in results]
        bonds = {id: bond for id, bond in zip(ids, made, strict=True) if isinstance(bond, str)}
        self._bonds.attach({id: bonds[id] for id, is_in in zip(ids, is_done, strict=True) if is_in})
        self._bonds.give_up([bonds[id] for id, is_in in zip(ids, is_done, strict=True) if id in bonds and not is_in])
        return results

    def unregister(self, removed: Sequence[tuple[str, str]]) -> None:
        """Remove channels, as (UAID, channel). Does nothing for what is not there."""
        endpoints = self._endpoints()
        ids = [endpoints.id(uaid, channel) for uaid, channel in removed]
        with self._storage.writing() as connection:
            registrations.take_turn(connection, self._mount)
            registrations.remove_channels(connection, self._mount, ids, self._clock())
        self._bonds.detach(ids)

    def purge(self, uaid: str) -> None:
        """Remove all channels of a user agent."""
        with self._storage.reading() as connection:
            live = registrations.live_channels(connection, self._mount, [uaid])
        self.unregister([(uaid, channel) for channel in live.get(uaid, ())])

    def touch(self, uaids: Sequence[str]) -> None:
        """These are here still."""
        with self._storage.writing(is_durable=False) as connection:
            registrations.take_turn(connection, self._mount)
            registrations.touch(connection, self._mount, uaids, self._clock())

    def prune(self) -> int:
        """Forget what nobody has used for long; how many user agents are gone."""
        self._bonds.prune()
        with self._storage.writing() as connection:
            registrations.take_turn(connection, self._mount)
            gone = registrations.prune(connection, self._mount, self._rules.lifetimes, self._clock())
        for uaid, kick in gone.items():
            if kick is not None:
                self._waking.forget(uaid)
        return len(gone)

    # -- versions ----------------------------------------------------------------------------------------------------

    def put(self, token: str, version: int | None) -> Receipt:
        """A version from an app server; None stands for the time. A forged token costs nothing."""
        id = self._endpoints().id_of(token)
        if id is None:
            return Receipt(Posted.UNKNOWN)
        if self._rates is not None and not self._rates.allows(id):
            return Receipt(Posted.TOO_OFTEN)
        found = self._state.first((self._mount, id))
        if found is None:
            return Receipt(Posted.UNKNOWN)
        state, now = EndpointState(*found), self._clock()
        refused = _refused(state, now)
        if refused is not None:
            return Receipt(refused)
        chosen = time_version(state.version, now) if version is None else version
        if state.version is not None and chosen <= state.version:
            posted = Posted.STORED if state.is_pending else Posted.HAS_IT
            return Receipt(posted, state.uaid, state.channel, state.version)
        self._letters.add(Letter(id, chosen, now))
        self.bell.ring()
        return Receipt(Posted.STORED, state.uaid, state.channel, chosen)

    def sleepers(self, uaids: Sequence[str] | None) -> list[Sleeper]:
        """Of these user agents, or of all, those with kick data for whom something waits."""
        with self._storage.reading() as connection:
            chosen = sleeping.all_with_kick_data(connection, self._mount) if uaids is None else uaids
            pending = versions.pending(connection, self._mount, list(chosen))
        versions.merge(pending, self._bonds.pending(list(chosen)))
        with self._storage.reading() as connection:
            found = sleeping.with_kick_data(connection, self._mount, pending, self._clock())
        return list(found.values())

    def last_change(self) -> int:
        """Counts what came, in any process."""
        found = self._last_change.first((self._mount,))
        return 0 if found is None else found[0]

    def changes(self, after: int, up_to: int) -> Update:
        """What waits of that which came with these changes."""
        with self._storage.reading() as connection:
            return versions.changes(connection, self._mount, after, up_to)

    def mark(self) -> Mark:
        """How far one has looked for changes in the directory who looks now."""
        return self._bonds.mark()

    def bound_changes(self, after: Mark) -> Update:
        """What waits in bound channels about which something changed since. Take the next mark before."""
        return self._bonds.changes(after)

    def acknowledge(self, received: Iterable[tuple[str, str, int]]) -> None:
        """User agents have these versions, as (UAID, channel, version), and older ones."""
        endpoints = self._endpoints()
        highest: dict[str, int] = {}
        for uaid, channel, version in received:
            id = endpoints.id(uaid, channel)
            highest[id] = max(version, highest.get(id, -1))
        with self._storage.writing(is_durable=False) as connection:
            registrations.take_turn(connection, self._mount)
            versions.acknowledge(connection, self._mount, highest)
        self._bonds.acknowledge(highest)

    # -- the first API -----------------------------------------------------------------------------------------------

    def collect(self, uaids: Sequence[str]) -> Collected:
        """User agents of the first API connect. What is pending is on its way to them from now on: app servers are
        held off until ``confirm``, or for ``in_flight_seconds``."""
        now = self._clock()
        with self._storage.reading() as connection:
            known = registrations.find_agents(connection, self._mount, filter(is_uaid, uaids))
            update = versions.pending(connection, self._mount, known)
        bound = self._bonds.send(known)
        unknown = tuple(dict.fromkeys(uaid for uaid in uaids if uaid not in known))
        stale = [uaid for uaid, agent in known.items() if now - agent.seen_at > SEEN_SECONDS]
        if not update and not stale:
            return Collected(bound, unknown)
        with self._storage.writing(is_durable=False) as connection:
            registrations.take_turn(connection, self._mount)
            registrations.touch(connection, self._mount, stale, now)
            versions.send(connection, self._mount, update, now + self._rules.in_flight_seconds)
            # What came meanwhile is sent, too.
            update = versions.pending(connection, self._mount, update)
        versions.merge(update, bound)
        return Collected(update, unknown)

    def confirm(self, uaids: Iterable[str], received: Update | None = None) -> None:
        """These have the UPDATE that was on its way, and nothing newer; with ``received``, those have these versions.
        App servers are let through again."""
        own, named = [uaid for uaid in uaids if is_uaid(uaid)], received or {}
        endpoints = self._endpoints()
        ids = {endpoints.id(uaid, one): version for uaid, all in named.items() for one, version in all.items()}
        with self._storage.writing(is_durable=False) as connection:
            registrations.take_turn(connection, self._mount)
            versions.confirm(connection, self._mount, own)
            versions.acknowledge(connection, self._mount, ids)
            versions.land(connection, self._mount, [*own, *filter(is_uaid, named)])
        self._bonds.confirm(own)
        self._bonds.acknowledge(ids)

    # -- within ------------------------------------------------------------------------------------------------------

    def _store(self, letters: Sequence[Letter]) -> None:
        with self._storage.writing(is_durable=False) as connection:
            versions.store(connection, self._mount, letters)

    def _fits(self, hello: Hello, live: Mapping[str, set[str]]) -> bool:
        """Whether its channels are not too many; with those that we have, too."""
        if not hello.channels:
            return True
        return len(live.get(hello.uaid or "", set()).union(hello.channels)) <= self._rules.channels_per_agent

    def _note(self, hellos: Sequence[Hello], live: Mapping[str, set[str]], now: float) -> None:
        endpoints = self._endpoints()
        has_new = any(set(one.channels) - live.get(one.uaid or "", set()) for one in hellos)
        with self._storage.writing(is_durable=has_new) as connection:
            registrations.take_turn(connection, self._mount)
            book = _Book(set(), {})
            for one in hellos:
                assert one.uaid is not None
                book.agents[one.uaid] = None if one.kick is None else kick_text(one.kick)
                for channel in set(one.channels) - live.get(one.uaid, set()):
                    book.channels[endpoints.id(one.uaid, channel)] = one.uaid, channel
            registrations.save_agents(connection, self._mount, book.agents, now)
            registrations.save_channels(connection, self._mount, book.channels, now)
        for one in hellos:
            if one.kick is not None and one.uaid is not None:
                self._waking.register(one.uaid, one.kick)

    def _registered(
        self, connection: Connection, wanted: Registration, endpoints: Endpoints, book: _Book
    ) -> Registered | Refusal:
        if not self._is_usable(wanted.kick):
            return Refusal.UNUSABLE_KICK
        uaid = wanted.uaid if is_uaid(wanted.uaid) else None
        if uaid is None or not (uaid in book.known or wanted.is_greeted):
            uaid = self._make_uaid()
        live = book.live.setdefault(uaid, set())
        if wanted.channel not in live and len(live) >= self._rules.channels_per_agent:
            return Refusal.TOO_MANY_CHANNELS
        if uaid not in book.known and not self._has_room(connection):
            return Refusal.TOO_MANY_AGENTS
        id = endpoints.id(uaid, wanted.channel)
        book.enter(uaid, wanted.channel, id, None if wanted.kick is None else kick_text(wanted.kick))
        return Registered(uaid, wanted.channel, endpoints.token(id))

    def _is_usable(self, kick: KickData | None) -> bool:
        """Also where there is none."""
        try:
            if kick is not None:
                self._waking.check(kick)
        except Unwakeable:
            return False
        return True

    def _has_room(self, connection: Connection) -> bool:
        """Whether there may be one more user agent. Counted once a minute, since counting reads them all."""
        now = self._clock()
        with self._lock:
            if self._counted is None or not 0 <= now - self._counted[0] < _COUNTED_SECONDS:
                self._counted = (now, registrations.count_agents(connection, self._mount))
            at, count = self._counted
            self._counted = (at, count + 1)
            return count < self._rules.agents


def _is_news(hello: Hello, agent: Agent, live: Mapping[str, set[str]], now: float) -> bool:
    """Whether something must be written down."""
    if now - agent.seen_at > SEEN_SECONDS or set(hello.channels) - live.get(agent.uaid, set()):
        return True
    if hello.kick is None:
        return False
    with suppress(ValueError):
        return agent.kick is None or json.loads(agent.kick) != dict(hello.kick)
    return True


def _refused(state: EndpointState, now: float) -> Posted | None:
    if state.removed_at is not None:
        return Posted.REMOVED
    if state.binding is not None:
        return Posted.BOUND
    return Posted.IN_FLIGHT if now < state.in_flight_until else None
