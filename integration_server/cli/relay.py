"""``integration-server relay``: a push server that stands between another one and its own clients."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from integration_server import __version__
from integration_server.cli.serve import (
    app_of,
    base_url,
    begin_log,
    bound,
    counting,
    ended_by_sigterm,
    running,
    serve_alone,
)

if TYPE_CHECKING:
    from integration_server.config import Config

PASSWORD_VARIABLE = "INTEGRATION_SERVER_UPSTREAM_PASSWORD"
_MOUNT, _PATH = "relay", "/push"
_PLACE = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\[\]:]+):(?P<port>[0-9]{1,5})", re.ASCII)


def _place(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, int] | None:
    """``HOST:PORT``, with an IPv6 address in brackets."""
    if value is None:
        return None
    found = _PLACE.fullmatch(value)
    if found is None or int(found["port"]) > 65535:
        raise click.BadParameter(f"{value!r} is not HOST:PORT, such as 127.0.0.1:8090 or [::1]:8090", ctx, param)
    return found["host"].strip("[]"), int(found["port"])


@click.command()
@click.option("--upstream", required=True, metavar="URL", help="The mount of the push server before this one.")
@click.option(
    "--listen",
    required=True,
    metavar="HOST:PORT",
    callback=_place,
    help="Where clients are served, at /push; port 0 takes any.",
)
@click.option("--websocket", metavar="HOST:PORT", callback=_place, help="Where WebSocket clients are served.")
@click.option("--data-dir", type=click.Path(path_type=Path), default="relay-data", help="Folder for what is kept.")
@click.option("--username", help=f"For the upstream server; its password is in ${PASSWORD_VARIABLE}.")
@click.option("--wait-seconds", type=click.IntRange(1, 60), help="How long it is asked to wait for something new.")
@click.option("--kick", type=click.Choice(["udp", "http"]), help="How clients are woken that are not connected.")
@click.option("--kick-url", metavar="URL", help="With http: where a POST wakes them all.")
@click.option("--kick-network", "networks", multiple=True, help="A private network in which clients may be woken.")
@click.option("--idle-seconds", type=click.FloatRange(1), help="Close WebSocket clients that can be woken when idle.")
@click.option("--allow-plain-http", is_flag=True, help="Take clients of other machines without encryption.")
@click.pass_obj
def command(is_debug: bool, /, listen: tuple[str, int], data_dir: Path, **options: Any) -> None:
    """Serve clients in the place of another push server, until stopped by SIGTERM or Ctrl-C.

    Their endpoints are the other server's. What comes for them there is kept here, before it is acknowledged there.
    """
    from integration_server.server.installation import opened
    from integration_server.server.notify import STOPPING, tell

    with ended_by_sigterm(), opened(relay_config(data_dir, options)) as installation:
        begin_log(installation.config, is_debug)
        mounted = installation.mounted()
        app = app_of(installation, mounted)
        sock = bound(*listen, options="--listen")
        url = base_url(*sock.getsockname()[:2]) + _PATH

        def greet() -> None:
            click.echo(f"integration-server {__version__} relays {options['upstream']} at {url}")

        with counting(installation), running(installation, mounted):
            serve_alone(installation, app, sock, greet)
        tell(STOPPING)


def relay_config(data_dir: Path, options: Mapping[str, Any]) -> Config:
    """A configuration of one mount, as the options of the command have it. Raises ConfigError."""
    from integration_server.config import Config, CoreSettings, ServerSettings, Table

    folder = data_dir.resolve()
    values = {
        "type": "push",
        "path": _PATH,
        "upstream": options["upstream"],
        "upstream_username": options["username"],
        "upstream_password": os.environ.get(PASSWORD_VARIABLE) if options["username"] is not None else None,
        "upstream_wait_seconds": options["wait_seconds"],
        "kick": options["kick"],
        "kick_url": options["kick_url"],
        "kick_allow_networks": list(options["networks"]) or None,
        "idle_seconds": options["idle_seconds"],
        "allow_plain_http": options["allow_plain_http"],
    }
    if options["websocket"] is not None:
        values["websocket_host"], values["websocket_port"] = options["websocket"]
    table = Table(
        "frontends", _MOUNT, Path("integration-server relay"), {k: v for k, v in values.items() if v is not None}
    )
    core = CoreSettings(server=ServerSettings(data_dir=str(folder)))
    return Config(folder, (), core, {}, {_MOUNT: table}, {})
