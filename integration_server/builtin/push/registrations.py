"""Who is registered, in SQL. Every function works on a connection that the caller has, within their transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import sqlalchemy as sa
from sqlalchemy import Connection

from integration_server.builtin.push.tables import agents, channels, mounts

#: Values in one statement; SQLite takes 32,766 and older ones 999.
_AT_ONCE = 500


_SAVE_AGENT = sa.text(
    "INSERT INTO push_agents (mount, uaid, kick, seen_at, in_flight_until)"
    " VALUES (:mount, :uaid, :kick, :now, 0) ON CONFLICT (mount, uaid)"
    " DO UPDATE SET seen_at = excluded.seen_at, kick = COALESCE(excluded.kick, push_agents.kick)"
)
_SAVE_CHANNEL = sa.text(
    "INSERT INTO push_channels (mount, endpoint, uaid, channel, change, changed_at)"
    " VALUES (:mount, :endpoint, :uaid, :channel, 0, :now) ON CONFLICT (mount, endpoint)"
    " DO UPDATE SET removed_at = NULL, changed_at = excluded.changed_at"
)


@dataclass(frozen=True, slots=True)
class Agent:
    """What is kept of a user agent. ``kick`` is JSON; ``seen_at`` is in Unix seconds."""

    uaid: str
    kick: str | None
    seen_at: float


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """Seconds for which something is kept that nobody uses: a channel that has a version, one that never had any, and
    the trace of one that was unregistered."""

    updated: float = 3 * 86400.0
    registered: float = 3 * 3600.0
    removed: float = 86400.0


def chunks(values: Iterable[str]) -> Iterator[list[str]]:
    """As many as one statement takes, again and again."""
    iterator = iter(values)
    while chunk := list(islice(iterator, _AT_ONCE)):
        yield chunk


def take_turn(connection: Connection, mount: str) -> None:
    """Writers of one mount come one after another, or two could wait for rows of each other's. On SQLite they do."""
    if connection.dialect.name != "sqlite":
        connection.execute(sa.select(mounts.c.last_change).where(mounts.c.mount == mount).with_for_update())


def find_agents(connection: Connection, mount: str, uaids: Iterable[str]) -> dict[str, Agent]:
    """Those that are known, by their UAID."""
    found = {}
    for chunk in chunks(uaids):
        query = sa.select(agents.c.uaid, agents.c.kick, agents.c.seen_at).where(
            agents.c.mount == mount, agents.c.uaid.in_(chunk)
        )
        found.update({row.uaid: Agent(*row) for row in connection.execute(query)})
    return found


def count_agents(connection: Connection, mount: str) -> int:
    """How many there are."""
    return connection.scalar(sa.select(sa.func.count()).select_from(agents).where(agents.c.mount == mount)) or 0


def save_agents(connection: Connection, mount: str, kicks: Mapping[str, str | None], now: float) -> None:
    """Make user agents, or note that they were here; kick data replace what was told before, where they are there."""
    if kicks:
        connection.execute(
            _SAVE_AGENT, [{"mount": mount, "uaid": uaid, "kick": kick, "now": now} for uaid, kick in kicks.items()]
        )


def touch(connection: Connection, mount: str, uaids: Iterable[str], now: float) -> None:
    """Note that these were here."""
    for chunk in chunks(uaids):
        connection.execute(agents.update().where(agents.c.mount == mount, agents.c.uaid.in_(chunk)).values(seen_at=now))


def live_channels(connection: Connection, mount: str, uaids: Iterable[str]) -> dict[str, set[str]]:
    """The channels that are registered, by UAID."""
    found: dict[str, set[str]] = {}
    for chunk in chunks(uaids):
        query = sa.select(channels.c.uaid, channels.c.channel).where(
            channels.c.mount == mount, channels.c.uaid.in_(chunk), channels.c.removed_at.is_(None)
        )
        for uaid, channel in connection.execute(query):
            found.setdefault(uaid, set()).add(channel)
    return found


def save_channels(connection: Connection, mount: str, by_endpoint: Mapping[str, tuple[str, str]], now: float) -> None:
    """Register channels, given as endpoint -> (UAID, channel); what was removed lives again, with nothing pending."""
    if by_endpoint:
        connection.execute(
            _SAVE_CHANNEL,
            [
                {"mount": mount, "endpoint": endpoint, "uaid": uaid, "channel": channel, "now": now}
                for endpoint, (uaid, channel) in by_endpoint.items()
            ],
        )


def remove_channels(connection: Connection, mount: str, endpoints: Sequence[str], now: float) -> None:
    """Unregister; what was pending is not any more."""
    for chunk in chunks(endpoints):
        connection.execute(
            channels.update()
            .where(channels.c.mount == mount, channels.c.endpoint.in_(chunk), channels.c.removed_at.is_(None))
            .values(removed_at=now, acknowledged=channels.c.version)
        )


def prune(connection: Connection, mount: str, lifetimes: Lifetimes, now: float) -> Mapping[str, str | None]:
    """Forget what nobody has used for long; the user agents that are gone now, with their kick data.

    A channel lives on with every sign of life of its user agent; a bound one for ever.
    """
    seen_at = (
        sa.select(agents.c.seen_at)
        .where(agents.c.mount == channels.c.mount, agents.c.uaid == channels.c.uaid)
        .scalar_subquery()
    )
    lifetime = sa.case((channels.c.version.is_not(None), lifetimes.updated), else_=lifetimes.registered)
    is_unused = sa.and_(channels.c.changed_at < now - lifetime, sa.func.coalesce(seen_at, 0.0) < now - lifetime)
    connection.execute(
        channels.delete().where(
            channels.c.mount == mount,
            channels.c.binding.is_(None),
            sa.case(
                (channels.c.removed_at.is_(None), is_unused), else_=channels.c.removed_at < now - lifetimes.removed
            ),
        )
    )
    has_channels = sa.exists().where(channels.c.mount == agents.c.mount, channels.c.uaid == agents.c.uaid)
    gone = agents.delete().where(
        agents.c.mount == mount, agents.c.seen_at < now - lifetimes.registered, sa.not_(has_channels)
    )
    return {row.uaid: row.kick for row in connection.execute(gone.returning(agents.c.uaid, agents.c.kick))}
