"""A master as an administrator sets it up: a gateway and a MailStore mount over one set of accounts."""

from __future__ import annotations

import importlib.util
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import flask
import pytest
from werkzeug.test import TestResponse

from integration_server import Receiver
from integration_server.builtin.ips_connect.account import Account
from integration_server.builtin.ips_connect.accounts import Accounts
from integration_server.builtin.ips_connect.keys import KeyRule, expected_key
from integration_server.builtin.ips_connect.methods import METHODS
from integration_server.builtin.ips_connect.tables import TABLES
from integration_server.server.installation import Installation
from tests.web.sites import toml

#: As in the worked examples of the protocol.
K = "0123456789abcdef0123456789abcdef"
A, B = "https://a.example/gw", "https://b.example/gw"
A_KEY, B_KEY = "a" * 32, "b" * 32
A_ADDRESS, B_ADDRESS, STRANGER = "20.0.0.1", "20.0.0.2", "20.9.9.9"
HASH = "$2a$13$leEvXu77OIwPwNvtZIJvaeAx8EItGHuR3nIlq8416g0gXeJaQdrr2"
SALT = "leEvXu77OIwPwNvtZIJval"

#: What is not needed here only costs time.
_DISABLED = ("accounts", "csv_file", "groupserver", "ldap", "sql", "webhook")
_CONSUMER = """
from typing import ClassVar
from integration_server import Consumer, hookimpl
from integration_server.builtin.ips_connect.settings import SlaveSettings

class SilentSlave(Consumer):
    type: ClassVar[str] = "ips_connect"
    Settings = SlaveSettings
    lane = "subscription"
    own_types = tuple(f"ips_connect.{method}" for method in (
        "register", "validate", "delete", "ban", "merge", "changeEmail", "changePassword", "changeName"))
    gives_up = False
    ends_for_good = True

    def __init__(self, settings, context): pass
    def deliver(self, delivery, deadline): raise NotImplementedError
    def close(self): pass

@hookimpl
def register_consumers():
    return [SilentSlave]
"""


def write_master(folder: Path, tables: Mapping[str, Mapping[str, object]] | None = None, **gateway: object) -> Path:
    """The configuration: ``gateway`` are keys of the frontend, ``tables`` further tables or keys of those here."""
    config = folder / "config.d"
    config.mkdir(parents=True, exist_ok=True)
    (folder / "plugins").mkdir(exist_ok=True)
    if importlib.util.find_spec("integration_server.builtin.ips_connect.slave") is None:
        (folder / "plugins" / "silent_slave.py").write_text(_CONSUMER)
    given: dict[str, dict[str, object]] = {
        "server": {"data_dir": "../data"},
        "plugins": {"folder": "../plugins", "disabled": _DISABLED},
        "backends.forum": {"type": "ips_connect"},
        "frontends.gw": {"type": "ips_connect", "path": "/gw", "backends": ["forum"], "master_key": K, **gateway},
        "frontends.archive": {"type": "mailstore", "path": "/mailstore", "backends": ["forum"]},
    }
    for name, table in (tables or {}).items():
        given.setdefault(name, {}).update(table)
    lines = []
    for name, values in given.items():
        lines += [f"[{name}]", *(f"{key} = {toml(value)}" for key, value in values.items() if value is not None)]
    (config / "all.toml").write_text("\n".join(lines), encoding="utf-8")
    return config


@dataclass
class MasterSite:
    """An open installation. ``caller`` is the address that calls come from."""

    installation: Installation
    caller: str = A_ADDRESS
    path: str = "/gw"
    app: flask.Flask = field(init=False)

    def __post_init__(self) -> None:
        self.app = cast(flask.Flask, self.installation.app())

    @property
    def accounts(self) -> Accounts:
        return Accounts("forum", self.installation.store.storage(TABLES))

    def account(self, id: int) -> Account:
        found = self.accounts.find(id)
        assert found is not None
        return found

    def slaves(self) -> list[Receiver]:
        return list(self.installation.gateway("gw").receivers("ips_connect").all())

    def events(self) -> list[tuple[object, ...]]:
        """What was told of accounts: method, connect id, details, origin."""
        found = self.installation.store.journal.events(0, 1000)
        return [(one.type.partition(".")[2], one.person_id, one.after, one.origin) for one in found]

    def request(self, method: str = "GET", path: str | None = None, **options: Any) -> TestResponse:
        environ = {"REMOTE_ADDR": options.pop("caller", self.caller), "wsgi.url_scheme": "https"}
        return self.app.test_client().open(path or self.path, method=method, environ_overrides=environ, **options)

    def call(self, do: str, caller: str | None = None, **sent: object) -> dict[str, Any]:
        """The answer to a call by GET with the right key, unless ``key`` is given."""
        return answered(self.request(query_string=signed(do, **sent), caller=caller or self.caller))

    def status(self, do: str, caller: str | None = None, **sent: object) -> str:
        return str(self.call(do, caller, **sent)["status"])

    def register(self, name: str, email: str | None = None, **more: object) -> int:
        """The connect id of somebody whose password is ``password``."""
        sent = {"email": email or f"{name.lower()}@example.com", "pass_hash": HASH, "pass_salt": SALT, **more}
        answer = self.call("register", name=name, **sent)
        assert answer["status"] == "SUCCESS"
        return int(answer["connect_id"])


def signed(do: str, master_key: str = K, **sent: object) -> dict[str, str]:
    """The parameters of a call, with the key that belongs to it unless they have one."""
    values = {name: str(value) for name, value in sent.items() if value is not None}
    method = METHODS.get(do.lower())
    rule = KeyRule.RAW if method is None else method.key_rule
    return {"do": do, "key": expected_key(master_key, rule, values.get("id")), **values}


def answered(response: TestResponse) -> dict[str, Any]:
    """What a server gets: JSON with status 200, whatever it says, and kept by nobody."""
    assert (response.status_code, response.content_type) == (200, "application/json"), response.text
    assert response.headers["Cache-Control"] == "no-store"
    found = response.get_json()
    assert isinstance(found, dict)
    return found


class Names:
    """What names lead to, for everybody in this process who asks the system: addresses, or an error. Other names are
    asked for as usual."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.found: dict[str, tuple[str, ...] | Exception] = {
            "a.example": (A_ADDRESS,),
            "b.example": (B_ADDRESS, "2a00::b"),
            "private.example": ("10.0.0.7",),
        }
        self.asked: list[str] = []
        self._ask = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self._answer)

    def _answer(self, host: Any, port: Any, *args: Any, **options: Any) -> Any:
        if not isinstance(host, str) or host not in self.found:
            if isinstance(host, str) and host.endswith(".example"):
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            return self._ask(host, port, *args, **options)
        self.asked.append(host)
        found = self.found[host]
        if isinstance(found, Exception):
            raise found
        return [
            (socket.AF_INET6, 1, 6, "", (one, port, 0, 0)) if ":" in one else (socket.AF_INET, 1, 6, "", (one, port))
            for one in found
        ]
