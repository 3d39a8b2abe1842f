"""An installation with accounts, a gateway and slaves, and the command line on it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from integration_server.builtin.ips_connect.account import Account
from integration_server.builtin.ips_connect.accounts import Accounts
from integration_server.builtin.ips_connect.tables import TABLES
from integration_server.cli.group import cli
from integration_server.plugins import load_plugins
from integration_server.server.installation import opened
from integration_server.store import Store

#: Stand-ins for what a gateway needs, as long as it is not shipped.
_FRONTEND = """
from integration_server.builtin.ips_connect.gateway import IpsConnectFrontend

@hookimpl
def register_frontends():
    return [IpsConnectFrontend]
"""
_CONSUMER = """
from integration_server import Consumer, Receipt
from integration_server.builtin.ips_connect.settings import SlaveSettings

class Slave(Consumer):
    type = "ips_connect"
    Settings = SlaveSettings
    lane = "subscription"
    own_types = ("ips_connect.register", "ips_connect.ban")
    gives_up = False
    ends_for_good = True
    def __init__(self, settings, context): pass
    def deliver(self, delivery, deadline): return Receipt()
    def close(self): pass

@hookimpl
def register_consumers():
    return [Slave]
"""
CONFIG = """
[server]
port = 8123
data_dir = "../data"
[backends.forum]
type = "ips_connect"
"""
GATEWAY = """
[frontends.gate]
type = "ips_connect"
path = "/ips"
backends = ["forum"]
allow_anonymous = true
"""


@dataclass(frozen=True)
class Place:
    """``run`` runs ``integration-server ips ...`` on its configuration."""

    path: Path

    @property
    def config(self) -> Path:
        return self.path / "config.d"

    def write(self, text: str, file: str = "10-all.toml") -> Path:
        self.config.mkdir(exist_ok=True)
        path = self.config / file
        path.write_text(text, encoding="utf-8")
        return path

    def with_gateway(self, more: str = "") -> None:
        """A configuration with a gateway, and the plugin that stands in for what is not shipped."""
        shipped = load_plugins()
        missing = "" if "ips_connect" in shipped.frontends else _FRONTEND
        missing += "" if "ips_connect" in shipped.consumers else _CONSUMER
        plugins = ""
        if missing:
            (self.path / "plugins").mkdir(exist_ok=True)
            (self.path / "plugins" / "network.py").write_text("from integration_server import hookimpl\n" + missing)
            plugins = '[plugins]\nfolder = "../plugins"\n'
        self.write(CONFIG + plugins + GATEWAY + more)

    def run(self, *args: object, **extra: Any) -> Result:
        return self.command("ips", *args, "-c", self.config, **extra)

    def command(self, *args: object, **extra: Any) -> Result:
        """Any other of ``integration-server``."""
        with _own_log():
            return CliRunner().invoke(cli, [*map(str, args)], prog_name="integration-server", **extra)

    def json(self, *args: object, **extra: Any) -> Any:
        result = self.run(*args, "--json", **extra)
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)

    @contextmanager
    def store(self) -> Iterator[Store]:
        with opened(self.config) as installation:
            yield installation.store

    @contextmanager
    def accounts(self, backend: str = "forum") -> Iterator[Accounts]:
        with self.store() as store:
            yield Accounts(backend, store.storage(TABLES))

    def everybody(self, backend: str = "forum") -> list[Account]:
        with self.accounts(backend) as accounts:
            return [one for batch in accounts.everybody(100) for one in batch]


@contextmanager
def _own_log() -> Iterator[None]:
    """Commands direct the log of their process, which here is everybody's."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
