"""``integration-server backup``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from integration_server.cli.db import size, store_url
from integration_server.cli.options import config_option
from integration_server.cli.output import number, shown


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@config_option
@click.pass_obj
def command(is_debug: bool, file: Path, folder: Path) -> None:
    """Write the configuration, the store and the keys into FILE, while the server runs or not.

    FILE must not exist. It holds passwords and secrets: it is made readable for its owner alone, and must stay so.
    """
    from integration_server.cli.files import new_file
    from integration_server.config import load
    from integration_server.server import logs
    from integration_server.server.backups import write_backup

    logs.configure_command(is_debug)
    config = load(folder)
    with new_file(file) as target:
        made = write_backup(config, store_url(config), target)
    total = sum(made.files.values())
    click.echo(f"{shown(str(file))}: {number(len(made.files), 'file')}, {size(total)}, store of schema {made.schema}")
    if sys.platform == "win32":
        click.echo("it holds passwords; see to it that nobody else may read it")
