"""Whole installations from configuration files, with people in memory, behind Flask's client or a real server."""

from __future__ import annotations

import base64
import http.client
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import flask
import pytest
from werkzeug.test import TestResponse

from integration_server.plugins import BUILTINS
from integration_server.server import HttpServer, ServerLimits, bind
from integration_server.server.installation import Installation, open_installation
from tests.directory.memory import WORLD, People

SERVICE = ("mailstore@example.test", "Passw0rd")
#: The other shipped plugins only cost time here.
DISABLED = [name.rpartition(".")[2] for name in BUILTINS if not name.endswith(".mailstore")]


def toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{key}" = {toml(item)}' for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + "".join(c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}" for c in value) + '"'
    return repr(value)


def basic(username: str, password: str, encoding: str = "utf-8") -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode(encoding)).decode("ascii")


@dataclass
class Site:
    """An open installation. ``caller`` is the address that requests come from."""

    installation: Installation
    world: dict[str, People] = field(default_factory=lambda: WORLD)
    caller: str = "127.0.0.1"
    path: str = "/mailstore"
    authorization: str | None = basic(*SERVICE)

    def __post_init__(self) -> None:
        self.app = cast(flask.Flask, self.installation.app())

    def request(self, method: str = "POST", path: str | None = None, **options: Any) -> TestResponse:
        headers = dict(options.pop("headers", {}))
        if self.authorization is not None:
            headers.setdefault("Authorization", self.authorization)
        options.setdefault("content_type", "application/x-www-form-urlencoded" if method == "POST" else None)
        environ = {"REMOTE_ADDR": options.pop("caller", self.caller)}
        return self.app.test_client().open(
            path or self.path, method=method, headers=headers, environ_base=environ, **options
        )

    def post(self, data: object = None, **options: Any) -> TestResponse:
        return self.request(data=data, **options)

    def list(self, **options: Any) -> TestResponse:
        return self.post({"cmd": "list"}, **options)

    def auth(self, user: str, password: str, **options: Any) -> TestResponse:
        return self.post({"cmd": "auth", "user": user, "pass": password}, **options)

    def accepts(self, user: str, password: str, **options: Any) -> bool:
        response = self.auth(user, password, **options)
        assert response.status_code == 200, response.text
        answer = response.get_json()
        assert set(answer) == {"succeeded"}
        return answer["succeeded"] is True

    @contextmanager
    def serving(self, **limits: Any) -> Iterator[Callable[[], http.client.HTTPConnection]]:
        """A real server for the time of the block, and what connects to it."""
        sock = bind("127.0.0.1", 0)
        port = sock.getsockname()[1]
        server = HttpServer(self.app, sock, ServerLimits(**limits))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        opened: list[http.client.HTTPConnection] = []

        def connect() -> http.client.HTTPConnection:
            opened.append(http.client.HTTPConnection("127.0.0.1", port, timeout=20))
            return opened[-1]

        try:
            yield connect
        finally:
            for connection in opened:
                connection.close()
            server.stop()
            thread.join(20)
        assert not thread.is_alive()


MakeSite = Callable[..., Site]


def write_config(folder: Path, tables: dict[str, dict[str, Any]]) -> Path:
    """``{"backends.hq": {...}}`` as a configuration folder whose plugins include the backends in memory."""
    config = folder / "config.d"
    (folder / "plugins").mkdir(parents=True, exist_ok=True)
    config.mkdir(exist_ok=True)
    (folder / "plugins" / "memory.py").write_text("from tests.directory.memory import register_backends\n")
    core = {"server": {"data_dir": "../data"}, "plugins": {"folder": "../plugins", "disabled": DISABLED}}
    for name in ("server", "plugins"):
        core[name].update(tables.pop(name, {}))
    text = ""
    for name, table in (core | tables).items():
        text += f"[{name}]\n" + "".join(f"{key} = {toml(value)}\n" for key, value in table.items())
    (config / "all.toml").write_text(text, encoding="utf-8")
    return config


@pytest.fixture
def make_site(tmp_path: Path, empty_store: Path) -> Iterator[MakeSite]:
    """``make_site(path="/x", **frontend)``: the mount "archive" over the backend "hq", with the usual service account.

    ``tables`` adds further tables, or replaces those of the two.
    """
    WORLD.clear()
    sites: list[Site] = []
    (tmp_path / "data").mkdir()
    shutil.copy(empty_store, tmp_path / "data" / "store.db")

    def make(tables: dict[str, dict[str, Any]] | None = None, **frontend: Any) -> Site:
        archive = {"type": "mailstore", "path": "/mailstore", "backends": ["hq"]}
        if not frontend.keys() & {"username", "password", "password_hash", "allow_anonymous"}:
            archive |= {"username": SERVICE[0], "password": SERVICE[1]}
        given = {"backends.hq": {"type": "memory"}, "frontends.archive": archive | frontend, **(tables or {})}
        for name in given:
            if name.startswith("backends."):
                WORLD.setdefault(name.partition(".")[2], People())
        site = Site(open_installation(write_config(tmp_path, given)))
        sites.append(site)
        return site

    yield make
    for site in sites:
        site.installation.close()
    WORLD.clear()


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    """The usual mount with Ann and Bob behind it."""
    site = make_site()
    people = site.world["hq"]
    people.add("ann", "Ann's password", cn="Ann Lee", mail=["ann@example.com", "a.lee@example.com"])
    people.add("bob", "Bob's password")
    return site
