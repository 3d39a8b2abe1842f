"""How subscriptions are written for people and machines to read."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Container, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from integration_server.cli.output import moment, number, print_table, shown, utc

if TYPE_CHECKING:
    from integration_server.store import Store
    from integration_server.store.deliveries import AttemptRow
    from integration_server.store.subscriptions import Subscription

#: Settings that are shown under other names.
_SHOWN = {"type", "backend", "group", "events", "is_active", "batch_size", "rate_per_second", "coalesce"}


def found_one(store: Store, name: str, configured: Callable[[], Container[str]] = tuple) -> Subscription:
    """The subscription with this id or name. Raises UsageError.

    ``configured`` gives the names in the configuration, which may not be in the store yet.
    """
    everyone = store.subscriptions.all()
    found = [one for one in everyone if one.id == name] or [one for one in everyone if one.uid == name]
    if not found and name in configured():
        raise click.UsageError(f"{in_file(name)} begins when the server starts; there is nothing of it yet")
    if not found:
        known = ", ".join(shown(one.uid or one.id) for one in everyone) or "none"
        raise click.UsageError(f"there is no subscription {name!r}; there are: {known}")
    if len(found) > 1:
        ids = ", ".join(one.id for one in found)
        raise click.UsageError(f"several have the name {name!r}; say which id: {ids}")
    return found[0]


def in_file(name: str) -> str:
    """What a configured subscription is called to people who look for it in the configuration."""
    return name if mount_of(name) else f"[subscriptions.{name}]"


def mount_of(name: str | None) -> str | None:
    """The frontend that asks for the configured subscription of this name, if one does."""
    mount, slash, _ = (name or "").partition("/")
    return mount if slash else None


def ends(store: Store) -> Callable[[Subscription], int]:
    """The serial up to which there is something for a subscription: the journal's last, or, of a channel, the last
    that touches what it is bound to."""
    last, bound = store.journal.last_serial(), store.bound_channels.serials()
    return lambda one: last if one.bound_to is None else bound.get(one.bound_to, one.cursor)


def state(one: Subscription) -> str:
    """``ok``, ``resting`` and so on, or ``paused``."""
    if not one.is_active and one.state != "ended":
        return "paused"
    return "replaying" if one.replay_serial is not None and one.state == "ok" else one.state


def backlog(one: Subscription, last: int) -> str | None:
    """One line about a receiver that is not even asked to take what is there for it, or None."""
    behind = last - one.cursor
    told = state(one)
    if told in ("ok", "replaying") or behind <= 0:
        return None
    since = f" since {moment(one.failing_since)}" if one.failing_since else ""
    reason = f": {shown(one.state_reason)}" if one.state_reason else ""
    return f"{shown(one.uid or one.id)} is {told}{since}, {number(behind, 'serial')} behind{reason}"


def owner(one: Subscription, names: Mapping[str, str]) -> str:
    """Who made it: a token's name, ``config`` or ``cli``."""
    mount = _frontend(one)
    return f"config (frontends.{mount})" if mount else names.get(one.owner, one.owner)


def _frontend(one: Subscription) -> str | None:
    return mount_of(one.uid) if one.owner == "config" else None


def row(one: Subscription, counts: Mapping[str, int], last: int, names: Mapping[str, str]) -> Sequence[object]:
    """For a table. ``counts`` are its undelivered events by state, ``last``: see ends."""
    waiting = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    behind = max(0, last - one.cursor)
    return (one.id, one.uid, owner(one, names), one.type, str(one.resource), state(one), behind, waiting)


def as_json(
    one: Subscription,
    counts: Mapping[str, int],
    last: int,
    names: Mapping[str, str],
    attempts: Sequence[AttemptRow] | None = None,
) -> dict[str, object]:
    """For machines. No secret and none of its consumer's own settings."""
    found: dict[str, object] = {
        "id": one.id,
        "name": one.uid,
        "owner": names.get(one.owner, one.owner),
        "frontend": _frontend(one),
        "type": one.type,
        "resource": one.resource.as_json(),
        "events": list(one.events),
        "batch_size": one.batch_size,
        "rate_per_second": one.rate_per_second,
        "coalesce": one.is_coalescing,
        "is_active": one.is_active,
        "state": one.state,
        "state_reason": one.state_reason,
        "failing_since": one.failing_since and utc(one.failing_since),
        "next_probe_at": one.next_probe_at and utc(one.next_probe_at),
        "serial": one.cursor,
        "last_serial": last,
        "is_replaying": one.replay_serial is not None,
        "undelivered": dict(counts),
        "secrets": len(one.active_secrets(time.time())),
        "created_at": utc(one.created_at),
    }
    if attempts is not None:
        found["attempts"] = [_attempt_json(attempt) for attempt in attempts]
    return found


def _attempt_json(attempt: AttemptRow) -> dict[str, object]:
    return {
        "at": utc(attempt.at),
        "seconds": attempt.seconds,
        "delivery": attempt.delivery_id,
        "serial": attempt.serial,
        "events": attempt.event_count,
        "person_id": attempt.person_id,
        "is_ok": attempt.is_ok,
        "status": attempt.status,
        "error": attempt.error,
        "response": attempt.response,
    }


def describe(
    one: Subscription,
    counts: Mapping[str, int],
    last: int,
    names: Mapping[str, str],
    settings: Mapping[str, Any] | None,
    attempts: Sequence[AttemptRow],
) -> None:
    """Everything about one, for a terminal."""
    for name, content in _lines(one, counts, last, names):
        if content not in (None, ""):
            click.echo(f"{name:<14}{shown(content)}")
    if settings is None:
        click.echo(f"{'settings':<14}not shown: no consumer type {shown(one.type)} can say which are secret")
    for key, value in (settings or {}).items():
        if key not in _SHOWN:
            click.echo(f"{key:<14}{shown(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))}")
    if attempts:
        click.echo("latest tries:")
        headers = ["AT", "TOOK", "SERIAL", "EVENTS", "PERSON", "STATUS", "ERROR"]
        print_table(headers, [_attempt_row(attempt) for attempt in attempts])


def _lines(
    one: Subscription, counts: Mapping[str, int], last: int, names: Mapping[str, str]
) -> list[tuple[str, object]]:
    waiting = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    return [
        ("id", one.id),
        ("name", one.uid),
        ("owner", owner(one, names)),
        ("type", one.type),
        ("tells of", str(one.resource)),
        ("events", one.events),
        ("state", state(one) + (f": {one.state_reason}" if one.state_reason else "")),
        ("failing since", one.failing_since and moment(one.failing_since)),
        ("next probe", one.next_probe_at and one.state != "ok" and moment(one.next_probe_at)),
        ("serial", f"{one.cursor} of {last}"),
        ("undelivered", waiting),
        ("batch size", one.batch_size),
        ("a second", one.rate_per_second and f"{one.rate_per_second:g} requests at most"),
        ("coalesce", one.is_coalescing or None),
        ("secrets", len(one.active_secrets(time.time())) or None),
        ("made", moment(one.created_at)),
    ]


def _attempt_row(attempt: AttemptRow) -> Sequence[object]:
    took = f"{attempt.seconds:.3f} s"
    told = attempt.error if not attempt.is_ok else None
    at = moment(attempt.at)
    return (at, took, attempt.serial, attempt.event_count, attempt.person_id, attempt.status, told)
