"""``integration-server token rotate``: a new token for the callers of a GroupServer frontend."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from integration_server import ConfigError
from integration_server.cli import gsconfig
from integration_server.cli.files import check_replaceable, replace_file
from integration_server.cli.opening import ACTOR, audit_of, memory
from integration_server.cli.options import config_option
from integration_server.cli.output import tell_once

if TYPE_CHECKING:
    from integration_server.config import Table

#: The plugin is not asked, so that a command for the store needs no plugin to be in order.
_TYPE = "groupserver"
_DEFAULT_SET = "default"


def _checked_set(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    if re.fullmatch(r"[\w.-]+", value, re.ASCII) is None:
        raise click.BadParameter("take letters, digits, '.', '_' and '-'")
    return value


@click.command()
@click.argument("name", metavar="FRONTEND")
@config_option
@click.option(
    "--gsconfig", "file", metavar="FILE", type=click.Path(path_type=Path), help="Write it into this gsconfig.ini, too."
)
@click.option(
    "--config-set",
    metavar="NAME",
    default=_DEFAULT_SET,
    show_default=True,
    callback=_checked_set,
    help="The set of options of that file: its section [config-NAME].",
)
@click.pass_obj
def rotate(is_debug: bool, name: str, folder: Path, file: Path | None, config_set: str) -> None:
    """Make a new token for FRONTEND and print it, this once. The old one is refused at once, without a restart.

    FRONTEND is the name of a frontend of the type groupserver, or just "groupserver" where there is one.
    """
    if file is None and config_set != _DEFAULT_SET:
        raise click.UsageError("--config-set says what --gsconfig FILE writes; give both")
    with memory(folder, is_debug) as (config, store):
        mount = _chosen(name, config.frontends)
        audit = audit_of(config, store)
        if file is not None:
            # What cannot be written is better known while the old token is good.
            gsconfig.with_token(file, config_set, "sample")
            check_replaceable(file)
        token = store.frontend_tokens.rotate(mount)
        audit.tell("token.rotated", mount, {}, ACTOR)
    lost = "the token was changed, and nobody has seen it; change it again"
    try:
        if file is not None:
            replace_file(file, gsconfig.with_token(file, config_set, token))
            lost = f"the token was changed; {file} holds it"
    finally:
        tell_once(lambda: click.echo(token), lambda: None, lost)
        click.echo(f"the token of {mount}, shown this once; the old one is refused from now on", err=True)
    if file is not None:
        click.echo(f"wrote {file}", err=True)


def _chosen(name: str, frontends: Mapping[str, Table]) -> str:
    """The frontend that is meant. Raises UsageError."""
    known = sorted(each for each, table in frontends.items() if table.values.get("type") == _TYPE)
    if name not in frontends and name == _TYPE and known:
        if len(known) > 1:
            raise click.UsageError(f"several frontends have the type {_TYPE}; say which: {' or '.join(known)}")
        name = known[0]
    if name not in known:
        told = f"there is no frontend {name!r}"
        if name in frontends:
            told = f"the frontend {name!r} has the type {frontends[name].values.get('type')!r} and no token"
        raise click.UsageError(f"{told}; frontends of the type {_TYPE}: {', '.join(known) or 'none'}")
    if frontends[name].values.get("token_source") == _TYPE:
        raise ConfigError(
            f"{frontends[name].file}: [frontends.{name}] takes its token from GroupServer's own database "
            "(token_source); 'gs_auth_token_create DSN' changes it there"
        )
    return name
