"""The recipes of docs/proxies.rst as they stand there, a server of ours to put behind them, and callers of both."""

from __future__ import annotations

import base64
import http.client
import json
import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from integration_server.sdk.passwords import hash_password
from tests.cli.conftest import Serving
from tests.servers.certificates import Authority, Certificate
from tests.servers.proxies import Caddy, Nginx, Proxy
from tests.servers.server import free_port

PAGE = Path(__file__).parents[2] / "docs" / "proxies.rst"
#: Another address of this machine than the proxy's, so that one is told from the other.
CALLER = "127.0.0.5"
SERVICE = ("mailstore", "the archive's own password")
PASSWORD = "ann's own password"
MASTER_KEY = "5d1c7e0f9b3a48e2a6f4c0d8b7e19325"

CONFIG = """
[server]
data_dir = "../data"
threads = 4
{server}
[backends.people]
type = "csv"
path = "../people.csv"
password_column = "password"
[backends.people.map]
username = "login"
full_name = "name"
emails = "mail"
[backends.forum]
type = "ips_connect"
[frontends.archive]
type = "mailstore"
path = "{prefix}/mailstore"
backends = ["people"]
username = "mailstore"
password = "{password}"
[frontends.few]
type = "mailstore"
path = "{prefix}/few"
backends = ["people"]
username = "mailstore"
password = "{password}"
[frontends.few.filter]
domains = ["few.example.org"]
[frontends.gateway]
type = "ips_connect"
path = "{prefix}/connect"
backends = ["forum"]
master_key = "{key}"
slave_networks = ["127.0.0.0/24"]
[frontends.push]
type = "push"
path = "{prefix}/push"
backends = ["people"]
websocket_port = {websocket_port}
public_url = "https://localhost{cut}{prefix}/push"
[frontends.rest]
type = "push"
path = "{prefix}/rest"
"""


def recipe(language: str, number: int = 0) -> str:
    """A text of the page, without its indent."""
    found = re.findall(rf"^\.\. code-block:: {language}\n\n((?:    .*\n|\n)+)", PAGE.read_text(encoding="utf-8"), re.M)
    return re.sub(r"^    ", "", str(found[number]), flags=re.M)


def changed(text: str, *changes: tuple[str, str]) -> str:
    """What an administrator changes in a recipe. Each must be there to be changed."""
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text


@dataclass
class House:
    """A server of ours, started by ``serve``, and how proxies reach it."""

    folder: Path
    certificate: Certificate
    trusted: str = 'trusted_proxies = ["127.0.0.1"]'
    #: Where the frontends are, and where they are for callers of a proxy that cuts that off.
    prefix: str = ""
    cut: str = ""
    port: int = field(default_factory=free_port)
    websocket_port: int = field(default_factory=free_port)

    @contextmanager
    def serving(self, people: int) -> Iterator[Serving]:
        serving = Serving(self._configured(people), "--port", self.port)
        try:
            assert serving.url
            yield serving
        finally:
            serving.stop()

    @property
    def config(self) -> Path:
        return self.folder / "config.d"

    def _configured(self, people: int) -> Path:
        self.config.mkdir(parents=True)
        text = CONFIG.format(
            server=self.trusted,
            prefix=self.prefix,
            cut=self.cut,
            websocket_port=self.websocket_port,
            password=SERVICE[1],
            key=MASTER_KEY,
        )
        (self.config / "all.toml").write_text(text, encoding="utf-8")
        rows = [f"ann,Ann Lee,ann@few.example.org,{_quoted(hash_password(PASSWORD))}"]
        rows += [f"u{n:06},{f'Person number {n} ' * 6},u{n:06}@example.org," for n in range(people)]
        path = self.folder / "people.csv"
        path.write_text("\n".join(["login,name,mail,password", *rows, ""]), encoding="utf-8")
        return self.config


def _quoted(field: str) -> str:
    return f'"{field}"'


# -- the recipes -----------------------------------------------------------------------------------------------------


def nginx(house: House, folder: Path, *more: tuple[str, str]) -> Nginx:
    """``more`` are changes that are made first."""
    text = changed(
        changed(recipe("nginx"), *more),
        ("listen 443 ssl;", "listen 127.0.0.1:PORT ssl;"),
        ("users.example.org;", "localhost;"),
        ("/etc/ssl/users.example.org.pem", f'"{house.certificate.certificate}"'),
        ("/etc/ssl/users.example.org.key", f'"{house.certificate.key}"'),
        ("/var/log/nginx/users.log", f'"{folder / "requests.log"}"'),
        ("127.0.0.1:8080", f"127.0.0.1:{house.port}"),
        ("127.0.0.1:8081", f"127.0.0.1:{house.websocket_port}"),
    )
    return Nginx(folder, text)


def caddy(house: House, folder: Path, *more: tuple[str, str]) -> Caddy:
    text = changed(
        changed(recipe("caddy"), *more),
        ("users.example.org {", "https://localhost:PORT {"),
        ("/etc/ssl/users.example.org.pem", f'"{house.certificate.certificate}"'),
        ("/etc/ssl/users.example.org.key", f'"{house.certificate.key}"'),
        ("127.0.0.1:8080", f"127.0.0.1:{house.port}"),
        ("127.0.0.1:8081", f"127.0.0.1:{house.websocket_port}"),
    )
    log = changed(recipe("caddy", 1), ("/var/log/caddy/users.log", f'"{folder / "requests.log"}"'))
    return Caddy(folder, f"{text.rstrip().removesuffix('}')}\n{log}\n}}\n")


Make = Callable[..., Proxy]
MAKERS: dict[str, Make] = {"nginx": nginx, "caddy": caddy}


@contextmanager
def running(proxy: Proxy) -> Iterator[Proxy]:
    try:
        proxy.start()
        yield proxy
    finally:
        proxy.destroy()


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Caller:
    """Calls a proxy over TLS, whose certificate it looks at; ``authority`` None calls without TLS."""

    def __init__(self, port: int, authority: Authority | None) -> None:
        self.port = port
        self.tls = None if authority is None else ssl.create_default_context(cafile=str(authority.ca_file))

    def _connection(self) -> http.client.HTTPConnection:
        more: dict[str, Any] = {"timeout": 60, "source_address": (CALLER, 0)}
        if self.tls is None:
            return http.client.HTTPConnection("localhost", self.port, **more)
        return http.client.HTTPSConnection("localhost", self.port, context=self.tls, **more)

    def ask(self, method: str, path: str, body: str | None = None, **headers: str) -> Answer:
        connection = self._connection()
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def mailstore(self, path: str = "/mailstore", fields: dict[str, str] | None = None, **headers: str) -> Answer:
        form = urlencode(fields or {"cmd": "list"})
        basic = base64.b64encode(":".join(SERVICE).encode()).decode()
        kind = "application/x-www-form-urlencoded"
        return self.ask("POST", path, form, Authorization=f"Basic {basic}", Content_Type=kind, **headers)

    def connect(self, do: str, key: str, **values: str) -> Answer:
        """A call of a forum's gateway, in the query."""
        return self.ask("GET", f"/connect?{urlencode({'do': do, 'key': key, **values}, quote_via=quote)}")


def names(listed: Answer) -> list[str]:
    assert listed.status == 200, listed.body
    return [one["userName"] for one in listed.json]
