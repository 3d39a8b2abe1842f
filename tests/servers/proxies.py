"""Reverse proxies as our own processes, which run the text that an administrator would copy."""

from __future__ import annotations

import getpass
import os
import socket
from pathlib import Path

from tests.servers.server import Server, free_port, program


class Proxy(Server):
    """``text`` is what stands in the proxy's configuration; PORT in it becomes the port."""

    def __init__(self, directory: Path, text: str) -> None:
        super().__init__(directory)
        self.text = text

    @property
    def requests(self) -> Path:
        """Its log of requests."""
        return self.directory / "requests.log"

    def is_ready(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5):
                return True
        except OSError:
            return False


class Nginx(Proxy):
    _MAIN = """\
daemon off;
{user}pid "{folder}/nginx.pid";
error_log stderr;
events {{}}
http {{
    access_log off;
    {paths}
    include "{folder}/site.conf";
}}
"""

    def prepare(self) -> None:
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        paths = "\n    ".join(f'{kind}_temp_path "{self.directory}/{kind}";' for kind in kinds)
        # As root it would leave its folder to nobody.
        user = f"user {getpass.getuser()};\n" if os.geteuid() == 0 else ""
        text = self._MAIN.format(user=user, folder=self.directory, paths=paths)
        (self.directory / "nginx.conf").write_text(text, encoding="utf-8")

    def choose_ports(self) -> None:
        super().choose_ports()
        (self.directory / "site.conf").write_text(self.text.replace("PORT", str(self.port)), encoding="utf-8")

    def command(self) -> list[str]:
        nginx = program("nginx", package="the package nginx-light")
        return [nginx, "-p", str(self.directory), "-e", "stderr", "-c", str(self.directory / "nginx.conf")]


class Caddy(Proxy):
    #: Nothing of it outside its folder, and nothing beyond loopback.
    _GLOBAL = """\
{
    admin off
    default_bind 127.0.0.1
    http_port HTTP
    auto_https disable_redirects
}
"""

    def prepare(self) -> None:
        pass

    def choose_ports(self) -> None:
        super().choose_ports()
        text = self._GLOBAL.replace("HTTP", str(free_port())) + self.text.replace("PORT", str(self.port))
        (self.directory / "Caddyfile").write_text(text, encoding="utf-8")

    def command(self) -> list[str]:
        caddy = program("caddy", package="the package caddy")
        homes = [f"{name}={self.directory}" for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")]
        return ["env", *homes, caddy, "run", "--adapter", "caddyfile", "--config", str(self.directory / "Caddyfile")]
