"""Commands that plugins bring. They are looked for only where a name is none of the server's own."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from integration_server import ConfigError
from integration_server.cli.options import default_folder

if TYPE_CHECKING:
    from integration_server.plugins import CommandHook

_NAME = re.compile(r"[a-z][a-z0-9-]*")


@dataclass(frozen=True, slots=True)
class Found:
    """Commands by name. ``fault`` is what kept the plugins of the configuration from being asked."""

    commands: Mapping[str, click.Command] = field(default_factory=dict)
    fault: ConfigError | None = None


def find(taken: Container[str]) -> Found:
    """Those of the plugins that the usual configuration folder loads; where there is none, or it is wrong, those of the
    plugins that are there without any. ``taken`` are the names of the server's own commands."""
    from integration_server.plugins import load_commands

    fault = None
    try:
        return Found(_merged(commands_of(_hooks_of(default_folder()), taken)))
    except ConfigError as exc:
        fault = exc
    try:
        return Found(_merged(commands_of(load_commands(), taken)), fault)
    except ConfigError:
        return Found(fault=fault)


def _hooks_of(folder: Path) -> Sequence[CommandHook]:
    """Raises ConfigError."""
    from integration_server.config import load
    from integration_server.plugins import load_commands

    if not folder.exists():
        return load_commands()
    config = load(folder)
    settings = config.core.plugins
    drop_in = None if settings.folder is None else (config.base_dir / settings.folder).resolve()
    return load_commands(drop_in, settings.disabled)


def _merged(commands: Mapping[str, Mapping[str, click.Command]]) -> dict[str, click.Command]:
    return {name: command for own in commands.values() for name, command in own.items()}


def commands_of(hooks: Iterable[CommandHook], taken: Container[str]) -> dict[str, dict[str, click.Command]]:
    """Each plugin's commands, by their names. Raises ConfigError."""
    owners: dict[str, str] = {}
    found: dict[str, dict[str, click.Command]] = {}
    for hook in hooks:
        own = found.setdefault(hook.plugin, {})
        for command in _made(hook):
            name = command.name or ""
            if not _NAME.fullmatch(name):
                raise ConfigError(f"{hook.where}: {name!r} is no name of a command: take small letters, digits and -")
            if name in taken:
                raise ConfigError(f"{hook.where}: the command {name!r} is the server's own; take another name")
            if name in owners:
                raise ConfigError(f"{hook.where}: the command {name!r} exists already in {owners[name]}")
            owners[name], own[name] = hook.where, command
    return found


def _made(hook: CommandHook) -> list[click.Command]:
    from integration_server.cli.desk import CommandDesk

    try:
        commands = list(hook.commands(CommandDesk()))
    except Exception as exc:
        raise ConfigError(f"{hook.where}: register_commands failed: {type(exc).__name__}: {exc}") from exc
    for command in commands:
        if not isinstance(command, click.Command):
            raise ConfigError(f"{hook.where}: register_commands must return commands of click, not {command!r}")
    return commands
