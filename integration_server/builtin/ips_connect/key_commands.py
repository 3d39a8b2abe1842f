"""``ips key``: what a slave must be given."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import click

from integration_server import ConfigError, Desk, FrontendDesk
from integration_server.builtin.ips_connect.keys import is_short
from integration_server.builtin.ips_connect.master_key import MasterKey
from integration_server.builtin.ips_connect.places import USUAL_PATH
from integration_server.builtin.ips_connect.settings import SHORT_KEY, GatewaySettings
from integration_server.builtin.ips_connect.slave_commands import TYPE, mount_option, own_backend, slaves_of
from integration_server.builtin.ips_connect.tables import TABLES

#: What every forum's form and every client's URL takes.
_KEY = re.compile(r"[!-~]{1,255}", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Urls:
    """Where slaves find a gateway. ``is_known``: its own setting says it."""

    gateway: str
    is_known: bool

    @classmethod
    def of(cls, opened: FrontendDesk) -> _Urls:
        assert isinstance(opened.settings, GatewaySettings)
        if opened.settings.public_url is not None:
            return cls(opened.settings.public_url.rstrip("/"), True)
        return cls((opened.url or f"http://HOST:PORT{opened.settings.path}").rstrip("/"), False)

    @property
    def base(self) -> str:
        """For clients that append the usual path, as they do to the URL of a site."""
        return f"{self.gateway}/"

    @property
    def usual(self) -> str:
        return self.gateway + USUAL_PATH


def key_command(desk: Desk) -> click.Group:
    @click.group()
    def key() -> None:
        """What slaves must be given: the gateway's URL, and the master key."""

    key.add_command(_show_command(desk))
    key.add_command(_rotate_command(desk))
    return key


def _show_command(desk: Desk) -> click.Command:
    @click.command()
    @desk.config_option
    @mount_option
    @desk.json_option
    def show(folder: Path, mount: str | None, is_json: bool) -> None:
        """Print the gateway's URL and the master key, which is made now where there is none yet."""
        with desk.frontend(folder, TYPE, mount) as opened:
            urls, key = _Urls.of(opened), _master_key(opened)
            value = key.value()
        _warn_of_short(value)
        if is_json:
            desk.print_json(
                {
                    "gateway_url": urls.gateway,
                    "base_url": urls.base,
                    "usual_url": urls.usual,
                    "is_public_url": urls.is_known,
                    "master_key": value,
                    "is_configured": key.is_configured,
                }
            )
            return
        for what, text in (
            ("gateway URL", urls.gateway),
            ("master key", value),
            ("base URL", f"{urls.base} (for software that appends the usual path itself)"),
            ("with usual path", urls.usual),
        ):
            click.echo(f"{what:<17}{text}")
        if not urls.is_known:
            click.echo(
                f"{opened.where}.public_url is not set: the URLs are those by which this machine finds the gateway",
                err=True,
            )

    return show


def _rotate_command(desk: Desk) -> click.Command:
    @click.command()
    @desk.config_option
    @mount_option
    @click.option("--key-from-stdin", is_flag=True, help="Take the key that standard input has, instead of a new one.")
    @click.option("--yes", "is_sure", is_flag=True, help="Do not ask.")
    @desk.json_option
    @click.pass_context
    def rotate(
        ctx: click.Context, folder: Path, mount: str | None, key_from_stdin: bool, is_sure: bool, is_json: bool
    ) -> None:
        """Make a new master key and print it. The old one is refused at once, without a restart.

        Every slave must be given the new one: until then it is refused, and nobody logs in there.
        """
        with desk.frontend(folder, TYPE, mount) as opened:
            key = _master_key(opened)
            if key.is_configured:
                raise ConfigError(f"{opened.where}.master_key: the key stands there, and is changed there")
            given = _given(desk) if key_from_stdin else None
            slaves = [one.name for one in slaves_of(opened)]
            question = f"Change the master key? It must then be given to every slave, {len(slaves)} of them registered."
            if not is_sure and not desk.confirmed(question):
                ctx.exit(1)
            made = key.rotate(given)
        if is_json:
            desk.print_json({"master_key": made, "slaves": slaves})
            return
        click.echo(made)
        click.echo("give it to every slave; until then it is refused" + (":" if slaves else ""), err=True)
        for name in slaves:
            click.echo(f"  {desk.shown(name)}", err=True)

    return rotate


def _master_key(opened: FrontendDesk) -> MasterKey:
    assert isinstance(opened.settings, GatewaySettings)
    configured = opened.settings.master_key
    value = None if configured is None else configured.get_secret_value()
    return MasterKey(own_backend(opened), opened.gateway.storage(TABLES), value)


def _warn_of_short(key: str) -> None:
    if is_short(key):
        click.echo(f"warning: {SHORT_KEY.format('master_key')}", err=True)


def _given(desk: Desk) -> str:
    """Raises UsageError."""
    key = desk.read_secret("Master key", True, "--key-from-stdin")
    if not _KEY.fullmatch(key):
        raise click.UsageError("a master key is 1 to 255 visible ASCII characters, without blanks")
    _warn_of_short(key)
    return key
