"""A master as it is installed, slaves as servers of their own on hosts of their own, and a browser that is led by hand.

All hosts are loopback addresses: 127.0.0.1 is the master's, and each slave has the next.
"""

from __future__ import annotations

import http.client
import http.cookiejar
import itertools
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from integration_server import Consumer, ConsumerContext, ConsumerSettings, Deadline, Delivery, Gateway, Receipt
from integration_server.builtin.ips_connect.account import Account, NewPerson
from integration_server.builtin.ips_connect.accounts import Accounts
from integration_server.builtin.ips_connect.chain import Chain
from integration_server.builtin.ips_connect.gateway import IpsConnectFrontend
from integration_server.builtin.ips_connect.keys import key_of_id
from integration_server.builtin.ips_connect.settings import GatewaySettings, SlaveSettings
from integration_server.builtin.ips_connect.tables import TABLES
from integration_server.sdk.settings import FrontendSettings
from integration_server.server import HttpServer, ServerLimits, bind
from integration_server.server.installation import Installation, opened
from tests.directory.house import Clock
from tests.web.sites import toml

MASTER_KEY = "0123456789abcdef0123456789abcdef"
CLOCK = Clock()

PLUGIN = """
from integration_server import hookimpl
from integration_server.builtin.ips_connect import IpsConnectBackend
from tests.builtin.ips_connect.chain_network import ClockedFrontend, SilentConsumer

@hookimpl
def register_backends():
    return [IpsConnectBackend]

@hookimpl
def register_frontends():
    return [ClockedFrontend]

@hookimpl
def register_consumers():
    return [SilentConsumer]
"""


class SilentConsumer(Consumer):
    """Slaves that are told nothing: here it is about browsers alone."""

    type = "ips_connect"
    Settings = SlaveSettings
    own_types = ("ips_connect.register",)

    def __init__(self, settings: ConsumerSettings, context: ConsumerContext) -> None:
        pass

    def deliver(self, delivery: Delivery, deadline: Deadline) -> Receipt:
        return Receipt()

    def close(self) -> None:
        pass


class ClockedFrontend(IpsConnectFrontend):
    """The real one, whose chains go by ``CLOCK``."""

    def __init__(self, settings: FrontendSettings, gateway: Gateway) -> None:
        super().__init__(settings, gateway)
        assert isinstance(settings, GatewaySettings)
        old = self._chain
        self._chain = Chain(old._backend, old._accounts, old._key, gateway, settings, CLOCK)


# -- slaves ----------------------------------------------------------------------------------------------------------

Manner = Literal["good", "slow", "forbidden"]


class Slave:
    """A forum's gateway. ``visits`` are the calls of browsers, ``looks`` counts requests without any parameter."""

    def __init__(self, host: str, key: str, path: str = "/gw", manner: Manner = "good") -> None:
        self.key = key
        self.manner = manner
        self.visits: list[dict[str, str]] = []
        self.looks = 0
        self.members = {"1", "2", "3"}
        handler = type("Handler", (_Handler,), {"slave": self})
        self._server = ThreadingHTTPServer((host, 0), handler)
        self.origin = f"http://{host}:{self._server.server_port}"
        self.url = self.origin + path
        self.page = f"{self.origin}/index.php?loginProcess=ipsconnect&ipsconnectKey=hush&ipsconnectId=1"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def methods(self) -> list[str]:
        return [visit["do"] for visit in self.visits]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    slave: Slave

    def do_GET(self) -> None:
        slave, query = self.slave, dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        if slave.manner == "slow":
            time.sleep(4)
        if "do" not in query:
            slave.looks += 1
            return self._answer(200, '{"status":"INVALID_ACTION"}')
        slave.visits.append(query)
        if slave.manner == "forbidden":
            return self._answer(403, "disabled")
        if query["key"] != key_of_id(slave.key, query["id"]):
            return self._answer(403, "Security key mismatch.")
        known = query["id"] in slave.members
        value = query["id"] if query["do"] == "crossLogin" else ""
        return self._answer(303, "", query["returnTo"], f"member={value}; Path=/" if known else None)

    def _answer(self, status: int, body: str, location: str | None = None, cookie: str | None = None) -> None:
        self.send_response(status)
        if location is not None:
            self.send_header("Location", location)
        if cookie is not None:
            self.send_header("Set-Cookie", cookie)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: Any) -> None:
        pass


# -- browsers --------------------------------------------------------------------------------------------------------


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any) -> None:
        return None


@dataclass
class Answer:
    """What a browser got."""

    url: str
    status: int
    headers: http.client.HTTPMessage
    text: str

    @property
    def location(self) -> str:
        return self.headers["Location"]

    def cookie(self, name: str) -> str | None:
        """The whole Set-Cookie line of a cookie."""
        lines = self.headers.get_all("Set-Cookie", [])
        return next((line for line in lines if line.startswith(f"{name}=")), None)


class Browser:
    """Goes one step at a time, and keeps cookies."""

    def __init__(self) -> None:
        self.jar = http.cookiejar.CookieJar()
        proxies = urllib.request.ProxyHandler({})
        self._opener = urllib.request.build_opener(proxies, urllib.request.HTTPCookieProcessor(self.jar), _Stay)

    def get(self, url: str, headers: Mapping[str, str] | None = None, form: Mapping[str, str] | None = None) -> Answer:
        data = None if form is None else urlencode(form).encode()
        try:
            response = self._opener.open(urllib.request.Request(url, data, dict(headers or {})), timeout=20)
        except urllib.error.HTTPError as error:
            response = error
        with response:
            return Answer(url, response.status, response.headers, response.read().decode())

    def follow(self, url: str, end: str | None = None, most: int = 200) -> list[Answer]:
        """All answers on the way from ``url`` to what is no redirect, or to a redirect to ``end``."""
        found: list[Answer] = []
        while len(found) < most:
            found.append(self.get(url))
            if found[-1].status != 303 or found[-1].location == end:
                return found
            url = found[-1].location
        raise AssertionError("it goes round and round")

    def cookies(self, host: str = "127.0.0.1") -> dict[str, str]:
        return {cookie.name: cookie.value or "" for cookie in self.jar if cookie.domain == host}


# -- the network -----------------------------------------------------------------------------------------------------


@dataclass
class Network:
    """A running master, whose accounts 1, 2 and 3 are Ann, Bob and Cid."""

    installation: Installation
    accounts: Accounts
    port: int
    clock: Clock
    _slaves: ExitStack
    path: str = "/connect"
    slaves: list[Slave] = field(default_factory=list)
    browser: Browser = field(default_factory=Browser)
    _hosts: Iterator[int] = field(default_factory=lambda: itertools.count(2))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.path}"

    @property
    def receivers(self) -> Any:
        return self.installation.gateway("forum_gw").receivers("ips_connect")

    def add(self, path: str = "/gw", manner: Manner = "good", **values: object) -> Slave:
        """Another slave, registered."""
        slave = Slave(f"127.0.0.{next(self._hosts)}", f"{len(self.slaves):032x}", path, manner)
        self._slaves.callback(slave.close)
        self.slaves.append(slave)
        self.register(slave, **values)
        return slave

    def register(self, slave: Slave, **values: object) -> str:
        """The id of its subscription."""
        given = {"backend": "forum", "url": slave.url, "key": slave.key, "allow_networks": ["127.0.0.0/8"], **values}
        return str(self.receivers.register(slave.url, given).id)

    def id(self, slave: Slave) -> str:
        return next(one.id for one in self.receivers.all() if one.settings.url == slave.url)

    def call(self, do: str = "crossLogin", id: str = "1", key: str | None = None, **values: str) -> str:
        """The URL to which a slave sends a browser."""
        given = {"do": do, "key": key_of_id(MASTER_KEY, id) if key is None else key, "id": id, **values}
        return f"{self.url}?{urlencode(given, quote_via=quote)}"

    def log(self, way: Literal["in", "out"], origin: Slave, **values: str) -> list[Answer]:
        """All answers of a whole chain that a slave begins."""
        do = "crossLogin" if way == "in" else "logout"
        given = {"url": origin.url, "returnTo": origin.page, **values}
        return self.browser.follow(self.call(do, **given), given["returnTo"])

    def account(self, id: int) -> Account:
        found = self.accounts.find(id)
        assert found is not None
        return found


def state_of(visit_url: str) -> str:
    """The state in the URL of a visit, or in the URL to which its slave sends back."""
    query = dict(parse_qsl(urlsplit(visit_url).query))
    return query["state"] if "state" in query else state_of(query["returnTo"])


@contextmanager
def running(folder: Path, **frontend: object) -> Iterator[Network]:
    """A master in ``folder``, whose mount has these further settings."""
    (folder / "plugins").mkdir()
    (folder / "plugins" / "network.py").write_text(PLUGIN)
    (folder / "config.d").mkdir()
    (folder / "config.d" / "all.toml").write_text(_config(frontend), encoding="utf-8")
    CLOCK.now = 1_800_000_000.0
    with opened(folder / "config.d") as installation, ExitStack() as stack:
        accounts = Accounts("forum", installation.store.storage(TABLES))
        for name in ("Ann", "Bob", "Cid"):
            accounts.register(NewPerson(name, f"{name.lower()}@example.org", f"hash of {name}", f"salt of {name}"))
        port = stack.enter_context(_serving(installation))
        slaves = stack.enter_context(ExitStack())
        yield Network(installation, accounts, port, CLOCK, slaves)


def _config(frontend: Mapping[str, object]) -> str:
    tables: Sequence[tuple[str, Mapping[str, object]]] = [
        ("server", {"data_dir": "../data"}),
        # The shipped plugin of this name would be there twice.
        ("plugins", {"folder": "../plugins", "disabled": ["ips_connect"]}),
        ("backends.forum", {"type": "ips_connect"}),
        ("backends.other", {"type": "ips_connect"}),
        (
            "frontends.forum_gw",
            {
                "type": "ips_connect",
                "path": "/connect",
                "backends": ["forum"],
                "master_key": MASTER_KEY,
                **frontend,
            },
        ),
    ]
    return "".join(f"[{name}]\n" + "".join(f"{k} = {toml(v)}\n" for k, v in table.items()) for name, table in tables)


@contextmanager
def _serving(installation: Installation) -> Iterator[int]:
    sock = bind("127.0.0.1", 0)
    port: int = sock.getsockname()[1]
    server = HttpServer(installation.app(), sock, ServerLimits())
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield port
    finally:
        server.stop()
        thread.join(20)
