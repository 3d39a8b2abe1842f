"""``integration-server outbox-script``: the triggers with which a database notes its own changes."""

from __future__ import annotations

from pathlib import Path

import click

from integration_server import ConfigError, OutboxScript
from integration_server.cli.opening import chosen
from integration_server.cli.options import config_option


@click.command()
@click.argument("backend", required=False)
@config_option
@click.option("--dialect", help="sqlite, postgresql or mariadb; else what the backend's URL says.")
def command(backend: str | None, folder: Path, dialect: str | None) -> None:
    """Print the SQL that makes BACKEND's outbox: a table, and triggers that note in it whose rows changed.

    Whoever administers that database runs it once; this server itself only reads there.
    """
    from integration_server.config import load
    from integration_server.directory.unindexed import Unindexed
    from integration_server.server.installation import plugins_of
    from integration_server.server.sources import make_sources

    config = load(folder)
    name = chosen(backend, list(config.backends), "backend", "BACKEND")
    source = make_sources(config, plugins_of(config), Unindexed(), only=(name,))[name]
    try:
        if not isinstance(source.backend, OutboxScript):
            raise click.UsageError(f"[backends.{name}] is of type {source.settings.type}, which has no outbox")
        try:
            script = source.backend.outbox_script(dialect)
        except ConfigError as exc:
            raise ConfigError(f"{config.backends[name].file}: [backends.{name}]: {exc}") from exc
    finally:
        source.close()
    click.echo(script, nl=False)
