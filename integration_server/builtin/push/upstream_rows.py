"""What a relay knows of the server before it, in SQL. Every function works on a connection that the caller has, within
their transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy import Connection

from integration_server.builtin.push.registrations import chunks
from integration_server.builtin.push.tables import agents, channels, upstream_agents, upstream_channels
from integration_server.builtin.push.upstream import UpstreamChannel

REGISTER, REMOVE = "register", "remove"

_LINK = sa.text(
    "INSERT INTO push_upstream_agents (mount, uaid, upstream_uaid, linked_at)"
    " VALUES (:mount, :uaid, :upstream, :now) ON CONFLICT (mount, uaid) DO NOTHING"
)
_SAVE = sa.text(
    "INSERT INTO push_upstream_channels (mount, uaid, channel, endpoint)"
    " VALUES (:mount, :uaid, :channel, :endpoint) ON CONFLICT (mount, uaid, channel)"
    " DO UPDATE SET endpoint = excluded.endpoint, errand = NULL"
)
_WANT = sa.text(
    "INSERT INTO push_upstream_channels (mount, uaid, channel, errand)"
    " VALUES (:mount, :uaid, :channel, 'register') ON CONFLICT (mount, uaid, channel)"
    " DO UPDATE SET errand = 'register' WHERE push_upstream_channels.errand = 'remove'"
)


@dataclass(frozen=True, slots=True)
class Link:
    """What is known of a channel and of its user agent there."""

    uaid: str | None = None
    endpoint: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Errand:
    """Something that is to be done there. ``upstream_uaid`` is None where the user agent is not known there yet."""

    uaid: str
    channel: str
    errand: str
    upstream_uaid: str | None


def find_link(connection: Connection, mount: str, uaid: str, channel: str) -> Link:
    """Of a channel that may not be there at all."""
    upstream = connection.scalar(
        sa.select(upstream_agents.c.upstream_uaid).where(
            upstream_agents.c.mount == mount, upstream_agents.c.uaid == uaid
        )
    )
    endpoint = connection.scalar(
        sa.select(upstream_channels.c.endpoint).where(
            upstream_channels.c.mount == mount, upstream_channels.c.uaid == uaid, upstream_channels.c.channel == channel
        )
    )
    return Link(upstream, endpoint)


def owner(connection: Connection, mount: str, upstream_uaid: str) -> str | None:
    """Whose a UAID of the upstream server is."""
    found: str | None = connection.scalar(
        sa.select(upstream_agents.c.uaid).where(
            upstream_agents.c.mount == mount, upstream_agents.c.upstream_uaid == upstream_uaid
        )
    )
    return found


def save(connection: Connection, mount: str, uaid: str, channel: str, found: UpstreamChannel, now: float) -> bool:
    """A channel is registered there, and nothing else is to be done about it. Whether its user agent is the one whom
    we know there: another thread may have registered it as another meanwhile, and then nothing is saved."""
    connection.execute(_LINK, {"mount": mount, "uaid": uaid, "upstream": found.uaid, "now": now})
    if owner(connection, mount, found.uaid) != uaid:
        return False
    connection.execute(_SAVE, {"mount": mount, "uaid": uaid, "channel": channel, "endpoint": found.endpoint})
    return True


def links(connection: Connection, mount: str) -> dict[str, str]:
    """UAIDs by those of the upstream server, the oldest first."""
    query = (
        sa.select(upstream_agents.c.upstream_uaid, upstream_agents.c.uaid)
        .where(upstream_agents.c.mount == mount)
        .order_by(upstream_agents.c.linked_at, upstream_agents.c.uaid)
    )
    return {row.upstream_uaid: row.uaid for row in connection.execute(query)}


def link_stamp(connection: Connection, mount: str) -> tuple[int, float]:
    """How many there are, and when the last one came (Unix seconds)."""
    query = sa.select(sa.func.count(), sa.func.max(upstream_agents.c.linked_at)).where(upstream_agents.c.mount == mount)
    count, latest = connection.execute(query).one()
    return count, latest or 0.0


def want(connection: Connection, mount: str, wanted: Mapping[str, Iterable[str]]) -> None:
    """Channels by UAID are to be registered there; those that are registered stay as they are."""
    rows = [{"mount": mount, "uaid": uaid, "channel": channel} for uaid, all in wanted.items() for channel in all]
    if rows:
        connection.execute(_WANT, rows)


def unwant(connection: Connection, mount: str, removed: Sequence[tuple[str, str]]) -> None:
    """Channels, as (UAID, channel), are to be unregistered there."""
    for uaid, channel in removed:
        connection.execute(
            upstream_channels.update()
            .where(
                upstream_channels.c.mount == mount,
                upstream_channels.c.uaid == uaid,
                upstream_channels.c.channel == channel,
            )
            .values(errand=REMOVE)
        )


def unwant_dead(connection: Connection, mount: str) -> None:
    """The same for all that are not kept here any more."""
    is_live = sa.exists().where(
        channels.c.mount == upstream_channels.c.mount,
        channels.c.uaid == upstream_channels.c.uaid,
        channels.c.channel == upstream_channels.c.channel,
        channels.c.removed_at.is_(None),
    )
    connection.execute(
        upstream_channels.update().where(upstream_channels.c.mount == mount, sa.not_(is_live)).values(errand=REMOVE)
    )


def errands(connection: Connection, mount: str, after: tuple[str, str], limit: int) -> list[Errand]:
    """What is to be done, in the order of (UAID, channel), from the one after ``after`` on."""
    at = sa.tuple_(upstream_channels.c.uaid, upstream_channels.c.channel)
    query = (
        sa.select(
            upstream_channels.c.uaid,
            upstream_channels.c.channel,
            upstream_channels.c.errand,
            upstream_agents.c.upstream_uaid,
        )
        .select_from(
            upstream_channels.outerjoin(
                upstream_agents,
                sa.and_(
                    upstream_agents.c.mount == upstream_channels.c.mount,
                    upstream_agents.c.uaid == upstream_channels.c.uaid,
                ),
            )
        )
        .where(
            upstream_channels.c.mount == mount,
            upstream_channels.c.errand.is_not(None),
            at > sa.tuple_(*map(sa.literal, after)),
        )
        .order_by(upstream_channels.c.uaid, upstream_channels.c.channel)
        .limit(limit)
    )
    return [Errand(*row) for row in connection.execute(query)]


def drop(connection: Connection, mount: str, errand: Errand) -> None:
    """Do an errand no more, where no other took its place."""
    connection.execute(_this(mount, errand).where(upstream_channels.c.errand == errand.errand).values(errand=None))


def redo(connection: Connection, mount: str, errand: Errand) -> None:
    """Register a channel there again."""
    connection.execute(_this(mount, errand).values(errand=REGISTER))


def settle(connection: Connection, mount: str, errand: Errand, found: UpstreamChannel, now: float) -> None:
    """A channel was registered there; where it is to be unregistered by now, that is still to be done."""
    connection.execute(_LINK, {"mount": mount, "uaid": errand.uaid, "upstream": found.uaid, "now": now})
    connection.execute(_this(mount, errand).values(endpoint=found.endpoint))
    drop(connection, mount, errand)


def _this(mount: str, errand: Errand) -> sa.Update:
    return upstream_channels.update().where(
        upstream_channels.c.mount == mount,
        upstream_channels.c.uaid == errand.uaid,
        upstream_channels.c.channel == errand.channel,
    )


def is_removed(connection: Connection, mount: str, errand: Errand) -> bool:
    """Forget a channel that was unregistered there, and its user agent with the last one. Not where it was registered
    again meanwhile: then that must be done there again."""
    gone = connection.execute(
        upstream_channels.delete().where(
            upstream_channels.c.mount == mount,
            upstream_channels.c.uaid == errand.uaid,
            upstream_channels.c.channel == errand.channel,
            upstream_channels.c.errand == REMOVE,
        )
    )
    has_channels = sa.exists().where(
        upstream_channels.c.mount == upstream_agents.c.mount, upstream_channels.c.uaid == upstream_agents.c.uaid
    )
    is_kept = sa.exists().where(agents.c.mount == upstream_agents.c.mount, agents.c.uaid == upstream_agents.c.uaid)
    connection.execute(
        upstream_agents.delete().where(
            upstream_agents.c.mount == mount,
            upstream_agents.c.uaid == errand.uaid,
            sa.not_(has_channels),
            sa.not_(is_kept),
        )
    )
    return gone.rowcount > 0


def forget(connection: Connection, mount: str, uaids: Iterable[str]) -> None:
    """User agents begin anew: forget everything about them, here and there."""
    for chunk in chunks(uaids):
        for table in (upstream_channels, upstream_agents, channels, agents):
            connection.execute(table.delete().where(table.c.mount == mount, table.c.uaid.in_(chunk)))
