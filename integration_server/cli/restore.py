"""``integration-server restore``."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from integration_server import ConfigError
from integration_server.cli.db import store_url
from integration_server.cli.output import moment, number, shell_line, shown


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("folder", metavar="CONFIG_DIR", type=click.Path(path_type=Path))
@click.pass_obj
def command(is_debug: bool, file: Path, folder: Path) -> None:
    """Put what 'backup' wrote into FILE back: the configuration into CONFIG_DIR, where it has none yet, and store and
    keys into the data_dir that the configuration there names.

    Nothing is replaced: what stands in the way must be moved first.
    """
    from integration_server.config import load
    from integration_server.server import logs
    from integration_server.server.backups import opened_backup
    from integration_server.store.upkeep import begin_new_serials

    logs.configure_command(is_debug)
    with opened_backup(file) as backup:
        made = backup.about
        if not any(folder.glob("*.toml")):
            backup.restore("config", folder)
            click.echo(f"{shown(str(folder))}: {number(len(backup.names('config')), 'file')}")
        config = load(folder)
        if store_url(config):
            raise ConfigError(
                f"{folder}: [store] url names another store than the one in data_dir, which is what a backup holds"
            )
        # Before the store is in its place: one without this would give out serials that readers have seen.
        backup.restore("data", config.data_dir, partial(begin_new_serials, ""))
    was = f"{moment(made.made_at)} (version {made.version})"
    click.echo(f"{shown(str(config.data_dir))}: store and keys as they were on {was}")
    click.echo("what has changed since is noticed by the next comparison, under serials that nobody has seen")
    click.echo(f"look at it with: {shell_line(['integration-server', 'check', str(folder)])}")
