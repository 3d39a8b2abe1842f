"""``integration-server service``: what an operating system needs to know to run the server by itself."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

import click

from integration_server.cli.options import config_argument
from integration_server.cli.output import shown

if TYPE_CHECKING:
    from integration_server.config import Config

_UNIT = Path("/etc/systemd/system/integration-server.service")
#: Not the name of the program itself: a shell of Windows looks into its own folder first.
_XML = Path("integration-server-service.xml")

_SYSTEMD = """\
[Unit]
Description=integration-server
After=network-online.target
Wants=network-online.target

[Service]
Type=notify
NotifyAccess=main
WatchdogSec=60
User={user}
ExecStart={start}
ExecReload=/bin/kill -HUP $MAINPID
Restart=on-failure
RestartSec=2
TimeoutStopSec=60
UMask=0077
LimitNOFILE=65536
ReadWritePaths={data_dir}
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectHostname=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
SystemCallArchitectures=native

[Install]
WantedBy=multi-user.target
"""

_WINSW = """\
<service>
  <id>integration-server</id>
  <name>integration-server</name>
  <description>Answers directory questions, and tells of changes</description>
  <executable>{program}</executable>
  <arguments>{arguments}</arguments>
  <env name="PYTHONIOENCODING" value="utf-8"/>
  <workingdirectory>{data_dir}</workingdirectory>
  <logpath>{data_dir}</logpath>
  <log mode="roll-by-size"><sizeThreshold>10240</sizeThreshold><keepFiles>8</keepFiles></log>
  <stoptimeout>60 sec</stoptimeout>
  <stopparentprocessfirst>true</stopparentprocessfirst>
  <onfailure action="restart" delay="2 sec"/>
</service>
"""


@click.group()
def command() -> None:
    """Have the operating system start the server and keep it running."""


@command.command()
@config_argument
@click.option("--user", default="integration-server", show_default=True, help="The account that runs it (systemd).")
@click.option("--kind", type=click.Choice(["systemd", "winsw"]), help="For systemd, or for WinSW on Windows.")
@click.option("--to", "target", type=click.Path(path_type=Path), help="The file to write, instead of the usual one.")
@click.option("--print", "is_printed", is_flag=True, help="Print it instead.")
@click.pass_obj
def install(is_debug: bool, folder: Path, user: str, kind: str | None, target: Path | None, is_printed: bool) -> None:
    """Write the service's file: a unit of systemd, or the configuration of WinSW. It must not exist yet.

    Nothing is started. What to do next is printed.
    """
    from integration_server.cli.files import write_new
    from integration_server.config import load
    from integration_server.server import logs

    logs.configure_command(is_debug)
    config = load(folder)
    is_systemd = (kind or ("winsw" if sys.platform == "win32" else "systemd")) == "systemd"
    text = unit(config, user) if is_systemd else winsw(config)
    if is_printed:
        click.echo(text, nl=False)
        return
    path = target or (_UNIT if is_systemd else _XML)
    write_new(path, text)
    click.echo(f"wrote {shown(str(path))}; next:")
    for line in _next(config, user) if is_systemd else _next_on_windows(config, path):
        click.echo(f"  {line}")


def unit(config: Config, user: str) -> str:
    """A unit of systemd (systemd.service(5), systemd.exec(5)) for this program and configuration."""
    start = " ".join(map(quoted, [*program(), "serve", str(config.base_dir.resolve())]))
    return _SYSTEMD.format(user=user, start=start, data_dir=quoted(str(config.data_dir.resolve())))


def quoted(word: str) -> str:
    """One word of a line in a unit: as it is where that is clear (systemd.syntax(7))."""
    doubled = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return doubled if doubled == word and not any(c.isspace() or c in "';" for c in word) else f'"{doubled}"'


def winsw(config: Config) -> str:
    """The configuration of WinSW for this program and configuration."""
    words: list[str] = [*program(), "serve", str(config.base_dir.resolve())]
    first, rest = words[0], words[1:]
    data_dir = escape(str(config.data_dir.resolve()))
    # Quoted as the C runtime takes it apart, which Python is given its arguments by.
    arguments = escape(subprocess.list2cmdline(rest))
    return _WINSW.format(program=escape(first), arguments=arguments, data_dir=data_dir)


def program() -> Sequence[str]:
    """What runs this program: its own script where it lies beside the interpreter, else the interpreter."""
    beside = shutil.which("integration-server", path=str(Path(sys.executable).parent))
    return [beside] if beside is not None else [sys.executable, "-m", "integration_server"]


def _next(config: Config, user: str) -> list[str]:
    from integration_server.cli.output import shell_line

    home = str(config.data_dir.resolve())
    return [
        shell_line(["useradd", "--system", "--home-dir", home, "--shell", "/usr/sbin/nologin", user]),
        shell_line(["mkdir", "-p", home]),
        shell_line(["chown", "-R", f"{user}:", str(config.base_dir.resolve()), home]),
        "systemctl daemon-reload",
        "systemctl enable --now integration-server",
        "systemctl reload integration-server    # after changes of the configuration",
    ]


def _next_on_windows(config: Config, path: Path) -> list[str]:
    data_dir, winsw = config.data_dir.resolve(), path.with_suffix(".exe").name
    return [
        # The service cannot start in a folder that is not there.
        *([] if data_dir.is_dir() else [subprocess.list2cmdline(["mkdir", str(data_dir)])]),
        f"put WinSW beside it as {winsw} (https://github.com/winsw/winsw)",
        f"{winsw} install",
        f"{winsw} start",
    ]
