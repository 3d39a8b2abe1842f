"""What ``check`` says of receivers and of noticing changes."""

from __future__ import annotations

import ssl
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from pydantic import SecretStr

from integration_server.cli.findings import Line, readable_secret_lines
from integration_server.cli.output import moment, number
from integration_server.config import Config, Table
from integration_server.directory.source import Source
from integration_server.plugins import Plugins
from integration_server.sdk import addresses
from integration_server.sdk.errors import AddressRefused, ConfigError
from integration_server.sdk.settings import ConsumerSettings, FrontendSettings
from integration_server.sdk.urls import Target, parse_url
from integration_server.server.receivers import (
    is_told_what_is_noticed,
    is_watched,
    subscription_settings,
    subscription_tables,
    unwatched,
)
from integration_server.store import Store
from integration_server.store.subscriptions import CONFIG_OWNER, Subscription
from integration_server.web.callers import is_loopback


@dataclass(frozen=True, slots=True)
class ReceiverTable:
    """A configured subscription that can be read."""

    table: Table
    settings: ConsumerSettings


def receiver_tables(
    config: Config, plugins: Plugins, frontends: Mapping[str, FrontendSettings]
) -> tuple[list[ReceiverTable], list[Line]]:
    """Every receiver that can be read, those that frontends ask for among them, and what is wrong with the others."""
    tables: dict[str, Table] = dict(config.subscriptions)
    lines: list[Line] = []
    for mount, settings in frontends.items():
        try:
            tables |= subscription_tables(config, plugins, {mount: settings})
        except ConfigError as exc:
            lines += _errors(config.frontends[mount], exc)
    found = []
    for name, table in tables.items():
        try:
            found.append(ReceiverTable(table, subscription_settings({name: table}, config, plugins)[name]))
        except ConfigError as exc:
            lines += _errors(table, exc)
    return found, lines


def _errors(table: Table, exc: ConfigError) -> Iterator[Line]:
    for line in str(exc).splitlines():
        yield Line(f"[{table.path}]", "error", line)


def receiver_lines(config: Config, receivers: Sequence[ReceiverTable]) -> Iterator[Line]:
    """What each receiver is told, and what keeps it from being told anything."""
    for one in receivers:
        table, settings = one.table, one.settings
        where = f"[{table.path}]"
        scope = "/".join(filter(None, (settings.backend, settings.group))) or "all backends"
        yield Line(where, "ok", f"{settings.type}, {scope}, events: {', '.join(settings.events)}")
        missed = unwatched(settings, config)
        if missed:
            tables = ", ".join(f"[backends.{backend}.sync]" for backend in missed)
            yield Line(where, "warning", f"is never told of changes in {', '.join(missed)}: there is no {tables}")
        backend = settings.backend
        if backend is not None and not is_told_what_is_noticed(settings) and not is_watched(config.backends[backend]):
            told = f"a replay of everybody has nobody to tell of, since there is no [backends.{backend}.sync]"
            yield Line(where, "ok", told)
        if not settings.is_active:
            yield Line(where, "warning", "is_active = false: nothing is sent to it")
        yield from _address_lines(where, config, settings)
        yield from _authority_lines(where, config, settings)
        yield from readable_secret_lines(table, settings, is_demo=False)


def _address_lines(where: str, config: Config, settings: ConsumerSettings) -> Iterator[Line]:
    """A ``url``, as receivers of several types have one, with an address to which nothing is ever sent."""
    url = getattr(settings, "url", None)
    own = getattr(settings, "allow_networks", ())
    try:
        target = parse_url(url.get_secret_value() if isinstance(url, SecretStr) else str(url))
        yield from _plain_lines(where, target)
        addresses.check_literal(target.host, addresses.networks((*config.core.forwarding.allow_networks, *own)))
    except AddressRefused as exc:
        yield Line(where, "warning", f"nothing is sent to it: {exc}")
    except (ValueError, TypeError):
        # A plugin may take what our own receivers do not.
        return


def _plain_lines(where: str, target: Target) -> Iterator[Line]:
    if target.scheme == "http" and target.host != "localhost" and not is_loopback(target.host):
        yield Line(where, "warning", "what is sent to it can be read on the way: url begins with http://")


def _registered_lines(where: str, one: Subscription) -> Iterator[Line]:
    """The ``url`` of one that stands in no table."""
    url = one.settings.get("url")
    if one.owner == CONFIG_OWNER or one.state == "ended" or not isinstance(url, str):
        return
    with suppress(ValueError):
        yield from _plain_lines(where, parse_url(url))


def _authority_lines(where: str, config: Config, settings: ConsumerSettings) -> Iterator[Line]:
    """A ``ca_file``, as receivers of several types have one, that nothing can be checked with."""
    name = getattr(settings, "ca_file", None)
    if not isinstance(name, str):
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(config.base_dir / name)
    except ssl.SSLError:
        yield Line(where, "error", f"ca_file: {name} holds no certificate in PEM")
    except OSError as exc:
        yield Line(where, "error", f"ca_file: {name} cannot be read: {exc.strerror}")


def watching_lines(where: str, source: Source) -> Iterator[Line]:
    """How changes of a backend are noticed, where they are."""
    sync = source.settings.sync
    if sync is None:
        return
    parts = [f"its changes are noticed: everybody is compared every {sync.scan_seconds:g} s"]
    if (feed := source.feed) is not None:
        parts.append(f"and its feed ({feed.feed()}) is read every {sync.feed_seconds:g} s")
    yield Line(where, "ok", " ".join(parts))


def _forgotten_lines(config: Config, store: Store) -> Iterator[Line]:
    """People whom receivers were told of, and of whom nothing more will be heard."""
    for watch in store.watches.all():
        table = config.backends.get(watch.backend)
        if (table is None or not is_watched(table)) and (count := store.people.count(watch.backend)):
            missing = f"[backends.{watch.backend}]" if table is None else f"[backends.{watch.backend}.sync]"
            told = f"there is no {missing} any more, but receivers and snapshots keep its "
            told += (
                f"{number(count, 'person', 'people')}; how to have them reported as deleted is in docs/forwarding.rst"
            )
            yield Line(f"[backends.{watch.backend}]", "warning", told)


def store_state_lines(config: Config, store: Store) -> Iterator[Line]:
    """What waits for a person: held runs, receivers that fail, events that were given up."""
    for run in store.runs.all():
        told = f"a run is held since {moment(run.first_at)}: {run.reason}; see 'integration-server sync show'"
        yield Line(f"[backends.{run.backend}]", "warning", told)
    for watch in store.watches.all():
        if watch.failed_at is not None:
            told = f"its changes are not noticed since {moment(watch.failed_at)}: {watch.failure}"
            yield Line(f"[backends.{watch.backend}]", "warning", told)
    yield from _forgotten_lines(config, store)
    yield from _homeless_lines(config, store)
    counts = store.deliveries.counts()
    for one in store.subscriptions.all():
        where = f"subscription {one.uid or one.id}"
        yield from _registered_lines(where, one)
        if one.state in ("quarantined", "ended"):
            yield Line(where, "warning", f"{one.state}: {one.state_reason or 'no reason was noted'}")
        dead = counts.get(one.id, {}).get("dead", 0)
        if dead:
            told = f"{number(dead, 'event')} given up; see 'integration-server deliveries list --state dead'"
            yield Line(where, "warning", told)


def _homeless_lines(config: Config, store: Store) -> Iterator[Line]:
    """Memberships that nobody has any more, for instance since a backend has another name."""
    kept = store.kept_memberships.all()
    gone = Counter(name for one in kept for name in {one.backend, one.group_backend} if name not in config.backends)
    for name, count in sorted(gone.items()):
        told = f"there is no [backends.{name}] any more, so what is kept of its people and groups does not count: "
        told += f"{number(count, 'membership')}; see 'integration-server memberships list'"
        yield Line(f"[backends.{name}]", "warning", told)
