"""``integration-server plugins``: which are there, examples to copy, and the start of a new one."""

from __future__ import annotations

import importlib.util
import keyword
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import click

from integration_server import ConfigError
from integration_server.cli import examples
from integration_server.cli.files import write_new
from integration_server.cli.options import config_option, json_option
from integration_server.cli.output import print_json, print_table, shell_line

if TYPE_CHECKING:
    from integration_server.plugins import Plugins

_NAME = re.compile(r"[a-z][a-z0-9_]*")


@click.group(invoke_without_command=True)
@config_option
@json_option
@click.pass_context
def command(ctx: click.Context, folder: Path, is_json: bool) -> None:
    """List the plugins that a configuration loads, or begin a new one."""
    if ctx.invoked_subcommand is not None:
        return
    found = _loaded(folder)
    commands = _commands(found)
    if is_json:
        print_json([{**asdict(plugin), "commands": list(commands.get(plugin.name, ()))} for plugin in found.loaded])
        return
    rows = [
        (p.name, p.backends, p.frontends, p.consumers, tuple(commands.get(p.name, ())), p.hooks, p.origin)
        for p in found.loaded
    ]
    print_table(["NAME", "BACKENDS", "FRONTENDS", "CONSUMERS", "COMMANDS", "HOOKS", "FROM"], rows)


def _commands(found: Plugins) -> Mapping[str, Iterable[str]]:
    """The names of each plugin's commands. Raises ConfigError."""
    from integration_server.cli.group import COMMANDS
    from integration_server.cli.plugin_commands import commands_of

    return commands_of(found.commands, COMMANDS)


def _loaded(folder: Path) -> Plugins:
    """The configuration's plugins, or the ones that come without any where there is no such folder."""
    from integration_server.config import load
    from integration_server.plugins import load_plugins
    from integration_server.server.installation import plugins_of

    return plugins_of(load(folder)) if folder.exists() else load_plugins()


@command.command("examples")
@json_option
def list_examples(is_json: bool) -> None:
    """List the example plugins that come with the server. They work as they are; 'plugins copy' copies one."""
    found = list(examples.plugins())
    if is_json:
        print_json([{"name": one.name, "title": one.title, "path": str(one.path)} for one in found])
    else:
        print_table(["NAME", "WHAT IT DOES"], [(one.name, one.title) for one in found])


def _checked_name(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    if not _NAME.fullmatch(value) or keyword.iskeyword(value):
        raise click.BadParameter(f"{value!r}: take small letters, digits and _, beginning with a letter")
    return value


_folder_option = click.option(
    "--dir",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("plugins"),
    show_default=True,
    help="The drop-in folder; made where it is missing.",
)


@command.command()
@click.argument("name")
@_folder_option
def copy(name: str, folder: Path) -> None:
    """Copy an example plugin, DIR/NAME.py, to be used or changed. 'plugins examples' lists them."""
    found = {one.name: one for one in examples.plugins()}
    if name not in found:
        raise click.UsageError(f"there is no example plugin {name!r}; there are {', '.join(found)}")
    target = folder / f"{name}.py"
    write_new(target, found[name].path.read_text(encoding="utf-8"))
    click.echo(f"wrote {target}; how it is configured stands at its beginning")
    click.echo(f'use it with: folder = "{folder.resolve().as_posix()}" in [plugins]')


@command.command()
@click.argument("name", callback=_checked_name)
@_folder_option
def new(name: str, folder: Path) -> None:
    """Write a backend plugin that works, DIR/NAME.py, with its conformance tests, DIR/tests/test_NAME.py."""
    _check_is_free(name)
    # Not beside the plugin: every .py file of the folder itself is loaded as one.
    files = {folder / f"{name}.py": "plugin.py.txt", folder / "tests" / f"test_{name}.py": "test_plugin.py.txt"}
    for path in files:
        if path.exists():
            raise ConfigError(f"{path} exists already; choose another name")
    templates = resources.files("integration_server.cli") / "data"
    class_name = "".join(part.title() for part in name.split("_"))
    for path, template in files.items():
        text = (templates / template).read_text(encoding="utf-8")
        write_new(path, text.replace("@name@", name).replace("@Name@", class_name))
        click.echo(f"wrote {path}")
    click.echo(f"try it with: {shell_line([sys.executable, '-m', 'pytest', str(folder / 'tests')])}")
    if importlib.util.find_spec("pytest") is None:
        click.echo(f"  after:      {shell_line([sys.executable, '-m', 'pip', 'install', 'pytest'])}")
    click.echo(
        f'use it with: folder = "{folder.resolve().as_posix()}" in [plugins], type = "{name}" in a [backends.NAME]'
    )


def _check_is_free(name: str) -> None:
    """A second plugin or type of a shipped one's name would stop the server. Raises UsageError."""
    from integration_server.plugins import load_plugins

    shipped = load_plugins()
    if name in shipped.backends or name in {plugin.name for plugin in shipped.loaded}:
        raise click.UsageError(f"there is a shipped plugin or backend type {name!r} already; choose another name")
