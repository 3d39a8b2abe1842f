"""``integration-server config``: every setting as it is in force."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from integration_server.cli.options import config_argument, json_option
from integration_server.cli.output import print_json, print_table

if TYPE_CHECKING:
    from integration_server.config import Config
    from integration_server.effective import Setting
    from integration_server.plugins import Plugins

_DEFAULT = "default"


@click.group()
def command() -> None:
    """Look at the configuration."""


@command.command()
@config_argument
@json_option
def show(folder: Path, is_json: bool) -> None:
    """Every setting with its value in force and the file it stands in. Secrets are masked."""
    from integration_server.config import load
    from integration_server.effective import written
    from integration_server.server.installation import plugins_of

    config = load(folder)
    found = list(settings(config, plugins_of(config)))
    if is_json:
        print_json([asdict(one) for one in found])
        return
    rows = [(f"[{s.table}]", s.key, written(s.value), s.file or _DEFAULT) for s in found]
    print_table(["TABLE", "KEY", "VALUE", "FROM"], rows)


def settings(config: Config, plugins: Plugins) -> Iterator[Setting]:
    """Every setting of a configuration. Raises ConfigError."""
    from integration_server import effective
    from integration_server.config import parse_table
    from integration_server.server.installation import frontend_settings
    from integration_server.server.receivers import subscription_settings

    backends = {}
    for name, table in config.backends.items():
        cls = _known(plugins.backends, table.type, table.file, table.path)
        backends[name] = parse_table(table, cls.Settings, config.base_dir)
    frontends = frontend_settings(config, plugins)
    subscriptions = subscription_settings(config.subscriptions, config, plugins)
    return effective.settings(config, plugins, backends, frontends, subscriptions)


def _known(classes: Mapping[str, Any], kind: str, file: Path, path: str) -> Any:
    from integration_server import ConfigError

    if kind not in classes:
        raise ConfigError(f"{file}: {path}.type: there is no {kind!r}; there are: {', '.join(sorted(classes))}")
    return classes[kind]
