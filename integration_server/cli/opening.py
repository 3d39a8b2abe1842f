"""What commands open: a whole installation, or only the parts that they need."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from integration_server import ConfigError, FrontendSettings

if TYPE_CHECKING:
    from integration_server.config import Config, Table
    from integration_server.directory.mount import Mount
    from integration_server.forwarding.audit import Audit
    from integration_server.server.installation import Installation
    from integration_server.store import Store


NOBODY_WORKS = "no process notices changes or delivers now; start 'integration-server serve' or 'work'"


@contextmanager
def installation(folder: Path, is_debug: bool) -> Iterator[Installation]:
    """Everything, with the log as commands want it. Raises ConfigError."""
    from integration_server.server import logs
    from integration_server.server.installation import opened

    logs.configure_command(is_debug)
    with opened(folder) as found:
        yield found


@contextmanager
def store(config: Config, is_debug: bool) -> Iterator[Store]:
    """The store alone, for commands that must work while a backend's settings are wrong. Raises ConfigError."""
    from integration_server.server import logs
    from integration_server.store import Store

    logs.configure_command(is_debug)
    url = config.core.store.url
    found = Store(url.get_secret_value() if url is not None else "", config.data_dir)
    try:
        yield found
    finally:
        found.close()


@contextmanager
def memory(folder: Path, is_debug: bool) -> Iterator[tuple[Config, Store]]:
    """The configuration's files and the store, for commands that need no plugin. Raises ConfigError."""
    from integration_server.config import load

    config = load(folder)
    with store(config, is_debug) as found:
        yield config, found


def configured_subscriptions(config: Config) -> dict[str, Table]:
    """The tables of subscriptions by name. Those that frontends ask for are among them as far as these and their
    plugins can be read."""
    from integration_server.server.installation import frontend_settings, plugins_of
    from integration_server.server.receivers import subscription_tables

    found = dict(config.subscriptions)
    with suppress(ConfigError):
        plugins = plugins_of(config)
        for name, table in config.frontends.items():
            with suppress(ConfigError):
                settings = frontend_settings(replace(config, frontends={name: table}), plugins)
                found |= subscription_tables(config, plugins, settings)
    return found


def is_nobody_working(config: Config, store: Store) -> bool:
    """Whether it is certain that no process notices changes and delivers: only where all share one folder."""
    from integration_server.server.workers import is_seat_free

    return store.is_sqlite and is_seat_free(config.data_dir)


#: Who does what a command does, in the audit log.
ACTOR = "command line"


def audit_of(config: Config, store: Store) -> Audit:
    """The audit hooks of a configuration's plugins, and the store's log. Raises ConfigError."""
    from integration_server.forwarding.audit import Audit
    from integration_server.server.installation import plugins_of

    return Audit(plugins_of(config).audits, store.audit_log)


def chosen_mount(found: Installation, name: str | None) -> Mount:
    """The mount of this name, or the only one. Raises UsageError."""
    return found.mounts[chosen(name, list(found.mounts), "frontend", "--mount")]


def backend_mount(found: Installation, name: str) -> Mount:
    """A view on one backend alone: its own filter and everybody, also those whose account may not be used."""
    from integration_server.directory.mount import Mount

    source = found.sources[chosen(name, list(found.sources), "backend", "--backend")]
    settings = FrontendSettings(type="", path="/", backends=(source.name,), list_disabled=True)
    return Mount.of(source.name, settings, (source,))


def chosen(name: str | None, known: list[str], kind: str, option: str) -> str:
    """``name`` where it is known, or the only one that is. Raises UsageError, ConfigError where there is none."""
    if name is None:
        if not known:
            raise ConfigError(f"the configuration has no {kind}")
        if len(known) > 1:
            raise click.UsageError(f"say which {kind} you mean: {option} {' or '.join(sorted(known))}")
        return known[0]
    if name not in known:
        raise click.UsageError(f"there is no {kind} {name!r}; there are: {', '.join(sorted(known)) or 'none'}")
    return name
